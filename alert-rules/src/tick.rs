use core::time::Duration;
use metric_model::Timestamp;

/// A moment of the host's clock with an id from the same rising run as the events: what moves time on.
///
/// Ticks come at least once a minute. When two of them are more than [two minutes](crate::MOST_BETWEEN_TICKS) apart, what
/// lies between them is unknown: a clock that was set is no silence.
///
/// ```
/// use alert_rules::Tick;
/// use metric_model::Timestamp;
///
/// let tick = Tick::new(17, Timestamp::from_unix_seconds(60));
/// assert_eq!((tick.id(), tick.time().to_string().as_str()), (17, "1970-01-01T00:01:00Z"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tick {
    id: u64,
    time: Timestamp,
}

/// The longest pause between two ticks; a longer one is unknown, as if [`unknown`](crate::LogRules::unknown) had said so.
pub const MOST_BETWEEN_TICKS: Duration = Duration::from_secs(120);

impl Tick {
    /// A tick.
    #[must_use]
    pub const fn new(id: u64, time: Timestamp) -> Self {
        Self { id, time }
    }

    /// Its place among the events.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.id
    }

    /// What the clock said.
    #[must_use]
    pub const fn time(self) -> Timestamp {
        self.time
    }

    /// The stretch between two ticks, if it is so long that nobody can know what was in it.
    pub(crate) fn pause(self, next: Self) -> Option<(Timestamp, Timestamp)> {
        (next.time.since(self.time) > MOST_BETWEEN_TICKS).then_some((self.time, next.time))
    }
}
