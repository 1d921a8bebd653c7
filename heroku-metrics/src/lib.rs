//! Heroku log drains in, per-minute metric streams out.
//!
//! ```text
//! bytes -> frames  -> lines  -> observations -> windows -> streams -> sinks
//! heroku-syslog       logfmt-metrics            minute-aggregator     yours
//!                     heroku-router
//!          heroku-metrics: classifies lines, names native metrics, joins the two halves
//! ```
//!
//! ```
//! use heroku_metrics::{Pipeline, PipelineConfig, model::DataPoint, syslog::Delivery};
//!
//! let body = b"65 <190>1 2026-03-14T09:26:53Z host app web.1 - measure#query=200ms\n";
//! let mut pipeline = Pipeline::new(PipelineConfig::new())?;
//! let receipt = pipeline.ingest(&Delivery::new(body));
//! assert_eq!(receipt.observed(), 1);
//! pipeline.finish(&mut |point: &DataPoint<'_>| {
//!     println!("{} {} {:?}", point.window().start(), point.name(), point.stats().mean());
//!     Ok::<(), std::convert::Infallible>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Overview
//!
//! | type | what it is for |
//! |---|---|
//! | [`Pipeline`] | takes deliveries, keeps a minute window for each metric stream, writes the minutes that are over |
//! | [`PipelineConfig`] | dialect, limits, plan, windows; [`max_memory`](PipelineConfig::max_memory) says what they may take |
//! | [`Delivery`](syslog::Delivery) | the body of one drain request, with what its headers say |
//! | [`Receipt`] | what one delivery held: frames, values, what was refused and why |
//! | [`Ledger`] | the same added up, with the books of the aggregator; they balance at every stage |
//! | [`DataPoint`](model::DataPoint) | one minute of one metric and tag set, with all its statistics |
//! | [`Sink`](model::Sink) | yours: takes the points. A closure is one, and so is a `Vec<DataPointBuf>` |
//! | [`Tap`] | yours: sees every frame, line, observation and refusal as they pass, and may leave frames out |
//! | [`Plan`] | how many streams there may be, and what is collected |
//! | [`Extractor`] | reads lines without aggregating, for those who want the values alone: a [`Record`](model::Record) a line |
//!
//! The router, Postgres, dyno and error metrics of [`native`] come from Heroku's own lines, and an app's own metrics from
//! `count# measure# sample# tag#` in its lines. A host adds observations of its own by [`Pipeline::aggregator_mut`], and a
//! [`Sketch`](aggregator::Sketch) of your own may answer the percentiles. Whoever wants minutes that can be kept and added
//! up takes whole rows, with a [`RowSink`](aggregator::RowSink).
//!
//! # A live host
//!
//! A pipeline has no clock, thread or socket. A host gives it each request as it comes, and says once a second what time it
//! is. It keeps one pipeline for each drain, or for whatever shares a quota.
//!
//! ```
//! use heroku_metrics::model::{DataPointBuf, Timestamp};
//! use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
//! use std::time::SystemTime;
//!
//! let config = PipelineConfig::new();
//! println!("takes at most {} bytes", config.max_memory()); // before anything is read
//! let mut pipeline = Pipeline::new(config)?;
//!
//! // At the start, and then each second: what time is it?
//! let now = || Timestamp::from_unix_micros(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as i64));
//! let mut rows: Vec<DataPointBuf> = Vec::new(); // any other sink
//! pipeline.advance(now(), &mut rows)?;
//!
//! // For each request: the body, and the id that lets a retry be known again.
//! let body = b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n";
//! let receipt = pipeline.ingest(&Delivery::new(body).with_header("Logplex-Frame-Id", b"9C2F"));
//! assert!(receipt.balances()); // then answer 204
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **The rows of a minute come two minutes after it began**: it lasts one, and for another one lines may come late, which
//! [`AggregatorConfig`](aggregator::AggregatorConfig) can change. A row that is written is final unless late lines are to
//! revise it. Until the first [`advance`](Pipeline::advance) nothing bounds how far ahead a line's time may be, so it comes
//! before the first delivery. [`finish`](Pipeline::finish) closes what is open: it is for the end of a file, not for a
//! restart. For that, [`snapshot`](Pipeline::snapshot) and [`restore`](Pipeline::restore) carry over the open minutes, the
//! books and the deliveries that are known.
//!
//! **Memory is bounded by the configuration**, and input cannot exceed it: [`PipelineConfig::max_memory`] computes the bound
//! before the start. The defaults allow some gigabytes, since they are meant for one large drain; whoever holds many
//! pipelines sets the limits of the aggregator lower.
//!
//! # Untrusted input
//!
//! Every byte of a delivery is taken to be hostile; nothing panics on any of them. The work is linear in the body's
//! length. What a line can cost is limited: 64 KiB a frame ([`Limits`](syslog::Limits)), 50 tags a line, names of 255
//! bytes, tag keys of 64 and values of 255. Lines are classified by APP-NAME and PROCID alone, which Heroku sets, so
//! that an app cannot forge a native metric: names of the native families are refused to it, and a router line it prints
//! stays text. How many streams there may be is the aggregator's concern.
//!
//! # Accuracy
//!
//! That of [`aggregator`]: counts, minima and maxima exact; sums exact to 1e-15 and independent of order;
//! percentiles by nearest rank, observed values up to 64 in the window, within 0.5 % beyond.
//!
//! # Deviations
//!
//! From the add-on's page, where it is silent or contradicts itself: `source` and `dyno` of router metrics are both the
//! logical dyno; a `101` line counts as a request and not as a latency; every H code counts as an error, H80 to H83
//! too; an L line without a number (L14, L15, L20) counts 1; `Error R13` of a one-off dyno, documented once under
//! `app[run.3]`, is text there, since an app can print it. Units are made regular ([`UnitPolicy`]). A frame without a
//! timestamp gives no observation: it belongs to no minute.
//!
//! # What is not read
//!
//! Runtime lines of 2013 (`measure=memory_total val=766.50 units=MB`): they are counted as unread ([`Receipt`]). Data
//! services other than Postgres, Key-Value Store and its pools write as the app, so that their samples are custom metrics
//! under the names on the line. Units with a slash and Go's durations (`1m2.5s`) are refused as `bad_unit`; `unique#`,
//! `gauge#` and `metric#` are text. Custom metrics are read from APP-NAME `app` alone unless [`CustomFrom`] says otherwise.
//! What [`Families`] holds is text unless it is asked for.
//!
//! # Features
//!
//! * `std` (default) is handed on to the crates below; it adds nothing to the API.
//! * `serde` adds `Serialize` and `Deserialize` for [`Plan`], and `Serialize` for the points of [`model`].

