//! Closing windows: all that is due at once, or a few points at a time.

use super::Aggregator;
use crate::row::RowSink;
use crate::sketch::Sketch;
use crate::window::Writing;
use metric_model::Timestamp;

impl<S: Sketch> Aggregator<S> {
    /// Says what time it is: closes every window whose end plus the allowed lateness is not after `now`, oldest first,
    /// and bounds how far ahead observations may be. A time before the last one changes nothing.
    ///
    /// Closed windows that late observations changed since ([`LatePolicy::Revise`](crate::LatePolicy::Revise)) are
    /// written again, in their place in the order of time: the points that changed, each with its next revision.
    ///
    /// # Errors
    /// What the sink answered. The window is closed for observations all the same; it is kept, and written again from
    /// its first point by the next call that closes.
    ///
    /// ```
    /// use metric_model::{DataPoint, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::count("signups", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
    ///
    /// let now = Timestamp::from_unix_seconds(120);
    /// let mut full = |_: &DataPoint<'_>| Err("disk full");
    /// assert_eq!(engine.advance(now, &mut full), Err("disk full"));
    ///
    /// let mut sum = 0.0;
    /// let mut works = |point: &DataPoint<'_>| Ok::<(), ()>(sum += point.stats().sum());
    /// assert_eq!(engine.advance(now, &mut works), Ok(()));
    /// assert_eq!(sum, 2.0);
    /// # Ok::<(), minute_aggregator::ConfigError>(())
    /// ```
    pub fn advance<K: RowSink<S>>(&mut self, now: Timestamp, sink: &mut K) -> Result<(), K::Error> {
        self.set_now(now);
        self.write_closed(sink)
    }

