//! Segments as files of one folder, which several processes may share.

use super::seam::{Segments, Writing};
use crate::fail_point;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is being written, until it is whole: behind it stands what nobody else has. Earlier versions wrote nothing behind it.
const UNFINISHED: &str = "unfinished";
/// Nothing was written to it for so long: whoever began it is gone. Who is not, and comes back, has not put it.
const DEAD: Duration = Duration::from_secs(600);

/// A folder; who puts first makes no folder, so that one which was taken away is missed.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Writes what is to become a segment.
    fn write(&self, unfinished: &Path, write: Writing<'_>) -> io::Result<()> {
        let mut file = File::create_new(unfinished)?;
        // The time of this file is that of all others there, whatever this machine's clock says.
        self.remove_dead(file.metadata()?.modified()?);
        write(&mut file)?;
        file.sync_all()
    }

    /// Removes what others left who are gone. What cannot be removed takes room, and does no harm else.
    fn remove_dead(&self, now: SystemTime) {
        self.remove_unfinished_by(&|written| now.duration_since(written).is_ok_and(|silent| silent >= DEAD));
    }

    fn remove_unfinished_by(&self, is_dead: &dyn Fn(SystemTime) -> bool) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if !entry.file_name().to_str().is_some_and(is_unfinished) {
                continue;
            }
            let written = entry.metadata().and_then(|meta| meta.modified());
            if written.is_ok_and(is_dead) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Segments for Folder {
    fn put(&self, name: &str, write: Writing<'_>) -> io::Result<()> {
        let mut own = [0; 8];
        getrandom::fill(&mut own).map_err(|error| io::Error::other(error.to_string()))?;
        let unfinished = self.dir.join(format!("{UNFINISHED}-{:016x}", u64::from_le_bytes(own)));
        let written = self.write(&unfinished, write).and_then(|()| {
            fail_point("unfinished");
            fs::rename(&unfinished, self.dir.join(name))
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        sync_folder(&self.dir)
    }

    fn get(&self, name: &str) -> io::Result<(u64, Box<dyn Read + '_>)> {
        let file = File::open(self.dir.join(name))?;
        Ok((file.metadata()?.len(), Box::new(file)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            // No name of ours is no text.
            names.extend(entry?.file_name().into_string().ok().filter(|name| !is_unfinished(name)));
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        fs::rename(self.dir.join(name), self.dir.join(aside(name)))
    }

    fn place(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn remove_unfinished(&self) {
        self.remove_unfinished_by(&|_| true);
    }
}

fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(UNFINISHED).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What something damaged is called when it is out of the way.
pub(super) fn aside(name: &str) -> String {
    Path::new(name).with_extension("damaged").display().to_string()
}

/// Makes a rename outlive a power cut, where folders can be synced.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
