//! Rows as JSON lines, many of them: byte by byte what [`logdrain_terms::json`] writes.
//!
//! A window has its rows in the order of their names, so that all before the tags is mostly that of the row before. It is
//! kept as text. Text that needs no escape and whole numbers, which is most of the rest, are written here; everything else
//! the serializer writes.

use heroku_metrics::model::{DataPoint, Kind, Percentile, Timestamp};
use logdrain_terms::json;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Makes lines of points.
#[derive(Default)]
pub(crate) struct RowText {
    /// A row up to its first tag.
    start: Vec<u8>,
    of: Option<(Timestamp, Kind)>,
    name: String,
    unit: String,
}

impl RowText {
    /// Appends a row and a line end.
    ///
    /// # Errors
    /// None that is known of: a list of bytes takes everything.
    pub(crate) fn line(&mut self, point: &DataPoint<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(point)?;
        out.extend_from_slice(&self.start);
        for (index, (key, value)) in point.tags().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            text(out, key)?;
            out.push(b':');
            text(out, value)?;
        }
        let stats = point.stats();
        out.extend_from_slice(b"},\"count\":");
        whole(out, stats.observations());
        field(out, "sum", stats.sum())?;
        for (key, value) in [("min", stats.min()), ("max", stats.max()), ("mean", stats.mean()), ("last", stats.last())]
        {
            if let Some(value) = value {
                field(out, key, value)?;
            }
        }
        if let Some(percentiles) = stats.percentiles() {
            for which in Percentile::ALL {
                field(out, which.suffix().trim_start_matches('.'), percentiles.get(which))?;
            }
        }
        if stats.is_summed() {
            out.extend_from_slice(b",\"summed\":true");
        }
        out.extend_from_slice(b",\"revision\":");
        whole(out, u64::from(point.revision()));
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    /// Brings the start up to date.
    fn begin(&mut self, point: &DataPoint<'_>) -> io::Result<()> {
        let (window, kind, name, unit) = (point.window().start(), point.kind(), point.name(), point.unit().as_str());
        if self.of == Some((window, kind)) && self.name == name && self.unit == unit {
            return Ok(());
        }
        self.start.clear();
        self.start.extend_from_slice(b"{\"window\":");
        json::write(&mut self.start, &format_args!("{window}"))?;
        self.start.extend_from_slice(b",\"window_unix\":");
        json::write(&mut self.start, &window.unix_seconds())?;
        for (key, value) in [("kind", kind.as_str()), ("name", name), ("unit", unit)] {
            self.start.push(b',');
            text(&mut self.start, key)?;
            self.start.push(b':');
            text(&mut self.start, value)?;
        }
        self.start.extend_from_slice(b",\"tags\":{");
        self.of = Some((window, kind));
        name.clone_into(&mut self.name);
        unit.clone_into(&mut self.unit);
        Ok(())
    }
}

fn field(out: &mut Vec<u8>, key: &str, value: f64) -> io::Result<()> {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    number(out, value)
}

