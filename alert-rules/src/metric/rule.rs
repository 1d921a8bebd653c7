use super::condition::Condition;
use crate::codec::{Writer, checksum};
use crate::wildcard;
use core::fmt;
use core::time::Duration;

/// An alert on metrics: fires when all of its conditions hold, tells again while they do, and tells when they do not any more.
///
/// Conditions are asked one by one: one of them may hold of one signal, and another of another signal.
///
/// ```
/// use alert_rules::{Condition, MetricRule};
/// use core::time::Duration;
///
/// let rule = MetricRule::new(Condition::above("heroku.dyno.mem.rss", 5e8))
///     .and(Condition::above("heroku.dyno.load.load1", 1.0))
///     .with_rearm(Duration::from_secs(3_600));
/// assert_eq!(rule.conditions().len(), 2);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct MetricRule {
    pub(super) conditions: Vec<Condition>,
    pub(super) any: bool,
    pub(super) rearm: Duration,
    pub(super) per_signal: bool,
    drains: Vec<Box<str>>,
}

impl MetricRule {
    /// A rule with one condition. It tells again after 10 minutes.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        let rearm = Duration::from_secs(600);
        Self { conditions: vec![condition], any: false, rearm, per_signal: false, drains: Vec::new() }
    }

    /// One condition more.
    #[must_use]
    pub fn and(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// One of the conditions is enough.
    #[must_use]
    pub const fn any(mut self) -> Self {
        self.any = true;
        self
    }

    /// How long it is silent between two alerts while it holds. When it has been clear meanwhile, it is not.
    #[must_use]
    pub const fn with_rearm(mut self, rearm: Duration) -> Self {
        self.rearm = rearm;
        self
    }

    /// Each signal, a drain with a tag set, has alerts of its own, with a rearm time of its own.
    #[must_use]
    pub const fn per_signal(mut self) -> Self {
        self.per_signal = true;
        self
    }

    /// Only points of these drains, in whose names `*` stands for any text.
    #[must_use]
    pub fn with_drains<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.drains = names.into_iter().map(|name| name.as_ref().into()).collect();
        self
    }

    /// What is asked.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    pub(super) fn selects_drain(&self, drain: &str) -> bool {
        self.drains.is_empty() || wildcard::fits_any(&self.drains, drain.as_bytes())
    }

    /// The same for rules that ask the same.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut out = Writer::default();
        self.conditions.iter().for_each(|condition| condition.write(&mut out));
        out.flag(self.any);
        out.flag(self.per_signal);
        out.number(self.rearm.as_micros() as u64);
        self.drains.iter().for_each(|name| out.text(name));
        checksum(out.as_bytes())
    }
}

impl fmt::Display for MetricRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.conditions.iter().enumerate() {
            let between = if self.any { "; or " } else { "; and " };
            write!(f, "{}{condition}", if index == 0 { "" } else { between })?;
        }
        for (index, name) in self.drains.iter().enumerate() {
            write!(f, "{} {name}", if index == 0 { "; of" } else { " or" })?;
        }
        Ok(())
    }
}
