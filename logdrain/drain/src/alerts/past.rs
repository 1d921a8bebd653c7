//! Rules that are asked of what was: its minutes go by one after the other, by its own time, as fast as it is read.
//!
//! ```text
//! a time that was reached -> a tick for each minute up to it -> lines' windows, rows of minutes that are over -> told
//! ```
//!
//! First come the lines of a minute, then its rows with the tick after the next, as `serve` gives them. Of more than an hour
//! in which nothing was heard nothing is known: it was not recorded. Ids are those of events, twice and one more, so that a
//! tick has one in front of the events of its minute.

use super::file::{Due, Rules};
use alert_rules::{LogAlert, LogRule, LogRules, MetricAlert, MetricRules, Tick, Verdict};
use heroku_metrics::model::Timestamp;
use log_query::Fields;
use log_store::EventId;
use std::time::Duration;

/// In microseconds.
const MINUTE: i64 = 60_000_000;
/// Of a longer stretch in which nothing was heard nothing is known.
const GAP_MINUTES: i64 = 60;
/// Minutes are closed so long after their end, as `serve` closes them.
pub const LATENESS: Duration = Duration::from_secs(60);

/// Whoever looks at the past, and is told what rules say of it.
pub trait Looks {
    type Error;

    /// It is this time now: hands over the rows of windows that are closed, if they were not before.
    ///
    /// # Errors
    /// When they cannot be had.
    fn rows(&mut self, now: Timestamp, metrics: &mut MetricRules) -> Result<(), Self::Error>;

    /// What a tick brought.
    ///
    /// # Errors
    /// When it cannot be told.
    fn told(&mut self, lines: Vec<Verdict<LogAlert>>, minutes: Vec<Verdict<MetricAlert>>) -> Result<(), Self::Error>;

    /// Windows that begin here are of what is not known any more.
    fn ends_at(&mut self, end: Timestamp);
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ended {
    /// How each rule stood, those on lines first.
    pub standing: Vec<Vec<String>>,
    /// Points of streams that found no room.
    pub refused: u64,
}

/// Rules, numbered from 0 for each kind, and how far time has come.
#[derive(Debug)]
pub struct Past {
    rules: Vec<(LogRule, Due)>,
    of_minutes: u64,
    /// Begins with the first time.
    logs: LogRules,
    metrics: MetricRules,
    id: u64,
    /// The last minute that began, counted from 1970.
    minute: Option<i64>,
}

impl Past {
    /// Of rows that are so long.
    pub fn new(rules: &Rules, window: Duration) -> Self {
        let mut metrics = MetricRules::new(window);
        for (number, (_, rule)) in (0..).zip(&rules.metrics) {
            metrics.set(number, rule.clone());
        }
        Self {
            rules: rules.logs.iter().map(|(_, rule, due)| (rule.clone(), due.clone())).collect(),
            of_minutes: rules.metrics.len() as u64,
            logs: LogRules::new(Tick::new(0, Timestamp::MIN)),
            metrics,
            id: 0,
            minute: None,
        }
    }

    /// Something was heard at a time, in microseconds since 1970.
    ///
    /// # Errors
    /// Of whoever looks.
    pub fn reach<L: Looks>(&mut self, time: i64, looks: &mut L) -> Result<(), L::Error> {
        let minute = time.div_euclid(MINUTE);
        let Some(begun) = self.minute else {
            self.logs = LogRules::new(self.tick_of(minute));
            for (number, (rule, _)) in (0..).zip(&self.rules) {
                self.logs.set(number, rule.clone());
            }
            self.minute = Some(minute);
            return Ok(());
        };
        if minute - begun > GAP_MINUTES {
            // Minutes that are whole are closed; then nothing is known until here.
            self.tick(begun + 1, looks)?;
            self.unknown(begun + 1, minute);
            return self.tick(minute, looks);
        }
        (begun + 1..=minute).try_for_each(|minute| self.tick(minute, looks))
    }

    /// Takes a line of the time that was reached. Answers the id that it has here, if it fits a rule.
    pub fn line(&mut self, time: i64, fields: &Fields<'_>) -> Option<u64> {
        self.take(self.id + 1, time, fields)
    }

    /// Takes an event that is kept, of the time that was reached.
    pub fn event(&mut self, id: EventId, fields: &Fields<'_>) {
        self.take(2 * id.get() + 1, id.unix_micros(), fields);
    }

    /// The event that an alert names by this id.
    pub const fn event_of(id: u64) -> EventId {
        EventId::new(id / 2)
    }

    fn take(&mut self, id: u64, time: i64, fields: &Fields<'_>) -> Option<u64> {
        self.id = self.id.max(id);
        (self.logs.event(id, Timestamp::from_unix_micros(time), fields) > 0).then_some(id)
    }

    /// The rules on minutes, for who has rows.
    pub const fn metrics(&mut self) -> &mut MetricRules {
        &mut self.metrics
    }

    /// Of these minutes nothing is known.
    fn unknown(&mut self, from: i64, until: i64) {
        self.id += 1;
        self.logs.unknown(self.id, start(from), start(until));
        self.metrics.unknown(start(from), start(until));
    }

    fn tick_of(&mut self, minute: i64) -> Tick {
        let at = 2 * EventId::at(start(minute).unix_micros()).get();
        self.id = at.max(self.id + 1);
        Tick::new(self.id, start(minute))
    }

