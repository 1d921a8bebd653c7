//! What is to be seen of the server: the pages, `/metrics`, and the two APIs. It reads the board, intake
//! and the store of lines; nothing calls it.

pub(crate) mod access;
mod account;
pub(crate) mod addon;
pub(crate) mod answers;
mod assets;
mod back;
mod checks;
mod cookies;
mod dashboards;
pub(crate) mod events;
mod explore;
mod gzip;
mod layout;
mod metrics;
mod pages;
mod pieces;
pub(crate) mod places;
mod routes;
pub(crate) mod session;
mod site;
mod status;
pub(crate) mod turns;
pub(crate) mod v1;
pub(crate) mod v2;

pub(crate) use answers::Answers;
pub(crate) use events::Events;
pub(crate) use routes::router;
pub(crate) use site::Site;
pub(crate) use status::House;
