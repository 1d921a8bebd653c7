//! Alert rules on log lines and on minutes of metrics, as state machines: events in, alerts out, state as bytes.
//!
//! ```
//! use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
//! use log_query::{Fields, Query};
//! use metric_model::Timestamp;
//!
//! let at = Timestamp::from_unix_seconds;
//! let mut rules = LogRules::new(Tick::new(1, at(0)));
//! let errors = Query::parse("program:nginx (status=500 OR status=502)").into_query();
//! rules.set(1, LogRule::new(errors, Period::Minute).with_minimum(2));
//! rules.set(2, LogRule::new(Query::parse("backup done").into_query(), Period::Hour).on_inactivity());
//!
//! // Lines as they come: an id that rises, a time, and the line in its parts.
//! rules.event(2, at(12), &Fields::new(b"web01", b"nginx", b"POST /pay status=502"));
//! rules.event(3, at(40), &Fields::new(b"web02", b"nginx", b"POST /pay status=500"));
//!
//! // Killed, and started again: what is known is bytes, kept by the host beside its rules.
//! let state = rules.state();
//! let same = [(1, LogRule::new(Query::parse("program:nginx (status=500 OR status=502)").into_query(), Period::Minute).with_minimum(2))];
//! let mut rules = LogRules::restore(&state, same)?;
//! rules.event(3, at(40), &Fields::new(b"web02", b"nginx", b"POST /pay status=500")); // taken before: passed over
//!
//! let verdicts = rules.tick(Tick::new(4, at(60)));
//! let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("one alert") };
//! assert_eq!((alert.rule(), alert.ids()), (1, &[2, 3][..]));
//! assert_eq!(alert.to_string(), "2 lines in 1 minute, at least 2 asked for");
//! # Ok::<(), alert_rules::StateError>(())
//! ```
//!
//! [`LogRules`] takes lines, [`MetricRules`] takes the data points of closed minutes. Neither has a clock, a thread, a socket or a
//! file, and neither knows how an alert is sent: time comes in as a [`Tick`], and what comes out is a value that says of which rule
//! it is, of which lines or points, and, printed, why. The host keeps it, sends it, and tries again.
//!
//! # Windows of lines
//!
//! * A window ends with the first tick at or after its due time, and has all events behind the tick that ended the one before.
//!   So windows of a rule lie side by side by id: no line is in two of them and none in no one, whatever its time says.
//! * The due times of a rule keep their second, however late a tick is. Those of days come from the host, which knows zones
//!   ([`tick_with`](LogRules::tick_with)).
//! * A rule fires when its window has its minimum of lines; a rule on inactivity when a *full* window has none. A window is full
//!   when it began with a tick and was not cut short, as the first one of a rule that was set between two ticks is.
//!
//! # Minutes of metrics
//!
//! * A signal is a drain with a metric and its tags. Each condition is asked of each signal by itself, window by window as they
//!   close, and *all* conditions of a rule must hold, or [any](MetricRule::any).
//! * With a duration every point in it must violate, and the signal must be known for as long. A window without a point is no
//!   point of a gauge; a count is 0 there if the window was seen.
//! * A condition may be asked of a [total](Condition::together): the sum, the mean, the greatest or the least of what its streams
//!   have in a window. What comes late is put into the totals of its windows, all of it that waits for one tick at once.
//! * A rule tells when it begins to hold, again after its rearm time, and when it is clear. A signal that says nothing stays as it
//!   was; after ten days it is forgotten, and what was told of it is cleared.
//! * A point of a window that was judged already, late or a revision, is judged with the next tick: if by it a window violates
//!   that did not, the rule may fire. It never takes back what was told. The windows that come are judged by what is known then.
//!
//! # What is unknown
//!
//! When nobody listened, lines and points are not missing but unknown: [`LogRules::unknown`], [`MetricRules::unknown`], and each
//! pause of more than [two minutes](MOST_BETWEEN_TICKS) between two ticks, as when a clock was set. No rule calls such a stretch
//! silent, and the next tick says once from when to when it was ([`Unknown`]). Lines that were there count all the same.
//!
//! # When a rule changes
//!
//! It begins anew: its open window is dropped, its signals are forgotten, and what a metric rule told and did not clear is cleared
//! by hand with the next tick. To set the same rule again changes nothing. To mute a rule, [remove](LogRules::remove) it and set it
//! again: nothing of the time between is ever told.
//!
//! # Untrusted input
//!
//! Lines, names, tags and states may be anything, and none make a panic.
//!
//! * A line costs one pass over it for all rules together, and a little for each text that it holds and for each rule that it
//!   fits: what it does not hold is not looked for again, also not by rules that only exclude (`-debug`). If a text has letters
//!   beyond ASCII that have two cases, it is two passes over lines that have letters beyond ASCII. Texts of more than 128 bytes
//!   are searched by themselves, if the line has the first 32 of them. The texts have a mebibyte altogether for that, or what the
//!   host gives ([`set_cache`](LogRules::set_cache)); rules beyond are asked one by one.
//! * A window records 25,000 lines ([`MOST_RECORDS`]), and all of them a million; beyond, they are counted, and the alert says so.
//!   Names of systems that counts are told by are the host's to bound.
//! * 100,000 signals are watched ([`MOST_SIGNALS`]), each in some 700 bytes and five times its name and tags; those beyond are counted
//!   ([`refused`](MetricRules::refused)). A stream under a total has its last 64 numbers besides and counts as four. A host with
//!   less room says so ([`limit`](MetricRules::limit)): rules share it, alerts and [`left_out`](MetricRules::left_out) say what
//!   is not watched, and no absence is told of it. Of lines it says how many are recorded
//!   ([`set_most_records`](LogRules::set_most_records)). A point that
//!   comes after the same one as in the window before costs a comparison, another one a look-up, a window a few nanoseconds for
//!   each signal. Points wait for the tick that closes their window, 24 bytes for each condition they are under.
//! * Wildcards cost at most the product of pattern and text.
//! * A [state](LogRules::state) has a version and a checksum. What is read from one is checked, and allocates no more than some
//!   times its length.
//!
//! # Deviations
//!
//! Windows, minimum, inactivity and counts are those of Papertrail's alerts, conditions those of Librato and AppOptics, as
//! documented. Where these are silent or differ:
//!
//! * The record limit keeps the first lines of a window, not the last.
//! * Absence is asked of all signals of a condition together unless they are told [one by one](MetricRule::per_signal).
//! * A clear ends the rearm time. Average, min, max and last of a count are its sum.

mod codec;
mod error;
mod log;
mod metric;
mod tick;
mod verdict;
mod wildcard;

pub use error::{StateError, StateErrorKind};
pub use log::{LogAlert, LogRule, LogRules, MOST_RECORDS, Period};
pub use metric::{
    Change, Clear, Condition, Function, MOST_SIGNALS, MetricAlert, MetricRule, MetricRules, Reading, Total, fair_share,
};
pub use tick::{MOST_BETWEEN_TICKS, Tick};
pub use verdict::{Unknown, Verdict};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
