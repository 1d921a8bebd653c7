//! What every page and every API is made with. It is made once, when the program starts, and is there before the store is.

use super::checks::Checks;
use super::turns::Turns;
use crate::serve::directory::Directory;
use crate::serve::intake::Intake;
use crate::serve::limits::Habits;
use crate::serve::logs;
use crate::serve::settings::Settings;
use std::sync::Arc;

/// Everything that whoever answers over HTTP asks.
#[derive(Debug)]
pub(crate) struct Site {
    /// Who may come in, the memory that answers take, and the way to the journal and to the settings.
    pub(crate) intake: Arc<Intake>,
    /// Members, tokens, sessions, and the numbers of systems.
    pub(crate) directory: Arc<Directory>,
    /// Passwords that are being checked.
    pub(crate) checks: Checks,
    /// What every absolute link begins with, as `https://logs.example.com`, without a slash at its end.
    pub(crate) base: Option<String>,
    /// Reading is for whoever reaches this server, as long as nobody has to sign in: something in front looks after it.
    pub(crate) open_reading: bool,
    /// How `/api/v1` answers where its clients differ.
    pub(crate) v1: Habits,
    /// The kept lines.
    pub(crate) logs: logs::Board,
    /// Whoever searches takes a turn, whichever way he asked.
    pub(crate) searches: Arc<Turns>,
}

impl Site {
    pub(crate) fn new(
        intake: Arc<Intake>,
        directory: Arc<Directory>,
        logs: logs::Board,
        base: Option<String>,
        open_reading: bool,
        v1: Habits,
    ) -> Arc<Self> {
        let searches = Arc::new(Turns::new());
        Arc::new(Self { intake, directory, checks: Checks::new(), base, open_reading, v1, logs, searches })
    }

    /// The settings as they are on the disk.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.intake.settings()
    }

    /// Whether browsers reach this server encrypted, here or at something in front of it.
    pub(crate) fn is_secure(&self) -> bool {
        self.intake.is_encrypted() || self.base.as_ref().is_some_and(|base| base.starts_with("https://"))
    }
}
