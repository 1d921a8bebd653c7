//! What was told and is not in the outbox yet.

use super::file::{Standing, StandingFile};
use super::shared::{States, Stood};
use crate::alerts::outbox::{Outbox, Teller};
use crate::alerts::standing::{Of, Standings};
use crate::alerts::told::{Facts, Told};
use crate::parts::Part;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries of a disk that fails.
const AGAIN: Duration = Duration::from_secs(1);
/// It is said again after so long.
const SAID_EVERY: Duration = Duration::from_secs(30);
/// About so many bytes are handed over at once,
const AT_ONCE: usize = 8 << 20;
/// and beyond so many that wait, messages are made without their lines.
const FULL: usize = 32 << 20;
/// With so many that wait, nothing more is read from the journal.
const MOST: usize = 10_000;
/// What a message takes without its lines.
const AROUND: usize = 1_024;

/// Where it is written down how rules of a kind stand.
#[derive(Debug)]
pub(super) enum Place {
    File(StandingFile),
    Shared(Shared),
}

/// What the owner of a partition writes.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    states: States,
    teller: Teller,
    of: Of,
}

impl Place {
    pub(super) fn write(&self, standing: Standing, states: &[Vec<u8>]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write(standing, states),
            Self::Shared(shared) => shared.states.write(shared.teller, shared.of, standing, states),
        }
    }
}

#[derive(Debug)]
pub struct Owed {
    outbox: Arc<Outbox>,
    /// Where nodes share a journal: as whom it is told, and how the rules stood.
    shared: Option<(Shared, Option<Stood>)>,
    told: Vec<Told>,
    bytes: usize,
    tried: Option<Instant>,
    said: Option<Instant>,
}

impl Owed {
    /// On a single server.
    pub const fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, shared: None, told: Vec::new(), bytes: 0, tried: None, said: None }
    }

    /// Of the owner of a partition, for rules of a kind, which stand where the owner before left them.
    ///
    /// # Errors
    /// In words, when it cannot be read how they stand.
    pub fn of(outbox: Arc<Outbox>, states: States, teller: Teller, of: Of) -> Result<Self, String> {
        let stood = states.read(teller.part, of).map_err(|why| format!("how rules stand cannot be read: {why}"))?;
        let shared = Some((Shared { states, teller, of }, stood));
        Ok(Self { shared, ..Self::new(outbox) })
    }

    /// Where it is written down how rules stand, and how they stood, if it is known and not beyond a position.
    pub(super) fn place(&mut self, store: &Path, name: &'static str, head: u64) -> (Place, Option<Stood>) {
        match &mut self.shared {
            // What stands beside the journal is never ahead of it.
            Some((shared, stood)) => (Place::Shared(shared.clone()), stood.take()),
            None => {
                let file = StandingFile::new(store, name);
                let stood = file.read(head);
                (Place::File(file), stood)
            }
        }
    }

    /// Where it is said how rules stand.
    pub(super) fn standings(&self) -> &Standings {
        self.outbox.standings()
    }

    /// What rules on minutes remember, and may.
    pub(super) fn take(&self, bytes: u64, most: u64) {
        let part = self.shared.as_ref().map_or(Part::WHOLE, |(shared, _)| shared.teller.part);
        self.standings().take(part.number(), bytes, most);
    }

    pub(super) fn add(&mut self, told: Told) {
        self.bytes += bytes_of(&told);
        self.told.push(told);
        if self.bytes > AT_ONCE {
            self.keep();
        }
    }

    /// Hands over what waits; a disk that fails is tried again a second later. Says whether nothing waits any more.
    pub(super) fn keep(&mut self) -> bool {
        if self.told.is_empty() {
            return true;
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < AGAIN) {
            return false;
        }
        let teller = self.shared.as_ref().map(|(shared, _)| shared.teller);
        match self.outbox.keep_of(teller, &self.told) {
            Ok(()) => {
                (self.told, self.bytes, self.tried) = (Vec::new(), 0, None);
                if self.said.take().is_some() {
                    tracing::info!("alerts are kept again");
                }
                true
            }
            Err(error) => {
                self.tried = Some(Instant::now());
                if self.said.is_none_or(|said| said.elapsed() > SAID_EVERY) {
                    self.said = Some(Instant::now());
                    tracing::error!(%error, alerts = self.told.len(), "alerts cannot be kept, and wait; they are not lost");
                }
                false
            }
        }
    }

    /// Whether there is room for the lines of one more.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes < FULL
    }

    /// Whether whoever feeds the rules has to wait.
    pub(super) fn must_wait(&mut self) -> bool {
        self.told.len() >= MOST && !self.keep()
    }

    /// Nothing is told of an account any more.
    pub(super) fn forget(&mut self, account: &str) {
        self.told.retain(|told| told.account != account);
        self.bytes = self.told.iter().map(bytes_of).sum();
    }
}

fn bytes_of(told: &Told) -> usize {
    let facts = match &told.facts {
        Facts::Log(facts) => {
            facts.lines.iter().map(|line| line.message.len() + line.program.len() + 128).sum::<usize>()
        }
        Facts::Metric(facts) => facts.readings.len() * 256,
        Facts::Nothing => 0,
    };
    facts + AROUND
}
