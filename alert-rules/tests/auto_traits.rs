//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use alert_rules::{
    Change, Clear, Condition, Function, LogAlert, LogRule, LogRules, MetricAlert, MetricRule, MetricRules, Period,
    Reading, StateError, StateErrorKind, Tick, Total, Unknown, Verdict,
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
        Change: Copy, Eq, Debug;
        Clear: Copy, Eq, Debug;
        Condition: Clone, PartialEq, Debug, Display;
        Function: Copy, Eq, Debug, Display;
        LogAlert: Clone, Eq, Debug, Display;
        LogRule: Clone, Eq, Debug, Display;
        LogRules: Debug;
        MetricAlert: Clone, PartialEq, Debug, Display;
        MetricRule: Clone, PartialEq, Debug, Display;
        MetricRules: Debug;
        Period: Copy, Ord, Hash, Debug, Display;
        Reading: Clone, PartialEq, Debug, Display;
        StateError: Copy, Eq, Debug, Display, Error;
        StateErrorKind: Copy, Eq, Debug;
        Tick: Copy, Eq, Debug;
        Total: Copy, Eq, Debug, Display;
        Unknown: Clone, Eq, Debug, Display;
        Verdict<LogAlert>: Clone, PartialEq, Debug;
    }
}
