//! The writer's time: what of it goes into the journal, and before which deliveries.

use super::seam::Offer;
use super::window_clock::WindowClock;
use crate::clock::{Clocks, Judge, Last, News, Standing, frame_times};
use crate::drain_name::DrainName;
use crate::event::{Event, Record};
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use std::time::Duration;

/// While the clock is in doubt, a sign of it is written this often, so that deliveries which wait are counted by what
/// time it was when they came.
const SIGNS_EVERY: i64 = 30 * 1_000_000;
/// A restart within so long of the last tick is no jump: ticks are a minute apart at most.
const GRACE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Timekeeper {
    clocks: Clocks,
    judge: Judge,
    windows: WindowClock,
    /// The steady time of the last sign of a doubt, while no tick has ended it.
    sign: Option<i64>,
    steady: i64,
    /// What the believed time was ahead of the steady clock in the doubt, to be compared with what it turned out to be.
    doubted: i64,
    /// Since when nobody took deliveries, as long as the journal does not say so.
    away: Option<Timestamp>,
}

impl Timekeeper {
    /// Goes on from the last word of the journal; when the operator says so, the wall clock is believed all the same.
    pub fn new(
        clocks: Clocks,
        settings: &Settings,
        last: Option<Last>,
        watermark: Option<Timestamp>,
        believe: bool,
    ) -> Self {
        let reading = clocks.read();
        let horizon = Duration::from_millis(settings.horizon_ms);
        // Snapshots may know of a tick that is in the journal no more.
        let known = last.or(watermark.map(|time| Last::Tick(time.unix_micros())));
        let (judge, news) = Judge::new(reading, known, horizon, GRACE, believe);
        say(news, judge.holds());
        let tick = match last {
            Some(Last::Tick(time)) => Some(Timestamp::from_unix_micros(time)),
            _ => None,
        };
        if let Some(ahead) = watermark.max(tick).filter(|mark| *mark > judge.believed()) {
            tracing::warn!(
                ahead_seconds = ahead.since(judge.believed()).as_secs(),
                "the store's watermark is ahead of the clock: no minute is closed before the clock has passed it"
            );
        }
        let (sign, doubted) = match last {
            Some(Last::Doubt { believed, wall }) => {
                let down = reading.wall.saturating_sub(wall).max(0);
                (Some(i64::MIN), believed.saturating_add(down).saturating_sub(reading.steady))
            }
            _ => (None, 0),
        };
        let windows = WindowClock::new(settings, watermark.max(tick));
        let away = known.map(|last| match last {
            Last::Tick(time) => Timestamp::from_unix_micros(time),
            Last::Doubt { believed, .. } => Timestamp::from_unix_micros(believed),
        });
        Self { clocks, judge, windows, sign, steady: reading.steady, doubted, away }
    }

    pub(super) fn follow(&mut self, settings: &Settings) {
        self.windows.follow(settings);
        self.judge.follow(Duration::from_millis(settings.horizon_ms));
    }

    /// How long there is nothing to write.
    pub(super) fn wait(&mut self) -> Duration {
        self.look();
        self.windows.until_due(self.judge.believed())
    }

    /// What time it is, as far as is believed.
    #[cfg(feature = "postgres")]
    pub(super) fn now(&mut self) -> Timestamp {
        self.look();
        self.judge.believed()
    }

    /// The clock was told what time it is: what it said before is forgotten, and is no jump.
    #[cfg(feature = "postgres")]
    pub(super) fn believe(&mut self) {
        let reading = self.clocks.read();
        (self.judge, _) = Judge::new(reading, None, self.judge.horizon(), GRACE, true);
        self.steady = reading.steady;
    }

    /// When ticks are due.
    #[cfg(feature = "postgres")]
    pub(super) const fn windows(&self) -> &WindowClock {
        &self.windows
    }

    pub(super) fn believed(&self) -> Timestamp {
        self.judge.believed()
    }

    /// Before which deliveries may go because of their age; `None` when the clock is not to be trusted with that.
    pub(super) fn older_than(&self, retention: Duration) -> Option<Timestamp> {
        self.judge.may_delete().then(|| self.judge.believed().earlier(retention))
    }

