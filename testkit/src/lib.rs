//! What the tests of the family share: the loader of `testdata/` cases, generators of input, slow oracles, a
//! runner of programs, a PostgreSQL and an S3 server.
//!
//! It depends on no crate of the family, so that an oracle cannot lean on what it judges.

mod cases;
pub mod deframe;
pub mod demo;
#[cfg(unix)]
pub mod postgres;
pub mod program;
pub mod query;
pub mod random;
pub mod reference;
#[cfg(unix)]
pub mod s3;
pub mod traffic;

pub use cases::{Case, cases, corpus, testdata};
