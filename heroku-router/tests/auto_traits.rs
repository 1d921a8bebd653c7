//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use heroku_router::{
    Client, Code, CodeClass, Field, FieldRefusal, FieldRefusalKind, MemoryHint, PlatformError, RouterLine, Severity,
};

macro_rules! keeps {
    ($($type:ty: $($bound:ident),+;)+) => {$({
        fn keeps<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe $(+ $bound)+>() {}
        keeps::<$type>();
    })+};
}

#[test]
fn every_public_type_keeps_its_traits() {
    keeps! {
        CodeClass: Copy, Ord, Hash, Debug;
        FieldRefusalKind: Copy, Ord, Hash, Debug;
        Severity: Copy, Ord, Hash, Debug;
        Client<'static>: Copy, Eq, Debug;
        Code: Copy, Ord, Hash, Debug;
        Field<'static>: Copy, Eq, Debug;
        FieldRefusal: Copy, Eq, Debug;
        MemoryHint: Copy, PartialEq, Debug;
        PlatformError<'static>: Copy, Eq, Debug;
        RouterLine<'static>: Copy, Debug;
    }
}