    /// What goes into the journal now, before these deliveries.
    pub(super) fn turn<'a>(&mut self, records: impl Iterator<Item = &'a Record>, standing: &Standing) -> Vec<Event> {
        self.look();
        let mut has_deliveries = false;
        for record in records {
            has_deliveries = true;
            // Anyone may say any time on a plain syslog port.
            if !self.judge.is_in_doubt() || !record.layout.is_counted() {
                continue;
            }
            // A drain in the configuration is one witness, however many tokens it sends.
            let who = DrainName::of(&record.drain).configured();
            let news = self.judge.hear(who, frame_times(record.body.bytes()));
            say(news, true);
        }
        let news = self.judge.decide();
        say(news, self.judge.holds());
        let believed = self.judge.believed();
        standing.tell(believed, self.steady, self.judge.wall(), self.judge.is_in_doubt());
        standing.trust(self.judge.may_delete());
        if self.judge.holds() {
            self.doubted = believed.unix_micros().saturating_sub(self.steady);
        }
        let doubted = Timestamp::from_unix_micros(self.steady.saturating_add(self.doubted));
        let sign = Event::Doubt { believed: doubted, wall: Timestamp::from_unix_micros(self.judge.wall()) };
        let now = self.windows.tick(believed);
        let tick = Event::Tick(now);
        // Known when time goes on again.
        let away = self.away.filter(|from| *from < now).map(|from| Event::NotTaken { from, until: now });
        if self.judge.holds() {
            if has_deliveries {
                standing.hold(Some(self.steady));
            }
            let is_due = self.sign.is_none_or(|at| self.steady.saturating_sub(at) >= SIGNS_EVERY);
            if is_due { vec![sign] } else { Vec::new() }
        } else if self.sign.is_some() {
            [sign].into_iter().chain(away).chain([tick]).collect()
        } else if self.windows.is_due(believed) {
            away.into_iter().chain([tick]).collect()
        } else {
            Vec::new()
        }
    }

    /// The disk did not take a delivery: nobody knows of those that come until it does.
    pub(super) fn not_taken(&mut self) {
        if self.away.is_none() {
            self.away = self.windows.last();
        }
    }

    /// Nobody knows of what comes from now on, and what came before waits in the spool.
    pub(super) fn not_taken_from_now(&mut self) {
        if self.away.is_none() {
            self.away = Some(self.judge.believed());
        }
    }

    /// What came up to then waits in the spool: it was taken.
    pub(super) fn taken_until(&mut self, time: Timestamp) {
        self.away = self.away.map(|from| from.max(time));
    }

    /// Puts between deliveries of before the ticks that there would have been: time goes on from each to the next, and none
    /// of them comes behind a tick that is later. While the clock is in doubt, or was and no tick has told yet, there are none.
    pub(super) fn between(&self, offers: impl IntoIterator<Item = Offer>) -> Vec<Offer> {
        let mut windows = self.windows.clone();
        let is_known = !self.judge.holds() && self.sign.is_none();
        let mut away = self.away;
        let mut all = Vec::new();
        for offer in offers {
            if let Event::Delivery(record) = &offer.event
                && is_known
                && windows.is_due(record.received)
            {
                let now = windows.tick(record.received);
                if let Some(from) = away.filter(|from| *from < now) {
                    all.push(Offer { key: None, event: Event::NotTaken { from, until: now } });
                    away = None;
                }
                all.push(Offer { key: None, event: Event::Tick(now) });
                windows.passed(now);
            }
            all.push(offer);
        }
        all
    }

    /// The disk has it.
    pub(super) fn written(&mut self, event: &Event, standing: &Standing) {
        match event {
            Event::Doubt { .. } => self.sign = Some(self.steady),
            Event::NotTaken { .. } => self.away = None,
            Event::Tick(time) => {
                self.sign = None;
                self.windows.passed(*time);
                standing.hold(None);
            }
            _ => {}
        }
    }

    fn look(&mut self) {
        let reading = self.clocks.read();
        self.steady = reading.steady;
        let news = self.judge.look(reading);
        if matches!(news, Some(News::Doubt(_))) && self.sign.is_some() {
            // A start takes the wall clock's way since the last sign for time that passed: none may tell of the wall
            // clock from before this jump.
            self.sign = Some(i64::MIN);
        }
        say(news, self.judge.holds());
    }
}

/// One line at the beginning of a doubt, and one at its end.
fn say(news: Option<News>, holds: bool) {
    let seconds = |micros: i64| micros / 1_000_000;
    match news {
        Some(News::Doubt(off)) if holds => tracing::warn!(
            off_seconds = seconds(off),
            "the clock has jumped: deliveries are kept, and counted when frames or a minute have told what time it is"
        ),
        Some(News::Doubt(off)) => tracing::warn!(
            off_seconds = seconds(off),
            "the clock has jumped back: it is not believed before frames or a minute have told what time it is"
        ),
        Some(News::Returned) => tracing::warn!("the clock agrees again with the time that was believed"),
        Some(News::Believed(off)) => tracing::warn!(off_seconds = seconds(off), "the clock's jump is believed"),
        Some(News::Refused(off)) => tracing::warn!(
            off_seconds = seconds(off),
            "the clock is wrong, as the frames of drains tell: time goes on without it. Set it right; or, if it is right, \
             start again with --believe-clock"
        ),
        None => {}
    }
}
