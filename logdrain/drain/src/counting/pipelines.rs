//! The pipelines, one a drain: what the journal says, step by step, becomes rows.
//!
//! Nothing here looks at a clock or at the disk: rows follow from the events alone. So the events after a snapshot give
//! the same rows again, under the same ids.
//!
//! When windows get another length, a drain's pipeline is set aside with the windows that it has, and closes and revises
//! them as before; what comes goes to another pipeline. When the old length comes back before that, so does the old
//! pipeline: no window is ever counted by two, and no id stands for two rows.

use crate::drain_name::DrainName;
use crate::event::{Event, Layout, Record};
use crate::measured;
use crate::minutes::OpenRows;
use crate::outlets::{Outlet, Owner, Row, Stopped};
use crate::settings::Settings;
use crate::settings::change::Change;
use heroku_metrics::aggregator::{self, ConfigError, EachRow, RestoreErrorKind, RowSink};
use heroku_metrics::model::{DataPoint, Timestamp};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::syslog::Frames;
use heroku_metrics::{Pipeline, RestoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// All pipelines, and where they stand in the journal.
#[derive(Debug)]
pub struct Pipelines {
    settings: Settings,
    drains: BTreeMap<Arc<str>, Pipeline>,
    /// Pipelines of windows of another length, in milliseconds, that have windows still.
    aside: BTreeMap<(Arc<str>, u64), Pipeline>,
    /// When each drain was heard last, as far as that was since the start.
    heard: BTreeMap<Arc<str>, Timestamp>,
    /// How old the lines of each drain were when some of their values came too late, the last time.
    late_by: BTreeMap<Arc<str>, Duration>,
    /// The last move of the watermark.
    time: Option<Timestamp>,
    /// The last event that is in them.
    position: u64,
    /// What that is known by, if it is known.
    mark: Option<u32>,
}

impl Pipelines {
    pub const fn new(settings: Settings) -> Self {
        Self::at(settings, 0, None)
    }

    /// As a snapshot left them.
    pub const fn at(settings: Settings, position: u64, time: Option<Timestamp>) -> Self {
        Self {
            settings,
            drains: BTreeMap::new(),
            aside: BTreeMap::new(),
            heard: BTreeMap::new(),
            late_by: BTreeMap::new(),
            time,
            position,
            mark: None,
        }
    }

    /// Takes a pipeline out of a snapshot, by the name that [`states`](Self::states) gave it.
    pub fn restore(&mut self, name: &str, bytes: &[u8]) -> Result<(), RestoreError> {
        let aside = name.split_once(ASIDE).and_then(|(drain, length)| Some((drain, length.parse().ok()?)));
        match aside {
            Some((drain, window_ms)) => {
                let settings = Settings { window_ms, ..self.settings.clone() };
                let (pipeline, _) = Pipeline::restore(settings.pipeline(drain), bytes)?;
                self.aside.insert((drain.into(), window_ms), pipeline);
            }
            None => {
                let (pipeline, _) = Pipeline::restore(self.settings.pipeline(name), bytes)?;
                self.drains.insert(name.into(), pipeline);
            }
        }
        Ok(())
    }

    /// Every pipeline for a snapshot, by name: the drain, and for one that is set aside the length of its windows.
    pub fn states(&mut self) -> impl Iterator<Item = (String, &mut Pipeline)> {
        let drains = self.drains.iter_mut().map(|(drain, pipeline)| (drain.to_string(), pipeline));
        let aside = self.aside.iter_mut();
        drains.chain(aside.map(|((drain, length), pipeline)| (format!("{drain}{ASIDE}{length}"), pipeline)))
    }

    pub fn count(&self) -> usize {
        self.drains.len() + self.aside.len()
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub const fn position(&self) -> u64 {
        self.position
    }

    pub const fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// By which their last event is told from the one that another history of the journal has there (`Entry::mark`).
    pub const fn mark(&self) -> Option<u32> {
        self.mark
    }

    /// Says what their last event is known by.
    pub const fn set_mark(&mut self, mark: Option<u32>) {
        self.mark = mark;
    }

    pub fn drains(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Pipeline)> {
        self.drains.iter()
    }

    pub fn drain(&self, drain: &str) -> Option<&Pipeline> {
        self.drains.get(drain)
    }

    pub fn has(&self, drain: &str) -> bool {
        self.drains.contains_key(drain)
    }

    /// When a drain was heard last; `None` when that was not since the start.
    pub fn heard(&self, drain: &str) -> Option<Timestamp> {
        self.heard.get(drain).copied()
    }

    /// How old the lines of a drain were when some of their values came too late, the last time.
    pub fn late_by(&self, drain: &str) -> Option<Duration> {
        self.late_by.get(drain).copied()
    }

    /// What the pipelines of a drain take that are set aside.
    pub fn memory_aside(&self, drain: &str) -> usize {
        let own = self.aside.iter().filter(|((of, _), _)| **of == *drain);
        own.map(|(_, pipeline)| pipeline.aggregator().memory()).sum()
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// Only when the rows cannot go out and the program is to end. Part of the event is in the pipelines then, and they
    /// must not be used any more.
    pub fn apply(&mut self, seq: u64, event: &Event, rows: &mut impl Outlet) -> Result<(), Stopped> {
        match event {
            Event::Delivery(record) if record.layout.is_counted() => {
                self.deliver(record);
                let account = self.settings.account_of(&record.drain);
                rows.heard(Owner { account, drain: &record.drain }, record.received);
            }
            // No minute of theirs is marked: what was not measured is not zero.
            Event::Delivery(record) if record.layout.has_place() => self.deliver(record),
            // Plain syslog is kept, and not counted.
            Event::Delivery(_) => {}
            Event::Tick(time) => {
                self.time = self.time.max(Some(*time));
                let settings = &self.settings;
                for (drain, pipeline) in &mut self.drains {
                    pipeline.advance(*time, &mut OfDrain { owner: owner(settings, drain), rows })?;
                }
                for ((drain, _), pipeline) in &mut self.aside {
                    pipeline.advance(*time, &mut OfDrain { owner: owner(settings, drain), rows })?;
                }
                self.aside.retain(|_, pipeline| pipeline.aggregator().open_windows() > 0);
            }
            Event::Settings(settings) => {
                let mut next = self.settings.clone();
                next.configure(settings);
                self.change(&next);
            }
            Event::Change { change, id } => {
                if let Change::Destroy { account, .. } = &**change {
                    self.forget(account);
                }
                self.follow(seq, change, *id);
            }
            // Whoever reads the journal makes a tick of it.
            Event::Doubt { .. } => {}
            // What was not taken is no row.
            Event::NotTaken { .. } => {}
            Event::Dropped { drain, .. } => self.finish(drain, rows)?,
        }
        (self.position, self.mark) = (seq, None);
        Ok(())
    }

    /// Writes the open windows of a drain, and forgets it.
    fn finish(&mut self, drain: &Arc<str>, rows: &mut impl Outlet) -> Result<(), Stopped> {
        let lengths: Vec<_> = self.aside.keys().filter(|(of, _)| of == drain).cloned().collect();
        let aside: Vec<_> = lengths.iter().filter_map(|key| self.aside.remove(key)).collect();
        self.heard.remove(drain);
        for mut pipeline in self.drains.remove(drain).into_iter().chain(aside) {
            pipeline.finish(&mut OfDrain { owner: owner(&self.settings, drain), rows })?;
        }
        Ok(())
    }

    /// What is in windows that are not closed, as far as there is room for it.
    pub fn open_rows(&mut self) -> OpenRows {
        let mut open = OpenRows::default();
        for (drain, pipeline) in &mut self.drains {
            let owner = owner(&self.settings, drain);
            let take = |row: &aggregator::Row<'_>| if open.take(owner, row) { Ok(()) } else { Err(Stopped) };
            if pipeline.aggregator_mut().each_open(&mut EachRow(take)).is_err() {
                break;
            }
        }
        open
    }

    /// Forgets the drains of an account that is destroyed. Nobody gets what is open of them.
    fn forget(&mut self, account: &str) {
        let settings = &self.settings;
        let stays = |drain: &Arc<str>| settings.is_of(drain, account) != Some(true);
        self.drains.retain(|drain, _| stays(drain));
        self.aside.retain(|(drain, _), _| stays(drain));
        self.heard.retain(|drain, _| stays(drain));
        self.late_by.retain(|drain, _| stays(drain));
    }

    /// Passes an event over that cannot be read any more.
    pub fn pass_over(&mut self, seq: u64) {
        (self.position, self.mark) = (seq, None);
    }

    fn deliver(&mut self, record: &Record) {
        if !self.drains.contains_key(&record.drain) {
            match made(&self.settings, &record.drain, self.time) {
                Ok(pipeline) => drop(self.drains.insert(record.drain.clone(), pipeline)),
                // The settings were checked when they were read.
                Err(error) => {
                    tracing::error!(drain = %DrainName::of(&record.drain).shown(), %error, "a delivery was not counted: no pipeline");
                    return;
                }
            }
        }
        self.heard.insert(record.drain.clone(), record.received);
        if let Some(pipeline) = self.drains.get_mut(&record.drain) {
            if record.layout == Layout::Measured {
                return measured::enter(record, pipeline);
            }
            let delivery = Delivery::new(record.body.bytes());
            let late = pipeline.aggregator().ledger().late();
            pipeline.ingest(&record.msg_count.into_iter().fold(delivery, Delivery::with_msg_count));
            if pipeline.aggregator().ledger().late() > late
                && let Some(time) = first_time(&delivery)
            {
                self.late_by.insert(record.drain.clone(), record.received.since(time));
            }
        }
    }

    /// What somebody changed, or what a drain says of itself.
    fn follow(&mut self, seq: u64, change: &Change, id: Option<u32>) {
        let mut next = self.settings.clone();
        match next.replay(change, id) {
            Ok(_) if change.is_of_pipelines() => self.change(&next),
            Ok(_) => self.settings = next,
            // It fitted when it was written: what it was about is lost.
            Err(unfit) => {
                tracing::error!(seq, %unfit, "a change of the settings is left out, as one before it is damaged")
            }
        }
    }

    /// Goes on with other settings: what is known is carried over. Windows of another length cannot be: their pipeline is
    /// set aside until they are closed.
    fn change(&mut self, settings: &Settings) {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        for (drain, mut pipeline) in std::mem::take(&mut self.drains) {
            if settings.is_same_for(&before, &drain) {
                self.drains.insert(drain, pipeline);
                continue;
            }
            let next = match carried(settings, &drain, &mut pipeline) {
                Ok(Some(next)) => Ok(next),
                Ok(None) => {
                    let length = millis(pipeline.aggregator().config().window());
                    self.aside.insert((drain.clone(), length), pipeline);
                    let earlier = self.aside.remove(&(drain.clone(), settings.window_ms));
                    let back = earlier.map(|mut earlier| carried(settings, &drain, &mut earlier));
                    match back {
                        Some(Ok(Some(next))) => Ok(next),
                        _ => made(settings, &drain, self.time).map_err(|error| (None, error.to_string())),
                    }
                }
                Err(error) => Err((Some(pipeline), error)),
            };
            match next {
                Ok(next) => drop(self.drains.insert(drain, next)),
                Err((pipeline, error)) => {
                    let name = DrainName::of(&drain).shown();
                    tracing::error!(drain = %name, %error, "the new settings do not hold for this drain");
                    self.drains.extend(pipeline.map(|pipeline| (drain, pipeline)));
                }
            }
        }
    }
}

/// What stands between a drain and a length in the name of a pipeline that is set aside. No drain's key has one.
const ASIDE: char = '\n';

/// The pipeline with other settings; `None` when its windows have another length.
fn carried(settings: &Settings, drain: &str, pipeline: &mut Pipeline) -> Result<Option<Pipeline>, String> {
    match Pipeline::restore(settings.pipeline(drain), &pipeline.snapshot(b"")) {
        Ok((next, _)) => Ok(Some(next)),
        Err(error) if error.kind() == RestoreErrorKind::WindowLength => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The time of the first line that has one.
fn first_time(delivery: &Delivery<'_>) -> Option<Timestamp> {
    let frames = Frames::new(delivery.body()).filter_map(|raw| raw.ok()?.parse(Dialect::ByHostname).ok());
    let times = frames.filter_map(|frame| frame.timestamp().map(|time| time.unix_micros()));
    times.map(Timestamp::from_unix_micros).next()
}

/// A new pipeline knows what time it is, so that lines from the future are refused from the first one on.
fn made(settings: &Settings, drain: &str, time: Option<Timestamp>) -> Result<Pipeline, ConfigError> {
    let mut pipeline = Pipeline::new(settings.pipeline(drain))?;
    if let Some(time) = time {
        let nothing: Result<(), std::convert::Infallible> = pipeline.advance(time, &mut |_: &DataPoint<'_>| Ok(()));
        let Ok(()) = nothing;
    }
    Ok(pipeline)
}

fn owner<'a>(settings: &'a Settings, drain: &'a str) -> Owner<'a> {
    Owner { account: settings.account_of(drain), drain }
}

/// Gives each row the drain that it is of.
struct OfDrain<'a, R> {
    owner: Owner<'a>,
    rows: &'a mut R,
}

impl<R: Outlet> RowSink for OfDrain<'_, R> {
    type Error = Stopped;

    fn row(&mut self, row: &aggregator::Row<'_>) -> Result<(), Stopped> {
        self.rows.write(&Row { drain: self.owner.drain, point: &row.point() })?;
        self.rows.keep(self.owner, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Body;
    use crate::outlets::RowId;
    use crate::settings::{DrainLimits, DrainSettings};

    /// Rows by id, with their numbers. The same id twice must be the same row.
    #[derive(Default)]
    struct Rows(BTreeMap<String, (u32, f64)>);

    impl Outlet for Rows {
        fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
            let says = (row.point.revision(), row.point.stats().sum());
            let before = self.0.insert(RowId(*row).to_string(), says);
            assert!(before.is_none_or(|before| before == says), "two rows under {}", RowId(*row));
            Ok(())
        }

        fn commit(&mut self) -> Result<bool, Stopped> {
            Ok(true)
        }
    }

    impl Rows {
        /// As a consumer reads them: the highest revision of each.
        fn total(&self) -> f64 {
            let mut last: BTreeMap<String, (u32, f64)> = BTreeMap::new();
            for (id, (revision, sum)) in &self.0 {
                let parts: Vec<&str> = id.rsplitn(4, '/').collect();
                let key = format!("{}/{}/{}", parts[3], parts[2], parts[0]);
                let entry = last.entry(key).or_insert((*revision, *sum));
                if entry.0 <= *revision {
                    *entry = (*revision, *sum);
                }
            }
            last.values().map(|(_, sum)| sum).sum()
        }
    }

    fn settings(window_ms: u64) -> Settings {
        Settings {
            apps: BTreeMap::new(),
            accounts: BTreeMap::new(),
            next_id: 0,
            window_ms,
            lateness_ms: 60_000,
            horizon_ms: 3_600_000,
            extended: false,
            websockets: true,
            reading: logdrain_terms::reading::Reading::default(),
            limits: DrainLimits::within(64 << 20).unwrap(),
            drains: BTreeMap::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_773_480_360 + second)
    }

    fn count(sum: u32) -> Event {
        let line = format!("<190>1 2026-03-14T09:26:05Z host app web.1 - count#n={sum}");
        let body = Body::new(format!("{} {line}", line.len()).into_bytes(), None);
        Event::Delivery(Record::new("d.1".into(), at(6), body))
    }

    fn apply(pipelines: &mut Pipelines, rows: &mut Rows, events: impl IntoIterator<Item = Event>) {
        for event in events {
            pipelines.apply(pipelines.position() + 1, &event, rows).unwrap();
        }
    }

    fn change(window_ms: u64) -> Event {
        Event::Settings(Box::new(settings(window_ms)))
    }

    /// Through a snapshot, as a start reads it.
    fn restarted(pipelines: &mut Pipelines) -> Pipelines {
        let mut next = Pipelines::at(pipelines.settings().clone(), pipelines.position(), pipelines.time());
        for (name, pipeline) in pipelines.states() {
            next.restore(&name, &pipeline.snapshot(b"")).unwrap();
        }
        assert_eq!(next.count(), pipelines.count());
        next
    }

    #[test]
    fn a_window_whose_length_changes_and_changes_back_is_counted_whole_and_once() {
        for with_restarts in [false, true] {
            let (mut pipelines, mut rows) = (Pipelines::new(settings(60_000)), Rows::default());
            for events in [
                vec![Event::Tick(at(0)), count(7)],
                vec![change(30_000), count(5)],
                vec![change(60_000), count(3)],
                vec![change(30_000), Event::Tick(at(180)), count(11), Event::Tick(at(240))],
                vec![change(60_000), count(2), Event::Tick(at(300))],
                vec![Event::Tick(at(360)), Event::Tick(at(4_000))],
            ] {
                apply(&mut pipelines, &mut rows, events);
                if with_restarts {
                    pipelines = restarted(&mut pipelines);
                }
            }
            assert_eq!(rows.total(), 28.0, "{:?}", rows.0);
            assert_eq!(pipelines.count(), 1, "what is set aside goes with its windows");
        }
    }

    #[test]
    fn other_settings_carry_on_with_the_windows_that_there_are() {
        let (mut pipelines, mut rows) = (Pipelines::new(settings(60_000)), Rows::default());
        let mut named = settings(60_000);
        named
            .drains
            .insert("d.1".to_owned(), DrainSettings { app: Some("shop".to_owned()), ..DrainSettings::default() });
        let change = Event::Settings(Box::new(named));
        apply(&mut pipelines, &mut rows, [Event::Tick(at(0)), count(7), change, count(5), Event::Tick(at(180))]);
        assert_eq!((rows.0.len(), rows.total()), (1, 12.0), "{:?}", rows.0);
    }
}
