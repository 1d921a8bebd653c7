//! Segments as files of one folder.

use super::seam::{Segments, Writing};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What is being written, until it is whole.
const UNFINISHED: &str = "unfinished";

/// A folder; who puts first makes no folder, so that one which was taken away is missed.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    /// One at a time writes what is unfinished.
    turn: Mutex<()>,
}

impl Folder {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), turn: Mutex::new(()) }
    }
}

impl Segments for Folder {
    fn put(&self, name: &str, write: Writing<'_>) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = self.dir.join(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        write(&mut file)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&unfinished, self.dir.join(name))?;
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
            names.extend(entry?.file_name().into_string().ok().filter(|name| name != UNFINISHED));
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        fs::rename(&path, path.with_extension("damaged"))
    }

    fn place(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}

/// Makes a rename outlive a power cut, where folders can be synced.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
