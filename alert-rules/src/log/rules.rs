use super::alert::LogAlert;
use super::needles::Needles;
use super::rule::{LogRule, Period};
use super::window::Watch;
use crate::tick::Tick;
use crate::verdict::{Unknown, Verdict, join};
use core::fmt;
use log_query::Fields;
use metric_model::Timestamp;

/// The most lines that one window records. With more than 40 rules, they share a million, or
/// [what the host gives](LogRules::set_most_records).
pub const MOST_RECORDS: usize = 25_000;
const RECORDS_OF_ALL: usize = 1_000_000;
/// What is looked for in each line takes so many bytes for each letter, at most.
const BYTES_OF_LETTER: usize = 64;

/// Log rules, each with its open window: lines and ticks in, alerts out.
///
/// ```
/// use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
/// use log_query::{Fields, Query};
/// use metric_model::Timestamp;
///
/// let at = Timestamp::from_unix_seconds;
/// let mut rules = LogRules::new(Tick::new(1, at(0)));
/// let query = Query::parse("program:router code=H12").into_query();
/// rules.set(7, LogRule::new(query, Period::Minute).with_minimum(2));
///
/// let line = Fields::new(b"shop", b"heroku/router", b"at=error code=H12 path=/cart status=503");
/// rules.event(2, at(10), &line);
/// rules.event(3, at(59), &line);
/// assert_eq!(
///     rules.explain(7).unwrap(),
///     "since 1970-01-01T00:00:00Z: 2 lines in 1 minute, at least 2 asked for; it ends with the first tick from \
///      1970-01-01T00:01:00Z on",
/// );
///
/// let verdicts = rules.tick(Tick::new(4, at(60)));
/// let [Verdict::Alert(alert)] = &verdicts[..] else { panic!("one alert") };
/// assert_eq!((alert.rule(), alert.ids()), (7, &[2, 3][..]));
/// assert_eq!(alert.to_string(), "2 lines in 1 minute, at least 2 asked for");
/// ```
pub struct LogRules {
    /// By their rule.
    pub(super) watches: Vec<Watch>,
    pub(super) tick: Tick,
    pub(super) last: u64,
    /// What was said to be unknown since the tick.
    pub(super) told: Option<(Timestamp, Timestamp)>,
    /// Made with the first line behind a change.
    needles: Option<Needles>,
    /// The most lines that all windows record.
    records: usize,
    /// How many each had recorded at most by the last line.
    recorded: usize,
    /// The most letters that are looked for in one pass.
    letters: usize,
}

impl LogRules {
    /// No rules yet. What comes later has ids above that of `start`.
    #[must_use]
    pub const fn new(start: Tick) -> Self {
        Self::from_parts(Vec::new(), start, start.id(), None)
    }

    /// The most lines that all windows record together, if not a million; a line takes some 24 bytes. Windows that have more
    /// lose the last of them with the next line, and their alerts say so; they are counted all the same.
    pub const fn set_most_records(&mut self, records: usize) {
        self.records = records;
    }

    /// How many bytes may be spent on finding the rules of a line faster. Rules beyond are asked one by one.
    pub fn set_cache(&mut self, bytes: usize) {
        self.letters = bytes / BYTES_OF_LETTER;
        // A host shares what it has, so that somebody else's first rule changes this: most have room enough before and after.
        if self.needles.as_ref().is_some_and(|needles| !needles.is_same_within(self.letters)) {
            self.needles = None;
        }
    }

    /// Adds a rule, or puts another in its place, which begins anew behind the last id. The same rule again changes nothing.
    /// Answers whether anything changed.
    ///
    /// What the window of the old rule had is never told. The first window of the new one is a full one, of which silence is
    /// told, only if it begins with a tick; a day's never is.
    pub fn set(&mut self, rule: u64, is: LogRule) -> bool {
        let watch = Watch::new(rule, is, self.tick, self.last);
        match self.watches.binary_search_by_key(&rule, |watch| watch.rule) {
            Ok(place) => match self.watches.get_mut(place) {
                Some(held) if held.fingerprint != watch.fingerprint => *held = watch,
                _ => return false,
            },
            Err(place) => self.watches.insert(place, watch),
        }
        self.needles = None;
        true
    }

    /// Takes a rule out, with what its window had. Answers whether there was one.
    ///
    /// To mute a rule, take it out, and set it again when it may speak: so nothing of the time between is ever told.
    pub fn remove(&mut self, rule: u64) -> bool {
        let place = self.watches.binary_search_by_key(&rule, |watch| watch.rule);
        if let Ok(place) = place {
            self.watches.remove(place);
            self.needles = None;
        }
        place.is_ok()
    }

    /// Takes a line. Answers how many rules it fits. One whose id is not above the [last](Self::last_id) was taken before, and
    /// is passed over.
    pub fn event(&mut self, id: u64, time: Timestamp, fields: &Fields<'_>) -> usize {
        if id <= self.last {
            return 0;
        }
        self.last = id;
        let most = MOST_RECORDS.min(self.records / self.watches.len().max(1));
        if most < self.recorded {
            self.watches.iter_mut().for_each(|watch| watch.shorten(most));
        }
        self.recorded = most;
        let mut fits = 0;
        let watches = &mut self.watches;
        let letters = self.letters;
        let needles = self.needles.get_or_insert_with(|| Needles::new(watches, letters));
        needles.candidates(fields, |index, is_known| {
            let Some(watch) = watches.get_mut(index).filter(|watch| watch.is.is_of(fields.system())) else { return };
            if is_known || watch.is.query().matches(fields) {
                watch.record(id, time, fields, most);
                fits += 1;
            }
        });
        fits
    }

