//! A Logplex for tests: it delivers lines as the real one does, with all that may go wrong, and knows what it sent.
//!
//! ```text
//! traffic (lines, frames, streams) -> drain (deliveries, losses) -> post (requests, tries) -> receiver
//!                                        scenario: what is odd          |
//!                                                                       v acknowledged
//!                                                                     truth -> rows, summary
//! ```
//!
//! It judges receivers, so it shares nothing with them but the words of `metric-model`: names, units and tags are written
//! down a second time, and the truth is added up by the plain reference of `testkit`. `.ci/layering` holds it to that.

mod args;
mod batch;
mod body;
mod clock;
mod drain;
mod error;
mod frame;
mod lines;
mod post;
mod run;
mod scenario;
mod streams;
mod summary;
mod tables;
mod tally;
mod target;
mod text;
mod time;
mod times;
mod traffic;
mod truth;

pub use args::{SendArgs, after_help};
pub use error::Error;
pub use run::{End, run};
pub use truth::WriteRow;
// Traffic that is made elsewhere begins with the same numbers.
pub use testkit::random;
