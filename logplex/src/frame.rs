//! Frames as a drain writes them: MSG-LEN SP SYSLOG-MSG (RFC 6587, 3.4.1), and the time that stands in them.

use crate::text;
use clap::ValueEnum;
use metric_model::Timestamp;

/// Which kind of drain writes the frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Dialect {
    /// An HTTPS drain: HOSTNAME is `host`, structured data is left out
    Logplex,
    /// A syslog drain: HOSTNAME is the drain token, structured data is NILVALUE
    Rfc5424,
}

/// Writes frames of one drain.
#[derive(Debug)]
pub(crate) struct Framer {
    dialect: Dialect,
    /// HOSTNAME and the spaces around it.
    hostname: Vec<u8>,
    /// PRI to the end of MSGID and what stands for structured data.
    header: Vec<u8>,
    second: i64,
    /// `2026-03-14T09:00:00` of the second.
    stamp: String,
}

/// Who wrote a line, and how urgent it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) pri: u64,
    pub(crate) app_name: &'static str,
    pub(crate) proc_id: &'a [u8],
}

/// How finely the time of a frame is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Precision {
    /// Microseconds, zeros at the end left out.
    Micros,
    /// Whole seconds, as Logplex's own lines have it.
    Seconds,
}

impl Framer {
    pub(crate) fn new(dialect: Dialect, token: &str) -> Self {
        let hostname = match dialect {
            Dialect::Logplex => "host",
            Dialect::Rfc5424 => token,
        };
        let hostname = format!(" {hostname} ").into_bytes();
        Self { dialect, hostname, header: Vec::with_capacity(256), second: i64::MIN, stamp: String::new() }
    }

    /// Appends a frame to `body`. A syslog drain ends every message with LF, an HTTPS drain only those that had one.
    pub(crate) fn write(
        &mut self,
        body: &mut Vec<u8>,
        origin: Origin<'_>,
        time: i64,
        precision: Precision,
        message: &[u8],
        line_end: bool,
    ) {
        let header = &mut self.header;
        header.clear();
        header.push(b'<');
        text::number(header, origin.pri);
        header.extend_from_slice(b">1 ");
        let second = time.div_euclid(1_000_000);
        if second != self.second {
            self.second = second;
            self.stamp = stamp(second);
        }
        header.extend_from_slice(self.stamp.as_bytes());
        let micros = time.rem_euclid(1_000_000) as u64;
        if precision == Precision::Micros && micros != 0 {
            header.push(b'.');
            text::padded(header, micros, 6);
            while header.last() == Some(&b'0') {
                header.pop();
            }
        }
        header.extend_from_slice(b"+00:00");
        header.extend_from_slice(&self.hostname);
        header.extend_from_slice(origin.app_name.as_bytes());
        header.push(b' ');
        header.extend_from_slice(origin.proc_id);
        header.extend_from_slice(b" - ");
        if self.dialect == Dialect::Rfc5424 {
            header.extend_from_slice(b"- ");
        }
        let line_end = line_end || self.dialect == Dialect::Rfc5424;
        text::number(body, (header.len() + message.len() + usize::from(line_end)) as u64);
        body.push(b' ');
        body.extend_from_slice(header);
        body.extend_from_slice(message);
        if line_end {
            body.push(b'\n');
        }
    }
}

/// `2026-03-14T09:00:00`, without an offset.
pub(crate) fn stamp(second: i64) -> String {
    let mut stamp = Timestamp::from_unix_seconds(second).to_string();
    stamp.pop(); // `Z`
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_drains() {
        let origin = Origin { pri: 190, app_name: "app", proc_id: b"web.1" };
        let mut body = Vec::new();
        let time = 1_773_478_800_250_000;
        Framer::new(Dialect::Logplex, "d.x").write(&mut body, origin, time, Precision::Micros, b"hi", true);
        Framer::new(Dialect::Rfc5424, "d.x").write(&mut body, origin, time, Precision::Seconds, b"hi", false);
        let text = String::from_utf8(body).unwrap();
        assert_eq!(
            text,
            "56 <190>1 2026-03-14T09:00:00.25+00:00 host app web.1 - hi\n\
             54 <190>1 2026-03-14T09:00:00+00:00 d.x app web.1 - - hi\n"
        );
    }
}
