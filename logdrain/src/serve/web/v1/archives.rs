//! `archives`: the hours that are there, and each of them, or a day of them, as a file.
//!
//! ```text
//! GET archives                                 the last year, oldest first
//! GET archives/2026-11-28-22/download          an hour
//! GET archives/2026-11-28/download             the hours of a day, one packed file behind the other, which is one
//! ```
//!
//! The file is served here, with its length: clients would take their token along to wherever they are sent. An hour without
//! lines has no archive, is never listed, and is not found. Archives hold the lines of all systems, so they are for who may
//! see all.

mod sending;

pub(super) use sending::Downloads;

use super::answer::LONGEST;
use super::viewer::Viewer;
use super::{Answer, Api, Ask, Method, nothing_here};
use crate::serve::archives::Archive;
use crate::serve::journal;
use axum::http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use log_archive::Period;
use serde::Serialize;
use std::io;
use std::sync::Arc;

/// Hours that a list has at most: a year.
const LISTED: usize = 366 * 24;

/// What is done below `archives`.
pub(super) async fn answer(api: &Arc<Api>, ask: &Ask, path: &[&str], viewer: &Viewer) -> Result<Answer, Answer> {
    if ask.method() != Method::Read {
        return Err(nothing_here());
    }
    if !viewer.sees_all_groups() {
        return Err(Answer::forbidden("archives hold the lines of all groups, and you may see some of them"));
    }
    match path {
        [] => list(api, ask, viewer).await,
        [period, "download"] => download(api, period, viewer).await,
        _ => Err(nothing_here()),
    }
}

/// An hour, as clients of Papertrail know it.
#[derive(Serialize)]
struct Item {
    start: String,
    end: String,
    start_formatted: String,
    duration_formatted: &'static str,
    filename: String,
    filesize: String,
    formatted_filesize: String,
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Serialize)]
struct Links {
    download: Link,
}

#[derive(Serialize)]
struct Link {
    href: String,
}

impl Item {
    fn new(archive: &Archive, base: &str) -> Self {
        let Archive { hour, bytes } = *archive;
        Self {
            start: formatted(hour.start(), "%Y-%m-%dT%H:%M:%SZ"),
            end: formatted(hour.end(), "%Y-%m-%dT%H:%M:%SZ"),
            start_formatted: formatted(hour.start(), "%A, %b %-d at %-I %p"),
            duration_formatted: "1 hour",
            filename: hour.file_name(),
            filesize: bytes.to_string(),
            formatted_filesize: size(bytes),
            links: Links { download: Link { href: format!("{base}/api/v1/archives/{hour}/download") } },
        }
    }
}

/// A time in microseconds since 1970, in UTC.
fn formatted(micros: i64, format: &str) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.strftime(format).to_string()
}

/// `17 Bytes`, `1.2 MB`: by 1024.
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "Bytes";
    for larger in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    if bytes < 1024 { format!("{bytes} {unit}") } else { format!("{size:.1} {unit}") }
}

async fn list(api: &Arc<Api>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    let _turn = api.downloads.list().await.ok_or_else(Answer::busy)?;
    let memory = api.memory.take(&api.site.intake, &viewer.account, LONGEST).ok_or_else(Answer::busy)?;
    let (board, account, base) = (api.site.archives.clone(), viewer.account.clone(), ask.base().to_owned());
    let from = from(api, viewer);
    let answer = blocking(move || {
        let mut archives = board.list(&account)?;
        archives.retain(|archive| archive.hour.end() > from);
        archives.drain(..archives.len().saturating_sub(LISTED));
        let items: Vec<Item> = archives.iter().map(|archive| Item::new(archive, &base)).collect();
        Ok(Answer::json(&items))
    });
    let answer = answer.await?;
    drop(memory);
    Ok(answer)
}

async fn download(api: &Arc<Api>, period: &str, viewer: &Viewer) -> Result<Answer, Answer> {
    let not_found = || {
        Answer::not_found(format!(
            "there is no archive of {}: a period is YYYY-MM-DD-HH or YYYY-MM-DD, in UTC, and one without lines has none",
            period.chars().take(32).collect::<String>()
        ))
    };
    let period: Period = period.parse().map_err(|_| not_found())?;
    let (board, account) = (api.site.archives.clone(), viewer.account.clone());
    let from = from(api, viewer);
    let mut hours = blocking(move || board.hours(&account, period)).await?;
    hours.retain(|archive| archive.hour.end() > from);
    if hours.is_empty() {
        return Err(not_found());
    }
    let place = api.downloads.place(&api.site.intake, &viewer.account).await.ok_or_else(Answer::busy)?;
    let len = hours.iter().map(|archive| archive.bytes).sum();
    let body = place.send(viewer.account.clone(), api.site.archives.clone(), hours);
    let name = format!("attachment; filename=\"{}\"", period.file_name());
    let answer = Answer::file(body, "application/gzip", len);
    Ok(match HeaderValue::try_from(name) {
        Ok(name) => answer.with_header(header::CONTENT_DISPOSITION, name),
        Err(_) => answer,
    })
}

/// Since when archives are shown, in microseconds since 1970: those that a shorter plan hides are there for a while still.
fn from(api: &Api, viewer: &Viewer) -> i64 {
    let kept_for = api.site.settings().account(&viewer.account).plan.as_ref().and_then(|plan| plan.logs.archive());
    let micros = kept_for.map(|time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    micros.map_or(i64::MIN, |micros| journal::now().unix_micros().saturating_sub(micros))
}

/// Looks at files on a thread for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Answer> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(%error, "archives cannot be looked at");
            Err(Answer::later(StatusCode::SERVICE_UNAVAILABLE, 30, "the disk of the archives fails"))
        }
        Err(_) => Err(Answer::busy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_the_keys_that_clients_read() {
        let archive = Archive { hour: "2026-11-28-22".parse().unwrap(), bytes: 123_456 };
        let text = Answer::json(&[Item::new(&archive, "https://logs.example.com")]).text().to_owned();
        assert_eq!(
            text,
            "[{\"start\":\"2026-11-28T22:00:00Z\",\"end\":\"2026-11-28T23:00:00Z\",\
             \"start_formatted\":\"Saturday, Nov 28 at 10 PM\",\"duration_formatted\":\"1 hour\",\
             \"filename\":\"2026-11-28-22.tsv.gz\",\"filesize\":\"123456\",\"formatted_filesize\":\"120.6 KB\",\
             \"_links\":{\"download\":{\"href\":\"https://logs.example.com/api/v1/archives/2026-11-28-22/download\"}}}]"
        );
    }

    #[test]
    fn a_year_of_hours_fits_in_an_answer() {
        let base = format!("https://{}.example.com", "l".repeat(100));
        let archive = Archive { hour: "2026-09-28-22".parse().unwrap(), bytes: u64::from(u32::MAX) };
        let items: Vec<Item> = (0..LISTED).map(|_| Item::new(&archive, &base)).collect();
        assert_eq!(Answer::json(&items).status(), StatusCode::OK);
    }

    #[test]
    fn sizes_are_by_1024() {
        for (bytes, text) in [(0, "0 Bytes"), (1023, "1023 Bytes"), (1024, "1.0 KB"), (5 << 30, "5.0 GB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
