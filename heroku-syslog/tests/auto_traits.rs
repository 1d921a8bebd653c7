//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use heroku_syslog::{
    Deframed, Delivery, DeliveryId, Dialect, Frame, FrameBuf, FrameError, FrameErrorKind, FrameParser, FrameReader,
    Frames, FramingError, FramingErrorKind, Limits, Pri, RawFrame, Recovery, SdElement, SdParam, StructuredData,
    Timestamp, rendered,
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
        rendered::Form: Copy, Ord, Hash, Default, Debug;
        rendered::Lines<'static>: Clone, Debug;
        rendered::RawLine<'static>: Copy, Eq, Debug;
        Deframed<'static>: Copy, Eq, Debug;
        DeliveryId<'static>: Copy, Ord, Hash, Debug;
        Dialect: Copy, Ord, Hash, Debug;
        FrameErrorKind: Copy, Ord, Hash, Debug;
        FramingErrorKind: Copy, Ord, Hash, Debug;
        Recovery: Copy, Ord, Hash, Default, Debug;
        Delivery<'static>: Copy, Debug;
        Frame<'static>: Copy, Eq, Debug;
        FrameBuf: Clone, Eq, Debug;
        FrameError: Copy, Eq, Debug;
        FrameParser: Clone, Default, Debug;
        FrameReader: Clone, Debug;
        Frames<'static>: Clone, Debug;
        FramingError: Copy, Eq, Debug;
        Limits: Copy, Eq, Hash, Default, Debug;
        Pri: Copy, Ord, Hash, Debug;
        RawFrame<'static>: Copy, Eq, Debug;
        SdElement<'static>: Copy, Eq, Debug;
        SdParam<'static>: Copy, Eq, Debug;
        StructuredData<'static>: Copy, Eq, Hash, Debug;
        Timestamp: Copy, Ord, Hash, Debug;
    }
}
