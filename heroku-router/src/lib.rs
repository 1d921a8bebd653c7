//! Heroku router lines of every generation, the H, R and L codes, and the error lines of the platform.
//!
//! ```text
//! bytes -> frames -> lines -> observations -> windows -> streams -> sinks
//!                    ^^^^^
//! ```
//!
//! One platform writes all three, in one vocabulary of codes:
//!
//! * [`RouterLine`]: a request, from `heroku[router]`, with an H code when it failed;
//! * [`PlatformError`]: an R code from the manager of dynos, `heroku[web.1]`, or an L code of Logplex or log-shuttle;
//! * [`Code`]: what a code means and how bad it is.
//!
//! ```
//! use heroku_router::{PlatformError, RouterLine, Severity};
//!
//! let line = br#"at=error code=H12 desc="Request timeout" method=POST path="/pay" host=shop.example.com fwd="192.0.2.7" dyno=web.2 connect=1ms service=30001ms status=503 bytes=0"#;
//! let line = RouterLine::parse(line).ok_or("no router line")?;
//! assert_eq!((line.dyno(), line.service_ms(), line.status()), (Some(&b"web.2"[..]), Some(30_001.0), Some(503)));
//! assert_eq!(line.code().and_then(|code| code.severity()), Some(Severity::Critical));
//!
//! let line = b"Error L12: 64 messages dropped since 2026-03-14T09:00:00+00:00.";
//! let error = PlatformError::parse(line).ok_or("no error line")?;
//! assert_eq!((error.code().title(), error.count()), (Some("Local buffer overflow"), Some(64)));
//! # Ok::<(), &str>(())
//! ```
//!
//! Which line is whose is told by APP-NAME and PROCID, which are not in the text: an application can print anything
//! that stands here. `heroku-metrics` tells them apart and names the metrics.
//!
//! # Generations
//!
//! | | until 2012 | until 2013 | legacy router | Router 2.0 |
//! |---|---|---|---|---|
//! | begins | `Error H12 (…) -> GET host/path` or as right of it | `at=` | `at=`, `sock=` | `at=`, `sock=` |
//! | path | bare | bare | quoted, escapes kept | quoted, percent-decoded |
//! | queue | `queue=0 wait=0ms` | `queue=0 wait=0ms` | – | – |
//! | nothing measured | `queue= wait=` | `connect= service=` | `connect= service=` | `connect=0ms service=0ms` |
//! | protocol | – | – | `http`, `https` | `http1.1`, `http2.0`, `tls=`, `tls_version=` |
//!
//! Nobody has to say which: fields are read by name, in any order, and [`RouterLine::fields`] keeps unknown ones.
//!
//! # Untrusted input
//!
//! Any bytes are taken, and none make a panic. Reading allocates nothing and is linear in the line, whatever is in it. Lines
//! as today's routers write them are read by a fast reader, others by a plain one that takes some twenty times as long, and
//! again for each field but those that metrics are made of; a test shows that the two agree on all lines.
//! Nothing is checked for UTF-8; [`PlatformError`] hands out text only where it is.
//!
//! A client chooses its path, host, request id, X-Forwarded-For and, on H31, User-Agent. Router 2.0 decodes paths, so
//! these can hold quotes, spaces and whole fields, and no quoting tells where they end. What the platform says stands
//! around them: `at`, `code`, `desc`, `method` before the path, `dyno`, `connect`, `service`, `status`, `bytes` and the
//! rest behind the last quote of the line. The line is read from these two ends, so nothing that a client sends changes
//! what they say, nor adds to it: where what lies between reads in more than one way, it counts for the client's own
//! fields only. Those it can garble: `path` ends at the last `" host=`, so an X-Forwarded-For that holds this text reads
//! as a part of the path. [`RouterLine::fields`] shows all that stands between the ends, forged or not.
//!
//! Where both ends are whole (`at` first and `method` last before the path; `dyno connect service status bytes` behind the
//! last quote), as on all lines since 2013, the platform has said all it had to say: no field of its own is taken from what
//! lies between, however that reads, and nothing there is refused.
//!
//! Three limits:
//!
//! * A line whose fields stand in another order, as no router writes it, has no such ends, and is read as its quotes
//!   suggest.
//! * On H31, which has the User-Agent behind the numbers, `bytes` and what follows it can be forged.
//! * Logplex may cut a line of 10,000 bytes or more, wherever that is: the numbers may then be missing, and what the
//!   client wrote last may stand in their place. A host that minds passes over lines of that length.
//!
//! # Accuracy
//!
//! Times are the double nearest to the number written, in milliseconds (`2s` is 2,000); routers write whole ones.
//! Counts are whole, up to 64 bits. A value that does not fit, has another unit, or is not a number, is a
//! [`FieldRefusal`] of that field; it never wraps and never costs the request.
//!
//! # Deviations
//!
//! * An empty value is absent. l2met read `connect=` as 1, and so gave every failed request a millisecond.
//! * A quoted path does not end at its first quote, as logfmt has it, but at the last one that ` host=` follows. So
//!   `host` behind a quoted field other than `path` and `fwd`, where no router writes it, is a part of the path.
//! * The first of a repeated field stands, but one behind the last quote of the line stands before one in the middle.
//! * A quoted field that a future router puts between `fwd` and `dyno` reads as a part of `fwd`.
//! * `connect=0`, without the unit, is 0 ms: lines of H25 and H26 are written so.
//! * `code=blank-app`, of 2013, is H81. `web=`, of 2012, is `dyno`. `dyno=none`, of 2012, is what it says.
//! * The routing errors of 2010, `GET / HTTP/1.1 | 192.0.2.7 | 8132 | http | 503` from `heroku[nginx]`, are not read.
//! * `Error ` is optional before an L code: Heroku's documentation leaves it out of L11 and L15.
//!
//! # Features
//!
//! `std` (default) adds nothing to the API; without it the crate needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod code;
mod error;
mod line;
mod platform;
mod value;

pub use code::{Code, CodeClass, Severity};
pub use error::{FieldRefusal, FieldRefusalKind};
pub use line::RouterLine;
pub use line::client::Client;
pub use line::fields::Field;
pub use platform::{MemoryHint, PlatformError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
