use super::alert::{Clear, MetricAlert, Reading};
use super::room::Room;
use super::rule::MetricRule;
use super::signal::FARTHEST;
use super::signals::{Now, Signals, Under};
use super::streams::Streams;
use super::watching::{Incident, Moment, Of, Watching, cleared, start_of};
use crate::tick::Tick;
use crate::verdict::{Unknown, Verdict, join};
use core::fmt;
use core::time::Duration;
use metric_model::{DataPoint, Timestamp};
use std::collections::BTreeSet;

/// How many signals all rules of one [`MetricRules`] watch together: each stream counts once for each condition that it is
/// under, and four times for one of a [total](crate::Condition::together), which keeps its numbers.
pub const MOST_SIGNALS: usize = 100_000;
/// So many windows are judged one by one when time goes on at once.
const MOST_AT_ONCE: i64 = 1_440;
/// So many numbers wait, and four for each signal; then those that are late are taken before the tick.
const MOST_PENDING: usize = 4_096;
/// So many stretches of which nothing is known are told apart.
const MOST_STRETCHES: usize = 64;

/// Metric rules, with the last hour of each signal: points and ticks in, alerts out.
///
/// ```
/// use alert_rules::{Change, Condition, MetricRule, MetricRules, Tick, Verdict};
/// use core::time::Duration;
/// use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
///
/// let minute = Duration::from_secs(60);
/// let mut rules = MetricRules::new(minute);
/// let high = Condition::above("heroku.dyno.load.load1", 1.0).with_duration(5 * minute).with_tag("dyno", ["web.*"]);
/// rules.set(7, MetricRule::new(high));
///
/// let tags = TagSet::from_iter([("dyno", "web.1")]);
/// let mut told = Vec::new();
/// for (at, load) in (1..).zip([1.5, 0.5, 1.2, 1.3, 1.4, 1.5, 1.6]) {
///     let window = Window::containing(Timestamp::from_unix_seconds(60 * at), minute);
///     let stats = Stats::sample(1, load, load, load, load);
///     let point = DataPoint::new(window, Kind::Sample, "heroku.dyno.load.load1", Unit::NONE, &tags, stats);
///     rules.point("shop", &point);
///     told.extend(rules.tick(Tick::new(at as u64, window.end()), window.end()).into_iter().filter_map(Verdict::alert));
///     if at == 5 {
///         let standing = rules.explain(7);
///         assert_eq!(
///             standing[0].to_string(),
///             "heroku.dyno.load.load1 of shop dyno=web.1: 4 of 5 points above 1, longest run 3, the newest 1.4",
///         );
///     }
/// }
/// let [alert] = &told[..] else { panic!("one alert") };
/// assert_eq!((alert.rule(), alert.change(), alert.time().to_string().as_str()), (7, Change::Fired, "1970-01-01T00:08:00Z"));
/// assert_eq!((alert.readings()[0].violating(), alert.readings()[0].value()), (5, Some(1.6)));
/// ```
pub struct MetricRules {
    pub(super) step: Duration,
    /// By their rule.
    pub(super) rules: Vec<Watching>,
    pub(super) tick: Option<Tick>,
    /// The last window that was judged.
    pub(super) judged: Option<i64>,
    /// Windows of which nothing is known, half-open, sorted and apart.
    pub(super) unknown: Vec<(i64, i64)>,
    /// What was said to be unknown since the tick.
    pub(super) told: Option<(Timestamp, Timestamp)>,
    /// Numbers of windows that were not judged when they came.
    pub(super) pending: Vec<Pending>,
    /// Incidents that end with the next tick, by hand.
    pub(super) over: Vec<(u64, Of, Incident)>,
    pub(super) room: Room,
    pub(super) signals: Signals,
    pub(super) streams: Streams,
}

/// A number that waits for its window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pending {
    pub(super) at: i64,
    pub(super) signal: u32,
    pub(super) number: f64,
}

impl MetricRules {
    /// No rules yet. `step` is how long the windows of the points are, such as a minute.
    #[must_use]
    pub fn new(step: Duration) -> Self {
        Self {
            step: step.max(Duration::from_micros(1)),
            rules: Vec::new(),
            tick: None,
            judged: None,
            unknown: Vec::new(),
            told: None,
            pending: Vec::new(),
            over: Vec::new(),
            room: Room::new(MOST_SIGNALS),
            signals: Signals::default(),
            streams: Streams::default(),
        }
    }

