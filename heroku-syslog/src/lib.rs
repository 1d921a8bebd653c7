//! Reads Heroku log drains: octet-counted syslog frames, in both dialects, from whole bodies or byte streams, without
//! copying.
//!
//! ```
//! use heroku_syslog::{Dialect, Frames};
//!
//! let body = b"83 <40>1 2024-02-03T04:05:06+00:00 host app web.3 - State changed from starting to up\n\
//!     85 <158>1 2024-02-03T04:05:07.5+00:00 host heroku router - at=info host=shop.example.com";
//! for raw in Frames::new(body) {
//!     let raw = raw?; // a framing error: the length is unusable
//!     let frame = raw.parse(Dialect::Logplex)?; // a frame error: this one frame is
//!     println!("{:?} {:?} {}", frame.timestamp_text(), frame.proc_id(), frame.message().escape_ascii());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | what comes in | reader |
//! |---|---|
//! | the body of a request | [`Frames`], and [`Delivery`] for what its headers say |
//! | a TCP stream, a body in pieces | [`FrameReader`] |
//! | a buffer of your own | [`deframe`] |
//! | one message without a length | [`Frame::parse`] |
//! | many frames of one drain, fast | [`FrameParser`] |
//! | what `heroku logs` prints | [`rendered`] |
//!
//! There are three endings. More bytes are needed: no error. One frame is bad: a [`FrameError`], and the next frame is
//! read as if nothing had been. A length is unusable: a [`FramingError`], which ends the walk or is followed by a search
//! for the next frame, as [`Recovery`] says. The bytes of frames, separators and skipped pieces always add up to
//! those that came in.
//!
//! # Untrusted input
//!
//! Any bytes may be given to any function; none panics. Work is linear in the input: a header costs no more than its own
//! length, a length at most 21 bytes, what stands behind a frame a few hundred bytes, and a search for the next frame meets
//! each byte once, however many false beginnings lie in its way. Slices are borrowed, never copied, and nothing recurses.
//! [`FrameReader`] alone holds bytes: at most three frames of [`max_frame`](Limits::with_max_frame) bytes, a header more, and the last push.
//! No length makes it allocate.
//!
//! A search trusts what it finds: text in a message that has the form of frames up to the end of input or up to a
//! real frame can be taken for frames behind a damaged length. [`Recovery::Stop`] rules that out.
//!
//! Header fields and messages are hostile text: they can hold control bytes, so escape them where they are shown.
//!
//! # Deviations
//!
//! From RFC 6587 (octet counting): LF and CRLF between frames are skipped and counted. The RFC has the length decide where
//! a frame ends; so does [`Recovery::Stop`]. [`Recovery::Resync`], the default, believes a length only when what stands
//! behind the frame agrees: lengths in characters and stripped line ends are met in the wild, and would make values of
//! cut numbers. A frame in front of damage is therefore refused too, unless a line end stands between.
//!
//! From RFC 5424:
//! - [`Dialect::Logplex`] has no STRUCTURED-DATA, as Heroku's HTTPS drains write it.
//! - A LF or CRLF at the end of a frame belongs to the frame and not to the message.
//! - VERSION is 1 to 999, since others than 1 exist; PRI may have leading zeros.
//! - TIMESTAMP has up to nine fraction digits, cut to microseconds; second 60, `Z+00:00` and lower case `t` and `z`
//!   are read (see [`Timestamp::parse`]).
//! - HOSTNAME, APP-NAME, PROCID and MSGID are any UTF-8 without a space, within the lengths of the RFC. The message is
//!   any bytes; a byte order mark in front of it stays.
//! - In [`Dialect::Rfc5424`] a message that begins with neither `-` nor `[` where STRUCTURED-DATA is due is taken as
//!   the message: there are senders that leave the field out.
//! - SD-NAMEs may be longer than 32 characters. In a PARAM-VALUE `]` must be escaped, as the RFC says.
//!
//! # Features
//!
//! `std` (default) lets memchr choose the widest instructions at run time. Without it the crate needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod boundary;
mod deframe;
mod delivery;
mod dialect;
mod error;
mod frame;
mod frames;
mod header;
mod mark;
mod parsed;
mod parser;
mod pri;
mod reader;
pub mod rendered;
mod resync;
mod structured_data;
mod timestamp;

pub use deframe::{Deframed, Limits, deframe};
pub use delivery::{Delivery, DeliveryId};
pub use dialect::Dialect;
pub use error::{FrameError, FrameErrorKind, FramingError, FramingErrorKind};
pub use frame::{Frame, FrameBuf};
pub use frames::{Frames, RawFrame, Recovery};
pub use parser::FrameParser;
pub use pri::Pri;
pub use reader::FrameReader;
pub use structured_data::{SdElement, SdParam, StructuredData};
pub use timestamp::Timestamp;

/// The README's example, run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
