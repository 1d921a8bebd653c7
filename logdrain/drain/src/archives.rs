//! Archives: each hour of an account as one packed file of ten columns, written when the hour is over.
//!
//! One thread of low priority reads what is kept, block by block, and another packs the rows of it. An hour is written once,
//! and only when everything below its end is in: the clock is believed and minutes past it, the journal gives no id below
//! it any more, and the lines of all that the journal holds are kept. So a file that is there is whole, and each line of its
//! hour stands in it once. A file is written beside, synced, and then renamed. Where nodes share the folder, whoever takes a
//! partition over sees to it first that none before him writes there any more (`fence`). Where they share a bucket instead it is
//! put there, and comes to be an archive when the database names it (`catalog`).

mod board;
mod boards;
mod books;
pub mod bucket;
#[cfg(all(feature = "s3", feature = "postgres"))]
mod catalog;
pub mod closing;
mod fence;
mod folder;
mod hour;
mod packer;
mod purging;
mod room;
mod shelf;
mod sources;
mod uploads;
mod writer;

pub use board::{Board, Shown, tag};
pub use boards::Boards;
pub use books::Books;
pub use shelf::{Archive, Opened};
pub use sources::Others;
pub use uploads::{MEMORY as UPLOADS, TRIALS, Upload, Uploads};
pub use writer::{MEMORY, Writer};

#[cfg(test)]
mod tests;