mod classify;
mod deliveries;
mod extract;
mod ledger;
mod line;
pub mod native;
mod pipeline;
mod plan;
mod refusal;
mod snapshot;
mod tap;

pub use classify::{Class, Source};
pub use deliveries::SeenDeliveries;
pub use extract::{CustomFrom, DynoIdentity, Extractor, ExtractorConfig, LineVisitor, UnitPolicy};
pub use ledger::{Entry, Ledger, Receipt};
pub use line::Line;
pub use native::families::Families;
pub use native::set::NativeSet;
pub use pipeline::{Pipeline, PipelineConfig};
pub use plan::{Estimate, Plan};
pub use refusal::{LineRefusal, Reason};
pub use snapshot::RestoreError;
pub use tap::{Tap, Verdict};

/// Router lines and error codes: the crate `heroku-router`.
pub use heroku_router as router;
/// Frames and deliveries: the crate `heroku-syslog`.
pub use heroku_syslog as syslog;
/// Pairs, numbers and metric directives: the crate `logfmt-metrics`.
pub use logfmt_metrics as logfmt;
/// The shared vocabulary: the crate `metric-model`.
pub use metric_model as model;
/// Windows and sketches: the crate `minute-aggregator`.
pub use minute_aggregator as aggregator;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontDoor;
