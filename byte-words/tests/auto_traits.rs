//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

use byte_words::Two;

macro_rules! keeps {
    ($($type:ty: $($bound:ident),+;)+) => {$({
        fn keeps<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe $(+ $bound)+>() {}
        keeps::<$type>();
    })+};
}

#[test]
fn every_public_type_keeps_its_traits() {
    keeps! {
        Two: Copy, Debug;
    }
}
