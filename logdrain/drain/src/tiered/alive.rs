//! Whether somebody has the files of a node still.

use super::shared::Shared;
use std::sync::Arc;

/// Tells the threads when it is over.
#[derive(Debug)]
pub(super) struct Alive(Arc<Shared>);

impl Alive {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.registry.end();
        self.0.owners.end();
    }
}
