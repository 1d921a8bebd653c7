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
use super::parameters::PartOf;
use super::viewer::Viewer;
use super::{Answer, Api, Ask, Method, nothing_here};
use crate::site::Site;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use log_archive::Period;
use logdrain_drain::archives::{self, Archive};
use logdrain_drain::journal;
use serde::Serialize;
use std::io;
use std::ops::Range;
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
        [period, "download"] => download(api, ask.range(), period, &viewer.account).await,
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
        let Archive { hour, bytes, .. } = *archive;
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

/// Those that are shown: of the last year, and within the plan.
pub(super) fn listed(site: &Site, account: &str) -> io::Result<Vec<Archive>> {
    let from = from(site, account);
    let mut archives = site.archives.of_account(account).list(account)?;
    archives.retain(|archive| archive.hour.end() > from);
    archives.drain(..archives.len().saturating_sub(LISTED));
    Ok(archives)
}

async fn list(api: &Arc<Api>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    let _turn = api.downloads.list(&viewer.account).await.ok_or_else(Answer::busy)?;
    let memory = api.memory.take(&api.site.intake, &viewer.account, LONGEST).ok_or_else(Answer::busy)?;
    let (site, account, base) = (api.site.clone(), viewer.account.clone(), ask.base().to_owned());
    let answer = blocking(move || {
        let archives = listed(&site, &account)?;
        let items: Vec<Item> = archives.iter().map(|archive| Item::new(archive, &base)).collect();
        Ok(Answer::json(&items))
    });
    let answer = answer.await?;
    drop(memory);
    Ok(answer)
}

/// An hour, or those of a day; or the part of it that is asked for.
pub(super) async fn download(
    api: &Arc<Api>,
    asked: Option<&PartOf>,
    period: &str,
    account: &Arc<str>,
) -> Result<Answer, Answer> {
    let not_found = || {
        Answer::not_found(format!(
            "there is no archive of {}: a period is YYYY-MM-DD-HH or YYYY-MM-DD, in UTC, and one without lines has none",
            period.chars().take(32).collect::<String>()
        ))
    };
    // Some clients ask by the name of the file.
    let period: Period = period.strip_suffix(".tsv.gz").unwrap_or(period).parse().map_err(|_| not_found())?;
    let (board, of) = (api.site.archives.of_account(account).clone(), account.clone());
    let from = from(&api.site, account);
    let found = blocking(move || {
        let mut hours = board.hours(&of, period)?;
        hours.retain(|archive| archive.hour.end() > from);
        let tag = format!("\"{}\"", archives::tag(&of, &hours));
        Ok((hours, tag))
    });
    let (hours, tag) = found.await?;
    if hours.is_empty() {
        return Err(not_found());
    }
    let place = api.downloads.place(&api.site.intake, account).await.ok_or_else(Answer::busy)?;
    let len: u64 = hours.iter().map(|archive| archive.bytes).sum();
    let range = asked.and_then(|asked| asked.range_of(&tag));
    let part = match range.map_or(Part::All, |range| part(range, len)) {
        Part::None => {
            let why = format!("the archive has {len} bytes, and the range is none of it");
            let answer = Answer::error(StatusCode::RANGE_NOT_SATISFIABLE, why);
            return Err(with(answer, header::CONTENT_RANGE, format!("bytes */{len}")));
        }
        Part::Some(part) => Some(part),
        Part::All => None,
    };
    let bytes = part.clone().unwrap_or(0..len);
    let body = place.send(account.clone(), api.site.archives.of_account(account).clone(), hours, bytes.clone());
    let name = format!("attachment; filename=\"{}\"", period.file_name());
    let mut answer = Answer::file(body, "application/gzip", bytes.end - bytes.start);
    answer = answer.with_header(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if part.is_some() {
        let told = format!("bytes {}-{}/{len}", bytes.start, bytes.end - 1);
        answer = with(answer.with_status(StatusCode::PARTIAL_CONTENT), header::CONTENT_RANGE, told);
    }
    Ok(with(with(answer, header::ETAG, tag), header::CONTENT_DISPOSITION, name))
}

fn with(answer: Answer, name: HeaderName, value: String) -> Answer {
    match HeaderValue::try_from(value) {
        Ok(value) => answer.with_header(name, value),
        Err(_) => answer,
    }
}

/// What part of a file is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    All,
    Some(Range<u64>),
    /// Nothing that there is.
    None,
}

/// Reads `bytes=100-`, `bytes=100-199` and `bytes=-100`. Whoever asks for anything else gets all of it. RFC 9110, 14.1.2.
fn part(range: &str, len: u64) -> Part {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::All;
    };
    match (from, number(from), to, number(to)) {
        ("", _, _, Some(last)) if last > 0 && len > 0 => Part::Some(len.saturating_sub(last)..len),
        ("", _, _, Some(_)) => Part::None,
        (_, Some(from), "", _) if from < len => Part::Some(from..len),
        (_, Some(from), _, Some(to)) if from < len && from <= to => Part::Some(from..len.min(to.saturating_add(1))),
        (_, Some(from), "", _) if from >= len => Part::None,
        (_, Some(from), _, Some(to)) if from <= to => Part::None,
        _ => Part::All,
    }
}

/// Since when archives are shown, in microseconds since 1970: those that a shorter plan hides are there for a while still.
fn from(site: &Site, account: &str) -> i64 {
    let kept_for = site.settings().account(account).plan.as_ref().and_then(|plan| plan.logs.archive());
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
        let archive = Archive { hour: "2026-11-28-22".parse().unwrap(), bytes: 123_456, written: 0 };
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
        let archive = Archive { hour: "2026-09-28-22".parse().unwrap(), bytes: u64::from(u32::MAX), written: 0 };
        let items: Vec<Item> = (0..LISTED).map(|_| Item::new(&archive, &base)).collect();
        assert_eq!(Answer::json(&items).status(), StatusCode::OK);
    }

    #[test]
    fn a_part_of_a_file_is_read_as_the_standard_has_it() {
        for (range, wanted) in [
            ("bytes=0-", Part::Some(0..100)),
            ("bytes=40-", Part::Some(40..100)),
            ("bytes=99-", Part::Some(99..100)),
            ("bytes=0-0", Part::Some(0..1)),
            ("bytes=10-19", Part::Some(10..20)),
            ("bytes=10-1000", Part::Some(10..100)),
            ("bytes=-10", Part::Some(90..100)),
            ("bytes=-1000", Part::Some(0..100)),
            ("bytes=100-", Part::None),
            ("bytes=100-200", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=18446744073709551615-", Part::None),
            ("bytes=20-10", Part::All),
            ("bytes=0-1,5-6", Part::All),
            ("bytes=", Part::All),
            ("bytes=-", Part::All),
            ("bytes=x-", Part::All),
            ("bytes=+1-", Part::All),
            ("bytes=99999999999999999999-", Part::All),
            ("lines=0-", Part::All),
            ("", Part::All),
        ] {
            assert_eq!(part(range, 100), wanted, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::None);
    }

    #[test]
    fn sizes_are_by_1024() {
        for (bytes, text) in [(0, "0 Bytes"), (1023, "1023 Bytes"), (1024, "1.0 KB"), (5 << 30, "5.0 GB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
