//! One output for several who count: each row goes out whole, and those of each in their order.

use super::{Outlet, Owner, Row, Stopped};
use heroku_metrics::aggregator;
use heroku_metrics::model::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard};

/// An outlet that others have, too. What one commits is of all: rows of others that went out by then are safe with it, and
/// come once more at most, with the same ids.
#[derive(Debug, Default)]
pub struct Shared<R>(Arc<Mutex<R>>);

impl<R> Shared<R> {
    pub fn new(outlet: R) -> Self {
        Self(Arc::new(Mutex::new(outlet)))
    }

    /// After a panic in it nobody knows what is half written: it takes nothing any more.
    fn lock(&self) -> Result<MutexGuard<'_, R>, Stopped> {
        self.0.lock().map_err(|_| Stopped)
    }
}

impl<R> Clone for Shared<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Outlet> Outlet for Shared<R> {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.lock()?.write(row)
    }

    fn keep(&mut self, owner: Owner<'_>, row: &aggregator::Row<'_>) -> Result<(), Stopped> {
        self.lock()?.keep(owner, row)
    }

    fn heard(&mut self, owner: Owner<'_>, at: Timestamp) {
        if let Ok(mut outlet) = self.lock() {
            outlet.heard(owner, at);
        }
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.lock()?.commit()
    }
}
