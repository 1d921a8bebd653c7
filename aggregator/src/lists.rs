//! Lists and tables that grow without moving what is in them, and give memory back.

pub(crate) mod chunks;
pub(crate) mod intern;
pub(crate) mod numbered;
pub(crate) mod runs;
pub(crate) mod sorted;
pub(crate) mod table;
pub(crate) mod values;
