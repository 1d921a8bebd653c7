//! A search language for log lines, as people type it into a search box.
//!
//! ```
//! use log_query::{Fields, Query};
//!
//! let parsed = Query::parse(r#"program:nginx ("GET /pay" OR "POST /pay") -status=200"#);
//! assert!(parsed.notes().is_empty());
//!
//! let lines = [
//!     Fields::new(b"web01", b"nginx", br#"192.0.2.7 "POST /pay HTTP/1.1" status=502"#),
//!     Fields::new(b"web01", b"nginx", br#"192.0.2.7 "POST /pay HTTP/1.1" status=200"#),
//!     Fields::new(b"web01", b"sshd", b"session opened for user ada"),
//! ];
//! let found: Vec<bool> = lines.iter().map(|line| parsed.query().matches(line)).collect();
//! assert_eq!(found, [true, false, false]);
//! ```
//!
//! A line has a text, the *message*, and if there are such a *system* (who sent it) and a *program*, a severity, a facility and an
//! address: [`Fields`]. Of journald they are `MESSAGE`, `_HOSTNAME`, `SYSLOG_IDENTIFIER`, `PRIORITY` and `SYSLOG_FACILITY`; of a
//! file of lines, the message alone is enough.
//!
//! # The language
//!
//! | typed | finds lines |
//! |---|---|
//! | `timeout` | with this text in system, program or message, as a piece of a word too: `10.1.2` finds `10.1.2.77` |
//! | `"reset by peer"`, `'a "quoted" word'` | with this phrase; `\"` and `\\` in double quotes, `\'` and `\\` in single ones |
//! | `a b`, `a AND b` | with both |
//! | `a OR b` | with one of them, or both; `AND` binds tighter: `a b OR c` is `(a b) OR c` |
//! | `-a`, `-"a b"`, `-(a OR b)`, `NOT a` | without it |
//! | `sender:web01`, `host:web01` | with this text in the system |
//! | `program:nginx`, `message:"a b"` | with this text in the program, in the message |
//! | `program:(nginx apache -test)` | with one of those in the program, and without the excluded |
//! | `severity:error`, `severity:(crit 3)` | of exactly this severity, by name or number |
//! | `facility:cron` | of exactly this facility, by name or number |
//! | `ip:10.1.` | from an address whose text begins so |
//! | `*`, or nothing | all |
//!
//! * ASCII case is ignored, of texts, keys and names of severities and facilities. A term that holds other letters finds their simple case
//!   variants, too: `größe` finds `GRÖẞE`. Operators are in upper case; `or` is a word.
//! * Colour codes (`ESC [ … m`) are no part of what is searched: a term may span them. All other bytes count.
//! * A term that holds `": "`, begins with a blank or ends with a colon is also tried across program and message, on the text
//!   `program: message`, so that what was copied from a page finds its line.
//! * Punctuation is text: `status=50`, `app/worker`, `count(x)`. A dash within a word is one, a quote too.
//! * What looks like an attribute and is none is text: `12:30:01`, `at:info`, `severity:fatal`, and `program: x` with a blank.
//! * Curly quotes count as quotes. A quote is closed by one of its own kind, double or single, straight or curly.
//!
//! [`Query::parse`] never fails: what was closed, dropped or read as text, and which of two readings was taken, is a [`Note`] with a
//! [kind](NoteKind) and a place. `Display` prints a query that reads as the same, [`Query::explain`] says it in words.
//!
//! # Evaluators of other kinds
//!
//! [`Query::matches`] asks about a line. [`Query::required`] tells an index of words or trigrams where no line can fit.
//! [`Query::root`] is the tree, for whoever searches many lines at once: [`fold_into`] makes of a text what is searched, and a
//! [`Term`] looks for its [`folded`](Term::folded) bytes there.
//!
//! # Untrusted input
//!
//! Any text is a query and any bytes are a line, and none make a panic.
//!
//! * Reading is linear in the query. Brackets deeper than 512 are read as text (those of an attribute count twice). A query is
//!   kept flat: no depth costs stack, when it is read, copied, compared, printed, asked or dropped.
//! * A query takes some 600 bytes for each term and 30 for each byte of it. There is no limit of length: hosts set one; 8 KiB is
//!   plenty.
//! * `matches` allocates nothing. It costs at most one pass over each text for each term, also of a needle that nearly fits
//!   everywhere: candidates are counted, and beyond a share of the text an automaton reads the rest, which never goes back. So
//!   the worst query of 8 KiB, 4,096 terms of one letter that no line has, costs 4,096 passes.
//! * [`Query::explain`] escapes control characters; `Display` prints them as they were typed.
//!
//! # Deviations
//!
//! The language is that of Papertrail as documented, with these readings where the documents are silent:
//!
//! * `severity:error` is exactly that, and no worse; `severity:(emerg alert crit error)` is that or worse.
//! * `AND` binds tighter than `OR`, and a [note](NoteKind::Precedence) says so. `NOT` is `-`.
//! * There are no wildcards and no regular expressions; `*` within a word is text.
//! * No Unicode normalisation: `é` of one character does not find that of two. Letters with ASCII variants only, such as the Kelvin
//!   sign, find themselves.
//!
//! # Features
//!
//! `std` (default) lets memchr choose its instructions when the program runs, and adds nothing to the API; without it the crate
//! needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod fields;
mod fold;
mod names;
mod node;
mod note;
mod parse;
mod print;
mod query;
mod required;
mod search;
mod term;

pub use fields::Fields;
pub use fold::fold_into;
pub use node::{IpPrefix, Negated, Node, Nodes};
pub use note::{Note, NoteKind};
pub use parse::Parsed;
pub use query::Query;
pub use required::Required;
pub use term::Term;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
