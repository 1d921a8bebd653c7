//! Archives of log lines, as Papertrail writes them: rows of ten columns between TABs, one file an hour or a day.
//!
//! ```
//! use log_archive::{Reader, Row, Writer, severity_name, severity_number};
//!
//! let mut writer = Writer::new(Vec::new());
//! for (id, message) in [(256, &b"GET /cart 500"[..]), (257, b"GET /cart 200")] {
//!     let row = Row::new(id, 1_795_904_099_000_000, message)
//!         .with_generated_at(1_795_904_098_123_456, -4 * 60)
//!         .with_source_name(b"web-1")
//!         .with_severity_name(severity_name(6).unwrap_or_default().as_bytes())
//!         .with_program(b"nginx");
//!     writer.write(&row)?;
//! }
//! let archive = writer.into_inner();
//!
//! let mut reader = Reader::new(&archive[..]);
//! let mut failed = 0;
//! while let Some(row) = reader.read()? {
//!     assert_eq!((row.generated_at(), severity_number(row.severity_name())), (1_795_904_098_123_456, Some(6)));
//!     failed += u32::from(row.message().ends_with(b"500"));
//! }
//! assert_eq!((failed, reader.counts().rows()), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The ten columns
//!
//! | | column | written | read |
//! |---|---|---|---|
//! | 1 | `id` | a whole number; later lines have higher ones | the same |
//! | 2 | `generated_at` | `2026-11-28T18:14:58.123456-04:00`, with the sender's own offset | all forms of [`Reader`] |
//! | 3 | `received_at` | `2026-11-28T22:14:59Z` | all forms of [`Reader`] |
//! | 4 | `source_id` | a whole number | the same |
//! | 5 | `source_name` | who sent it: a host, an app | any bytes |
//! | 6 | `source_ip` | `192.0.2.7` | any bytes |
//! | 7 | `facility_name` | [`Local3`](facility_name()) | any bytes; [`facility_number`] knows all names |
//! | 8 | `severity_name` | [`Info`](severity_name()) | any bytes; [`severity_number`] knows all names |
//! | 9 | `program` | `heroku/router` | any bytes |
//! | 10 | `message` | the line | all that is left of the row |
//!
//! No header is written, no column is quoted, and no byte is escaped, because nobody who reads archives undoes that: `cut -f10`,
//! `awk`, Hive and Athena split at TABs. A TAB, CR or LF inside a column is written as a space. Python's `csv` takes a `"` at the
//! beginning of a column for a quote: tell it `quoting=csv.QUOTE_NONE`.
//!
//! # Hours and names
//!
//! A [`Period`] is an hour or a day of UTC, with its file name (`2026-11-28-22.tsv.gz`); [`Keys`] are where it lies in a bucket.
//! The hours of a day, packed by gzip, one behind the other, are the packed day.
//!
//! Lines as Papertrail's command line prints them (`Nov 21 14:14:58 shop heroku/web.4: …`) are read by [`read_event_text`].
//!
//! # What it is not
//!
//! It has no clock, opens no file, and knows no gzip: [`Writer`] takes any [`Write`](std::io::Write), [`Reader`] any
//! [`BufRead`](std::io::BufRead). A decoder must read archives of several members (`MultiGzDecoder` of flate2), and should have a
//! limit: a megabyte of gzip may be a gigabyte of rows.
//!
//! # Untrusted input
//!
//! Any bytes are an archive, and none make a panic.
//!
//! * Reading is linear. A line is kept up to [`Reader::with_max_row_len`] (1 MiB), and the buffer is at most twice that; what is
//!   longer is passed over. Nothing is allocated for a row once the buffer has grown.
//! * A row that cannot be read is an error with its row and column, costs that row, and holds nothing of its text. What is no row
//!   (headers, blank and short lines) is counted.
//! * Texts come as they are, control characters, NUL and invalid UTF-8 included: escape them before a terminal or a page has them.
//! * No name of an account leads out of its prefix: [`Keys::new`] refuses it.
//!
//! # Deviations
//!
//! Papertrail describes the columns and not their bytes; where real files differ, all forms are read.
//!
//! * Column 2 of some accounts has the account's own zone without saying so. It is taken for that of column 3, which is UTC as a
//!   rule, unless [`Reader::with_offset_minutes`] says better.
//! * A fraction of zero is not written. Digits behind the sixth are not kept, so they are not written either.
//! * A leap second is the first second of the next minute.
#![warn(clippy::unwrap_used, clippy::expect_used)]

mod counts;
mod error;
mod event_text;
mod keys;
mod names;
mod period;
mod reader;
mod row;
mod time;
mod writer;

pub use counts::Counts;
pub use error::{NameError, NameErrorKind, ReadError, ReadErrorKind};
pub use event_text::read_event_text;
pub use keys::Keys;
pub use names::{facility_name, facility_number, severity_name, severity_number};
pub use period::Period;
pub use reader::Reader;
pub use row::Row;
pub use writer::Writer;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
