//! The files of a partition.

use super::alive::Alive;
use super::cache::PIECE;
use super::catalog::{Changed, Laid, Listed, New, Place};
use super::connections::of_sql;
use super::file::File;
use super::names::{check, new_key, whose, wrong};
use super::owners::Owner;
use super::registry::Coming;
use super::shared::{NOTE, STEP, Shared};
use crate::fail_point;
use crate::journal::Segments as _;
use crate::parts::Part;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long one waits for those who put something already.
const TURN: Duration = Duration::from_secs(120);

/// The files of a partition, for its owner at an epoch. Cheap to clone, and for any thread that may wait.
///
/// A name has 1 to 512 bytes, in parts between `/`, of which none is empty, `.` or `..`; it holds no control character and no
/// U+10FFFF. What changes something fails for good when another node has the partition:
/// [`is_fenced`](super::is_fenced) says so. Other errors but [`InvalidInput`](io::ErrorKind::InvalidInput) pass.
#[derive(Clone, Debug)]
pub struct Files {
    alive: Arc<Alive>,
    owner: Arc<Owner>,
}

/// A file that is to be there, in place of what has its name.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    pub name: &'a str,
    pub content: Content<'a>,
    /// What a [list](Files::list) tells of it: [`ABOUT`](Files::ABOUT) bytes at most.
    pub about: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// What is in a file of the disk, of any size: it becomes an object of the bucket.
    File(&'a Path),
    /// [`SMALL`](Files::SMALL) bytes at most: they lie in the database.
    Bytes(&'a [u8]),
}

impl Files {
    /// The most bytes of a file that lies in the database.
    pub const SMALL: usize = 1 << 20;
    /// The most bytes of a note.
    pub const ABOUT: usize = NOTE;
    /// The most bytes that are read [whole](Self::read).
    pub const WHOLE: u64 = 16 << 20;
    /// The most names of a change.
    pub const NAMES: usize = 1_000;

    pub(super) fn new(alive: &Arc<Alive>, part: Part, epoch: i64) -> Self {
        Self { alive: alive.clone(), owner: alive.shared().owners.add(part, epoch) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.alive.shared()
    }

    pub(super) fn at(&self) -> (Part, i64) {
        (self.owner.part, self.owner.epoch)
    }

    pub fn part(&self) -> Part {
        self.owner.part
    }

    pub fn epoch(&self) -> i64 {
        self.owner.epoch
    }

    /// All files whose names begin with `under`, sorted by the bytes of their names; of all, if that is empty.
    ///
    /// # Errors
    /// When the database does not answer, or another node has the partition.
    pub fn list(&self, under: &str) -> io::Result<Vec<Listed>> {
        // Whoever has a name that is none has no file.
        let (mut all, mut behind) = (Vec::<Listed>::new(), String::new());
        loop {
            let page = self.shared().catalog.list(self.at(), under, &behind)?;
            let Some(last) = page.last() else { return Ok(all) };
            behind.clone_from(&last.name);
            all.extend(page);
        }
    }

    /// Opens a file as it is now.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is none; others when the database does not answer.
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.find(name)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name}: there is no such file")))
    }

    fn find(&self, name: &str) -> io::Result<Option<File>> {
        check(name)?;
        let (shared, part) = (self.shared(), self.part());
        let opening = shared.registry.opening();
        let Some(found) = shared.catalog.find(part, name)? else { return Ok(None) };
        File::new(shared, opening, found, whose(part.number(), name)).map(Some)
    }

    /// All of a small file; `None` if there is none.
    ///
    /// # Errors
    /// When it is larger than [`WHOLE`](Self::WHOLE), or database or bucket do not answer.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        check(name)?;
        let (shared, part) = (self.shared(), self.part());
        let opening = shared.registry.opening();
        let found = match shared.catalog.find(part, name)? {
            None => return Ok(None),
            Some(found) => match found.place {
                Place::Row(content) => return Ok(Some(content)),
                Place::Object(_) => found,
            },
        };
        let file = File::new(shared, opening, found, whose(part.number(), name))?;
        let len = usize::try_from(file.len()).ok().filter(|_| file.len() <= Self::WHOLE);
        let len = len.ok_or_else(|| wrong(format!("{name}: {} bytes are not read at once", file.len())))?;
        let mut all = vec![0; len];
        file.read_exact_at(&mut all, 0)?;
        Ok(Some(all))
    }

    /// Puts a file of the disk there, in place of what has its name. From when this returns, nobody who begins to read finds
    /// what was there before. When it fails, either is there.
    ///
    /// # Errors
    /// When the file cannot be read, database or bucket do not answer, or another node has the partition.
    pub fn put(&self, name: &str, from: &Path, about: &[u8]) -> io::Result<()> {
        self.change(&[Put { name, content: Content::File(from), about }], &[])
    }

    /// The same with bytes that lie in the database, [`SMALL`](Self::SMALL) at most.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(&[Put { name, content: Content::Bytes(bytes), about: &[] }], &[])
    }

    /// Removes files, as many as one likes, some at a time. What is not there is no error.
    ///
    /// # Errors
    /// As [`put`](Self::put). Some may be gone then.
    pub fn remove(&self, names: &[&str]) -> io::Result<()> {
        names.chunks(Self::NAMES).try_for_each(|names| self.change(&[], names))
    }

    /// Puts files there and removes others, all in one step: whoever reads finds all of it or nothing. What is put comes to
    /// be there in place of what has its name, also of what is removed.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`InvalidInput`](io::ErrorKind::InvalidInput) for more than [`NAMES`](Self::NAMES) names, one that is put
    /// twice, and more than 4 MiB that go to the database.
    pub fn change(&self, puts: &[Put<'_>], removes: &[&str]) -> io::Result<()> {
        check_all(puts, removes)?;
        let mut fresh: Vec<Option<Fresh<'_>>> = Vec::new();
        for put in puts {
            fresh.push(match put.content {
                Content::File(path) => Some(self.put_object(put.name, path)?),
                Content::Bytes(_) => None,
            });
        }
        fail_point("file-object");
        let both = puts.iter().zip(&fresh);
        let rows: Vec<New<'_>> = both.map(|(put, fresh)| row_of(put, fresh.as_ref())).collect();
        let changed = self.shared().catalog.change(self.at(), &rows, removes);
        fail_point("file-row");
        drop(rows);
        let registry = &self.shared().registry;
        let keys = |old: &[String], is_sure| registry.let_go(old.iter().map(String::as_str), is_sure);
        match changed {
            Changed::Done(old) => {
                fresh.iter_mut().flatten().for_each(|fresh| fresh.fate = Fate::Named);
                keys(&old, true);
                Ok(())
            }
            Changed::Not(error) => Err(of_sql(error)),
            Changed::Unheard(old, error) => {
                fresh.iter_mut().flatten().for_each(|fresh| fresh.fate = Fate::Unknown);
                keys(&old, false);
                Err(of_sql(error))
            }
        }
    }

    /// Puts an object there that no row names yet.
    fn put_object(&self, name: &str, path: &Path) -> io::Result<Fresh<'_>> {
        let (shared, (part, epoch)) = (self.shared(), self.at());
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut file = fs::File::open(path).map_err(named)?;
        let len = file.metadata().map_err(named)?.len();
        let key = new_key(part.number(), epoch, shared.catalog.next((part, epoch))?)?;
        let _turn = shared.puts.take(&format!("p{}", part.number()), TURN)?;
        let fresh = Fresh { shared, coming: shared.registry.coming(&key), key, len, fate: Fate::Lost };
        let is_kept = shared.cache.takes(len);
        let put = shared.objects.put(&fresh.key, &mut |out| {
            let (mut left, mut buffer) = (len, Vec::new());
            for number in 0.. {
                if left == 0 {
                    break;
                }
                buffer.clear();
                let now = file.by_ref().take(left.min(PIECE as u64)).read_to_end(&mut buffer).map_err(named)?;
                if now == 0 {
                    return Err(named(io::Error::other("it became shorter while it was put")));
                }
                // All but the last one are whole, also when the disk gives less at a time.
                out.write_all(&buffer)?;
                if is_kept {
                    shared.cache.insert(&fresh.key, number, &buffer);
                }
                left -= now as u64;
            }
            Ok(())
        });
        put.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        Ok(fresh)
    }

    /// What the files of each partition take, in bytes, by its number. A partition without any may be missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn bytes_of_all(&self) -> io::Result<BTreeMap<u8, u64>> {
        self.shared().catalog.bytes_of_all()
    }

    /// Whether the partition is this owner's still.
    ///
    /// # Errors
    /// When it is not, and when the database does not answer.
    pub fn check(&self) -> io::Result<()> {
        self.shared().catalog.check(self.at())
    }
}