    /// The same, with room for fewer or more than [`MOST_SIGNALS`].
    #[must_use]
    pub const fn with_most_signals(mut self, most: usize) -> Self {
        self.room.most = most;
        self
    }

    /// Adds a rule, or puts another in its place, which begins anew: it knows no signal. What the old one told and did not clear
    /// is cleared with the next tick, by hand. The same rule again changes nothing. Answers whether anything changed.
    pub fn set(&mut self, rule: u64, is: MetricRule) -> bool {
        let place = self.rules.binary_search_by_key(&rule, |held| held.rule);
        let mut watching = Watching::new(rule, is);
        if let Ok(held) = place {
            if self.rules.get(held).is_some_and(|held| held.fingerprint == watching.fingerprint) {
                return false;
            }
            self.take_out(held);
        }
        let place = place.unwrap_or_else(|place| place);
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        watching.first =
            place.checked_sub(1).and_then(|before| self.rules.get(before)).map_or(0, |held| held.conditions().end);
        let of = (number, watching.is.per_signal);
        let under = watching.is.conditions.iter().map(|condition| Under::new(condition, of, self.step)).collect();
        self.signals.insert(watching.first, under);
        let count = watching.conditions().len() as u32;
        self.rules.iter_mut().skip(place).for_each(|held| held.first += count);
        self.rules.insert(place, watching);
        self.streams.changed();
        true
    }

    /// Takes a rule out; what it told and did not clear is cleared with the next tick, by hand. Answers whether there was one.
    pub fn remove(&mut self, rule: u64) -> bool {
        let place = self.rules.binary_search_by_key(&rule, |held| held.rule);
        place.is_ok_and(|place| {
            self.take_out(place);
            true
        })
    }

    /// Clears what a rule has told, with the next tick, by hand. When it still holds then, or later, it fires again, whatever
    /// its rearm time.
    pub fn clear(&mut self, rule: u64) {
        if let Ok(place) = self.rules.binary_search_by_key(&rule, |held| held.rule)
            && let Some(held) = self.rules.get_mut(place)
        {
            self.over
                .extend(core::mem::take(&mut held.incidents).into_iter().map(|(of, incident)| (rule, of, incident)));
        }
    }

    fn take_out(&mut self, place: usize) {
        let held = self.rules.remove(place);
        let conditions = held.conditions();
        self.pending.retain(|pending| !self.signals.is_under(pending.signal, &conditions));
        let count = conditions.len() as u32;
        let (gone, given) = self.signals.remove(conditions);
        self.streams.leave(gone);
        self.room.give_back(given);
        self.rules.iter_mut().skip(place).for_each(|held| held.first -= count);
        self.over.extend(held.incidents.into_iter().map(|(of, incident)| (held.rule, of, incident)));
    }

    /// Takes one point of a drain. It is judged with the tick that closes its window. One of a window that was closed before, a
    /// revision or late, is judged with the next tick; it may fire, and never takes back what was told.
    pub fn point(&mut self, drain: &str, point: &DataPoint<'_>) {
        let at = window(point.window().start(), self.step);
        let places = self.streams.places((drain, point), at, &self.rules, &mut self.signals, &mut self.room);
        for &signal in places {
            let number = self.signals.asked(signal).and_then(|asked| asked.number(point));
            self.pending.extend(number.map(|number| Pending { at, signal, number }));
        }
        if self.pending.len() >= MOST_PENDING && self.pending.len().is_multiple_of(MOST_PENDING + 4 * self.room.held) {
            self.take_late();
        }
    }

    /// Takes the numbers of windows that were judged. What they may fire is judged with the next tick.
    fn take_late(&mut self) {
        let Some(judged) = self.judged else { return };
        let mut pending = core::mem::take(&mut self.pending);
        pending.sort_by_key(|pending| pending.at);
        let (late, rest) = pending.split_at(pending.partition_point(|pending| pending.at <= judged));
        let now = Moment { tick: 0, at: judged, step: self.step, unknown: self.unseen(judged) }.now();
        self.pending = rest.to_vec();
        self.take_all_late(late, now);
    }

