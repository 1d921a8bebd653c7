//! Files, pipes and gzip in; frames and lines out, in bounded memory.

mod archive;
mod event_text;
pub(crate) mod row;

use crate::args::{InputArgs, InputKind};
use crate::layout::{self, Survey};
use crate::live::{Growing, Live, is_end_asked_for};
use archive::{Held, Rows};
use event_text::EventText;
use flate2::bufread::MultiGzDecoder;
use heroku_metrics::syslog::{
    Dialect, Frame, FrameError, FrameReader, FramingError, Limits, RawFrame, Recovery, rendered,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log_archive::Row;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, say};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What a file is made of, one after the other.
pub(crate) trait Items {
    /// A frame of a body.
    fn frame(&mut self, raw: RawFrame<'_>) -> Result<(), Failure>;
    /// Bytes where no frame could be read.
    fn lost_framing(&mut self, error: &FramingError) -> Result<(), Failure>;
    /// The same, with the first of those bytes: [`SKIPPED`] at most, none when they are not held any more.
    fn skipped(&mut self, error: &FramingError, _: &[u8]) -> Result<(), Failure> {
        self.lost_framing(error)
    }
    /// A line of `heroku logs` text; `wire_len` counts its line end too.
    fn line(&mut self, line: RenderedLine<'_>) -> Result<(), Failure>;
    /// A row of an archive, or a line of Papertrail's text, with the frame that a drain would have brought.
    fn row(&mut self, _: &Row<'_>, line: RenderedLine<'_>) -> Result<(), Failure> {
        self.line(line)
    }
    /// Bytes of an archive that are no row; bad ones were to be one.
    fn left_out(&mut self, bytes: u64, _is_bad: bool) {
        self.separators(bytes);
    }
    /// Line ends between frames, and empty lines.
    fn separators(&mut self, octets: u64);
    /// A pause: all that could be read has been handed over. Rows may be written, time may pass.
    fn pause(&mut self) -> Result<(), Failure>;
    /// A pause because nothing comes. Only a live source has any.
    fn silence(&mut self) -> Result<(), Failure> {
        self.pause()
    }
}

/// How files are read.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) kind: InputKind,
    /// Of times that say none.
    pub(crate) zone: TimeZone,
    /// Of the first time that says none; else it is told by when the file was written.
    pub(crate) year: Option<u16>,
    pub(crate) dialect: Dialect,
    pub(crate) recovery: Recovery,
    /// A silent pipe still gives a pause now and then, and ends when a signal asks for it.
    pub(crate) live: bool,
    /// A file is not over at its end: what is written to it later is read, too. Of a live source only.
    pub(crate) grows: bool,
    /// Whether a bar shows how far it is, on standard error if that is a terminal.
    pub(crate) bar: bool,
}

/// A line of text with its place in the input.
pub(crate) struct RenderedLine<'a> {
    /// Counted from 1, with the empty ones.
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) wire_len: u64,
    /// Where its message begins in the input, if the frame is another text than the line.
    pub(crate) message_at: Option<u64>,
    pub(crate) parsed: Result<Frame<'a>, FrameError>,
}

/// How reading a file ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// At its end.
    Complete,
    /// Before it: the message is on standard error already.
    BrokeOff,
    /// At its end, and nothing in it could be read: the message is on standard error already.
    Unread,
    /// A signal asked for it. What had not ended by then, a line or a frame, is not counted.
    Asked,
}

impl End {
    /// Whether the input was bad.
    pub(crate) const fn is_bad(self) -> bool {
        matches!(self, Self::BrokeOff | Self::Unread)
    }
}

/// Large enough that the system call does not count, small enough to stay in the cache.
const CHUNK: usize = 256 * 1024;
/// A recorded file is not an attack on a service: frames far beyond what Logplex sends are read, not passed over.
const MAX_FRAME: usize = 4 * 1024 * 1024;
/// A line of text longer than this is read in pieces, as a drain would have split it.
const MAX_LINE: usize = MAX_FRAME;
/// How much is held of bytes that could not be read as a frame.
pub(crate) const SKIPPED: usize = 64 * 1024;

/// Reads one file, or standard input for `-`, and hands over what is in it. With `live`, a silent pipe still gives a pause
/// now and then, and ends when a signal asks for it.
pub(crate) fn read(path: &Path, args: &InputArgs, live: bool, items: &mut impl Items) -> Result<End, Failure> {
    let (kind, dialect, recovery) = (args.input, args.dialect(), args.recovery());
    let zone = args.tz.clone().unwrap_or_else(TimeZone::system);
    read_so(path, How { kind, zone, year: args.year, dialect, recovery, live, grows: false, bar: true }, items)
}

