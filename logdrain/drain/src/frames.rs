//! The one way in which a body is taken apart, for everybody who does: counting, intake that numbers events, the logs.

use heroku_metrics::syslog::{Frames, Limits, Recovery};

/// Frames as long as `logdrain replay` reads them, so that both read the same.
const MAX_FRAME: usize = 4 * 1024 * 1024;

/// What a frame may have.
pub const fn limits() -> Limits {
    Limits::new().with_max_frame(MAX_FRAME)
}

/// What a body holds, in order: frames, and stretches in which there are none.
pub fn of(body: &[u8]) -> Frames<'_> {
    Frames::new(body).with_limits(limits()).with_recovery(Recovery::Resync)
}

/// The same, of a body whose lengths were written here: they are right, and what a line holds is no reason to look for
/// others.
pub fn as_written(body: &[u8]) -> Frames<'_> {
    Frames::new(body).with_limits(limits()).with_recovery(Recovery::Stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_refused_ones_and_stretches_are_an_event_each() {
        for (body, events) in [
            (&b""[..], 0),
            (b"\n\n", 0),
            (b"16 <1>1 - - - - - -", 1),
            (b"16 <1>1 - - - - - -\n16 <1>1 - - - - - -", 2),
            (b"10 <999>1 - a", 1),
            (b"junk", 1),
            (b"16 <1>1 - - - - - -\noops16 <1>1 - - - - - -", 3),
        ] {
            assert_eq!(of(body).count(), events, "{}", String::from_utf8_lossy(body));
        }
    }
}
