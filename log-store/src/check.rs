//! Reading everything, to see whether it is whole.

use crate::error::StoreError;
use crate::folder;
use crate::segment::{self, Damage};
use std::path::Path;

/// What reading all files of a folder found.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("log-store-doc-check-{}", std::process::id()));
/// let checked = log_store::check(&folder)?;
/// for damage in checked.damage() {
///     eprintln!("{damage}");
/// }
/// assert_eq!(checked.files(), 0); // there is no such folder, so no file and no damage
/// # Ok::<(), log_store::StoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    files: usize,
    lines: u64,
    damage: Vec<Damage>,
}

impl Checked {
    /// How many files there are.
    #[must_use]
    pub const fn files(&self) -> usize {
        self.files
    }

    /// How many lines in them can be read. One that a crash left in two files counts twice.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// All that is wrong: with each file, each block, and each part of an index.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// Reads all segments below a folder, of all accounts and partitions, whole. Changes nothing and needs no lock; a file that its
/// writer removes meanwhile is passed over.
///
/// # Errors
/// `Io` if a folder cannot be listed.
pub fn check(root: impl AsRef<Path>) -> Result<Checked, StoreError> {
    let root = root.as_ref();
    let mut checked = Checked::default();
    let mut names = folder::accounts(root)?;
    names.push(folder::SHARED.to_owned());
    for name in names {
        for partition in 0..=u8::MAX {
            for named in folder::segments(&folder::of_account(root, &name, partition))? {
                let report = segment::check(&named.path);
                if report.damage().is_empty() || named.path.exists() {
                    checked.files += 1;
                    checked.lines += report.lines();
                    checked.damage.extend_from_slice(report.damage());
                }
            }
        }
    }
    Ok(checked)
}