/// A string in quotes.
fn text(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    // Without a way out of the loop, so that it looks at many bytes at a time.
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\');
    if !text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return json::write(out, text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// A double; a whole one as an integer, as far as all of them are doubles.
fn number(out: &mut Vec<u8>, value: f64) -> io::Result<()> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let integer = value as i64;
    if integer as f64 != value || value.abs() > EXACT {
        return json::write(out, &value);
    }
    if integer < 0 {
        out.push(b'-');
    }
    whole(out, integer.unsigned_abs());
    Ok(())
}

fn whole(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Standard output, written in large pieces by a thread of its own: the next rows are made meanwhile.
pub(crate) struct Output {
    /// What was not written yet.
    pub(crate) bytes: Vec<u8>,
    writer: Option<Writer>,
    /// Every piece is out before the next row is made.
    in_step: bool,
}

/// Large enough that the system call does not count, small enough to stay in the cache.
const PIECE: usize = 256 * 1024;

struct Writer {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Output {
    /// With `in_step`, nothing is written beside: for whoever reads along.
    pub(crate) const fn new(in_step: bool) -> Self {
        Self { bytes: Vec::new(), writer: None, in_step }
    }

    /// A row ends here: what there is may be written.
    ///
    /// # Errors
    /// Those of standard output, of this piece or an earlier one.
    pub(crate) fn row_ends(&mut self) -> io::Result<()> {
        if self.bytes.len() < PIECE {
            return Ok(());
        }
        if self.in_step {
            return self.flush();
        }
        let writer = match &self.writer {
            Some(writer) => writer,
            None => self.writer.insert(Writer::new()?),
        };
        // The writer takes pieces until something is wrong.
        let mut next = writer.empty.try_recv().unwrap_or_default();
        next.clear();
        match writer.full.send(std::mem::replace(&mut self.bytes, next)) {
            Ok(()) => Ok(()),
            Err(_) => self.wait(),
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.wait()?;
        let bytes = std::mem::take(&mut self.bytes);
        write(&bytes)
    }

    /// Until the writer has nothing left.
    fn wait(&mut self) -> io::Result<()> {
        let Some(Writer { full, thread, .. }) = self.writer.take() else { return Ok(()) };
        drop(full);
        // It has no reason to panic but that of standard output.
        thread.join().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

impl Drop for Output {
    /// Rows that were made are written, also where something else went wrong.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

impl Writer {
    fn new() -> io::Result<Self> {
        let (full, pieces) = sync_channel::<Vec<u8>>(2);
        let (back, empty) = channel();
        let thread = std::thread::Builder::new().name("rows".to_owned()).spawn(move || {
            for piece in pieces {
                write(&piece)?;
                // Nobody may want it any more.
                let _ = back.send(piece);
            }
            Ok(())
        })?;
        Ok(Self { full, empty, thread })
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    use io::Write as _;
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::model::{Percentiles, Stats, TagSet, Unit, Window};
    use std::time::Duration;

    /// Points of all shapes, drawn by a generator without state elsewhere.
    fn points(each: impl Fn(&DataPoint<'_>)) {
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let texts = ["", "a", "web.1", "/\"q\"", "a\\b", "line\nend", "\u{7f}", "é", "\u{202e}x", "\u{1f}", "日本 🚀"];
        let numbers = [
            0.0,
            -0.0,
            1.0,
            -7.0,
            0.1,
            -2.5,
            1e300,
            5e-324,
            9_007_199_254_740_992.0,
            9_007_199_254_740_994.0,
            -9_007_199_254_740_994.0,
            1e18,
            123_456.75,
        ];
        for _ in 0..20_000 {
            let mut text = || texts[draw(texts.len() as u64) as usize];
            let tags = TagSet::from_iter([(text(), text()), (text(), text()), (text(), text())]);
            let (name, unit) = (text(), Unit::new(text()));
            let mut number = || numbers[draw(numbers.len() as u64) as usize];
            let all = [number(), number(), number(), number()];
            let stats = match draw(4) {
                0 => Stats::count(draw(3), all[0]),
                1 => Stats::sample(draw(u64::MAX), all[0], all[1], all[2], all[3]),
                2 => {
                    Stats::sample(1 + draw(9), all[0], all[1], all[2], all[3]).with_percentiles(Percentiles::exact(all))
                }
                _ => Stats::sample(5, all[3], all[0], all[1], all[2]).with_summaries(),
            };
            let kind = [Kind::Count, Kind::Measure, Kind::Sample][draw(3) as usize];
            let micros = [0, -1, 1_773_478_800_000_000, i64::MIN, i64::MAX][draw(5) as usize];
            let length = Duration::from_micros([60_000_000, 1_500_000, 7][draw(3) as usize]);
            let window = Window::containing(Timestamp::from_unix_micros(micros), length);
            let revision = [0, 1, u32::MAX][draw(3) as usize];
            each(&DataPoint::new(window, kind, name, unit, &tags, stats).with_revision(revision));
        }
    }

    #[test]
    fn fast_is_plain() {
        let text = std::cell::RefCell::new(RowText::default());
        points(|point| {
            // Twice: with a start of its own, and with one that is there.
            for _ in 0..2 {
                let (mut fast, mut plain) = (Vec::new(), Vec::new());
                text.borrow_mut().line(point, &mut fast).unwrap();
                json::line(&mut plain, point).unwrap();
                assert_eq!(String::from_utf8(fast), String::from_utf8(plain));
            }
        });
    }

    #[test]
    fn whole_numbers_of_every_length() {
        for number in (0..20).map(|digits| 10_u64.saturating_pow(digits)).flat_map(|n| [n - 1, n, n + 1, u64::MAX - n])
        {
            let mut out = Vec::new();
            whole(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
