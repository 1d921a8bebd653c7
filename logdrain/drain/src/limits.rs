//! What the server may take. The configuration says it, intake and the web keep to it.

use std::time::Duration;

/// The most bytes of a request's head.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// Threads beside those of the connections, for what takes longer than a moment.
pub const SLOW_THREADS: usize = 4;

/// Which lines are archived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archives {
    /// Those of accounts that have no plan, too.
    pub without_plan: bool,
    /// How long archives of such an account are kept.
    pub kept_for: Duration,
}

/// How much `/metrics` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetricsLimits {
    /// Whether the rows of the last windows are in it.
    pub rows: bool,
    /// The most bytes of the text.
    pub bytes: usize,
}

/// How `/api/v1` answers where its clients differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Habits {
    /// `max_id` is part of a page that has a `min_time`, as in the service that is imitated: who pages back within a time meets
    /// the event at the edge twice, and knows it.
    pub max_id_overlap: bool,
    /// An event without a program has `null` for one, and not an empty text.
    pub null_program: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { max_id_overlap: true, null_program: false }
    }
}

/// What intake may take: of memory, of connections, of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntakeLimits {
    /// The longest body, as it comes and after gzip.
    pub body: usize,
    /// All bodies that are in memory at a time, on their way in or to the pipelines, and parts of syslog frames.
    pub bodies: usize,
    /// The part of it that is for syslog frames of which the end has not come.
    pub frames: usize,
    /// The texts of `/metrics` and the page.
    pub answers: usize,
    pub connections: usize,
    pub drains: usize,
    /// What each drain's pipeline may take.
    pub drain: usize,
    /// From the head of a request to its answer. Logplex waits for five seconds.
    pub answer_within: Duration,
    /// A connection without a request is closed after this; Logplex keeps one for 144 to 159 seconds.
    pub idle: Duration,
}
