//! One archive, to a file: gone on with where it broke off, and in its place only when it is whole.

use crate::server::Server;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE};
use indicatif::{ProgressBar, ProgressStyle};
use log_archive::Period;
use logdrain_terms::client::{Answer, Ask, ClientError};
use logdrain_terms::failure::{Failure, say};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is gone on with.
const TRIES: u32 = 5;

/// No tag is longer.
const LONGEST_TAG: u64 = 256;

/// How a try ended.
enum Ended {
    /// It was there already, of this length.
    There,
    Whole(u64),
    /// The file could not be written.
    Unwritten(io::Error),
}

/// A download that is not whole yet: a file beside its place, and the tag of the archive that it is the beginning of.
///
/// An archive may be another one when it is gone on with: lines were purged, or of a day an hour went or came. Only
/// the server knows, by the tag; so without one a download begins anew.
struct Part {
    file: PathBuf,
    tag: PathBuf,
}

impl Part {
    fn of(period: Period, folder: &Path) -> Self {
        let beside = |end: &str| folder.join(format!("{}.{end}", period.file_name()));
        Self { file: beside("part"), tag: beside("part.tag") }
    }

    /// How much is there, and of what.
    fn begun(&self) -> Option<(u64, HeaderValue)> {
        let mut tag = Vec::new();
        File::open(&self.tag).ok()?.take(LONGEST_TAG).read_to_end(&mut tag).ok()?;
        let len = fs::metadata(&self.file).ok()?.len();
        Some((len, HeaderValue::from_bytes(&tag).ok()?)).filter(|(len, _)| *len > 0)
    }

    /// Begins anew. The tag comes last: what is there belongs to it.
    fn create(&self, tag: Option<&HeaderValue>) -> io::Result<File> {
        self.forget()?;
        let file = File::create(&self.file)?;
        // A weak tag does not promise the same bytes.
        if let Some(tag) = tag.filter(|tag| tag.as_bytes().starts_with(b"\"")) {
            fs::write(&self.tag, tag.as_bytes())?;
        }
        Ok(file)
    }

    /// What is there is gone on with no more.
    fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.tag) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remove(&self) -> io::Result<()> {
        self.forget()?;
        fs::remove_file(&self.file)
    }
}

/// Downloads it, and says whether it is there now.
///
/// # Errors
/// When the server cannot be asked, or the file cannot be written.
pub(super) fn get(server: &Server, period: Period, folder: &Path) -> Result<bool, Failure> {
    let place = folder.join(period.file_name());
    let part = Part::of(period, folder);
    let mut tries = 0;
    loop {
        let error = match once(server, period, &place, &part) {
            Ok(Ended::There) => {
                say(format_args!("logdrain: {}: is there already", place.display()));
                return Ok(true);
            }
            Ok(Ended::Whole(bytes)) => {
                say(format_args!("logdrain: {}: {bytes} bytes", place.display()));
                return Ok(true);
            }
            Ok(Ended::Unwritten(error)) => return Err(Failure::create(&part.file, &error)),
            Err(error) => error,
        };
        if error.status() == Some(StatusCode::NOT_FOUND) {
            say(format_args!(
                "logdrain: there is no archive of {period}; `logdrain archive list` tells which there are"
            ));
            return Ok(false);
        }
        tries += 1;
        // What is there in part is longer than the archive: another one was begun.
        let is_beyond = error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE) && part.remove().is_ok();
        if is_beyond && tries < TRIES {
            continue;
        }
        if tries >= TRIES || !error.may_pass() {
            return Err(server.failure(&error));
        }
        say(format_args!("logdrain: {error}; going on with it"));
        server.wait(Duration::from_secs(1 << tries));
    }
}

fn once(server: &Server, period: Period, place: &Path, part: &Part) -> Result<Ended, ClientError> {
    let begun = part.begun();
    let mut ask = Ask::get(server.path(&format!("/api/v1/archives/{period}/download"), &[]));
    if let Some((len, tag)) = &begun
        && let Ok(range) = HeaderValue::try_from(format!("bytes={len}-"))
    {
        ask = ask.with_header(RANGE, range).with_header(IF_RANGE, tag.clone());
    }
    let there = fs::metadata(place).ok().map(|meta| meta.len());
    server.ask(&ask, async |answer| save(answer, begun, there, place, part).await)
}

async fn save(
    mut answer: Answer,
    begun: Option<(u64, HeaderValue)>,
    there: Option<u64>,
    place: &Path,
    part: &Part,
) -> Result<Ended, ClientError> {
    let (begun, tag) = begun.map_or((0, None), |(len, tag)| (len, Some(tag)));
    let (from, whole) =
        extent(&answer, begun).ok_or_else(|| answer.unexpected("answers an archive without its length"))?;
    // A server that knows nothing of conditions gives a part of whatever there is.
    if from > 0 && answer.headers().get(ETAG).is_some_and(|now| Some(now) != tag.as_ref()) {
        let _ = part.forget();
        return Err(answer.cut());
    }
    if there == Some(whole) {
        let _ = part.remove();
        return Ok(Ended::There);
    }
    let bar = ProgressBar::new(whole);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(place.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar.set_position(from);
    let file =
        if from > 0 { File::options().append(true).open(&part.file) } else { part.create(answer.headers().get(ETAG)) };
    let mut file = match file {
        Ok(file) => file,
        Err(error) => return Ok(Ended::Unwritten(error)),
    };
    let mut written = from;
    while let Some(piece) = answer.piece().await? {
        written += piece.len() as u64;
        if written > whole {
            return Err(answer.unexpected("answers more than the archive's length"));
        }
        if let Err(error) = file.write_all(&piece) {
            return Ok(Ended::Unwritten(error));
        }
        bar.set_position(written);
    }
    bar.finish_and_clear();
    if written < whole {
        return Err(answer.cut());
    }
    // What is in its place is whole, also when the machine stops.
    match file.sync_all().and_then(|()| part.forget()).and_then(|()| fs::rename(&part.file, place)) {
        Ok(()) => Ok(Ended::Whole(whole)),
        Err(error) => Ok(Ended::Unwritten(error)),
    }
}

/// From where the answer is, and the length of the whole archive.
fn extent(answer: &Answer, begun: u64) -> Option<(u64, u64)> {
    let header = |name| answer.headers().get(name)?.to_str().ok();
    if answer.status() != StatusCode::PARTIAL_CONTENT {
        return Some((0, header(CONTENT_LENGTH)?.parse().ok()?));
    }
    // `bytes 100-999/1000`
    let (range, whole) = header(CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let from: u64 = range.split_once('-')?.0.parse().ok()?;
    (from == begun).then_some((from, whole.parse().ok()?))
}
