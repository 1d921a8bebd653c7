//! The traffic of one app: batches of frames, each with the observations that a right reader makes of it.
//!
//! Of a thousand lines 700 are router lines, 100 dyno samples, 30 Postgres samples, 20 errors, and 150 come from the
//! application, 50 of these with metrics of its own. Dynos, paths, statuses and customers follow Zipf's law.

use crate::batch::{Batch, Oddities};
use crate::lines::{LONGEST, Lines};

/// A body is as long as Logplex makes it.
const TARGET: usize = 102_400;

/// Generates batches.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) lines: Lines,
}

impl Traffic {
    pub(crate) const fn new(lines: Lines) -> Self {
        Self { lines }
    }

    /// The next frames: at most so many, and no more than fill a body.
    pub(crate) fn batch(&mut self, most: u64, oddities: Oddities) -> Batch {
        let lines = &mut self.lines;
        lines.begin(oddities, TARGET.min(most as usize * LONGEST), most.min(400) as usize * 4);
        let oversize = if oddities.oversize { lines.random.below(most.min(300)) } else { u64::MAX };
        while lines.messages() < most && lines.len() + LONGEST <= TARGET {
            if lines.messages() == oversize {
                lines.oversize();
            } else if oddities.invalid && lines.random.chance(60) {
                lines.invalid();
            } else {
                any(lines);
            }
            lines.tick();
        }
        // The body outgrew the target before the turn of the long frame came.
        if oversize != u64::MAX && lines.messages() <= oversize {
            lines.oversize();
            lines.tick();
        }
        lines.end()
    }
}

/// One line of the mixture.
fn any(lines: &mut Lines) {
    match lines.random.below(1_000) {
        0..700 => lines.router(),
        700..800 => lines.runtime(),
        800..830 => lines.postgres(),
        830..840 => lines.router_error(),
        840..846 => lines.runtime_error(),
        846..850 => lines.logging_error(),
        850..900 => lines.custom(),
        _ => lines.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::frame::Dialect;

    fn traffic() -> Traffic {
        Traffic::new(Lines::new(1, None, Dialect::Logplex, "d.x", Clock::new(0, 60_000_000, 70_000)))
    }

    #[test]
    fn a_body_is_about_as_long_as_logplex_makes_it() {
        let mut traffic = traffic();
        let (mut lines, mut last) = (0, -1);
        for _ in 0..20 {
            let batch = traffic.batch(1_000, Oddities::default());
            assert!((TARGET - LONGEST..=TARGET).contains(&batch.frames.len()), "{}", batch.frames.len());
            assert!(batch.first > last);
            last = batch.observed.iter().map(|seen| seen.time).max().unwrap();
            lines += batch.messages;
        }
        assert!((5_000..10_000).contains(&lines), "{lines}");
        assert_eq!(traffic.batch(7, Oddities::default()).messages, 7);
    }

    #[test]
    fn a_stream_has_one_value_an_instant() {
        let mut traffic = traffic();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let odd = Oddities { glued: true, oversize: true, invalid: true };
            for value in traffic.batch(1_000, odd).observed {
                assert!(
                    seen.insert((value.stream, value.time)),
                    "{:?}",
                    traffic.lines.streams.keys()[value.stream as usize]
                );
            }
        }
    }
}
