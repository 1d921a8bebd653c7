//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::str::FromStr;

use log_archive::{Counts, Keys, NameError, NameErrorKind, Period, ReadError, ReadErrorKind, Reader, Row, Writer};

macro_rules! keeps {
    ($($type:ty: $($bound:ident),+;)+) => {$({
        fn keeps<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe $(+ $bound)+>() {}
        keeps::<$type>();
    })+};
}

#[test]
fn every_public_type_keeps_its_traits() {
    keeps! {
        Counts: Copy, Eq, Debug, Display;
        Keys: Clone, Ord, Hash, Debug;
        NameError: Copy, Eq, Error, Debug, Display;
        NameErrorKind: Copy, Ord, Hash, Debug;
        Period: Copy, Ord, Hash, FromStr, Debug, Display;
        ReadErrorKind: Copy, Ord, Hash, Debug;
        Reader<&'static [u8]>: Debug;
        Row<'static>: Copy, Eq, Debug;
        Writer<Vec<u8>>: Clone, Debug;
    }
}

/// It may hold an `io::Error`, which is not unwind safe.
#[test]
fn errors_of_the_input_go_to_other_threads() {
    fn keeps<T: Send + Sync + Unpin + Error>() {}
    // ReadError: Send, Sync, Unpin, Error
    keeps::<ReadError>();
}
