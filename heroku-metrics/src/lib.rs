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
//! A [`Pipeline`] takes a [`Delivery`](syslog::Delivery), the body of one drain request, and keeps a minute window for
//! each metric stream: the native router, Postgres, dyno and error metrics of [`native`], and an app's own
//! `count# measure# sample# tag#`. [`Pipeline::advance`] closes the windows that are over and hands each
//! [`DataPoint`](model::DataPoint) to a [`Sink`](model::Sink). The books of [`Ledger`] balance at every stage.
//!
//! Three joints are open. A [`Tap`] sees every frame, line, observation and refusal as they pass, and may leave frames
//! out. [`Pipeline::observe`] adds a host's own observations. A [`Sink`](model::Sink) takes the points; a
//! [`Sketch`](aggregator::Sketch) answers the percentiles. [`Extractor`] alone reads lines without aggregating.
//!
//! # Untrusted input
//!
//! Every octet of a delivery is taken to be hostile; nothing panics on any of them. The work is linear in the body's
//! length. What a line can cost is limited: 64 KiB a frame ([`Limits`](syslog::Limits)), 50 tags a line, names of 255
//! octets, tag keys of 64 and values of 255. Lines are classified by APP-NAME and PROCID alone, which Heroku sets, so
//! that an app cannot forge a native metric: names under `heroku.` are refused to it, and a router line it prints
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

mod classify;
mod deliveries;
mod dialect;
mod extract;
mod ledger;
mod line;
pub mod native;
mod pipeline;
mod plan;
mod refusal;
mod remember;
mod snapshot;
mod tap;

pub use classify::{Class, Source};
pub use deliveries::SeenDeliveries;
pub use dialect::DialectPolicy;
pub use extract::{CustomFrom, DynoIdentity, Extractor, ExtractorConfig, LineVisitor, UnitPolicy};
pub use ledger::{Entry, Ledger, Receipt};
pub use line::Line;
pub use native::{Families, NativeSet};
pub use pipeline::{Pipeline, PipelineConfig};
pub use plan::{Estimate, Plan};
pub use refusal::{LineRefusal, Part, Reason};
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
