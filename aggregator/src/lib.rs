//! Per-minute aggregation in event time: observations in, one data point a window and stream out.
//!
//! An [observation](metric_model::Observation) is one value of one metric, with tags, at one instant. The
//! [`Aggregator`] puts it into its stream (name, kind, unit and tag set) and its window (a clock-aligned minute, or
//! any length that divides a day), and hands each finished window to a [sink](metric_model::Sink), sorted, with count,
//! sum, least, greatest, mean and last value, and for measures p50, p95, p99 and p999.
//!
//! It has no clock, thread, socket or file: the host says what time it is. Nothing here knows about logs; plain
//! numbers do.
//!
//! ```
//! use metric_model::{DataPointBuf, Observation, Percentile, TagSet, Timestamp, Unit, Value};
//! use minute_aggregator::{Aggregator, AggregatorConfig, Outcome};
//!
//! let mut engine = Aggregator::new(AggregatorConfig::new())?;
//! let tags = TagSet::from_iter([("endpoint", "lookup")]);
//! for (second, took) in [(0, 120.0), (7, 80.0), (31, 250.0), (59, 95.0)] {
//!     let value = Value::new(took, Unit::MILLISECONDS);
//!     let seen = Observation::measure("query", value, &tags, Timestamp::from_unix_seconds(second));
//!     assert_eq!(engine.observe(&seen), Outcome::Accepted);
//! }
//!
//! let mut points: Vec<DataPointBuf> = Vec::new();
//! engine.advance(Timestamp::from_unix_seconds(120), &mut points)?; // the minute and its lateness are over
//! let minute = points[0].as_point();
//! let percentiles = minute.stats().percentiles().unwrap();
//! assert_eq!((minute.stats().observations(), minute.stats().sum()), (4, 545.0));
//! assert_eq!((percentiles.get(Percentile::P50), percentiles.get(Percentile::P95)), (95.0, 250.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time
//!
//! | word | here |
//! |---|---|
//! | event time | when it happened: [`Observation::time`](metric_model::Observation::time) decides the window |
//! | watermark | event time before which windows are closed; only [`advance`](Aggregator::advance), [`finish`](Aggregator::finish) and [`close_oldest`](Aggregator::close_oldest) move it |
//! | lateness | a window closes `allowed_lateness` after its end; what comes later is [`Outcome::Late`], or revises the window ([`LatePolicy`]) |
//! | future | what lies more than `max_future` ahead of the host's time is [`Outcome::Future`], so that one wrong clock closes nothing |
//!
//! A live host calls `advance` with its clock every second or so, input or not. A replay lets the input drive the
//! time (`advance(engine.latest())`), or calls nothing but `finish` and has every window open to the end.
//!
//! Where a window may hold a hundred thousand streams and the input must not wait for it,
//! [`advance_some`](Aggregator::advance_some) closes a few points at a time. A caller that has several values of one tag set and one instant hands them over
//! as one [`record`](Aggregator::record), which is looked up once.
//!
//! # What a stream answers
//!
//! | kind | kept in a window |
//! |---|---|
//! | count | number of increments, sum |
//! | sample | number, sum, least, greatest, last value (by event time, then position in the input) |
//! | measure | the same, p50, p95, p99, p999, unless turned off for the metric |
//!
//! # Quota
//!
//! A [`StreamQuota`] limits how many streams there are. Beyond it, new streams are folded into their metric's overflow
//! stream, tagged `overflow=true`, so that totals stay right; [`explain`](Aggregator::explain) tells who has the places
//! and who found none. A stream that is not seen for [`idle_after`](AggregatorConfig::with_idle_after) windows gives up its
//! place, and its memory, with or without a quota.
//!
//! # State
//!
//! [`snapshot`](Aggregator::snapshot) turns everything into checksummed bytes, with the caller's position in the input;
//! [restored](Aggregator::restore) and fed with what follows, an aggregator writes what it would have written without
//! the crash. [`merge`](Aggregator::merge) adds up the states of several nodes, exactly. For several threads, see
//! [`shard`].
//!
//! # Rows kept and added up
//!
//! A data point is a few numbers, and two of them cannot be added up: percentiles have no sum. So whoever keeps minutes, to
//! make hours of them or one total of several nodes, takes [`Row`]s instead, through a [`RowSink`]: the point, and all that it
//! was told from. A [`RowBuf`] is a row that is kept, in memory or as [bytes](RowBuf::to_bytes): some 30 besides its key,
//! 120 to 180 for a measure of 100 values. [`RowBuf::merge`] is exact, and has no order. All that close windows take a
//! `RowSink`, and each [`Sink`](metric_model::Sink) is one.
//!
//! ```
//! use core::{convert::Infallible, time::Duration};
//! use metric_model::{Observation, Percentile, TagSet, Timestamp, Value, Window};
//! use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row, RowBuf};
//!
//! // Two nodes, a minute each, of one query.
//! let none = TagSet::new();
//! let mut kept: Vec<Vec<u8>> = Vec::new();
//! for (node, start) in [(1.0, 0), (2.0, 60)] {
//!     let mut engine = Aggregator::new(AggregatorConfig::new())?;
//!     for n in 0..50 {
//!         let time = Timestamp::from_unix_seconds(start + n);
//!         let _ = engine.observe(&Observation::measure("query", Value::plain(n as f64 * node), &none, time));
//!     }
//!     engine.finish(&mut EachRow(|row: &Row<'_>| {
//!         kept.push(row.to_row_buf().to_bytes());
//!         Ok::<(), Infallible>(())
//!     }))?;
//! }
//!
//! // Their hour.
//! let hour = Window::containing(Timestamp::from_unix_seconds(0), Duration::from_secs(3_600));
//! let mut all: RowBuf = RowBuf::from_bytes(&kept[0])?.with_window(hour)?;
//! all.merge(&RowBuf::from_bytes(&kept[1])?.with_window(hour)?)?;
//! let stats = *all.point().stats();
//! assert_eq!((stats.observations(), stats.sum(), stats.last()), (100, 3_675.0, Some(98.0)));
//! assert_eq!(stats.percentiles().unwrap().get(Percentile::P50), 32.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A store that keeps names, tags and windows once for many rows takes [`RowState`]s: what a row holds, in as few bytes as that
//! takes, to be added up where they lie. [`each_open`](Aggregator::each_open) shows what is not closed yet.
//!
//! What others have summed already enters by [`summary`](Aggregator::summary): number, sum, least, greatest and last, as exact
//! as values. Percentiles cannot be told from it, so that points and rows with a part of it have none, and
//! [say so](metric_model::Stats::is_summed).
//!
//! # Untrusted input
//!
//! No input panics, and memory is bounded by the configuration alone: [`AggregatorConfig::max_memory`] computes the
//! bound before anything starts. Refused and counted are: a value that is not finite, a count below zero, a key longer
//! than `max_key_len` (16 KiB), a new stream beyond `max_streams` (a million) or `max_key_bytes` (256 MiB), and
//! whatever comes while the windows fill `max_window_bytes` (1 GiB). A service that serves others wants these lower.
//!
//! The work for an observation is one hash and one comparison of its key; each aggregator hashes by a secret of its own, so
//! that chosen tags do not collide. Closing a window is linear in what it holds, sorting new streams aside. Where
//! event times are not trusted, call `advance` before the first `observe`: only then is the future bounded.
//!
//! # Accuracy
//!
//! * Count, least, greatest and last value are exact.
//! * A sum is exact to 1e-15 a value, and does not depend on the order of the values: it is added up in 192-bit fixed
//!   point. 0.1 + 0.2 is 0.3. Values and sums beyond ±1.7e23 are taken as that limit; the
//!   [ledger](ObservationLedger::clamped) counts such values.
//! * A percentile is the value at the nearest rank, the ceil(q * n)-th smallest of n. (Some products say "larger than
//!   95% of all values", which differs by one rank.)
//! * Up to 64 values in a window, a percentile is an observed value. Beyond, it is within 0.5% of the value at that
//!   rank ([`Precision::TwoDigits`]; 0.39% by construction) or 0.05% ([`Precision::ThreeDigits`]), over the whole
//!   range of a double but for subnormal numbers (below 2.2e-308); whole numbers below 256 (2,048) stay exact.
//!   [`Percentiles::is_exact`](metric_model::Percentiles::is_exact) tells which.
//! * A p999 of fewer than 1,000 values is the greatest value.
//!
//! The worst error of the four percentiles, of 1 to 1,000,000 values against the sorted values (`tests/accuracy.rs`):
//!
//! | values | two digits | three digits |
//! |---|---:|---:|
//! | uniform, 0 to 1,000 | 0.203 % | 0.0249 % |
//! | log-normal, median 20 | 0.268 % | 0.0394 % |
//! | Pareto, shape 1.1 | 0.350 % | 0.0406 % |
//! | bimodal, 5 and 3,000 | 0.251 % | 0.0333 % |
//! | constant, 12.345 | 0.000 % | 0.0000 % |
//! | whole, 0 to 255 | 0.000 % | 0.0000 % |
//! | both signs, ±1,000 | 0.217 % | 0.0307 % |
//! | 1e-300 to 1e300 | 0.247 % | 0.0459 % |
//!
//! Equal observations give equal output, to the bit, in any order of arrival within the allowed lateness, but for the
//! last of several samples of one stream at one instant, where the later in the input stands, and for who is first
//! where a quota has few places left.
//!
//! # Deviations
//!
//! * The l2met convention drops the unit of a value; here values of different units are different streams, since
//!   adding them up would be wrong.
//! * A count below zero is refused rather than subtracted.
//! * A window that is written again holds the points that changed, and the revision is counted for each point: a
//!   stream first seen late starts at 0.
//!
//! # Features
//!
//! * `std` (default) seeds the hash from more sources; it adds nothing to the API.
//! * `serde` adds `Serialize` and `Deserialize` for [`StreamQuota`], and `Serialize` for [`ObservationLedger`] and
//!   [`StreamReport`].

mod codec;
mod config;
mod engine;
mod error;
mod explain;
mod gauge;
mod ledger;
mod lists;
mod outcome;
mod quota;
mod row;
#[cfg(feature = "serde")]
mod serialize;
mod shard;
mod sketch;
mod stream_key;
mod streams;
mod sum;
mod window;

pub use config::{AggregatorConfig, LatePolicy, Precision};
pub use engine::Aggregator;
pub use engine::snapshot::{MergeError, MergeErrorKind, RestoreError, RestoreErrorKind};
pub use error::{ConfigError, ConfigErrorKind};
pub use explain::{Explanation, Standing, StreamReport};
pub use ledger::ObservationLedger;
pub use outcome::{Outcome, Refusal};
pub use quota::{CountingRule, StreamQuota};
pub use row::{EachRow, Row, RowBuf, RowCounts, RowError, RowErrorKind, RowMergeError, RowSink, RowState};
pub use shard::{output_order, shard};
pub use sketch::minute::MinuteSketch;
pub use sketch::{Persist, Sketch};
