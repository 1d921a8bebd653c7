//! Where archives lie: `ACCOUNT/dt=YYYY-MM-DD/YYYY-MM-DD-HH.tsv.gz` below one folder, with the hour's books beside each.

use log_archive::Period;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Behind a file that is being written. What is found with it at a start was never whole.
const UNFINISHED: &str = "unfinished";
/// Behind one on its way out.
const GONE: &str = "gone";
const DAY: &str = "dt=";

#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Where nodes share it: the owner's own, which is there as long as he is the owner. What he writes comes from there, and
    /// what he removes goes there.
    own: Option<PathBuf>,
}

/// An hour that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archive {
    pub hour: Period,
    pub bytes: u64,
}

impl Folder {
    pub(super) fn new(store: &Path) -> Self {
        Self { root: store.join("archives"), own: None }
    }

    /// That of a partition, for its owner, whose own folder is there as long as he is that.
    pub(super) fn of_owner(place: &Path, own: PathBuf) -> Self {
        Self { root: place.join("archives"), own: Some(own) }
    }

    /// Sees that it is there, and this owner's still: the disk may not be mounted, and another node may own the partition.
    pub(super) fn check(&self) -> io::Result<()> {
        match &self.own {
            Some(own) if !fs::metadata(own).is_ok_and(|own| own.is_dir()) => {
                Err(io::Error::other(format!("{}: is not there, or another node's by now", self.root.display())))
            }
            _ => Ok(()),
        }
    }

    /// Makes the folder of an hour's day.
    pub(super) fn make_day(&self, account: &str, hour: Period) -> io::Result<()> {
        self.check()?;
        fs::create_dir_all(self.day(account, hour))
    }

    pub(super) fn day(&self, account: &str, day: Period) -> PathBuf {
        self.root.join(account).join(format!("{DAY}{}", day.day()))
    }

    pub(super) fn file(&self, account: &str, hour: Period) -> PathBuf {
        self.day(account, hour).join(hour.file_name())
    }

    pub(super) fn books(&self, account: &str, hour: Period) -> PathBuf {
        self.day(account, hour).join(format!("{hour}.books.json"))
    }

    /// What says that an hour was uploaded.
    pub(super) fn uploaded(&self, account: &str, hour: Period) -> PathBuf {
        self.day(account, hour).join(format!("{hour}.uploaded.json"))
    }

    /// The accounts that have archives, by name.
    pub(super) fn accounts(&self) -> io::Result<Vec<String>> {
        let names = names(&self.root)?.into_iter();
        Ok(names.filter(|name| log_store::is_account_name(name)).collect())
    }

