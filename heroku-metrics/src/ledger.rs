//! The books: what came in equals what came out plus what was refused, by reason.

mod receipt;

pub(crate) use receipt::Misfit;
pub use receipt::Receipt;

use minute_aggregator::{ObservationLedger, Refusal};
use std::fmt;

/// A line of the books: the stage, what is counted, how many.
///
/// ```
/// # use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// pipeline.ingest(&Delivery::new(b"junk"));
/// let ledger = pipeline.ledger();
/// let skipped = ledger.entries().find(|entry| entry.name() == "skipped: bad_length").unwrap();
/// assert_eq!((skipped.stage(), skipped.count()), ("octets", 4));
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    stage: &'static str,
    group: &'static str,
    name: &'static str,
    count: u64,
}

impl Entry {
    /// `deliveries`, `octets`, `frames`, `upstream`, `values` or `observations`.
    #[must_use]
    pub const fn stage(&self) -> &'static str {
        self.stage
    }

    /// What is counted, such as `in` or `refused: bad_pri`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.group.is_empty() { self.name.to_owned() } else { format!("{}: {}", self.group, self.name) }
    }

    /// The reason, where the entry is one of several reasons: `("refused", "bad_pri")`.
    #[must_use]
    pub const fn reason(&self) -> Option<(&'static str, &'static str)> {
        if self.group.is_empty() { None } else { Some((self.group, self.name)) }
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// The books of a pipeline, from bytes to observations.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
///
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
/// let ledger = pipeline.ledger();
/// assert!(ledger.balances());
/// println!("{ledger}");
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    total: Receipt,
    observations: ObservationLedger,
}

impl Ledger {
    pub(crate) const fn new(total: Receipt, observations: ObservationLedger) -> Self {
        Self { total, observations }
    }

    /// All deliveries added up.
    #[must_use]
    pub const fn total(&self) -> &Receipt {
        &self.total
    }

    /// What became of the observations: accepted, late, in the future, refused.
    #[must_use]
    pub const fn observations(&self) -> &ObservationLedger {
        &self.observations
    }

    /// Whether every stage balances.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.total.balances() && self.observations.balances()
    }

    /// Every line of the books, zeros included, in the order of the data's way.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let books = &self.observations;
        let one = |name, count| Entry { stage: "observations", group: "", name, count };
        self.total
            .entries()
            .chain([
                one("in", books.observed()),
                one("accepted", books.accepted()),
                one("folded", books.folded()),
                one("late", books.late()),
                one("future", books.future()),
            ])
            .chain(Refusal::ALL.into_iter().map(|reason| Entry {
                stage: "observations",
                group: "refused",
                name: reason.as_str(),
                count: books.refused_as(reason),
            }))
            .chain([one("sums clamped", books.clamped())])
    }
}

/// One line a stage, with everything that is not zero; a stage of zeros is left out.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stage = "";
        for entry in self.entries().filter(|entry| entry.count > 0) {
            let name = entry.name();
            if entry.stage == stage {
                write!(f, ", {} {name}", entry.count)?;
            } else {
                let line_end = if stage.is_empty() { "" } else { "\n" };
                write!(f, "{line_end}{:13}{} {name}", entry.stage, entry.count)?;
                stage = entry.stage;
            }
        }
        match (stage.is_empty(), self.balances()) {
            (true, true) => f.write_str("nothing was read"),
            (_, true) => Ok(()),
            (_, false) => f.write_str("\nthe books do not balance: please report this"),
        }
    }
}