/// The same, with more of a say.
pub(crate) fn read_so(path: &Path, how: How, items: &mut impl Items) -> Result<End, Failure> {
    let (source, bar) = open(path, &how)?;
    let mut source = BufReader::with_capacity(CHUNK, source);
    let head = match head(&how, &mut source) {
        Ok(head) => head,
        Err(error) => return Ok(ended(path, &error)),
    };
    let kind = match how.kind {
        InputKind::Auto => match detect(path, &head, how.dialect)? {
            Some(kind) => kind,
            None => return Ok(End::Unread),
        },
        asked => asked,
    };
    let mut survey = Survey::default();
    let mut rows = Rows::new(EventText::new(how.zone.clone(), how.year, written(path)));
    let mut source = head.as_slice().chain(source);
    let read = match kind {
        InputKind::Body | InputKind::Auto => frames(&mut source, &how, &head, &mut survey, items)?,
        _ => lines(&mut source, (kind, how.dialect), (&mut survey, &mut rows), items)?,
    };
    bar.finish_and_clear();
    if let Some(what) = rows.said(kind) {
        say(format_args!("logdrain: {}: {what}", path.display()));
    }
    if let Err(error) = read {
        return Ok(ended(path, &error));
    }
    if let Some(why) = survey.nothing_read() {
        say(format_args!("logdrain: {}: {why}", path.display()));
        return Ok(End::Unread);
    }
    if let Some(hint) = survey.hint() {
        say(format_args!("logdrain: {}: {hint}", path.display()));
    }
    Ok(End::Complete)
}

/// The front of a source, to tell what it is: as much as it takes to find a line that can be read.
fn head(how: &How, source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < layout::HEAD {
        let chunk = match source.fill_buf() {
            Ok([]) => break,
            Ok(chunk) => chunk,
            // A silent pipe, or a signal that is not for us.
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => continue,
            Err(error) => return Err(error),
        };
        let len = chunk.len();
        head.extend_from_slice(chunk);
        source.consume(len);
        if how.kind != InputKind::Auto || layout::kind(&head, how.dialect).is_some() {
            break;
        }
    }
    Ok(head)
}

/// When a file was written last, as far as that is known; no line of it is from after that.
fn written(path: &Path) -> Timestamp {
    let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
    meta.and_then(|meta| Timestamp::try_from(meta.modified().ok()?).ok()).unwrap_or_else(Timestamp::now)
}

fn ended(path: &Path, error: &io::Error) -> End {
    if is_end_asked_for(error) {
        return End::Asked;
    }
    say(format_args!("logdrain: {}: breaks off: {error}; what was read before it is counted", path.display()));
    End::BrokeOff
}

/// The first bytes of a source, waiting for them as long as it takes.
fn first_octets(source: &mut impl BufRead) -> io::Result<&[u8]> {
    while matches!(source.fill_buf(), Err(error) if error.kind() == io::ErrorKind::TimedOut) {}
    source.fill_buf()
}

fn open(path: &Path, how: &How) -> Result<(Box<dyn Read>, ProgressBar), Failure> {
    let (raw, bar): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
        let stdin: Box<dyn Read> =
            if how.live { Box::new(Live::read(|| Ok(io::stdin()), CHUNK)) } else { Box::new(io::stdin().lock()) };
        (stdin, ProgressBar::hidden())
    } else if how.live && std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let pipe = path.to_owned();
        (Box::new(Live::read(move || File::open(pipe), CHUNK)), ProgressBar::hidden())
    } else {
        let file = File::open(path).map_err(|error| Failure::open(path, error))?;
        let meta = file.metadata().map_err(|error| Failure::open(path, error))?;
        if meta.is_dir() {
            return Err(Failure::Directory { path: path.to_owned() });
        }
        // Drawn on standard error, and only when that is a terminal.
        let bar = if how.bar { ProgressBar::new(meta.len()) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        {
            bar.set_style(style);
        }
        bar.set_message(path.display().to_string());
        if how.live && how.grows {
            (Box::new(Growing::new(path, file)), bar)
        } else {
            (Box::new(bar.wrap_read(file)), bar)
        }
    };
    let mut raw = BufReader::with_capacity(CHUNK, raw);
    let gzip = match first_octets(&mut raw) {
        Ok(start) => start.starts_with(&[0x1f, 0x8b]),
        Err(error) if is_end_asked_for(&error) => false,
        Err(error) => return Err(Failure::open(path, error)),
    };
    Ok((if gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) }, bar))
}

/// Tells what a file is by its front; `None` when that was said to be nothing that can be read.
fn detect(path: &Path, head: &[u8], dialect: Dialect) -> Result<Option<InputKind>, Failure> {
    if let Some(name) = layout::utf16(head) {
        say(format_args!(
            "logdrain: {}: this is {name} text, as PowerShell writes it with `>`, and not read; convert it: iconv -f {name} -t \
             UTF-8 FILE, or in PowerShell: Get-Content FILE | Set-Content -Encoding utf8 NEW",
            path.display()
        ));
        return Ok(None);
    }
    if let Some(kind) = layout::kind(head, dialect) {
        return Ok(Some(kind));
    }
    if head.is_empty() {
        return Ok(Some(InputKind::Body));
    }
    // Text of which the first lines cannot be read is still worth counting; something that is not text is a mistake.
    if layout::is_text(head) {
        return Ok(Some(InputKind::Rendered));
    }
    let begins = head.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    Err(Failure::NotALog { path: path.to_owned(), begins: Escaped(&begins).to_string() })
}

