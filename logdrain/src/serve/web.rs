//! What is to be seen of the server: the pages, `/metrics`, and the two APIs. It reads the board, intake
//! and the store of lines; nothing calls it.

pub(crate) mod access;
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
mod page;
pub(crate) mod pages;
mod pieces;
mod routes;
pub(crate) mod session;
mod site;
pub(crate) mod turns;
pub(crate) mod v1;
pub(crate) mod v2;

pub(crate) use answers::Answers;
pub(crate) use events::Events;
pub(crate) use page::House;
pub(crate) use routes::router;
pub(crate) use site::Site;
