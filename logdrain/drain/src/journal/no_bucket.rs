//! Stands for snapshots in a bucket where the feature `s3` was left out.

use super::snapshots::Named;
use std::convert::Infallible;
use std::fmt;
use std::io;

/// Where a bucket would be.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bucket(Infallible);

impl Bucket {
    pub(super) const MEMORY: usize = 0;

    /// # Errors
    /// Always.
    pub(super) fn parse(_: &str, _: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        Err("a bucket needs the feature `s3`, and this logdrain was built without it".to_owned())
    }

    pub(super) fn snapshots(&self, _: &str) -> io::Result<Named> {
        match self.0 {}
    }

    pub(super) fn is_plain(&self) -> bool {
        match self.0 {}
    }
}

#[cfg(feature = "postgres")]
impl Bucket {
    pub(super) fn with_server(&self) -> String {
        match self.0 {}
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
