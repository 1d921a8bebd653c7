//! What is to be seen of the server: the page at `/`, and `/metrics`. It reads the board and intake; nothing calls it.

pub(crate) mod answers;
mod metrics;
mod page;
mod pieces;
mod routes;

pub(crate) use answers::Answers;
pub(crate) use page::House;
pub(crate) use routes::router;
