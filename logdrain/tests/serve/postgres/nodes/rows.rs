//! What all nodes have written, put together: any of them may write a row, and none may write another one under its id.

use crate::harness::{Rows, taken_apart, wait_within};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

/// As much as a busy machine needs until everything is out.
const PATIENCE: Duration = Duration::from_secs(90);

/// Rows of several files, as far as they have been read.
pub(super) struct Union {
    files: Vec<(PathBuf, u64)>,
    /// Each row by its id, as it stands there.
    by_id: HashMap<String, String>,
    /// The newest revision of each row.
    last: HashMap<(String, String), (u64, String)>,
    /// Rows that came once more.
    again: u64,
}

/// `{"id":"DRAIN/WINDOW/REVISION/STREAM",` and the row behind it.
fn id_of(line: &str) -> (&str, &str) {
    line.strip_prefix("{\"id\":\"").and_then(|rest| rest.split_once("\",")).unwrap_or_else(|| panic!("no row: {line}"))
}

impl Union {
    pub(super) fn of(files: Vec<PathBuf>) -> Self {
        let files = files.into_iter().map(|file| (file, 0)).collect();
        Self { files, by_id: HashMap::new(), last: HashMap::new(), again: 0 }
    }

    /// Reads what has come, up to the last line that is whole.
    pub(super) fn read(&mut self) {
        let mut files = std::mem::take(&mut self.files);
        for (path, read) in &mut files {
            let Ok(mut file) = File::open(&*path) else { continue };
            file.seek(SeekFrom::Start(*read)).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            *read += whole as u64;
            for line in std::str::from_utf8(&bytes[..whole]).unwrap().lines() {
                self.add(line);
            }
        }
        self.files = files;
    }

    fn add(&mut self, line: &str) {
        let (id, rest) = id_of(line);
        if let Some(before) = self.by_id.get(id) {
            assert_eq!(before, line, "two rows under one id");
            self.again += 1;
            return;
        }
        self.by_id.insert(id.to_owned(), line.to_owned());
        let mut parts = id.rsplitn(4, '/').skip(1);
        let revision = parts.next().unwrap().parse().unwrap();
        let drain = parts.nth(1).unwrap();
        let (key, row) = taken_apart(&format!("{{{rest}"));
        let entry = self.last.entry((drain.to_owned(), key)).or_default();
        if entry.1.is_empty() || revision >= entry.0 {
            *entry = (revision, row);
        }
    }

    /// Until the newest revision of each row is what must come out, and nothing else is there.
    pub(super) fn wait_for(&mut self, expected: &Rows) {
        let is_it = |union: &Self| {
            union.last.len() == expected.len()
                && union.last.iter().all(|(key, (_, row))| expected.get(key) == Some(row))
        };
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until {
            self.read();
            if is_it(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        let missing: Vec<_> = expected.keys().filter(|key| !self.last.contains_key(*key)).collect();
        let extra: Vec<_> = self.last.keys().filter(|key| !expected.contains_key(*key)).collect();
        let different: Vec<_> = expected
            .iter()
            .filter_map(|(key, row)| {
                let (revision, found) = self.last.get(key)?;
                (found != row).then(|| format!("{}: {row}\n  revision {revision}: {found}", key.0))
            })
            .collect();
        let drains: BTreeSet<_> = missing.iter().map(|key| &key.0).collect();
        panic!(
            "of {} rows {} are missing (of {} drains), {} differ, and {} are of nothing; the first of them:\n{:?}\n{:?}\n{:?}",
            expected.len(),
            missing.len(),
            drains.len(),
            different.len(),
            extra.len(),
            missing.first(),
            different.first(),
            extra.first()
        );
    }

    /// Until all rows of another one are here, with every revision; none may be here that is not there.
    pub(super) fn wait_to_equal(&mut self, all: &Self) {
        wait_within(PATIENCE, "as many rows as there were", || {
            self.read();
            (self.by_id.len() >= all.by_id.len()).then_some(())
        });
        self.assert_equals(all);
    }

    pub(super) fn assert_equals(&self, all: &Self) {
        let mut wrong: Vec<String> = Vec::new();
        for (id, line) in &all.by_id {
            match self.by_id.get(id) {
                None => wrong.push(format!("only the nodes wrote {line}")),
                Some(found) if found != line => wrong.push(format!("the nodes wrote {line}\n  one alone {found}")),
                Some(_) => {}
            }
        }
        let more = self.by_id.iter().filter(|(id, _)| !all.by_id.contains_key(*id));
        wrong.extend(more.map(|(_, line)| format!("one alone wrote {line}")));
        wrong.sort();
        assert!(
            wrong.is_empty(),
            "{} of {} rows:\n{}",
            wrong.len(),
            all.by_id.len(),
            wrong[..wrong.len().min(5)].join("\n")
        );
    }

    /// How many rows came once more with something that was late.
    pub(super) fn revised(&self) -> usize {
        self.by_id.len() - self.last.len()
    }

    pub(super) fn told(&self) -> String {
        let revised = self.revised();
        format!("{} rows, of which {revised} were revisions, and {} came again", self.by_id.len(), self.again)
    }
}
