//! What all rooms of the host speak in: numbers, units, times and plans as people write them, what went wrong, text that is
//! safe to show, and a client of HTTP. Nothing here knows of a drain or of a page.

#![allow(
    missing_docs,
    missing_debug_implementations,
    rustdoc::private_intra_doc_links,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::new_without_default,
    reason = "a room of the host, and no crate for others: its public items are those that other rooms use"
)]

pub mod address;
pub mod client;
pub mod escape;
pub mod failure;
pub mod json;
pub mod number;
pub mod pattern;
pub mod plan;
pub mod reading;
pub mod times;
pub mod units;
