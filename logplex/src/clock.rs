//! The event time of the lines.

/// Event time: so many lines spread evenly over a span. No two lines have the same time, so that which value is the
/// last does not depend on the order of deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: i64,
    step: i64,
    rest: i64,
    owed: i64,
    lines: i64,
}

impl Clock {
    /// Microseconds; a span of less than one for each line is made longer.
    pub(crate) fn new(start: i64, span: i64, lines: u64) -> Self {
        let lines = i64::try_from(lines).unwrap_or(i64::MAX).max(1);
        let span = span.max(lines);
        Self { now: start, step: span / lines, rest: span % lines, owed: 0, lines }
    }

    /// The event time of the next line.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    pub(crate) fn tick(&mut self) {
        self.now = self.now.saturating_add(self.step);
        self.owed += self.rest;
        if self.owed >= self.lines {
            self.owed -= self.lines;
            self.now = self.now.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_ends_where_the_span_ends() {
        for (span, lines) in [(60_000_000, 7), (100, 100), (5, 10), (1_000_003, 999)] {
            let mut clock = Clock::new(0, span, lines);
            for _ in 0..lines {
                let before = clock.now;
                clock.tick();
                assert!(clock.now > before);
            }
            assert_eq!(clock.now, span.max(lines as i64));
        }
    }
}
