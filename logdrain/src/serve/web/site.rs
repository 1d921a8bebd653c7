//! What every page and every API is made with. It is made once, when the program starts, and is there before the store is.

use super::turns::Turns;
use crate::serve::intake::Intake;
use crate::serve::logs;
use std::sync::Arc;

/// Everything that whoever answers over HTTP asks.
#[derive(Debug)]
pub(crate) struct Site {
    /// Who may come in, the memory that answers take, and the way to the journal and to the settings.
    pub(crate) intake: Arc<Intake>,
    /// The kept lines.
    pub(crate) logs: logs::Board,
    /// Whoever searches takes a turn, whichever way he asked.
    pub(crate) searches: Arc<Turns>,
}

impl Site {
    pub(crate) fn new(intake: Arc<Intake>, logs: logs::Board) -> Arc<Self> {
        Arc::new(Self { intake, logs, searches: Arc::new(Turns::new()) })
    }
}
