//! Archives in a folder: `ACCOUNT/dt=YYYY-MM-DD/YYYY-MM-DD-HH.tsv.gz` below it, with the hour's books beside each.

use super::shelf::{Archive, Opened, Shelf, Unfinished};
use crate::fail_point;
use log_archive::Period;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
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

impl Folder {
    pub(super) fn new(store: &Path) -> Self {
        Self { root: store.join("archives"), own: None }
    }

    /// That of a partition, for its owner, whose own folder is there as long as he is that.
    pub(super) fn of_owner(place: &Path, own: PathBuf) -> Self {
        Self { root: place.join("archives"), own: Some(own) }
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

    pub(super) fn books_of(&self, account: &str, hour: Period) -> PathBuf {
        self.day(account, hour).join(format!("{hour}.books.json"))
    }

    /// What says that an hour was uploaded.
    pub(super) fn uploaded(&self, account: &str, hour: Period) -> PathBuf {
        self.day(account, hour).join(format!("{hour}.uploaded.json"))
    }

    /// The accounts that have archives, by name.
    fn accounts(&self) -> io::Result<Vec<String>> {
        let names = names(&self.root)?.into_iter();
        Ok(names.filter(|name| log_store::is_account_name(name)).collect())
    }

    /// The days of an account that have a folder, oldest first.
    fn days(&self, account: &str) -> io::Result<Vec<Period>> {
        let all = names(&self.root.join(account))?;
        let days = all.iter().filter_map(|name| name.strip_prefix(DAY)?.parse().ok());
        let mut days: Vec<Period> = days.filter(|day: &Period| day.is_day()).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// The hours of a day that are there, oldest first.
    fn of_day(&self, account: &str, day: Period) -> io::Result<Vec<Archive>> {
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
                Ok(meta) if meta.is_file() => hours.push(archive(hour, &meta)),
                Ok(_) => {}
                // Let go meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        hours.sort_unstable_by_key(|archive| archive.hour);
        Ok(hours)
    }

    /// The end of the newest hour of an account.
    fn done(&self, account: &str) -> io::Result<i64> {
        for day in self.days(account)?.into_iter().rev() {
            if let Some(last) = self.of_day(account, day)?.last() {
                return Ok(last.hour.end());
            }
        }
        Ok(0)
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
    pub(super) fn create(&self, account: &str, place: &Path) -> io::Result<(Unfinished, File)> {
        Unfinished::create(match &self.own {
            None => place.with_file_name(beside("", place, UNFINISHED)),
            Some(own) => own.join(beside(account, place, UNFINISHED)),
        })
    }

    /// Puts a small file to its place.
    fn write(&self, account: &str, place: &Path, text: &[u8]) -> io::Result<()> {
        let (unfinished, mut file) = self.create(account, place)?;
        file.write_all(text)?;
        file.sync_all()?;
        unfinished.rename(place)
    }

    /// Removes what a writer that was killed left behind.
    fn sweep(&self, account: &str) -> io::Result<()> {
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

impl Shelf for Folder {
    /// The disk may not be mounted, and another node may own the partition.
    fn check(&self) -> io::Result<()> {
        match &self.own {
            Some(own) if !fs::metadata(own).is_ok_and(|own| own.is_dir()) => {
                Err(io::Error::other(format!("{}: is not there, or another node's by now", self.root.display())))
            }
            _ => Ok(()),
        }
    }

    fn look(&self) -> io::Result<BTreeMap<Box<str>, i64>> {
        let mut all = BTreeMap::new();
        for account in self.accounts()? {
            self.sweep(&account)?;
            let done = self.done(&account)?;
            all.insert(account.into(), done);
        }
        self.check()?;
        Ok(all)
    }

    /// Reads a folder for each day.
    fn hours(&self, account: &str, time: &Range<i64>, most: usize) -> io::Result<Vec<Archive>> {
        let is_in = |period: Period| period.end() > time.start && period.start() < time.end;
        let mut all = Vec::new();
        for day in self.days(account)?.into_iter().filter(|day| is_in(*day)) {
            all.extend(self.of_day(account, day)?.into_iter().filter(|archive| is_in(archive.hour)));
            if all.len() >= most {
                break;
            }
        }
        all.truncate(most);
        self.check()?;
        Ok(all)
    }

    fn held(&self, account: &str) -> io::Result<(u64, Option<Archive>)> {
        let all = self.hours(account, &(i64::MIN..i64::MAX), usize::MAX)?;
        Ok((all.iter().map(|archive| archive.bytes).sum(), all.first().copied()))
    }

    fn name(&self, account: &str, hour: Period) -> String {
        self.file(account, hour).display().to_string()
    }

    fn open(&self, account: &str, hour: Period) -> io::Result<Opened> {
        let file = File::open(self.file(account, hour))?;
        let meta = file.metadata()?;
        Ok(Opened::new(archive(hour, &meta), file))
    }

    /// Those that cannot be read are none: a damaged disk is to hold up no purge for ever.
    fn books(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        for (index, archive) in archives.iter().enumerate() {
            if let Ok(books) = fs::read(self.books_of(account, archive.hour)) {
                take(index, &books);
            }
        }
        Ok(())
    }

    /// One that cannot be read is none: the hour goes to its bucket once more, and nothing else comes of it.
    fn marks(&self, account: &str, archives: &[Archive], take: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        for (index, archive) in archives.iter().enumerate() {
            if let Ok(mark) = fs::read(self.uploaded(account, archive.hour)) {
                take(index, &mark);
            }
        }
        Ok(())
    }

    fn begin(&self, account: &str, hour: Period) -> io::Result<(Unfinished, File)> {
        self.make_day(account, hour)?;
        self.create(account, &self.file(account, hour))
    }

    /// Each of them is renamed when it is synced: whoever reads the folder sees all of it or nothing. That the names last is the
    /// folder's matter, see [`sync`].
    fn put(
        &self,
        account: &str,
        hour: Period,
        file: Unfinished,
        books: &[u8],
        point: &'static str,
    ) -> io::Result<Archive> {
        // An hour that went meanwhile may have taken its day along.
        self.make_day(account, hour)?;
        self.write(account, &self.books_of(account, hour), books)?;
        fail_point(point);
        let archive = archive(hour, &fs::metadata(file.path())?);
        file.rename(&self.file(account, hour))?;
        // The folders of the day and the account may be as new as the file.
        for folder in self.day(account, hour).ancestors().take(3) {
            sync(folder)?;
        }
        Ok(archive)
    }

    fn put_mark(&self, account: &str, archive: Archive, mark: &[u8]) -> io::Result<()> {
        self.write(account, &self.uploaded(account, archive.hour), mark)
    }

    /// The archive goes first, its books behind it, and the folder of its day when nothing is left there.
    fn remove(&self, account: &str, hours: &[Period]) -> io::Result<()> {
        for hour in hours {
            self.take_away(account, &self.file(account, *hour))?;
            self.take_away(account, &self.books_of(account, *hour))?;
            self.take_away(account, &self.uploaded(account, *hour))?;
            // One that is not empty stays.
            let _ = fs::remove_dir(self.day(account, *hour));
        }
        Ok(())
    }

    fn remove_rest(&self, account: &str, before: i64) -> io::Result<()> {
        for day in self.days(account)? {
            for hour in day.hours().filter(|hour| hour.end() <= before) {
                self.take_away(account, &self.books_of(account, hour))?;
                self.take_away(account, &self.uploaded(account, hour))?;
            }
            let _ = fs::remove_dir(self.day(account, day));
        }
        // Where somebody of this name has an hour by now it is not empty.
        let _ = fs::remove_dir(self.root.join(account));
        Ok(())
    }
}

fn archive(hour: Period, meta: &fs::Metadata) -> Archive {
    let since = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    Archive { hour, bytes: meta.len(), written }
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
