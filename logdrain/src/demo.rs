//! Made traffic of three small applications, minute by minute, for `serve --demo`: there is something to be seen on every
//! page.
//!
//! ```text
//! Story, a minute -> lines by app -> frames in the body of a delivery
//! ```
//!
//! Hosts, ids and people are invented, addresses are those reserved for documentation. What a minute holds follows from
//! the minute and from when the story ends, so that lines of the past and those of now are made in the same way. A day has
//! its wave; a day before the end a release of `shop` leaks memory and is taken back; three quarters of an hour before it
//! the database is slow for a while.

mod apps;
mod life;
mod platform;
mod requests;
mod says;

pub(crate) use apps::APPS;

use apps::App;
use heroku_metrics::model::Timestamp;
use logplex::random::Random;
use std::f64::consts::TAU;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const SEED: u64 = 0x10de_5700_c0de;

/// One line, before it is written as a frame.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pri: u8,
    app_name: &'static str,
    proc_id: &'static str,
    message: Vec<u8>,
}

/// What happens when. All of it is told by how far it is from the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    /// In seconds since 1970: a whole minute. What is behind it is ordinary life.
    end: i64,
}

/// A time at which things go wrong: they become worse, stay bad, and become better.
struct Trouble {
    /// Minutes before the end.
    from: i64,
    to: i64,
}

/// A release of `shop` leaks memory, and its dynos are killed one after the other.
const LEAK: Trouble = Trouble { from: 26 * 60, to: 25 * 60 + 12 };
/// The database of `shop` is slow, and requests wait for it.
const SLOW: Trouble = Trouble { from: 47, to: 33 };

impl Trouble {
    /// How bad it is, 0 to 1.
    fn depth(&self, before_end: f64) -> f64 {
        let (into, left) = (self.from as f64 - before_end, before_end - self.to as f64);
        (into.min(left) / 4.0).clamp(0.0, 1.0)
    }
}

impl Story {
    /// A story that ends with the minute that has begun by this time, in seconds since 1970.
    pub(crate) const fn new(now: i64) -> Self {
        Self { end: now - now.rem_euclid(MINUTE) }
    }

    pub(crate) const fn end(self) -> i64 {
        self.end
    }

    /// The lines of an app in the minute that begins at this second, in the order in which they were written.
    pub(crate) fn lines(self, app: &'static App, minute: i64) -> Vec<Line> {
        let mut scene = Scene::new(self, app, minute);
        requests::write(&mut scene);
        platform::write(&mut scene);
        life::write(&mut scene);
        says::write(&mut scene);
        let mut lines = scene.lines;
        lines.sort_by_key(|line| line.at);
        lines
    }
}

/// A minute of an app, as it is made.
struct Scene {
    app: &'static App,
    /// In seconds since 1970.
    minute: i64,
    /// How many minutes the minute begins before the end; negative behind it.
    before_end: i64,
    random: Random,
    /// How much there is to do, about 0.2 at night and 1 in the afternoon.
    busy: f64,
    /// How bad the two troubles are, where they are this app's.
    leak: f64,
    slow: f64,
    lines: Vec<Line>,
}

impl Scene {
    fn new(story: Story, app: &'static App, minute: i64) -> Self {
        let number = minute.div_euclid(MINUTE);
        let mut random = Random::new(SEED ^ (number as u64) << 8 ^ app.seed);
        let before_end = (story.end - minute).div_euclid(MINUTE);
        let at = before_end as f64;
        let (leak, slow) = if app.is_troubled { (LEAK.depth(at), SLOW.depth(at)) } else { (0.0, 0.0) };
        let busy = busy(minute) * random.between(92, 108) as f64 / 100.0;
        Self { app, minute, before_end, random, busy, leak, slow, lines: Vec::new() }
    }

    /// Some moment of the minute.
    fn moment(&mut self) -> i64 {
        self.minute * 1_000_000 + self.random.below(59_900_000) as i64
    }

    /// A moment so many seconds into the minute, and some milliseconds.
    fn at(&mut self, second: i64) -> i64 {
        (self.minute + second) * 1_000_000 + self.random.below(900_000) as i64
    }

    /// Whether the minute is this one before the end.
    const fn is(&self, before_end: i64) -> bool {
        self.before_end == before_end
    }

    fn write(&mut self, at: i64, from: Origin, message: impl Into<Vec<u8>>) {
        let Origin { pri, app_name, proc_id } = from;
        self.lines.push(Line { at, pri, app_name, proc_id, message: message.into() });
    }
}

/// Who writes a line, and how urgent it is.
#[derive(Clone, Copy)]
struct Origin {
    pri: u8,
    app_name: &'static str,
    proc_id: &'static str,
}

impl Origin {
    const fn router() -> Self {
        Self { pri: 158, app_name: "heroku", proc_id: "router" }
    }

    /// What an app prints.
    const fn app(dyno: &'static str) -> Self {
        Self { pri: 190, app_name: "app", proc_id: dyno }
    }

    /// The platform, of a dyno.
    const fn dyno(dyno: &'static str) -> Self {
        Self { pri: 45, app_name: "heroku", proc_id: dyno }
    }

    const fn api() -> Self {
        Self { pri: 133, app_name: "app", proc_id: "api" }
    }

    const fn service(name: &'static str) -> Self {
        Self { pri: 134, app_name: "app", proc_id: name }
    }

    const fn severe(self, severity: u8) -> Self {
        Self { pri: self.pri & !7 | severity, ..self }
    }
}

/// A day's wave: quiet before dawn, most in the afternoon, with smaller waves on it.
fn busy(second: i64) -> f64 {
    let (day, ripple) = ((second - 4 * HOUR) as f64 / 86_400.0, second as f64 / 2_820.0);
    let wave = 0.5 - 0.5 * (TAU * day).cos();
    0.2 + 0.8 * wave.powf(1.2) * (1.0 + 0.08 * (TAU * ripple).sin())
}

/// A value that wanders slowly about 0, between -1 and 1, and is the same for who asks again.
fn drift(second: i64, period: f64, seed: u64) -> f64 {
    let at = second as f64 / period + (seed % 97) as f64;
    0.6 * (TAU * at).sin() + 0.4 * (TAU * at * 2.7).sin()
}

/// MSG-LEN SP SYSLOG-MSG (RFC 6587, 3.4.1), as an HTTPS drain writes it.
pub(crate) fn frame(body: &mut Vec<u8>, line: &Line, stamp: &mut Stamp) {
    use std::io::Write as _;
    let Line { at, pri, app_name, proc_id, message } = line;
    let time = stamp.of(at.div_euclid(1_000_000));
    let micros = at.rem_euclid(1_000_000);
    let mut header = [0_u8; 160];
    let mut rest = &mut header[..];
    // The names are ours, and short.
    let _ = write!(rest, "<{pri}>1 {time}.{micros:06}+00:00 host {app_name} {proc_id} - ");
    let left = rest.len();
    let header = &header[..header.len() - left];
    // A vector takes all.
    let _ = write!(body, "{} ", header.len() + message.len() + 1);
    body.extend_from_slice(header);
    body.extend_from_slice(message);
    body.push(b'\n');
}

/// The text of a second, kept for the next line of it.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    second: i64,
    text: String,
}

impl Stamp {
    /// `2026-03-14T09:26:53`
    fn of(&mut self, second: i64) -> &str {
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = Timestamp::from_unix_seconds(second).to_string();
            self.text.pop(); // `Z`
        }
        &self.text
    }
}

#[cfg(test)]
mod tests;
