//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use minute_aggregator::{
    Aggregator, AggregatorConfig, ConfigError, ConfigErrorKind, CountingRule, EachRow, Explanation, LatePolicy,
    MergeError, MergeErrorKind, MinuteSketch, ObservationLedger, Outcome, Precision, Refusal, RestoreError,
    RestoreErrorKind, Row, RowBuf, RowCounts, RowError, RowErrorKind, RowMergeError, RowState, Standing, StreamQuota,
    StreamReport,
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
        ConfigErrorKind: Copy, Eq, Debug;
        CountingRule: Copy, Ord, Hash, Default, Debug;
        LatePolicy: Copy, Eq, Default, Debug;
        MergeError: Copy, Eq, Debug;
        MergeErrorKind: Copy, Eq, Debug;
        Outcome: Copy, Eq, Debug;
        Precision: Copy, Ord, Hash, Default, Debug;
        Refusal: Copy, Ord, Hash, Debug;
        RestoreErrorKind: Copy, Eq, Debug;
        RowErrorKind: Copy, Eq, Debug;
        RowMergeError: Copy, Eq, Debug;
        Standing: Copy, Ord, Hash, Debug;
        Aggregator<MinuteSketch>: Debug;
        AggregatorConfig: Clone, Eq, Default, Debug;
        ConfigError: Copy, Eq, Debug;
        EachRow<fn()>: Copy, Debug;
        Explanation<'static>: Clone, Debug;
        MinuteSketch: Clone, PartialEq, Default, Debug;
        ObservationLedger: Clone, Eq, Default, Debug;
        RestoreError: Copy, Eq, Debug;
        Row<'static, MinuteSketch>: Copy, Debug;
        RowBuf<MinuteSketch>: Clone, PartialEq, Debug;
        RowCounts: Copy, Eq, Default, Debug;
        RowState<MinuteSketch>: Clone, PartialEq, Debug;
        RowError: Copy, Eq, Debug;
        StreamQuota: Clone, Eq, Debug;
        StreamReport<'static>: Copy, PartialEq, Debug;
    }
}
