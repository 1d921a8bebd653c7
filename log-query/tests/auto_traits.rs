//! Every public type goes to other threads and through a caught panic, and keeps what is derived for it.
//!
//! The list in `api/` leaves these traits out. `.ci/api` fails if a public type is missing here.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use log_query::{Fields, IpPrefix, Negated, Node, Nodes, Note, NoteKind, Parsed, Query, Required, Term};

macro_rules! keeps {
    ($($type:ty: $($bound:ident),+;)+) => {$({
        fn keeps<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe $(+ $bound)+>() {}
        keeps::<$type>();
    })+};
}

#[test]
fn every_public_type_keeps_its_traits() {
    keeps! {
        Fields<'static>: Copy, Debug;
        IpPrefix: Clone, Eq, Debug;
        Negated<'static>: Copy, Debug;
        Node<'static>: Copy, Debug;
        Nodes<'static>: Copy, Iterator, Debug;
        Note: Clone, Eq, Debug, Display;
        NoteKind: Copy, Ord, Hash, Debug;
        Parsed: Clone, Eq, Debug;
        Query: Clone, Eq, Default, Debug, Display;
        Required<'static>: Clone, Debug;
        Term: Clone, Eq, Debug;
    }
}
