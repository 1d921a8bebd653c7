//! Which hours follow each other without a gap, and which are left out.

use log_archive::Period;
use logdrain_drain::archives::Books as ArchiveBooks;
use logdrain_terms::failure::Failure;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is left out at each end of a run, in microseconds.
const EDGE: i64 = 600_000_000;
const SECOND: i64 = 1_000_000;
/// Books are some hundred bytes.
const LONGEST_BOOKS: u64 = 1 << 20;

/// Hours or days, each beginning where the one before it ends.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) archives: Vec<PathBuf>,
    first: Period,
    last: Period,
}

impl Run {
    /// The first and the end of what may be compared, in microseconds since 1970.
    pub(super) fn windows(&self) -> Option<(i64, i64)> {
        let (first, end) = (self.first.start() + EDGE, self.last.end() - EDGE);
        (first < end).then_some((first, end))
    }

    /// Whether a window that begins in this second since 1970 is compared.
    pub(super) fn holds(&self, window: i64, length: Duration) -> bool {
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let Some(start) = window.checked_mul(SECOND) else { return false };
        self.windows().is_some_and(|(first, end)| start >= first && start.saturating_add(length) <= end)
    }

    pub(super) fn start_seconds(&self) -> i64 {
        self.first.start() / SECOND
    }

    pub(super) fn end_seconds(&self) -> i64 {
        self.last.end() / SECOND
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{} to {}", self.first, self.last) }
    }
}

/// The runs of these archives, oldest first. What their books say of losses is told.
pub(super) fn of(archives: &[PathBuf]) -> Result<Vec<Run>, Failure> {
    let mut all: Vec<(Period, &PathBuf)> = Vec::new();
    for path in archives {
        let name = path.file_name().and_then(|name| name.to_str());
        let period = name.and_then(Period::of_file_name).ok_or_else(|| {
            Failure::Config(format!(
                "{}: an archive is called by its time, as 2026-11-28-22.tsv.gz is; the rows stand behind all archives",
                path.display()
            ))
        })?;
        all.push((period, path));
    }
    all.sort_by_key(|(period, _)| period.start());
    let mut runs: Vec<Run> = Vec::new();
    let mut end = None;
    for (period, path) in all {
        if end.is_some_and(|end| period.start() < end) {
            return Err(Failure::Config(format!("{}: this time is in another archive, too", path.display())));
        }
        if let Some(missing) = missing(path, period)? {
            println!("{period}: not compared, {missing} of its lines are missing in it as its books say");
            continue;
        }
        match runs.last_mut().filter(|_| end == Some(period.start())) {
            Some(run) => {
                run.archives.push(path.clone());
                run.last = period;
            }
            None => runs.push(Run { archives: vec![path.clone()], first: period, last: period }),
        }
        end = Some(period.end());
    }
    Ok(runs)
}

/// How many lines the books beside an archive say that it lacks. Without books nothing is known.
fn missing(path: &Path, period: Period) -> Result<Option<u64>, Failure> {
    let books = path.with_file_name(format!("{period}.books.json"));
    match fs::metadata(&books) {
        Ok(file) if file.len() <= LONGEST_BOOKS => {}
        Ok(_) => return Err(Failure::Config(format!("{}: too long for the books of an hour", books.display()))),
        Err(_) => return Ok(None),
    }
    let text = fs::read(&books).map_err(|error| Failure::open(&books, error))?;
    let read: ArchiveBooks = serde_json::from_slice(&text)
        .map_err(|error| Failure::Config(format!("{}: these are no books: {error}", books.display())))?;
    Ok(read.missing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_follow_each_other_are_a_run() {
        let dir = std::env::temp_dir().join(format!("logdrain-audit-runs-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = |name: &str| dir.join(format!("{name}.tsv.gz"));
        let all = ["2026-11-28-23", "2026-11-28-22", "2026-11-29-02", "2026-11-29-00", "2026-11-29-03"].map(path);
        let books = r#"{"hour":"2026-11-29-03","lines":5,"bytes":9,"counted":{"events":8,"kept":6,"no_room":2}}"#;
        fs::write(dir.join("2026-11-29-03.books.json"), books).unwrap();
        let runs = of(&all).unwrap();
        let told: Vec<String> = runs.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["2026-11-28-22 to 2026-11-29-00", "2026-11-29-02"]);
        // Ten minutes at each end are left out.
        let (start, minute) = (runs[0].start_seconds(), Duration::from_secs(60));
        assert_eq!(
            [540, 600, 3 * 3_600 - 660, 3 * 3_600 - 659].map(|after| runs[0].holds(start + after, minute)),
            [false, true, true, false]
        );
        assert!(of(&[path("2026-11-28"), path("2026-11-28-22")]).unwrap_err().to_string().contains("another archive"));
        assert!(of(&[path("rows")]).unwrap_err().to_string().contains("called by its time"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
