//! What is to be seen of the server: the pages, `/metrics`, and the two APIs. It reads the board, intake
//! and the store of lines; nothing calls it.

#![allow(
    missing_docs,
    missing_debug_implementations,
    rustdoc::private_intra_doc_links,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::new_without_default,
    reason = "a room of the host, and no crate for others: its public items are those that other rooms use"
)]

mod access;
mod account;
pub mod addon;
mod alerts;
pub mod answers;
mod assets;
mod back;
pub mod bodies;
mod checks;
mod cookies;
mod dashboards;
pub mod events;
mod explore;
mod fair;
mod gzip;
mod layout;
mod metrics;
mod pages;
pub mod passing;
mod pieces;
pub mod places;
mod resource;
mod routes;
pub mod session;
mod site;
mod status;
pub mod turns;
pub mod v1;
pub mod v2;

pub use answers::Answers;
pub use events::Events;
pub use passing::Passing;
pub use routes::router;
pub use site::Site;
pub use status::House;
