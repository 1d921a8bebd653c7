//! What it takes in memory, and the most that it can take.

use super::Aggregator;
use crate::config::AggregatorConfig;
use crate::sketch::Sketch;
use crate::sketch::minute::MinuteSketch;
use crate::streams::Streams;
use crate::window::OpenWindow;
use crate::window::staging::Staging;

impl<S: Sketch> Aggregator<S> {
    /// Octets in use, at most but for the allocator's own; never more than
    /// [`AggregatorConfig::max_memory`]. For hosts that close windows early rather than refuse.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.streams.bytes() + self.window_bytes + self.staging.bytes()
    }
}

impl AggregatorConfig {
    /// The most bytes an aggregator of this configuration ever has on the heap, computed before it starts.
    ///
    /// The sum of what `max_streams`, `max_key_bytes` and `max_window_bytes` allow, with what lists and tables have in
    /// reserve and need while they grow: an upper bound that input cannot exceed, not an estimate of common use. Not
    /// counted: the allocator's own, the bytes of a snapshot, what a [`merge`](Aggregator::merge) or a
    /// [`restore`](Aggregator::restore) brings in beyond the configuration, and the heap of a sketch of your own that
    /// does not tell.
    ///
    /// ```
    /// use minute_aggregator::AggregatorConfig;
    /// let small = AggregatorConfig::new().with_max_streams(1_000).with_max_key_bytes(100_000).with_max_window_bytes(4_000_000);
    /// assert!(small.max_memory() < 12_000_000);
    /// ```
    #[must_use]
    pub fn max_memory(&self) -> usize {
        // A list that grows has its old and its new place for a moment: half as much again.
        let windows = self.max_window_bytes().saturating_add(self.max_window_bytes() / 2);
        // The first node of the map of windows has room for eleven.
        let fixed = Staging::max_bytes(self.max_streams()) + 11 * size_of::<OpenWindow<MinuteSketch>>();
        size_of::<Aggregator>().saturating_add(Streams::max_bytes(self)).saturating_add(windows).saturating_add(fixed)
    }
}
