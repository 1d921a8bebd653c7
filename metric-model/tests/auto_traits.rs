//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use metric_model::{
    DataPoint, DataPointBuf, Kind, Metric, Observation, Percentile, Percentiles, Record, Stats, StreamName, Summary,
    TagSet, Timestamp, Unit, Value, Window,
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
        Kind: Copy, Ord, Hash, Debug;
        Percentile: Copy, Ord, Hash, Debug;
        DataPoint<'static>: Copy, PartialEq, Debug;
        DataPointBuf: Clone, PartialEq, Debug;
        Metric<'static>: Copy, Ord, Hash, Debug;
        Observation<'static>: Copy, PartialEq, Debug;
        Percentiles: Copy, PartialEq, Debug;
        Record<'static>: Copy, PartialEq, Debug;
        Stats: Copy, PartialEq, Debug;
        StreamName<'static>: Copy, Eq, Debug;
        Summary<'static>: Copy, PartialEq, Debug;
        TagSet: Clone, Ord, Hash, Default, Debug;
        Timestamp: Copy, Ord, Hash, Debug;
        Unit<'static>: Copy, Ord, Hash, Default, Debug;
        Value<'static>: Copy, PartialEq, Debug;
        Window: Copy, Ord, Hash, Debug;
    }
}
