use core::fmt;
use metric_model::Timestamp;

/// What a tick answers.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Verdict<A> {
    /// To be sent.
    Alert(A),
    /// Of this stretch nothing is known, so that no rule may call it silent: to be told once.
    Unknown(Unknown),
}

impl<A> Verdict<A> {
    /// The alert, if it is one.
    pub fn alert(self) -> Option<A> {
        match self {
            Self::Alert(alert) => Some(alert),
            Self::Unknown(_) => None,
        }
    }
}

/// A stretch in which nobody listened, and the rules that would have called it silent.
///
/// ```
/// use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
/// use log_query::Query;
/// use metric_model::Timestamp;
///
/// let at = Timestamp::from_unix_seconds;
/// let mut rules = LogRules::new(Tick::new(1, at(0)));
/// rules.set(7, LogRule::new(Query::parse("heartbeat").into_query(), Period::TenMinutes).on_inactivity());
///
/// rules.unknown(2, at(30), at(10_830));
/// let verdicts = rules.tick(Tick::new(3, at(10_831)));
/// let [Verdict::Unknown(unknown)] = &verdicts[..] else { panic!("no alert, one notice") };
/// assert_eq!(unknown.rules(), [7]);
/// assert_eq!(
///     unknown.to_string(),
///     "nothing is known from 1970-01-01T00:00:00Z to 1970-01-01T03:00:31Z: 1 rule makes no alert of that silence",
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unknown {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) rules: Vec<u64>,
}

impl Unknown {
    /// Where it begins.
    #[must_use]
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// Where it ends.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The rules that ask for silence: of lines, or of points.
    #[must_use]
    pub fn rules(&self) -> &[u64] {
        &self.rules
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (many, verb) = if self.rules.len() == 1 { ("rule", "makes") } else { ("rules", "make") };
        let count = self.rules.len();
        write!(
            f,
            "nothing is known from {} to {}: {count} {many} {verb} no alert of that silence",
            self.from, self.until
        )
    }
}

/// Takes a stretch into another; the hull of both.
pub(crate) fn join(held: &mut Option<(Timestamp, Timestamp)>, from: Timestamp, until: Timestamp) {
    let (first, last) = held.unwrap_or((from, until));
    *held = Some((first.min(from), last.max(until)));
}
