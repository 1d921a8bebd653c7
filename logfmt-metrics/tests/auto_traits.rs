//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use logfmt_metrics::{
    Directive, Directives, Metric, NumberError, NumberErrorKind, Pair, Pairs, Refusal, RefusalKind, Sample,
    SampleToken, Samples, Tag, colour,
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
        colour::Uncoloured: Clone, Default, Debug;
        Directive<'static>: Copy, PartialEq, Debug;
        NumberErrorKind: Copy, Ord, Hash, Debug;
        RefusalKind: Copy, Ord, Hash, Debug;
        SampleToken<'static>: Copy, PartialEq, Debug;
        Directives<'static>: Clone, Debug;
        Metric<'static>: Copy, PartialEq, Debug;
        NumberError: Copy, Eq, Debug;
        Pair<'static>: Copy, Eq, Debug;
        Pairs<'static>: Clone, Debug;
        Refusal: Copy, Eq, Debug;
        Sample<'static>: Copy, PartialEq, Debug;
        Samples<'static>: Clone, Debug;
        Tag<'static>: Copy, Eq, Debug;
    }
}