    /// The days of an account that have a folder, oldest first.
    pub(super) fn days(&self, account: &str) -> io::Result<Vec<Period>> {
        let all = names(&self.root.join(account))?;
        let days = all.iter().filter_map(|name| name.strip_prefix(DAY)?.parse().ok());
        let mut days: Vec<Period> = days.filter(|day: &Period| day.is_day()).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// The hours of a day that are there, oldest first.
    pub(super) fn hours(&self, account: &str, day: Period) -> io::Result<Vec<Archive>> {
        let folder = self.day(account, day);
        let mut hours = Vec::new();
        for name in names(&folder)? {
            let Some(hour) = Period::of_file_name(&name).filter(|hour| !hour.is_day() && hour.day() == day.day())
            else {
                continue;
            };
            if name != hour.file_name() {
                continue;
            }
            match fs::metadata(folder.join(&name)) {
                Ok(file) if file.is_file() => hours.push(Archive { hour, bytes: file.len() }),
                Ok(_) => {}
                // Let go meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        hours.sort_unstable_by_key(|archive| archive.hour);
        Ok(hours)
    }

    /// What tells these files from what may stand in their place later: their names, lengths and times.
    pub(super) fn tag(&self, account: &str, hours: &[Archive]) -> io::Result<String> {
        let mut digest = Sha256::new_with_prefix(account);
        for archive in hours {
            let meta = match fs::metadata(self.file(account, archive.hour)) {
                Ok(meta) => meta,
                // Let go meanwhile: what is left is another file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let written = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            digest.update(format!("/{} {} {}", archive.hour, meta.len(), written.as_nanos()));
        }
        Ok(digest.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
    }

    /// The newest hour of an account.
    pub(super) fn newest(&self, account: &str) -> io::Result<Option<Period>> {
        for day in self.days(account)?.into_iter().rev() {
            if let Some(last) = self.hours(account, day)?.last() {
                return Ok(Some(last.hour));
            }
        }
        Ok(None)
    }

    /// The oldest hour of an account.
    pub(super) fn oldest(&self, account: &str) -> io::Result<Option<Archive>> {
        for day in self.days(account)? {
            if let Some(first) = self.hours(account, day)?.first() {
                return Ok(Some(*first));
            }
        }
        Ok(None)
    }

    /// Removes an hour, its books behind it, and the folder of its day when nothing is left there.
    pub(super) fn remove(&self, account: &str, hour: Period) -> io::Result<()> {
        self.take_away(account, &self.file(account, hour))?;
        self.take_away(account, &self.books(account, hour))?;
        self.take_away(account, &self.uploaded(account, hour))?;
        // One that is not empty stays.
        let _ = fs::remove_dir(self.day(account, hour));
        Ok(())
    }

    /// Removes what is left of an account that is destroyed: what stands beside hours that ended before a time, and the account's
    /// folder when nothing is left there.
    pub(super) fn remove_rest(&self, account: &str, before: i64) -> io::Result<()> {
        for day in self.days(account)? {
            for hour in day.hours().filter(|hour| hour.end() <= before) {
                self.take_away(account, &self.books(account, hour))?;
                self.take_away(account, &self.uploaded(account, hour))?;
            }
            let _ = fs::remove_dir(self.day(account, day));
        }
        // Where somebody of this name has an hour by now it is not empty.
        let _ = fs::remove_dir(self.root.join(account));
        Ok(())
    }

    fn take_away(&self, account: &str, path: &Path) -> io::Result<()> {
        let Some(own) = &self.own else { return gone(fs::remove_file(path)) };
        let out = own.join(beside(account, path, GONE));
        match fs::rename(path, &out) {
            Ok(()) => gone(fs::remove_file(out)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.check(),
            moved => moved,
        }
    }

    /// A file that is written for a place of an account.
    pub(super) fn create(&self, account: &str, place: PathBuf) -> io::Result<(Beside, File)> {
        let path = match &self.own {
            None => place.with_file_name(beside("", &place, UNFINISHED)),
            Some(own) => own.join(beside(account, &place, UNFINISHED)),
        };
        let file = File::create(&path)?;
        Ok((Beside { path, place, is_put: false }, file))
    }

    /// Removes what a writer that was killed left behind.
    pub(super) fn sweep(&self, account: &str) -> io::Result<()> {
        for day in self.days(account)? {
            let folder = self.day(account, day);
            for name in names(&folder)? {
                if name.ends_with(&format!(".{UNFINISHED}")) {
                    gone(fs::remove_file(folder.join(name)))?;
                }
            }
        }
        Ok(())
    }
}

/// A file that is written beside its place. What is not put there is removed.
#[derive(Debug)]
pub(super) struct Beside {
    path: PathBuf,
    place: PathBuf,
    is_put: bool,
}

impl Beside {
    /// The file is synced: it gets its name. Whoever reads the folder sees all of it or nothing; that the name lasts is the
    /// folder's matter, see [`sync`].
    pub(super) fn put(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.place)?;
        self.is_put = true;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_put {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What a file is called that is to come to a place, or comes from there: in a folder of its own accounts differ.
fn beside(account: &str, place: &Path, what: &str) -> String {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    if account.is_empty() { format!("{name}.{what}") } else { format!("{account}.{name}.{what}") }
}

/// The names in a folder last.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What is in a folder; nothing in one that is not there, or where somebody has put a file.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(io::Result::transpose).collect()
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