    /// As [`advance`](Self::advance), but writes about `points` points and then returns, for a host that must get back
    /// to its input soon: `true` when there is more to write, and another call is due.
    ///
    /// The points and their order are those of `advance`; observations may come between the calls. From the first call
    /// on, the windows are closed. The steps that write nothing (putting new streams in order, giving memory back) are
    /// spread, too: with `points` = 2,000, a call takes about a millisecond, however many streams a window holds.
    /// A snapshot between two calls holds what is still to be written.
    ///
    /// `advance` and the others that close go on where this one stopped.
    ///
    /// # Errors
    /// What the sink answered; see `advance`. The window is written again from its first point.
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// for user in 0..10_000 {
    ///     let tags = TagSet::from_iter([("user", user.to_string())]);
    ///     let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0)));
    /// }
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// let mut calls = 1;
    /// while engine.advance_some(Timestamp::from_unix_seconds(120), 2_000, &mut points)? {
    ///     calls += 1; // read some input here
    /// }
    /// assert!(calls > 5);
    /// assert_eq!((points.len(), engine.open_windows()), (10_000, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance_some<K: RowSink<S>>(
        &mut self,
        now: Timestamp,
        points: usize,
        sink: &mut K,
    ) -> Result<bool, K::Error> {
        self.set_now(now);
        self.write_some(points.max(1), sink)
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = self.now.max(Some(now));
        self.steady = 0..0;
        let watermark = now.earlier(self.config.allowed_lateness());
        let closed = watermark.unix_micros().div_euclid(self.length());
        let gone = watermark.earlier(self.config.horizon()).unix_micros().div_euclid(self.length());
        self.close_below(closed, gone);
        if self.streams.is_beyond(closed.saturating_sub(1)) {
            self.reach(closed.saturating_sub(1));
        }
    }

    /// Closes every window, as at the end of a complete input.
    ///
    /// # Errors
    /// What the sink answered; see [`advance`](Self::advance).
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let _ = engine.observe(&Observation::count("signups", Value::plain(2.0), &none, Timestamp::from_unix_seconds(0)));
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// engine.finish(&mut points)?;
    /// assert_eq!((points.len(), engine.open_windows()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish<K: RowSink<S>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        if let Some((number, _)) = self.windows.last_key_value() {
            let end = number.saturating_add(1);
            self.close_below(end, end);
        }
        self.write_closed(sink)
    }

    /// Closes the oldest window, whatever the time, for a host that must give memory back; `false` if no window is open.
    ///
    /// Observations of that window and all before it are late from then on.
    ///
    /// # Errors
    /// What the sink answered; see [`advance`](Self::advance).
    ///
    /// ```
    /// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// for second in [0, 60, 120] {
    ///     let time = Timestamp::from_unix_seconds(second);
    ///     let _ = engine.observe(&Observation::count("signups", Value::plain(1.0), &none, time));
    /// }
    /// let mut points: Vec<DataPointBuf> = Vec::new();
    /// assert!(engine.close_oldest(&mut points)?);
    /// assert_eq!((points.len(), engine.open_windows()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_oldest<K: RowSink<S>>(&mut self, sink: &mut K) -> Result<bool, K::Error> {
        let Some((number, _)) = self.windows.first_key_value() else { return Ok(false) };
        let end = number.saturating_add(1);
        self.close_below(end, end);
        self.write_closed(sink)?;
        Ok(true)
    }

    /// Shows the windows that are not closed, as they are now: what their rows would be if nothing else came. Nothing is
    /// written by that; the order within a window is none.
    ///
    /// # Errors
    /// What the sink answered, which ends it.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// use metric_model::{Observation, TagSet, Timestamp, Value};
    /// use minute_aggregator::{Aggregator, AggregatorConfig, EachRow, Row};
    ///
    /// let none = TagSet::new();
    /// let mut engine = Aggregator::new(AggregatorConfig::new())?;
    /// let mut sums = Vec::new();
    /// for second in [0, 30] {
    ///     let time = Timestamp::from_unix_seconds(second);
    ///     let _ = engine.observe(&Observation::count("signups", Value::plain(1.0), &none, time));
    ///     engine.each_open(&mut EachRow(|row: &Row<'_>| Ok::<(), Infallible>(sums.push(row.point().stats().sum()))))?;
    /// }
    /// assert_eq!((sums, engine.open_windows()), (vec![1.0, 2.0], 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_open<K: RowSink<S>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        self.fold();
        let closed = self.closed_below.unwrap_or(i64::MIN);
        for window in self.windows.range(closed..).map(|(_, window)| window) {
            window.each(&self.streams, sink)?;
        }
        Ok(())
    }

    fn close_below(&mut self, closed: i64, gone: i64) {
        self.closed_below = self.closed_below.max(Some(closed));
        self.gone_below = self.gone_below.max(Some(gone));
        self.steady = 0..0;
    }

    fn write_closed<K: RowSink<S>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        while self.write_some(usize::MAX, sink)? {}
        Ok(())
    }

    /// Writes a part of what is due; when nothing is left at all, only the streams still take memory.
    fn write_some<K: RowSink<S>>(&mut self, most: usize, sink: &mut K) -> Result<bool, K::Error> {
        let more = self.do_some(most, sink)?;
        if !more && self.windows.is_empty() {
            self.staging.give_back();
            self.streams.give_back();
        }
        Ok(more)
    }

    /// Does a part of what is due, about as much work as writing `most` points; answers whether there is more.
    fn do_some<K: RowSink<S>>(&mut self, most: usize, sink: &mut K) -> Result<bool, K::Error> {
        let (Some(closed), Some(gone)) = (self.closed_below, self.gone_below) else { return Ok(false) };
        let has_closed = |engine: &Self| engine.windows.first_key_value().is_some_and(|(number, _)| *number < closed);
        if has_closed(self) && !self.staging.is_empty() {
            self.fold();
        }
        // Kept windows that have nothing to write are passed over once.
        let mut from = i64::MIN;
        let mut left = most;
        while left > 0 {
            if self.leaving.is_some() {
                left -= self.give_back(left);
                continue;
            }
            let Some(mut writing) = self.writing.take() else {
                let mut kept = self.windows.range(from..closed);
                let due = kept.find(|(number, window)| window.is_changed() || **number < gone);
                let Some((number, is_changed)) = due.map(|(number, window)| (*number, window.is_changed())) else {
                    return Ok(false);
                };
                from = number;
                if !is_changed {
                    self.leaving = self.windows.remove(&number);
                    if self.recent.is_some_and(|(_, recent)| recent == number) {
                        self.forget_recent();
                    }
                    continue;
                }
                // An id that is looked at costs about half of what a point does.
                let sorted = self.streams.sort_some(left.saturating_mul(2)).div_ceil(2);
                left = left.saturating_sub(sorted);
                if left > 0 {
                    self.streams.sort();
                    self.writing = self.windows.get_mut(&number).map(|window| window.start_writing(number));
                }
                continue;
            };
            let Some(window) = self.windows.get_mut(&writing.number) else { continue };
            let done = window.write_some(&mut writing, left, &self.streams, sink)?;
            if done >= left {
                self.writing = Some(writing);
            }
            left = left.saturating_sub(done.max(1));
        }
        Ok(self.leaving.is_some() || self.writing.is_some() || has_closed(self))
    }

    /// Gives the memory of a written window back, up to so many cells and a few more; answers how much that was, in
    /// points.
    fn give_back(&mut self, most: usize) -> usize {
        /// About what a point costs.
        const CELLS: usize = 4;
        let Some(mut gone) = self.leaving.take() else { return 0 };
        for done in 0..most.saturating_mul(CELLS) {
            let Some((row, columns)) = gone.pop() else {
                self.window_bytes = self.window_bytes.saturating_sub(gone.bytes());
                return (done / CELLS).max(1);
            };
            self.streams.release(row, columns);
        }
        self.leaving = Some(gone);
        most
    }

    /// Brings the state into the form that a snapshot has: everything folded, nothing half done but the writing of a
    /// window, of which some cells are written and some are not.
    pub(crate) fn settle(&mut self) {
        self.fold();
        self.give_back(usize::MAX);
        // The order of output may change, and with it the places of what is gathered.
        if self.writing.as_ref().is_some_and(Writing::is_gathering) {
            self.stop_writing();
        }
    }

    /// Leaves what is still to be written of a window to a writing that begins again.
    pub(crate) fn stop_writing(&mut self) {
        if let Some(writing) = self.writing.take()
            && let Some(window) = self.windows.get_mut(&writing.number)
        {
            window.stop_writing();
        }
    }
}