fn frames(
    source: &mut impl BufRead,
    how: &How,
    head: &[u8],
    survey: &mut Survey,
    items: &mut impl Items,
) -> Result<io::Result<()>, Failure> {
    let limits = Limits::new().with_max_frame(MAX_FRAME).with_max_skip(16 * MAX_FRAME);
    let mut reader = FrameReader::new(limits, how.recovery);
    let mut separators = 0;
    let mut behind = Behind::default();
    let mut outcome = Ok(());
    loop {
        let mut is_silent = false;
        let ended = match source.fill_buf() {
            Ok([]) => true,
            Ok(chunk) => {
                let len = chunk.len();
                reader.push(chunk);
                behind.push(chunk);
                source.consume(len);
                false
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A live pipe that is silent: nothing to read, but time passes.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                reader.flush();
                is_silent = true;
                false
            }
            Err(error) if is_end_asked_for(&error) => return Ok(Err(error)),
            Err(error) => {
                outcome = Err(error);
                true
            }
        };
        if ended {
            reader.finish();
        }
        while let Some(item) = reader.next_frame() {
            match item {
                Ok(raw) => {
                    // One that could be read is enough to know.
                    if survey.read == 0 && raw.parse(how.dialect).is_ok() {
                        survey.enter(raw.bytes(), 0, true);
                    }
                    items.frame(raw)?;
                }
                Err(error) => items.skipped(&error, behind.at(error.start(), error.skipped()))?,
            }
        }
        // What the reader passes over and has not told yet must not be lost; all that is read otherwise may go.
        behind.keep_from(reader.pending_error().map_or(reader.offset(), |error| error.start()));
        items.separators(reader.separators() - separators);
        separators = reader.separators();
        if ended {
            if survey.read == 0 {
                layout::lines(head).for_each(|(number, line)| survey.enter(line, number, false));
            }
            return Ok(outcome);
        }
        if is_silent { items.silence()? } else { items.pause()? }
    }
}

/// What the reader has not read yet, or passes over, from the first byte of it on: [`SKIPPED`] bytes are held of that, and
/// the last chunk.
#[derive(Default)]
struct Behind {
    held: Vec<u8>,
    /// The offset of the first one.
    start: u64,
    /// The offset behind the last chunk, whether or not it is held.
    end: u64,
}

impl Behind {
    fn push(&mut self, chunk: &[u8]) {
        if self.held.is_empty() {
            self.start = self.end;
        }
        // When the middle is missing, the rest is of no use.
        if self.start + self.held.len() as u64 == self.end && self.held.len() < SKIPPED {
            self.held.extend_from_slice(chunk);
        }
        self.end += chunk.len() as u64;
    }

    fn at(&self, start: u64, len: u64) -> &[u8] {
        let Some(from) = start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok()) else { return &[] };
        let rest = self.held.get(from..).unwrap_or_default();
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(SKIPPED);
        &rest[..rest.len().min(len)]
    }

    fn keep_from(&mut self, offset: u64) {
        let done = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.held.len());
        self.held.drain(..done);
        self.start += done as u64;
    }
}

fn lines(
    source: &mut impl BufRead,
    (kind, dialect): (InputKind, Dialect),
    (survey, rows): (&mut Survey, &mut Rows),
    items: &mut impl Items,
) -> Result<io::Result<()>, Failure> {
    let mut hand_over = |bytes: &[u8], number, offset, items: &mut _| {
        let held = Held { bytes, number, offset };
        match kind {
            InputKind::Archive | InputKind::Events => rows.hand_over(kind, held, survey, items),
            _ => hand_over(held, (kind, dialect), survey, items),
        }
    };
    let mut held = Vec::new();
    let mut offset = 0;
    let mut number = 0;
    loop {
        held.clear();
        let mut taken = 0;
        let mut whole = false;
        // One line, or MAX_LINE bytes of it.
        while !whole && taken < MAX_LINE {
            let chunk = match source.fill_buf() {
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    items.silence()?;
                    continue;
                }
                Err(error) if is_end_asked_for(&error) => return Ok(Err(error)),
                Err(error) => {
                    number += 1;
                    hand_over(&held, number, offset, items)?;
                    return Ok(Err(error));
                }
            };
            let room = &chunk[..chunk.len().min(MAX_LINE - taken)];
            let end = room.iter().position(|byte| *byte == b'\n');
            whole = end.is_some();
            let len = end.map_or(room.len(), |index| index + 1);
            held.extend_from_slice(&room[..len]);
            source.consume(len);
            taken += len;
        }
        if taken == 0 {
            return Ok(Ok(()));
        }
        number += 1;
        hand_over(&held, number, offset, items)?;
        offset += taken as u64;
        items.pause()?;
    }
}

fn hand_over(
    held: Held<'_>,
    (kind, dialect): (InputKind, Dialect),
    survey: &mut Survey,
    items: &mut impl Items,
) -> Result<(), Failure> {
    let line = held.text();
    if rendered::is_empty(line) {
        items.separators(held.bytes.len() as u64);
        return Ok(());
    }
    let parsed = layout::line_of(kind, line, dialect);
    survey.enter(line, held.number, parsed.is_ok());
    items.line(held.line(None, parsed))
}
