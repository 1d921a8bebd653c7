//! The pipelines, one a drain: what the journal says, step by step, becomes rows.
//!
//! Nothing here looks at a clock or at the disk: rows follow from the events alone. So the events after a snapshot give
//! the same rows again, under the same ids.

use super::drain_name::DrainName;
use super::event::{Event, Record};
use super::settings::Settings;
use super::sinks::{Row, RowSink, Stopped};
use heroku_metrics::aggregator::{ConfigError, RestoreErrorKind};
use heroku_metrics::model::{DataPoint, Timestamp};
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Pipeline, RestoreError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All pipelines, and where they stand in the journal.
#[derive(Debug)]
pub(crate) struct Pipelines {
    settings: Settings,
    drains: BTreeMap<Arc<str>, Pipeline>,
    /// The last move of the watermark.
    time: Option<Timestamp>,
    /// The last event that is in them.
    position: u64,
}

impl Pipelines {
    pub(crate) const fn new(settings: Settings) -> Self {
        Self { settings, drains: BTreeMap::new(), time: None, position: 0 }
    }

    /// As a snapshot left them.
    pub(crate) const fn at(settings: Settings, position: u64, time: Option<Timestamp>) -> Self {
        Self { settings, drains: BTreeMap::new(), time, position }
    }

    /// Takes a drain out of a snapshot.
    pub(crate) fn restore(&mut self, drain: Arc<str>, bytes: &[u8]) -> Result<(), RestoreError> {
        let (pipeline, _) = Pipeline::restore(self.settings.pipeline(&drain), bytes)?;
        self.drains.insert(drain, pipeline);
        Ok(())
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    pub(crate) const fn time(&self) -> Option<Timestamp> {
        self.time
    }

    pub(crate) fn drains(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Pipeline)> {
        self.drains.iter()
    }

    pub(crate) fn drains_mut(&mut self) -> impl ExactSizeIterator<Item = (&Arc<str>, &mut Pipeline)> {
        self.drains.iter_mut()
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// Only when the rows cannot go out and the program is to end. Part of the event is in the pipelines then, and they
    /// must not be used any more.
    pub(crate) fn apply(&mut self, seq: u64, event: &Event, rows: &mut impl RowSink) -> Result<(), Stopped> {
        match event {
            Event::Delivery(record) => self.deliver(record),
            Event::Tick(time) => {
                self.time = self.time.max(Some(*time));
                self.each(rows, |pipeline, rows| pipeline.advance(*time, rows))?;
            }
            Event::Settings(settings) => self.change(settings, rows)?,
        }
        self.position = seq;
        Ok(())
    }

    /// Passes an event over that cannot be read any more.
    pub(crate) fn pass_over(&mut self, seq: u64) {
        self.position = seq;
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
        if let Some(pipeline) = self.drains.get_mut(&record.drain) {
            let delivery = Delivery::new(record.body.bytes());
            pipeline.ingest(&record.msg_count.into_iter().fold(delivery, Delivery::with_msg_count));
        }
    }

    /// Goes on with other settings: what is known is carried over. Windows of another length cannot be: they are closed.
    fn change(&mut self, settings: &Settings, rows: &mut impl RowSink) -> Result<(), Stopped> {
        let before = std::mem::replace(&mut self.settings, settings.clone());
        for (drain, pipeline) in std::mem::take(&mut self.drains) {
            let mut pipeline = pipeline;
            if settings.is_same_for(&before, &drain) {
                self.drains.insert(drain, pipeline);
                continue;
            }
            let carried = Pipeline::restore(settings.pipeline(&drain), &pipeline.snapshot(b""));
            let next = match carried {
                Ok((next, _)) => Ok(next),
                Err(error) if error.aggregator() == Some(RestoreErrorKind::WindowLength) => {
                    pipeline.finish(&mut OfDrain { drain: &drain, rows })?;
                    made(settings, &drain, self.time).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            match next {
                Ok(next) => drop(self.drains.insert(drain, next)),
                Err(error) => {
                    tracing::error!(drain = %DrainName::of(&drain).shown(), %error, "the new settings do not hold for this drain");
                    self.drains.insert(drain, pipeline);
                }
            }
        }
        Ok(())
    }

    fn each<R: RowSink>(
        &mut self,
        rows: &mut R,
        mut step: impl FnMut(&mut Pipeline, &mut OfDrain<'_, R>) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        for (drain, pipeline) in &mut self.drains {
            step(pipeline, &mut OfDrain { drain, rows })?;
        }
        Ok(())
    }
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

/// Gives each point the drain that it is of.
struct OfDrain<'a, R> {
    drain: &'a str,
    rows: &'a mut R,
}

impl<R: RowSink> heroku_metrics::model::Sink for OfDrain<'_, R> {
    type Error = Stopped;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Stopped> {
        self.rows.write(&Row { drain: self.drain, point })
    }
}
