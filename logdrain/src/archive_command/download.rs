//! One archive, to a file: gone on with where it broke off, and in its place only when it is whole.

use crate::client::{Answer, Ask, ClientError};
use crate::failure::{Failure, say};
use crate::server::Server;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};
use indicatif::{ProgressBar, ProgressStyle};
use log_archive::Period;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is gone on with.
const TRIES: u32 = 5;

/// How a try ended.
enum Ended {
    /// It was there already, of this length.
    There,
    Whole(u64),
    /// The file could not be written.
    Unwritten(std::io::Error),
}

/// Downloads it, and says whether it is there now.
///
/// # Errors
/// When the server cannot be asked, or the file cannot be written.
pub(super) fn get(server: &Server, period: Period, folder: &Path) -> Result<bool, Failure> {
    let place = folder.join(period.file_name());
    let part = folder.join(format!("{}.part", period.file_name()));
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
            Ok(Ended::Unwritten(error)) => return Err(Failure::create(&part, &error)),
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
        let is_beyond =
            error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE) && std::fs::remove_file(&part).is_ok();
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

fn once(server: &Server, period: Period, place: &Path, part: &Path) -> Result<Ended, ClientError> {
    let begun = std::fs::metadata(part).map_or(0, |meta| meta.len());
    let mut ask = Ask::get(server.path(&format!("/api/v1/archives/{period}/download"), &[]));
    if begun > 0 {
        let range = HeaderValue::try_from(format!("bytes={begun}-"));
        ask = range.map_or(ask.clone(), |range| ask.with_header(RANGE, range));
    }
    let there = std::fs::metadata(place).ok().map(|meta| meta.len());
    let (place, part): (PathBuf, PathBuf) = (place.to_owned(), part.to_owned());
    server.ask(&ask, async move |answer| save(answer, begun, there, &place, &part).await)
}

async fn save(
    mut answer: Answer,
    begun: u64,
    there: Option<u64>,
    place: &Path,
    part: &Path,
) -> Result<Ended, ClientError> {
    let (from, whole) =
        extent(&answer, begun).ok_or_else(|| answer.unexpected("answers an archive without its length"))?;
    if there == Some(whole) {
        let _ = std::fs::remove_file(part);
        return Ok(Ended::There);
    }
    let bar = ProgressBar::new(whole);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(place.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar.set_position(from);
    let file = if from > 0 { File::options().append(true).open(part) } else { File::create(part) };
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
    match file.sync_all().and_then(|()| std::fs::rename(part, place)) {
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
