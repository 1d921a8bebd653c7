//! Tells when most of what a drain sends is too old to be counted. Such a drain is answered with 204 and gives no rows, and
//! whoever tries the server with a recording would look for them in vain.

use crate::counting::pipelines::Pipelines;
use crate::drain_name::DrainName;
use logdrain_terms::escape::Escaped;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Values are gathered for so long before they are judged.
const GATHER: Duration = Duration::from_secs(1);
/// Of one drain it is not said more often.
const QUIET: Duration = Duration::from_secs(60);

/// What has been judged so far.
#[derive(Debug)]
pub(super) struct Lateness {
    drains: BTreeMap<Arc<str>, Judged>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Judged {
    observed: u64,
    late: u64,
    /// When the first of the values came that are not judged yet.
    waiting: Option<Instant>,
    said: Option<Instant>,
}

impl Lateness {
    /// What the pipelines hold already is not judged.
    pub(super) fn new(pipelines: &Pipelines) -> Self {
        let drains = pipelines.drains().map(|(drain, pipeline)| {
            let books = pipeline.aggregator().ledger();
            (drain.clone(), Judged { observed: books.observed(), late: books.late(), ..Judged::default() })
        });
        Self { drains: drains.collect() }
    }

    /// Looks at all drains; `at_the_end` at values that came just now, too.
    pub(super) fn look(&mut self, pipelines: &Pipelines, at_the_end: bool) {
        let now = Instant::now();
        self.drains.retain(|drain, _| pipelines.drain(drain).is_some());
        for (drain, pipeline) in pipelines.drains() {
            let books = pipeline.aggregator().ledger();
            if !self.drains.contains_key(drain) {
                self.drains.insert(drain.clone(), Judged::default());
            }
            let Some(judged) = self.drains.get_mut(drain) else { continue };
            let Some((late, values)) = judged.judge((books.observed(), books.late()), now, at_the_end) else {
                continue;
            };
            let by = pipelines.late_by(drain).map_or_else(String::new, |by| format!(" by about {}", about(by)));
            tracing::warn!(
                drain = %Escaped(&DrainName::of(drain).shown().to_string()),
                "{late} of {values} values were late{by} and are not in any row: is it an old recording? `logdrain replay` \
                 reads those. If it is not, a clock is wrong"
            );
        }
    }
}

impl Judged {
    /// How many values were late, of how many, when that is to be said now.
    fn judge(&mut self, (observed, late): (u64, u64), now: Instant, at_the_end: bool) -> Option<(u64, u64)> {
        if observed == self.observed {
            return None;
        }
        let waiting = *self.waiting.get_or_insert(now);
        let is_quiet = self.said.is_some_and(|said| now.duration_since(said) < QUIET);
        if is_quiet || !(at_the_end || now.duration_since(waiting) >= GATHER) {
            return None;
        }
        let found = (late.saturating_sub(self.late), observed.saturating_sub(self.observed));
        *self = Self { observed, late, waiting: None, said: self.said };
        if found.0 * 2 <= found.1 {
            return None;
        }
        self.said = Some(now);
        Some(found)
    }
}

/// A time in its largest unit.
fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds >= *length * 2).unwrap_or((1, "second"));
    let count = (seconds + length / 2) / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mostly_late_is_said_at_once_and_then_once_a_minute() {
        let mut judged = Judged::default();
        let start = Instant::now();
        let mut at = |seconds: f64, books| judged.judge(books, start + Duration::from_secs_f64(seconds), false);
        assert_eq!(at(0.0, (0, 0)), None, "nothing came");
        assert_eq!(at(1.0, (100, 100)), None, "more may come");
        assert_eq!(at(2.1, (120, 100)), Some((100, 120)));
        assert_eq!(at(3.0, (130, 110)), None);
        assert_eq!(at(30.0, (230, 210)), None, "not more than once a minute");
        assert_eq!(at(62.2, (330, 310)), Some((210, 210)), "and then of all that came since");
        assert_eq!(at(200.0, (430, 310)), None);
        assert_eq!(at(202.0, (430, 310)), None, "these were in time");
        assert_eq!(at(204.0, (530, 360)), None);
        assert_eq!(at(206.0, (530, 360)), None, "half is not most");
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let of = |seconds| about(Duration::from_secs(seconds));
        assert_eq!(
            [of(0), of(1), of(95), of(600), of(7_200)],
            ["0 seconds", "1 second", "95 seconds", "10 minutes", "2 hours"]
        );
        assert_eq!(of(259 * 86_400 + 5), "259 days");
    }
}
