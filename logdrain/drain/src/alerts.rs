//! Alerts: what rules are, and what is told of one, kept before it is sent.

pub mod channel;
pub mod file;
pub mod outbox;
pub mod past;
pub mod standing;
pub mod templates;
pub mod told;
