//! Snapshots as segments: the name says the position.

use super::seam::{Segments, Snapshots, Writing};
use super::segments::Folder;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

const SUFFIX: &str = ".snapshot";
/// Digits of a position.
const DIGITS: usize = 20;
const KEPT: usize = 2;

/// The snapshots of a partition.
#[derive(Clone, Debug)]
pub struct Named(Arc<dyn Segments>);

impl Named {
    pub fn new(segments: Arc<dyn Segments>) -> Self {
        Self(segments)
    }

    /// As files of a folder.
    pub fn in_folder(dir: &Path) -> Self {
        Self::new(Arc::new(Folder::new(dir)))
    }

    /// Removes what others began to write who are gone, or come too late: it may say what was purged since.
    pub fn remove_unfinished(&self) {
        self.0.remove_unfinished();
    }
}

impl Snapshots for Named {
    fn positions(&self) -> io::Result<Vec<u64>> {
        let names = self.0.names()?;
        let mut positions: Vec<u64> = names.iter().filter_map(|name| position(name)).collect();
        positions.sort_unstable_by(|a, b| b.cmp(a));
        Ok(positions)
    }

    fn get(&self, position: u64) -> io::Result<(u64, Box<dyn Read + '_>)> {
        self.0.get(&name(position))
    }

    fn put(&self, position: u64, write: Writing<'_>) -> io::Result<u64> {
        self.0.put(&name(position), write)?;
        let positions = self.positions()?;
        for old in positions.iter().skip(KEPT) {
            match self.0.remove(&name(*old)) {
                // Whoever had the partition before may have removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        // With one alone, the journal from its beginning is what stands in for it.
        Ok(positions.get(KEPT - 1).copied().unwrap_or(0))
    }

    fn set_aside(&self, position: u64) -> io::Result<()> {
        self.0.set_aside(&name(position))
    }

    fn place(&self, position: u64) -> String {
        self.0.place(&name(position))
    }
}

fn name(position: u64) -> String {
    format!("{position:0DIGITS$}{SUFFIX}")
}

fn position(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == DIGITS).then(|| digits.parse().ok())?
}
