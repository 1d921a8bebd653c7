//! A time in which the database does not take what comes: since when, when it is asked again, and what the log says of it.

use super::failure::StoreError;
use std::time::{Duration, Instant};

/// Between two tries while it is away.
const AGAIN: Duration = Duration::from_millis(250);
/// Between two lines of the log that an outage begins.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// That the database does not take what comes.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Until nothing waits any more.
    pub(super) since: Option<Instant>,
    /// It did not take the last step.
    pub(super) is_away: bool,
    /// Deliveries that were put into the spool.
    pub(super) spooled: u64,
    pub(super) tried: Option<Instant>,
    said: Option<Instant>,
    is_said: bool,
}

impl Outage {
    /// It did not take a step.
    pub(super) fn begin(&mut self, error: &StoreError, is_full: bool) {
        self.tried = Some(Instant::now());
        self.is_away = true;
        if self.since.is_some() {
            return;
        }
        self.since = Some(Instant::now());
        self.spooled = 0;
        self.is_said = self.said.is_none_or(|said| said.elapsed() > SAY_AGAIN);
        if self.is_said {
            self.said = Some(Instant::now());
            let then = if is_full { "are answered with 503" } else { "wait in the spool" };
            tracing::error!(%error, "the database does not take what comes: deliveries {then} until it does");
        }
    }

    /// It was away before this began, and others have said so.
    #[cfg(feature = "postgres")]
    pub(super) fn goes_on(&mut self) {
        self.is_away = true;
        self.since = Some(Instant::now());
    }

    /// Whether the database may be asked.
    pub(super) fn may_try(&self) -> bool {
        self.until_next().is_none_or(|wait| wait.is_zero())
    }

    /// How long it is left alone; `None` when it is there.
    pub(super) fn until_next(&self) -> Option<Duration> {
        if !self.is_away {
            return None;
        }
        Some(self.tried.map_or(Duration::ZERO, |tried| AGAIN.saturating_sub(tried.elapsed())))
    }

    /// It takes what comes, and nothing waits any more.
    pub(super) fn over(&mut self) {
        if let Some(since) = self.since.take()
            && std::mem::take(&mut self.is_said)
        {
            tracing::info!(
                after_seconds = since.elapsed().as_secs(),
                spooled = self.spooled,
                "the database takes what comes, and all that waited in the spool"
            );
        }
    }
}
