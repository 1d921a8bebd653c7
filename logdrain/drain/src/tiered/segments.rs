//! The sealed files of a store of lines, among the files of a partition.

use super::file::File;
use super::files::Files;
use log_store::{Listed, ReadAt};
use std::io;
use std::path::Path;

/// Files whose names begin with a prefix, for [`Store::open_with`](log_store::Store::open_with).
///
/// What failed for the owner's sake ([`is_fenced`](super::is_fenced)) the store takes for something that passes: whoever has it
/// asks [`Files::check`] then.
#[derive(Debug)]
pub struct Segments {
    files: Files,
    under: String,
}

impl Segments {
    /// Those below `under`, such as `logs/`.
    pub fn new(files: &Files, under: &str) -> Self {
        Self { files: files.clone(), under: under.to_owned() }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.under)
    }
}

impl log_store::Files for Segments {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let all = self.files.list(&self.under)?;
        let own = |name: &str| name.strip_prefix(&self.under).map(str::to_owned);
        let listed =
            all.into_iter().filter_map(|one| Some(Listed::new(own(&one.name)?, one.len).with_about(one.about)));
        Ok(listed.collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(Segment(self.files.open(&self.name(name))?)))
    }

    fn put(&self, name: &str, file: &Path, about: &[u8]) -> io::Result<()> {
        self.files.put(&self.name(name), file, about)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(&[&self.name(name)])
    }
}

#[derive(Debug)]
struct Segment(File);

impl ReadAt for Segment {
    fn length(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
}