/// An object that was put. If nothing else is said of it, it goes again.
struct Fresh<'a> {
    shared: &'a Shared,
    key: String,
    len: u64,
    fate: Fate,
    /// It ends when it is said what becomes of it.
    #[expect(dead_code, reason = "it is there until it is dropped")]
    coming: Coming<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// No row has its key.
    Lost,
    /// One may have it.
    Unknown,
    Named,
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if self.fate != Fate::Named {
            self.shared.registry.let_go([self.key.as_str()], self.fate == Fate::Lost);
        }
    }
}

fn row_of<'a>(put: &Put<'a>, fresh: Option<&'a Fresh<'_>>) -> New<'a> {
    let place = match (put.content, fresh) {
        (_, Some(Fresh { key, len, .. })) => Laid::Object { key, len: *len },
        (Content::Bytes(bytes), None) => Laid::Row(bytes),
        // There is one for each.
        (Content::File(_), None) => Laid::Row(&[]),
    };
    New { name: put.name, place, about: put.about }
}

/// What may be asked for at all.
fn check_all(puts: &[Put<'_>], removes: &[&str]) -> io::Result<()> {
    if puts.len() + removes.len() > Files::NAMES {
        return Err(wrong(format!("{} files are more than are changed in one step", puts.len() + removes.len())));
    }
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    for put in puts {
        check(put.name)?;
        let small = if let Content::Bytes(bytes) = put.content { bytes.len() } else { 0 };
        if small > Files::SMALL || put.about.len() > Files::ABOUT {
            return Err(wrong(format!("{}: is too large for the database", put.name)));
        }
        if !seen.insert(put.name) {
            return Err(wrong(format!("{}: is put twice", put.name)));
        }
        bytes += small + put.about.len() + put.name.len();
    }
    for name in removes {
        check(name)?;
    }
    if bytes > STEP {
        return Err(wrong(format!("{bytes} bytes are more than go to the database in one step")));
    }
    Ok(())
}
