//! What time the frames of a delivery say it is.

use heroku_metrics::syslog::{Dialect, Frames, Recovery};

/// The times of a body's frames, in microseconds since 1970. The header up to the time is the same in both dialects.
pub fn frame_times(body: &[u8]) -> impl Iterator<Item = i64> {
    Frames::new(body).with_recovery(Recovery::Resync).filter_map(|frame| {
        let frame = frame.ok()?.parse(Dialect::Logplex).ok()?;
        Some(frame.timestamp()?.unix_micros())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_what_time_it_is_and_what_is_none_says_nothing() {
        let one = "<190>1 2026-03-14T09:26:53Z host app web.1 - hello";
        let two = "<190>1 - host app web.1 - no time";
        let three = "<190>1 2026-03-14T10:26:54.5+01:00 host app web.1 - - rfc";
        let mut body = String::from("garbage ");
        for frame in [one, two, three] {
            body.push_str(&format!("{} {frame}", frame.len()));
        }
        let times: Vec<_> = frame_times(body.as_bytes()).collect();
        assert_eq!(times, [1_773_480_413_000_000, 1_773_480_414_500_000]);
    }
}