    /// Says that nobody listened from `from` to `until`: what was sent meanwhile is not known, and not nothing. It has an id of
    /// its own, as the events have.
    pub fn unknown(&mut self, id: u64, from: Timestamp, until: Timestamp) {
        if id > self.last {
            self.last = id;
            self.lost(from, until);
        }
    }

    fn lost(&mut self, from: Timestamp, until: Timestamp) {
        if from < until {
            self.watches.iter_mut().for_each(|watch| watch.unknown(from, until));
            join(&mut self.told, from, until);
        }
    }

    /// Lets time go on. A window that is due ends here, with all that came before this tick; the next begins behind it. Days
    /// have 24 hours.
    pub fn tick(&mut self, tick: Tick) -> Vec<Verdict<LogAlert>> {
        self.tick_with(tick, |_, start| start.later(Period::Day.length()))
    }

    /// The same, and `next_day` says of a daily rule when a window that begins at a time is due: the next five o'clock in the
    /// zone of its owner, say, which knows summer time. It is asked once for each window, and again when the clock goes back.
    pub fn tick_with(
        &mut self,
        tick: Tick,
        mut next_day: impl FnMut(u64, Timestamp) -> Timestamp,
    ) -> Vec<Verdict<LogAlert>> {
        if tick.id() <= self.last {
            return Vec::new();
        }
        if let Some((from, until)) = self.tick.pause(tick) {
            self.lost(from, until);
        }
        let before = core::mem::replace(&mut self.tick, tick);
        self.last = tick.id();
        let silent = self.watches.iter().filter(|watch| watch.is.is_on_inactivity());
        let unknown = self.told.take().map(|(from, until)| Unknown {
            from,
            until,
            rules: silent.map(|watch| watch.rule).collect(),
        });
        let unknown = unknown.filter(|unknown| !unknown.rules.is_empty()).map(Verdict::Unknown);
        let alerts = self.watches.iter_mut().filter_map(|watch| watch.tick(before, tick, &mut next_day));
        unknown.into_iter().chain(alerts.map(Verdict::Alert)).collect()
    }

    /// The id of the last event or tick that was taken.
    #[must_use]
    pub const fn last_id(&self) -> u64 {
        self.last
    }

    /// When the open window of a rule began, which is when the one before it ended.
    #[must_use]
    pub fn window_start(&self, rule: u64) -> Option<Timestamp> {
        let place = self.watches.binary_search_by_key(&rule, |watch| watch.rule).ok()?;
        self.watches.get(place).map(|watch| watch.start.time())
    }

    /// How long a rule has to wait, and what it has so far, in words.
    #[must_use]
    pub fn explain(&self, rule: u64) -> Option<String> {
        let place = self.watches.binary_search_by_key(&rule, |watch| watch.rule).ok()?;
        Some(self.watches.get(place)?.standing().to_string())
    }

    /// From parts that fit together.
    pub(super) const fn from_parts(
        watches: Vec<Watch>,
        tick: Tick,
        last: u64,
        told: Option<(Timestamp, Timestamp)>,
    ) -> Self {
        Self {
            watches,
            tick,
            last,
            told,
            needles: None,
            records: RECORDS_OF_ALL,
            recorded: usize::MAX,
            letters: usize::MAX,
        }
    }
}

impl fmt::Debug for LogRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogRules")
            .field("rules", &self.watches.len())
            .field("tick", &self.tick)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log_query::Query;

    /// Whether what was made for a line is still there when there is room for so many letters.
    fn is_kept(rules: &mut LogRules, id: u64, letters: usize) -> bool {
        rules.event(id, Timestamp::from_unix_seconds(1), &Fields::new(b"shop", b"web.1", b"an ordinary line"));
        rules.set_cache(letters * BYTES_OF_LETTER);
        rules.needles.is_some()
    }

    #[test]
    fn another_room_in_which_all_is_the_same_costs_nothing() {
        let mut rules = LogRules::new(Tick::new(0, Timestamp::from_unix_seconds(0)));
        // Some 300 letters, with what they ask besides.
        for rule in 0..20 {
            rules.set(rule, LogRule::new(Query::parse(&format!("\"needle-{rule:03}\"")).into_query(), Period::Minute));
        }
        rules.set_cache(100_000 * BYTES_OF_LETTER);
        assert!(is_kept(&mut rules, 1, 50_000) && is_kept(&mut rules, 2, 100_000), "there is enough of it");
        assert!(!is_kept(&mut rules, 3, 2_000), "no table any more");
        assert!(is_kept(&mut rules, 4, 1_000));
        assert!(!is_kept(&mut rules, 5, 100), "not all of it any more");
        assert!(is_kept(&mut rules, 6, 100));
        assert!(!is_kept(&mut rules, 7, 101), "more of it may find room");
        assert!(!is_kept(&mut rules, 8, 100_000));
    }
}
