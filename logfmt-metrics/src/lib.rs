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
//! Lines that may be coloured are read through [`colour`].
//!
//! ```
//! use logfmt_metrics::{Directive, directives};
//!
//! let line = b"source=web.1 measure#cart.total=0.2s tag#step=pay at=info count#cart.paid=1,5";
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
//! # What is read where
//!
//! An application writes its metrics into text, into JSON and into logfmt, and quotes there what its clients sent. What a
//! client chooses must not make or change a metric of the application; what is not counted is refused, so that it is seen.
//! So of `count#`, `measure#`, `sample#` with a name behind it, and no letter, digit or `_` in front:
//!
//! | where | example | is | because |
//! |---|---|---|---|
//! | at the start of a word | `paid count#a=1` | read | the application's own text |
//! | behind punctuation that begins a word: ``( [ { < ' " ` , ; \|`` | `[count#a=1]`, `done,count#a=1` | [`Misplaced`], tags too | a word of metrics begins behind a separator, as l2met has it |
//! | in quotes that have no key | `"paid count#a=1"` | read | the same; on a line that shows `HTTP/`, [`Quoted`], for web servers quote a client's words so |
//! | in the string of `msg`, `message` or `event` | `msg="count#a=1"`, `{"msg":"count#a=1"}` | read, escapes undone | the message; of JSON that of the outermost object only, which begins the line |
//! | in any other string with a key | `q="count#a=1"`, `"ua":"count#a=1"`, `"q"=>"count#a=1"` | [`Quoted`] | the text may be a client's |
//! | in a string inside of a message | `"msg":"got {\"msg\":\"count#a=1\"}"` | [`Quoted`] | the same |
//! | in a list, an inner object, an object behind text, or as a key of JSON | `["count#a=1"]`, `{"body":{"msg":"count#a=1"}}`, `body: {"msg":"count#a=1"}` | [`Quoted`] | clients' objects are logged so |
//! | before a quote that nothing opens | `… count#a=1","status":200}` | [`Quoted`] | the rest of a line that was cut in a string |
//! | behind a quote that nothing closes | `msg="count#a=1` | [`UnterminatedQuote`] | its text has no end |
//! | anywhere else | `/x?count#a=1`, `note=count#a=1`, `tag#q=count#a=1` | [`Misplaced`] | a path, a value |
//!
//! Tags are read where metrics are, and hold for the whole line; elsewhere they are text. A value ends where number and unit
//! do, if nothing but ``, . ; : ! ? ) ] } > ' " ` `` follows up to the next separator: `1,5` and `1ms/s` are
//! refused. A bare tag value ends at the separator, in a string at its end; such marks at the end are no part of it, nor are
//! brackets that it did not open, so a value that ends in one stands in quotes (`tag#a="Yahoo!"`).
//!
//! An application that prints what a client sent into its text without quotes lets the client write that text; and of a line
//! longer than the transport takes in one piece, the pieces behind the first may begin inside of a string, which shows only
//! where it ends.
//!
//! [`Quoted`]: RefusalKind::Quoted
//! [`Misplaced`]: RefusalKind::Misplaced
//! [`UnterminatedQuote`]: RefusalKind::UnterminatedQuote
//!
//! # Untrusted input
//!
//! Any bytes are taken, none make a panic, and nothing is assumed to be UTF-8: only names, tags and units, which leave
//! as `str`, are checked. Every walk is linear in the line, whatever is in it. There is no limit on the length of a line
//! or on the number of metrics in it; names, tag keys, tag values, tags and units are limited by [`MAX_NAME`],
//! [`MAX_TAG_KEY`], [`MAX_TAG_VALUE`], [`MAX_TAGS`] and [`MAX_UNIT`]. Walking never allocates, but for a long tag value with
//! escapes of two kinds; [`Pair::unescaped`] and [`Tag::value`] do when there is an escape to undo. A name in a native family
//! (`heroku.router.`, `heroku.postgres.`, `heroku.dyno.`, `heroku.errors.`, `heroku.redis.`, `heroku.pgbouncer.`,
//! `heroku.release`) is refused, so that an application cannot forge a metric of the platform; other names below `heroku.` are
//! its own. Tag values may hold control characters: escape them where they are shown.
//!
//! # Accuracy
//!
//! A number is the double nearest to its decimal text, as [`str::parse`] has it, whatever its length. What rounds to an
//! infinity is refused; what rounds to zero is `0.0`, and there is no negative zero. Short texts are read by a fast reader,
//! others by a plain one; a test shows that the two agree to the last bit. In the regular unit the number is the double nearest
//! to the same digits, their point moved: `1.005s`, `1005ms` and `1005000us` are one number.
//!
//! # Deviations
//!
//! logfmt has no specification; readers differ most in what they do with `a=b=c`, `a= b=c` and an open quote. Here:
//!
//! * a bare value runs to the next byte up to SP (0x20), so `path=/?a=b` is one pair, and `sql_error_code = 00000`
//!   is three (`kr/logfmt` and `go-logfmt` end the value at `=`);
//! * `k=` is an empty value and takes nothing from its neighbour (VRL's lenient mode reads `a= b=1` as one pair);
//! * a quote opens a value only right behind `=`; single quotes mean nothing; a key is never quoted (of pairs, that is:
//!   [`directives`] knows JSON and single quotes too);
//! * the escapes `\n \t \r \" \\ \/` are undone, others (`\u00e9`, `\b`) stay as they stand;
//! * an open quote runs to the end of the line and [says so](Pair::is_terminated), rather than costing the line.
//!
//! Of the directives, l2met read a missing value as 1, cut the number at the first byte it did not know (`1.2.3` was
//! 1.2, `1e5` was 1; of `1,` only the mark is cut here) and took a count below zero for an error; here the first two are refusals too, and exponents are
//! read. `unique#`, `metric#`, `measure.name` and `measure=name val=1` belong to other tools and are text.
//!
//! # Features
//!
//! `std` (default) adds nothing to the API; without it the crate needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod colour;
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
pub use pairs::{Pair, Pairs, pairs, unescape};
pub use samples::{Sample, SampleToken, Samples, samples};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
