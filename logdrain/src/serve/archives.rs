//! Archives: each hour of an account as one packed file of ten columns, written when the hour is over.
//!
//! One thread of low priority reads what is kept and writes the files, a page of lines at a time. An hour is written once,
//! and only when everything below its end is in: the clock is believed and minutes past it, the journal gives no id below
//! it any more, and the lines of all that the journal holds are kept. So a file that is there is whole, and each line of its
//! hour stands in it once. A file is written beside, synced, and then renamed.

mod board;
mod books;
pub(crate) mod bucket;
mod folder;
mod hour;
mod purging;
mod room;
mod sources;
mod uploads;
mod writer;

pub(crate) use board::{Archive, Board, Shown};
pub(crate) use books::Books;
pub(crate) use sources::Others;
pub(crate) use uploads::{MEMORY as UPLOADS, Upload, Uploads};
pub(crate) use writer::{MEMORY, Writer};

#[cfg(test)]
mod tests;
