//! The demonstration log: three minutes of two small applications, every kind of line once or more.
//!
//! `shop` drains over HTTPS (HOSTNAME `host`, no structured data, Router 2.0), `depot` over syslog (HOSTNAME is the drain
//! token, structured data is NILVALUE, the older router). Hosts, ids and people are invented, addresses are those
//! reserved for documentation. The text is made from a seed and nothing else, so it is the same on every machine;
//! `cargo run -p testkit --bin write-testdata` writes it to `testdata/`.
//!
//! ```
//! let body = testkit::demo::logplex();
//! assert!(body.starts_with(b"1") || body.starts_with(b"2") || body.starts_with(b"3"));
//! assert_eq!(body, testkit::demo::logplex());
//! ```

mod app;
mod platform;
mod router;
mod story;

/// The drain body: octet-counted frames of both applications, in the order in which they arrived.
#[must_use]
pub fn logplex() -> Vec<u8> {
    let mut body = Vec::new();
    for line in story::lines() {
        line.write_frame(&mut body);
    }
    body
}

/// The same lines as `heroku logs` prints them, one line of text each.
///
/// Left out is what that text cannot carry: messages with a line feed inside and messages that are not UTF-8. PRI,
/// HOSTNAME and structured data are not in it either. [`logplex_of_rendered`] is the body of the lines that are in.
#[must_use]
pub fn rendered() -> Vec<u8> {
    let mut text = Vec::new();
    for line in story::lines().iter().filter(|line| line.can_be_rendered()) {
        line.write_rendered(&mut text);
    }
    text
}

/// The frames of exactly the lines that [`rendered`] holds, for tests that compare the two forms.
#[must_use]
pub fn logplex_of_rendered() -> Vec<u8> {
    let mut body = Vec::new();
    for line in story::lines().iter().filter(|line| line.can_be_rendered()) {
        line.write_frame(&mut body);
    }
    body
}

/// How many frames [`logplex`] holds.
#[must_use]
pub fn frame_count() -> usize {
    story::lines().len()
}

/// How many lines [`rendered`] holds.
#[must_use]
pub fn rendered_count() -> usize {
    story::lines().iter().filter(|line| line.can_be_rendered()).count()
}

/// Which application wrote a line, and so how its drain frames it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum App {
    /// Over HTTPS: HOSTNAME is the word `host`, no structured data.
    Shop,
    /// Over syslog: HOSTNAME is the drain token, structured data is NILVALUE.
    Depot,
}

/// How a sender writes the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock {
    /// Microseconds without trailing zeros, `+00:00`.
    Micros,
    /// Whole seconds.
    Seconds,
    /// Six digits even when they are zeros.
    SixDigits,
    /// Microseconds and `Z`, as log-shuttle has it.
    Zulu,
    /// Whole seconds and `-00:00`.
    Unknown,
    /// A sender one hour east.
    East,
}

/// What ends a message on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Lf,
    CrLf,
    /// Nothing: the digits of the next frame follow at once.
    Glued,
}

/// One line of the log, before it is written in a form.
#[derive(Clone, Debug)]
struct Line {
    app: App,
    /// Microseconds since 2026-03-14T09:26:00Z.
    at: u64,
    clock: Clock,
    pri: u8,
    app_name: &'static str,
    proc_id: String,
    message: Vec<u8>,
    end: End,
}

/// The drain token of `depot`.
const DEPOT_TOKEN: &str = "d.6f0d2b8e-53a1-4c77-9d1e-0a4b7c9e1f25";

impl Line {
    fn new(app: App, at: u64, pri: u8, app_name: &'static str, proc_id: &str, message: impl Into<Vec<u8>>) -> Self {
        let (proc_id, message) = (proc_id.to_owned(), message.into());
        Self { app, at, clock: Clock::Micros, pri, app_name, proc_id, message, end: End::Lf }
    }

    fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    fn can_be_rendered(&self) -> bool {
        !self.message.contains(&b'\n') && core::str::from_utf8(&self.message).is_ok()
    }

    fn time(&self) -> String {
        let (minute, second, micros) = (26 + self.at / 60_000_000, self.at / 1_000_000 % 60, self.at % 1_000_000);
        let fraction = format!(".{micros:06}");
        let trimmed = fraction.trim_end_matches('0').trim_end_matches('.');
        match self.clock {
            Clock::Micros => format!("2026-03-14T09:{minute:02}:{second:02}{trimmed}+00:00"),
            Clock::Seconds => format!("2026-03-14T09:{minute:02}:{second:02}+00:00"),
            Clock::SixDigits => format!("2026-03-14T09:{minute:02}:{second:02}{fraction}+00:00"),
            Clock::Zulu => format!("2026-03-14T09:{minute:02}:{second:02}{trimmed}Z"),
            Clock::Unknown => format!("2026-03-14T09:{minute:02}:{second:02}-00:00"),
            Clock::East => format!("2026-03-14T10:{minute:02}:{second:02}{trimmed}+01:00"),
        }
    }

    /// MSG-LEN SP SYSLOG-MSG (RFC 6587, 3.4.1), SYSLOG-MSG as the drain of the application writes it.
    fn write_frame(&self, out: &mut Vec<u8>) {
        let (hostname, structured_data) = match self.app {
            App::Shop => ("host", ""),
            App::Depot => (DEPOT_TOKEN, "- "),
        };
        let header = format!(
            "<{}>1 {} {hostname} {} {} - {structured_data}",
            self.pri,
            self.time(),
            self.app_name,
            self.proc_id
        );
        let end: &[u8] = match self.end {
            End::Lf => b"\n",
            End::CrLf => b"\r\n",
            End::Glued => b"",
        };
        out.extend_from_slice(format!("{} ", header.len() + self.message.len() + end.len()).as_bytes());
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&self.message);
        out.extend_from_slice(end);
    }

    /// TIMESTAMP SP APP-NAME "[" PROCID "]:" SP MSG
    fn write_rendered(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} {}[{}]: ", self.time(), self.app_name, self.proc_id).as_bytes());
        out.extend_from_slice(&self.message);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
