//! The shared vocabulary of the family: what an observation, a tag set, a window and a data point are.
//!
//! ```text
//! bytes -> frames -> lines -> observations -> windows -> streams -> sinks
//!                             ^^^^^^^^^^^^    ^^^^^^^               ^^^^^
//! ```
//!
//! Parsers produce an [`Observation`], or a [`Record`] of several that share their tags and their instant. The aggregator
//! turns them into a [`DataPoint`] for each [`Window`] and stream, and a [`Sink`] takes those. This crate holds the types
//! that stand between them, so that a sink need not compile a parser, nor a parser an aggregator. There is no logic of
//! either in it.
//!
//! ```
//! use metric_model::{Observation, TagSet, Timestamp, Unit, Value};
//!
//! let tags = TagSet::from_iter([("endpoint", "lookup")]);
//! let taken = Value::new(0.2, Unit::new("s")).regular();
//! let seen = Observation::measure("database.query", taken, &tags, Timestamp::from_unix_micros(1_706_933_106_000_000));
//! assert_eq!(seen.value(), Value::new(200.0, Unit::MILLISECONDS));
//! ```
//!
//! # Untrusted input
//!
//! Nothing here reads input. [`TagSet::insert`] keeps tags sorted by moving bytes, so its cost is linear in the length
//! of the set; whoever fills a set from untrusted lines bounds the number of tags (`logfmt-metrics` does: 50).
//!
//! # Features
//!
//! `std` (default) adds nothing to the API; without it the crate needs `alloc` only. `serde` adds `Serialize` for
//! data points and tag sets, in the shape `logdrain replay --format jsonl` prints.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod decimal;
mod observation;
mod point;
mod record;
#[cfg(feature = "serde")]
mod serialize;
mod sink;
mod stats;
mod summary;
mod tags;
mod timestamp;
mod unit;

pub use observation::{Kind, Observation};
pub use point::{DataPoint, DataPointBuf, StreamName};
pub use record::{Metric, Record};
pub use sink::Sink;
pub use stats::{Percentile, Percentiles, Stats};
pub use summary::Summary;
pub use tags::TagSet;
pub use timestamp::{Timestamp, Window};
pub use unit::{Unit, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