    /// A minute begins.
    fn tick<L: Looks>(&mut self, minute: i64, looks: &mut L) -> Result<(), L::Error> {
        self.minute = Some(minute);
        let tick = self.tick_of(minute);
        let rules = &self.rules;
        let next_day = |rule: u64, from| {
            let due = usize::try_from(rule).ok().and_then(|rule| rules.get(rule)).map(|(_, due)| due);
            due.and_then(|due| due.next(from)).unwrap_or(Timestamp::MIN)
        };
        let lines = self.logs.tick_with(tick, next_day);
        if self.of_minutes > 0 {
            looks.rows(tick.time(), &mut self.metrics)?;
        }
        let minutes = self.metrics.tick(tick, tick.time().earlier(LATENESS));
        looks.told(lines, minutes)
    }

    /// There is no more of it.
    ///
    /// # Errors
    /// Of whoever looks.
    pub fn end<L: Looks>(mut self, looks: &mut L) -> Result<Ended, L::Error> {
        let Some(minute) = self.minute else { return Ok(Ended::default()) };
        let last = minute + 1;
        let mut standing: Vec<Vec<String>> =
            (0..).zip(&self.rules).map(|(number, _)| self.logs.explain(number).into_iter().collect()).collect();
        looks.ends_at(start(last));
        self.tick(last, looks)?;
        // What would have come is not known. Windows that are open end when they are due, with what they have.
        let open = self.rules.iter().map(|(rule, _)| rule.period().length()).max().unwrap_or_default();
        let open = i64::try_from(open.as_secs() / 60).unwrap_or_default() + GAP_MINUTES + 2;
        self.unknown(last, last + open);
        for minute in 1..=open {
            self.tick(last + minute, looks)?;
            if minute == 1 {
                // The last minute that had lines has just been judged.
                let of = |number| self.metrics.explain(number).iter().map(ToString::to_string).collect();
                standing.extend((0..self.of_minutes).map(of));
            }
        }
        Ok(Ended { standing, refused: self.metrics.refused() })
    }
}

/// When a minute begins.
fn start(minute: i64) -> Timestamp {
    Timestamp::from_unix_micros(minute.saturating_mul(MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::file;
    use std::convert::Infallible;

    #[derive(Default)]
    struct Notes {
        alerts: Vec<LogAlert>,
        unknown: Vec<(i64, i64)>,
        end: Option<Timestamp>,
    }

    impl Looks for Notes {
        type Error = Infallible;

        fn rows(&mut self, _: Timestamp, _: &mut MetricRules) -> Result<(), Infallible> {
            Ok(())
        }

        fn told(&mut self, lines: Vec<Verdict<LogAlert>>, _: Vec<Verdict<MetricAlert>>) -> Result<(), Infallible> {
            for verdict in lines {
                match verdict {
                    Verdict::Alert(alert) if self.end.is_none_or(|end| alert.started_at() < end) => {
                        self.alerts.push(alert)
                    }
                    Verdict::Unknown(unknown) if self.end.is_none() => {
                        let minute = |time: Timestamp| time.unix_micros().div_euclid(MINUTE);
                        self.unknown.push((minute(unknown.from()), minute(unknown.until())));
                    }
                    _ => {}
                }
            }
            Ok(())
        }

        fn ends_at(&mut self, end: Timestamp) {
            self.end = Some(end);
        }
    }

    #[test]
    fn events_keep_their_ids_and_what_was_not_recorded_is_no_silence() {
        const START: i64 = 28_000_000;
        let rules = file::read(
            "[[log]]\nname = \"a\"\nquery = \"x\"\n[[log]]\nname = \"b\"\nquery = \"y\"\nperiod = \"10 minutes\"\ninactivity = true\n",
        );
        let mut past = Past::new(&rules.unwrap(), Duration::from_secs(60));
        let mut notes = Notes::default();
        let mut heard = |past: &mut Past, minute: i64| {
            let Ok(()) = past.reach((START + minute) * MINUTE, &mut notes);
        };
        heard(&mut past, 0);
        // In the first millisecond of a minute, and in its last.
        let ids = [EventId::at((START + 1) * MINUTE), EventId::at((START + 2) * MINUTE - 1_000)];
        for (minute, id) in [(1, ids[0]), (1, ids[1])] {
            heard(&mut past, minute);
            past.event(id, &Fields::new(b"s", b"p", b"x"));
        }
        // A line that comes late does not set the clock back.
        heard(&mut past, 0);
        (2..=30).for_each(|minute| heard(&mut past, minute));
        heard(&mut past, 300);
        (301..=302).for_each(|minute| heard(&mut past, minute));
        let Ok(ended) = past.end(&mut notes);
        assert!(ended.standing[0][0].contains("no line in 1 minute"), "{ended:?}");
        assert_eq!(notes.unknown, [(START + 31, START + 300)]);
        let lines: Vec<_> = notes.alerts.iter().filter(|alert| alert.rule() == 0).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].ids().iter().map(|id| Past::event_of(*id)).collect::<Vec<_>>(), ids);
        assert_eq!(lines[0].started_at(), start(START + 1));
        let silent: Vec<i64> = notes
            .alerts
            .iter()
            .filter(|alert| alert.rule() == 1)
            .map(|alert| alert.ended_at().unix_micros() / MINUTE - START)
            .collect();
        assert_eq!(silent, [10, 20, 30]);
    }
}
