//! A small file that is whole, or is not there, and knows itself from its copies.
//!
//! ```text
//! logdrain known LAYOUT CHECKSUM LF     ; CRC-32 of what follows, in hexadecimal digits
//! {"file":NUMBER,"what":...}            ; as the file system numbers it; 0 where it does not
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The layout that this program writes, and the only one that it reads.
const LAYOUT: u32 = 1;
/// What is longer was not written by us.
const LONGEST: u64 = 256 << 20;

/// The folder that has them.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

#[derive(Serialize)]
struct Said<'a, T> {
    file: u64,
    what: &'a T,
}

#[derive(Deserialize)]
struct Heard<T> {
    file: u64,
    what: T,
}

impl Place {
    pub(super) fn of(dir: &Path) -> Self {
        Self(dir.join("known"))
    }

    /// Writes one, durably.
    ///
    /// # Errors
    /// In words. What was there before is there still.
    pub(super) fn write<T: Serialize>(&self, name: &str, what: &T) -> Result<(), String> {
        let path = self.0.join(name);
        self.try_to_write(&path, name, what).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn try_to_write<T: Serialize>(&self, path: &Path, name: &str, what: &T) -> io::Result<()> {
        if !self.0.is_dir() {
            fs::create_dir_all(&self.0)?;
            if let Some(above) = self.0.parent() {
                sync_folder(above)?;
            }
        }
        let new = self.0.join(format!("{name}.new"));
        let mut file = File::create(&new)?;
        let text = serde_json::to_string(&Said { file: number(&file)?, what })?;
        let head = format!("logdrain known {LAYOUT} {:08x}\n", crc32fast::hash(text.as_bytes()));
        file.write_all(head.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, path)?;
        sync_folder(&self.0)
    }

    /// Reads one.
    ///
    /// # Errors
    /// In words, when it is not there, not as it was written, or a copy.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let path = self.0.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("the node remembers nothing of before: {} is not there", path.display()));
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let in_file = |why: &str| format!("{}: {why}", path.display());
        let mut text = String::new();
        let number = number(&file).map_err(|error| in_file(&error.to_string()))?;
        let read = file.take(LONGEST).read_to_string(&mut text);
        if read.is_err() {
            return Err(in_file("cannot be read as it was written"));
        }
        let damaged = || in_file("is damaged");
        let (head, text) = text.split_once('\n').ok_or_else(damaged)?;
        let mut words = head.strip_prefix("logdrain known ").ok_or_else(damaged)?.split(' ');
        if words.next().and_then(|layout| layout.parse().ok()) != Some(LAYOUT) {
            return Err(in_file("was written by another version"));
        }
        if words.next() != Some(&format!("{:08x}", crc32fast::hash(text.as_bytes()))) {
            return Err(damaged());
        }
        let heard: Heard<T> =
            serde_json::from_str(text).map_err(|error| in_file(&format!("was written by another version: {error}")))?;
        if heard.file != number {
            return Err(in_file("is a copy, or was put back from a backup"));
        }
        Ok(heard.what)
    }
}

#[cfg(unix)]
fn number(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().map(|meta| meta.ino())
}

#[cfg(not(unix))]
fn number(_: &File) -> io::Result<u64> {
    Ok(0)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