    fn take_all_late(&mut self, late: &[Pending], now: Now) {
        for &Pending { at, signal, number } in late {
            if let Some(rule) = self.signals.take_late(signal, (at, number), now)
                && let Some(held) = self.rules.get_mut(rule as usize)
            {
                held.is_late = true;
            }
        }
    }

    /// Says that nobody listened from `from` to `until`: points of that time are not known, and none are missed.
    pub fn unknown(&mut self, from: Timestamp, until: Timestamp) {
        if from >= until {
            return;
        }
        let end = window(until, self.step);
        let end = if start_of(end, self.step) < until { end.saturating_add(1) } else { end };
        self.not_seen(window(from, self.step), end);
        join(&mut self.told, from, until);
    }

    /// Notes windows that nobody saw.
    fn not_seen(&mut self, mut from: i64, mut until: i64) {
        self.unknown.retain(|&(start, end)| {
            let touches = start <= until && from <= end;
            if touches {
                (from, until) = (from.min(start), until.max(end));
            }
            !touches
        });
        let place = self.unknown.partition_point(|(start, _)| *start < from);
        self.unknown.insert(place, (from, until));
        if self.unknown.len() > MOST_STRETCHES
            && let [(_, end), (_, next_end), ..] = &mut self.unknown[..]
        {
            // The oldest two become one: rather too little is called silent than too much.
            *end = *next_end;
            self.unknown.remove(1);
        }
    }

    /// The bits of the windows that nobody saw, from this one back.
    fn unseen(&self, at: i64) -> u64 {
        let oldest = at.saturating_sub(63);
        let mut bits = 0;
        for &(start, end) in self.unknown.iter().filter(|&&(start, end)| start <= at && end > oldest) {
            for window in start.max(oldest)..end.min(at.saturating_add(1)) {
                bits |= 1_u64 << (at - window);
            }
        }
        bits
    }

    /// Lets time go on. All windows that end at or before `closed` have been handed over, and are judged one by one; of those
    /// more than 1,440 behind nothing is asked, and they are unknown.
    ///
    /// A tick whose id is not above the last one was taken before, and changes nothing.
    pub fn tick(&mut self, tick: Tick, closed: Timestamp) -> Vec<Verdict<MetricAlert>> {
        if self.tick.is_some_and(|before| tick.id() <= before.id()) {
            return Vec::new();
        }
        if let Some((from, until)) = self.tick.and_then(|before| before.pause(tick)) {
            self.unknown(from, until);
        }
        self.tick = Some(tick);
        let last = window(closed, self.step).saturating_sub(1);
        let mut pending = core::mem::take(&mut self.pending);
        if !pending.is_sorted_by_key(|pending| pending.at) {
            pending.sort_by_key(|pending| pending.at);
        }
        let first = pending.first().map_or(last, |pending| pending.at.min(last));
        let before = self.judged.unwrap_or(first.saturating_sub(1));
        let judged = before.max(last.saturating_sub(MOST_AT_ONCE));
        if judged > before && self.judged.is_some() {
            self.not_seen(before.saturating_add(1), judged.saturating_add(1));
        }

        let mut alerts = Vec::new();
        let step = self.step;
        let moment = |at, unknown| Moment { tick: tick.id(), at, step, unknown };
        let end = moment(judged, 0).end();
        let over = core::mem::take(&mut self.over).into_iter();
        alerts.extend(over.map(|(rule, of, incident)| cleared(rule, of, incident, Clear::Manual, end)));

        let (late, mut rest) = pending.split_at(pending.partition_point(|pending| pending.at <= judged));
        let now = moment(judged, self.unseen(judged));
        self.take_all_late(late, now.now());
        // A total is judged when all that was late is in it: one half of it may be low where the whole is not.
        self.signals.judge_totals_late(now.now(), |rule| {
            if let Some(held) = self.rules.get_mut(rule as usize) {
                held.is_late = true;
            }
        });
        for held in self.rules.iter_mut().filter(|held| held.is_late) {
            (held.is_late, held.any_holds) = (false, true);
            held.judge(&self.signals, now, None, &mut alerts);
        }
        for at in judged.saturating_add(1)..=last {
            let (these, others) = rest.split_at(rest.partition_point(|pending| pending.at <= at));
            rest = others;
            for &Pending { at, signal, number } in these {
                self.signals.take(signal, at, number);
            }
            self.close(moment(at, self.unseen(at)), at == last && rest.is_empty(), &mut alerts);
        }
        self.pending = rest.to_vec();
        self.judged = Some(judged.max(last));
        self.unknown.retain(|(_, end)| *end > last.saturating_sub(64));
        self.room.turn();
        for alert in &mut alerts {
            alert.left_out = self.left_out(alert.rule);
        }

        let absent = self.rules.iter().filter(|held| held.is_absent());
        let unknown = self.told.take().map(|(from, until)| Unknown {
            from,
            until,
            rules: absent.map(|held| held.rule).collect(),
        });
        let unknown = unknown.filter(|unknown| !unknown.rules.is_empty()).map(Verdict::Unknown);
        unknown.into_iter().chain(alerts.into_iter().map(Verdict::Alert)).collect()
    }

