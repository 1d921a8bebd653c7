//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use heroku_metrics::aggregator::MinuteSketch;
use heroku_metrics::{
    Class, CustomFrom, DynoIdentity, Entry, Estimate, Extractor, ExtractorConfig, Families, Ledger, Line, LineRefusal,
    NativeSet, Pipeline, PipelineConfig, Plan, Reason, Receipt, RestoreError, SeenDeliveries, Source, UnitPolicy,
    Verdict, native,
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
        native::Family: Copy, Debug;
        native::Native: Copy, Debug;
        Class: Copy, Eq, Hash, Debug;
        CustomFrom: Copy, Eq, Hash, Default, Debug;
        DynoIdentity: Copy, Eq, Hash, Default, Debug;
        NativeSet: Copy, Eq, Hash, Default, Debug;
        Reason: Copy, Ord, Hash, Debug;
        Source: Copy, Eq, Hash, Debug;
        UnitPolicy: Copy, Eq, Hash, Default, Debug;
        Verdict: Copy, Eq, Debug;
        Entry: Clone, Eq, Debug;
        Estimate: Copy, Eq, Debug;
        Extractor: Clone, Default, Debug;
        ExtractorConfig: Clone, Default, Debug;
        Families: Copy, Eq, Hash, Default, Debug;
        Ledger: Clone, Eq, Debug;
        Line<'static>: Copy, Debug;
        LineRefusal: Copy, Eq, Debug;
        Pipeline<MinuteSketch>: Debug;
        PipelineConfig: Clone, Default, Debug;
        Plan: Clone, Eq, Debug;
        Receipt: Copy, Eq, Default, Debug;
        RestoreError: Copy, Eq, Debug;
        SeenDeliveries: Clone, Eq, Debug;
    }
}
