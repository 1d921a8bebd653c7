//! A search language for log lines, as people type it.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod fields;
mod fold;
mod names;
mod node;
mod note;
mod parse;
mod print;
mod query;
mod required;
mod search;
mod term;

pub use fields::Fields;
pub use fold::fold_into;
pub use node::{IpPrefix, Negated, Node, Nodes};
pub use note::{Note, NoteKind};
pub use parse::Parsed;
pub use query::Query;
pub use required::Required;
pub use term::Term;
