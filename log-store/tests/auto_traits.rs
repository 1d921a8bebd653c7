//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use log_store::{
    AccountReport, Checked, Context, Counts, Damage, DamageKind, Event, EventBuf, EventId, Examined, Found, Listed,
    Neighbours, Options, Order, Page, Pattern, Patterns, Purged, Reached, Reader, Removed, Room, Scope, Store,
    StoreError, StoreErrorKind, Tail, View,
};
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

macro_rules! keeps {
    ($($type:ty: $($bound:ident),+;)+) => {$({
        fn keeps<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe $(+ $bound)+>() {}
        keeps::<$type>();
    })+};
}

#[test]
fn every_public_type_keeps_its_traits() {
    keeps! {
        AccountReport: Clone, Eq, Debug;
        Checked: Clone, Eq, Default, Debug;
        Context: Clone, Debug;
        Counts: Clone, Debug;
        Damage: Clone, Eq, Debug;
        DamageKind: Copy, Eq, Hash, Debug;
        Event<'static>: Copy, Eq, Debug;
        EventBuf: Clone, Eq, Debug;
        EventId: Copy, Ord, Hash, Default, Debug;
        Examined: Clone, Debug;
        Found: Clone, Debug;
        Listed: Clone, Eq, Debug;
        Neighbours: Copy, Eq, Hash, Debug;
        Options: Clone, Eq, Default, Debug;
        Order: Copy, Eq, Hash, Default, Debug;
        Page: Copy, Eq, Default, Debug;
        Pattern: Clone, Eq, Debug;
        Patterns: Clone, Default, Debug;
        Reached: Copy, Eq, Hash, Debug;
        Reader: Clone, Debug;
        Purged: Clone, Eq, Default, Debug;
        Removed: Copy, Eq, Default, Debug;
        Room: Clone, Eq, Default, Debug;
        Scope: Clone, Eq, Debug;
        Store: Debug;
        StoreError: Debug;
        StoreErrorKind: Copy, Eq, Hash, Debug;
        Tail: Clone, Debug;
        View: Clone, Debug;
    }
}
