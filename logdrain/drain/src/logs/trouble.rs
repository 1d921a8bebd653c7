//! What fails where lines are kept, and when it is tried and told of again.

use std::time::{Duration, Instant};

/// Between two tries of a disk that fails.
const AGAIN: Duration = Duration::from_secs(1);
/// It is told again after so long that nothing can be kept.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// Something fails, and is tried again.
#[derive(Debug)]
pub(super) struct Trouble {
    what: &'static str,
    pub(super) why: Option<String>,
    tried: Option<Instant>,
    told: Option<Instant>,
}

impl Trouble {
    const fn none(what: &'static str) -> Self {
        Self { what, why: None, tried: None, told: None }
    }

    pub(super) fn note(&mut self, why: String) {
        self.tried = Some(Instant::now());
        if self.told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::error!(%why, "{}: they wait in the journal, and everything is counted meanwhile", self.what);
        }
        self.why = Some(why);
    }

    pub(super) fn over(&mut self) {
        if self.why.take().is_some() {
            *self = Self::none(self.what);
            tracing::info!("over: {}", self.what);
        }
    }

    pub(super) fn may_try(&self) -> bool {
        self.tried.is_none_or(|tried| tried.elapsed() >= AGAIN)
    }
}

/// What may fail.
#[derive(Debug)]
pub(super) struct Troubles {
    pub(super) disk: Trouble,
    pub(super) state: Trouble,
    pub(super) reading: Trouble,
    /// The memory for lines is full, too.
    pub(super) is_blocked: bool,
}

impl Troubles {
    pub(super) const fn none() -> Self {
        Self {
            disk: Trouble::none("lines cannot be written"),
            state: Trouble::none("where the lines stand cannot be written"),
            reading: Trouble::none("lines cannot be read from the journal"),
            is_blocked: false,
        }
    }

    pub(super) fn why(&self) -> Option<String> {
        [&self.disk, &self.state, &self.reading]
            .into_iter()
            .find_map(|trouble| Some(format!("{}: {}", trouble.what, trouble.why.as_ref()?)))
    }
}
