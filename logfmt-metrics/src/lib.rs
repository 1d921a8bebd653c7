//! logfmt pairs, numbers with units, and the metric directives that log lines carry.
//!
//! ```text
//! bytes -> frames -> lines -> observations -> windows -> streams -> sinks
//!                    ^^^^^    ^^^^^^^^^^^^
//! ```
//!
//! Four readers, each usable alone:
//!
//! * [`pairs`] walks `key=value` text, bytes in and slices of them out;
//! * [`number`] reads `40.9MB` as a number and its unit;
//! * [`directives`] finds `count#`, `measure#`, `sample#`, `tag#` and `source=` in a line of an application, and
//!   answers a typed [`Refusal`] for each one that cannot be used;
//! * [`samples`] walks lines that consist of `sample#`, as the platform writes them, faster than [`pairs`].
//!
//! ```
//! use logfmt_metrics::{Directive, directives};
//!
//! let line = b"source=web.1 measure#cart.total=0.2s tag#step=pay at=info count#cart.paid=1,";
//! let mut seen = Vec::new();
//! for found in directives(line) {
//!     seen.push(match found {
//!         Ok(Directive::Metric(metric)) => format!("{} {} {:?}", metric.kind(), metric.name(), metric.value().regular()),
//!         Ok(Directive::Tag(tag)) => format!("{}={}", tag.key(), tag.value()),
//!         Ok(_) => continue,
//!         Err(refusal) => refusal.to_string(),
//!     });
//! }
//! assert_eq!(seen, [
//!     "source=web.1",
//!     r#"measure cart.total Value { number: 200.0, unit: Unit("ms") }"#,
//!     "step=pay",
//!     "not 1 to 16 letters or % in unit of metric value at byte 58",
//! ]);
//! ```
//!
//! Tags hold for every metric of their line, before or behind it, so a caller gathers the tags before it records the
//! metrics; of a repeated key the first stands. Values are as written: [`Value::regular`](metric_model::Value::regular)
//! is the caller's visible step.
//!
//! # Untrusted input
//!
//! Any bytes are taken, none make a panic, and nothing is assumed to be UTF-8: only names, tags and units, which leave
//! as `str`, are checked. Every walk is linear in the line, whatever is in it. There is no limit on the length of a line
//! or on the number of metrics in it; names, tag keys, tag values, tags and units are limited by [`MAX_NAME`],
//! [`MAX_TAG_KEY`], [`MAX_TAG_VALUE`], [`MAX_TAGS`] and [`MAX_UNIT`]. Walking never allocates; [`Pair::unescaped`] and
//! [`Tag::value`] do when there is an escape to undo. A name under `heroku.` is refused, so that an application cannot
//! forge a metric of the platform. Tag values may hold control characters: escape them where they are shown.
//!
//! # Accuracy
//!
//! A number is the double nearest to its decimal text, as [`str::parse`] has it, whatever its length. What rounds to an
//! infinity is refused; what rounds to zero is `0.0`, and there is no negative zero. Short texts are read by a fast reader,
//! others by a plain one; a test shows that the two agree to the last bit.
//!
//! # Deviations
//!
//! logfmt has no specification; readers differ most in what they do with `a=b=c`, `a= b=c` and an open quote. Here:
//!
//! * a bare value runs to the next octet up to SP (0x20), so `path=/?a=b` is one pair, and `sql_error_code = 00000`
//!   is three (`kr/logfmt` and `go-logfmt` end the value at `=`);
//! * `k=` is an empty value and takes nothing from its neighbour (VRL's lenient mode reads `a= b=1` as one pair);
//! * a quote opens a value only right behind `=`; single quotes mean nothing; a key is never quoted;
//! * the escapes `\n \t \r \" \\ \/` are undone, others (`\u00e9`, `\b`) stay as they stand;
//! * an open quote runs to the end of the line and [says so](Pair::is_terminated), rather than costing the line.
//!
//! Of the directives, l2met read a missing value as 1, cut the number at the first octet it did not know (`1.2.3` was
//! 1.2, `1e5` was 1) and took a count below zero for an error; here the first two are refusals too, and exponents are
//! read. `unique#`, `metric#`, `measure.name` and `measure=name val=1` belong to other tools and are text.
//!
//! # Features
//!
//! `std` (default) adds nothing to the API; without it the crate needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod directive;
mod error;
mod lanes;
mod number;
mod pairs;
mod samples;

pub use directive::{
    Directive, Directives, MAX_NAME, MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS, Metric, Tag, directives, maybe_metrics,
};
pub use error::{NumberError, NumberErrorKind, Refusal, RefusalKind};
pub use number::{MAX_UNIT, number};
pub use pairs::{Pair, Pairs, pairs};
pub use samples::{Sample, SampleToken, Samples, samples};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
