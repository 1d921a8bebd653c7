//! What a reader of a body finds, in terms that all contenders share.

/// What the aggregator needs of a router line. Absent and empty are the same.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // an unpublished row of values
pub struct Router<'a> {
    /// The value of `method=`.
    pub method: &'a str,
    /// The value of `dyno=`.
    pub dyno: &'a str,
    /// The value of `status=`.
    pub status: u16,
    /// The value of `connect=`, in milliseconds.
    pub connect: Option<f64>,
    /// The value of `service=`, in milliseconds.
    pub service: Option<f64>,
    /// The value of `bytes=`.
    pub bytes: Option<u64>,
    /// Whether there is a `code=`.
    pub failed: bool,
}

/// Takes what a reader finds: [`Fields`] counts it, [`Table`](crate::Table) aggregates it.
pub trait Visit {
    /// A frame, of whatever kind.
    fn frame(&mut self);
    /// A router line.
    fn router(&mut self, line: &Router<'_>);
    /// `count#`, `measure#` or `sample#`, on a line with these pairs.
    fn metric(&mut self, kind: &str, name: &str, value: f64, pairs: &[(&str, &str)]);
    /// A line with an R code.
    fn runtime_error(&mut self);
    /// A line that says how many messages were lost.
    fn lost(&mut self, messages: u64);
}

/// Counts and sums of everything with a value: two readers that agree on these read the same.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // an unpublished row of values
pub struct Fields {
    /// Frames.
    pub lines: u64,
    /// Router lines.
    pub router_lines: u64,
    /// Router lines with a code.
    pub router_errors: u64,
    /// The sum of `service=`.
    pub service_ms: f64,
    /// The sum of `bytes=`.
    pub bytes: u64,
    /// Router lines with a status, a method and a time of connecting.
    pub complete: u64,
    /// Metrics written as `count#`, `measure#` or `sample#`.
    pub metrics: u64,
    /// The sum of their numbers, units aside.
    pub metric_sum: f64,
    /// Lines with an R code.
    pub runtime_errors: u64,
    /// Messages lost, as L lines tell.
    pub lost: u64,
}

impl Fields {
    /// Those counts that VRL gets right. Its `parse_logfmt` reads `dyno= connect=` as a dyno named `connect=`, so that
    /// the sums of lines without a dyno are wrong. It sorts the pairs, so that the sum of metrics rounds otherwise.
    #[must_use]
    pub const fn without_sums(mut self) -> Self {
        self.service_ms = 0.0;
        self.bytes = 0;
        self.complete = 0;
        self.metric_sum = 0.0;
        self
    }
}

impl Visit for Fields {
    fn frame(&mut self) {
        self.lines += 1;
    }

    fn router(&mut self, line: &Router<'_>) {
        self.router_lines += 1;
        self.router_errors += u64::from(line.failed);
        self.service_ms += line.service.unwrap_or_default();
        self.bytes += line.bytes.unwrap_or_default();
        self.complete += u64::from(line.status != 0 && !line.method.is_empty() && line.connect.is_some());
    }

    fn metric(&mut self, _: &str, _: &str, value: f64, _: &[(&str, &str)]) {
        self.metrics += 1;
        self.metric_sum += value;
    }

    fn runtime_error(&mut self) {
        self.runtime_errors += 1;
    }

    fn lost(&mut self, messages: u64) {
        self.lost += messages;
    }
}
