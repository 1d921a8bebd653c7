//! Series to plots to SVG, and dashboards as data: what commands and pages draw.

#![allow(
    missing_docs,
    missing_debug_implementations,
    rustdoc::private_intra_doc_links,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::new_without_default,
    reason = "a room of the host, and no crate for others: its public items are those that other rooms use"
)]

pub mod chart;
pub mod dashboard;
pub mod series;
