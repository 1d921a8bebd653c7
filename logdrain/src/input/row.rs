//! A row of an archive as the frame that a drain would have brought, for all that reads frames.

use heroku_metrics::syslog::{Dialect, Frame, FrameError};
use jiff::Timestamp;
use log_archive::{Row, facility_number, severity_number};
use std::io::Write as _;

/// Where frames of rows are put together, one at a time.
#[derive(Debug, Default)]
pub(crate) struct RowFrame {
    text: Vec<u8>,
}

/// What a row is that names neither: user, notice (RFC 3164, 4.3.3).
const FACILITY: u8 = 1;
const SEVERITY: u8 = 5;

impl RowFrame {
    /// The frame of a row: its time is that of the sender, its HOSTNAME who sent it, its APP-NAME what stands in front of
    /// the first `/` of the program, and its PROCID what stands behind it. A blank inside a name is `_` there, for a blank
    /// ends a field of a header.
    ///
    /// # Errors
    /// When a name is longer than a header may have it, or is no UTF-8.
    pub(crate) fn of<'a>(&'a mut self, row: &Row<'_>) -> Result<Frame<'a>, FrameError> {
        self.text.clear();
        let facility = facility_number(row.facility_name()).unwrap_or(FACILITY);
        let severity = severity_number(row.severity_name()).unwrap_or(SEVERITY);
        let time = Timestamp::from_microsecond(row.generated_at()).unwrap_or(Timestamp::UNIX_EPOCH);
        let program = row.program();
        let (app, process) = match program.iter().position(|byte| *byte == b'/') {
            Some(at) => (&program[..at], &program[at + 1..]),
            None => (program, &b""[..]),
        };
        // Writing to memory cannot fail.
        let _ = write!(
            self.text,
            "<{}>1 {} ",
            u16::from(facility) * 8 + u16::from(severity),
            time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        );
        for name in [row.source_name(), app, process] {
            self.field(name);
        }
        self.text.extend_from_slice(b"- ");
        self.text.extend_from_slice(row.message());
        Frame::parse(&self.text, Dialect::Logplex)
    }

    fn field(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.text.push(b'-');
        }
        self.text.extend(name.iter().map(|byte| if *byte <= b' ' || *byte == 0x7f { b'_' } else { *byte }));
        self.text.push(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_frame_of_the_drain() {
        let row = Row::new(7, 1_795_904_099_000_000, b"at=info status=200")
            .with_generated_at(1_795_904_098_123_456, -240)
            .with_source_name(b"shop")
            .with_facility_name(b"Local3")
            .with_severity_name(b"Info")
            .with_program(b"heroku/router");
        let mut frames = RowFrame::default();
        let frame = frames.of(&row).unwrap();
        assert_eq!(frame.bytes(), b"<158>1 2026-11-28T22:14:58.123456Z shop heroku router - at=info status=200");
        assert_eq!(frame.timestamp().unwrap().unix_micros(), 1_795_904_098_123_456);
        assert_eq!(
            (frame.app_name(), frame.proc_id(), frame.message()),
            (Some("heroku"), Some("router"), row.message())
        );
    }

    #[test]
    fn names_that_are_none_of_a_header_stay_one_field() {
        for (program, app, process, hostname) in [
            (&b""[..], None, None, None),
            (b"sshd", Some("sshd"), None, None),
            (b"Windows Event Log/7", Some("Windows_Event_Log"), Some("7"), None),
            (b"a/b/c", Some("a"), Some("b/c"), None),
            (b"/x", None, Some("x"), None),
        ] {
            let row = Row::new(1, 0, b" two  blanks ").with_program(program);
            let mut frames = RowFrame::default();
            let frame = frames.of(&row).unwrap();
            assert_eq!((frame.app_name(), frame.proc_id(), frame.hostname()), (app, process, hostname));
            assert_eq!(frame.message(), b" two  blanks ");
            assert_eq!((frame.pri().unwrap().value(), frame.timestamp().unwrap().unix_micros()), (13, 0));
        }
        let long = [b'x'; 300];
        assert!(RowFrame::default().of(&Row::new(1, 0, b"").with_program(&long)).is_err());
    }
}
