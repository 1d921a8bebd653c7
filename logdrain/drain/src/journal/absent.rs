//! Stands for the journal in PostgreSQL where the feature `postgres` was left out.

use super::failure::StoreError;
use super::seam::{Events, Partition};
use super::spool::Owner;
use std::convert::Infallible;
use std::fmt;
use std::path::Path;

/// Where a database would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address(Infallible);

impl Address {
    /// # Errors
    /// Always.
    pub fn parse(_: &str, _: Option<&str>) -> Result<Self, &'static str> {
        Err("needs the feature `postgres`, and this logdrain was built without it")
    }

    pub fn holds_password(&self) -> bool {
        match self.0 {}
    }

    pub fn is_plain(&self) -> bool {
        match self.0 {}
    }
}

impl fmt::Display for Address {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// # Errors
/// There is no address whose journal it could be.
pub fn owner(_: &Path, address: &Address) -> Result<Owner, StoreError> {
    match address.0 {}
}

/// What is opened.
pub(crate) type Opened = (Box<dyn Partition>, [Box<dyn Events>; 2]);

/// # Errors
/// There is no address to be opened.
pub fn open_database(address: &Address, _: &Path, _: usize) -> Result<Opened, StoreError> {
    match address.0 {}
}