    /// A window is over, and all of it was taken. With `forgets`, signals that were silent for long are forgotten.
    fn close(&mut self, moment: Moment, forgets: bool, alerts: &mut Vec<MetricAlert>) {
        self.rules.iter_mut().for_each(|held| held.any_holds = false);
        let oldest = if forgets { moment.oldest() } else { i64::MIN };
        let is_old = self.signals.close(moment.now(), oldest, |rule| {
            if let Some(held) = self.rules.get_mut(rule as usize) {
                held.any_holds = true;
            }
        });
        let mut gone = BTreeSet::new();
        if is_old {
            let (signals, given) = self.signals.forget(oldest, |rule| _ = gone.insert(rule));
            self.streams.leave(signals);
            self.room.give_back(given);
        }
        for (rule, held) in (0..).zip(&mut self.rules) {
            let clear = if gone.contains(&rule) { Clear::Auto } else { Clear::Normal };
            held.judge(&self.signals, moment, Some(clear), alerts);
        }
    }

    /// The id of the last tick.
    #[must_use]
    pub fn last_id(&self) -> Option<u64> {
        self.tick.map(Tick::id)
    }

    /// How many points came for signals that found no room, and are not watched.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.room.refused
    }

    /// Whether a rule has told something that is not clear.
    #[must_use]
    pub fn is_firing(&self, rule: u64) -> bool {
        let place = self.rules.binary_search_by_key(&rule, |held| held.rule).ok();
        place.and_then(|place| self.rules.get(place)).is_some_and(|held| !held.incidents.is_empty())
    }

    /// The end of the last window in which a signal of a rule had a point.
    #[must_use]
    pub fn heard(&self, rule: u64) -> Option<Timestamp> {
        let place = self.rules.binary_search_by_key(&rule, |held| held.rule).ok()?;
        let under = self.rules.get(place)?.conditions().filter_map(|number| self.signals.under.get(number as usize));
        let heard = under.map(|under| under.heard).max().filter(|heard| *heard > -FARTHEST)?;
        Some(start_of(heard.saturating_add(1), self.step))
    }

    /// How the first hundred signals of a rule stand, whether or not a condition holds of them.
    #[must_use]
    pub fn explain(&self, rule: u64) -> Vec<Reading> {
        let place = self.rules.binary_search_by_key(&rule, |held| held.rule);
        let held = place.ok().and_then(|place| self.rules.get(place));
        let moment = Moment { tick: 0, at: self.judged.unwrap_or_default(), step: self.step, unknown: 0 };
        held.map(|held| held.explain(&self.signals, moment)).unwrap_or_default()
    }
}

impl fmt::Debug for MetricRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricRules")
            .field("rules", &self.rules.len())
            .field("tick", &self.tick)
            .field("signals", &self.room.held)
            .finish_non_exhaustive()
    }
}

/// The window that holds a time, counted from 1970.
pub(super) fn window(time: Timestamp, step: Duration) -> i64 {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    time.unix_micros().div_euclid(step).clamp(-FARTHEST, FARTHEST)
}
