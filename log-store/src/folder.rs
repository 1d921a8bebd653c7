//! Where the files of a store lie, and which of them there are.
//!
//! ```text
//! <folder>/<partition>.lock                            held by the writer
//! <folder>/<account>/<partition>/<first>-<last>.seg    events of one account
//! <folder>/shared/<partition>/<first>-<last>.seg       events of small accounts
//! <folder>/<partition>.unfinished/                     what is being written, if files lie elsewhere
//! ```

use crate::error::StoreError;
use crate::segment::{UNFINISHED, parse_file_name};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of segments that hold several accounts; no account has this name.
pub(crate) const SHARED: &str = "shared";
/// The longest name of an account.
const LONGEST_ACCOUNT: usize = 63;

/// Whether an account may have this name: `[a-z0-9-]`, 1 to 63 bytes, and not `shared`.
///
/// ```
/// assert!(log_store::is_account_name("shop-1"));
/// assert!(!log_store::is_account_name("../shop"));
/// ```
#[must_use]
pub fn is_account_name(name: &str) -> bool {
    (1..=LONGEST_ACCOUNT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name != SHARED
}

/// A segment's file, as its name says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) first_id: u64,
    pub(crate) last_id: u64,
}

/// The folder of an account's segments, or of the shared ones.
pub(crate) fn of_account(root: &Path, account: &str, partition: u8) -> PathBuf {
    root.join(account).join(partition.to_string())
}

/// The accounts that have a folder, sorted; `shared` is none of them.
pub(crate) fn accounts(root: &Path) -> Result<Vec<String>, StoreError> {
    let mut accounts: Vec<String> =
        names(root)?.into_iter().filter(|name| is_account_name(name) && root.join(name).is_dir()).collect();
    accounts.sort_unstable();
    Ok(accounts)
}

/// The segments of a folder, by their first ids. None if there is no such folder.
pub(crate) fn segments(folder: &Path) -> Result<Vec<Named>, StoreError> {
    let mut segments: Vec<Named> = names(folder)?
        .iter()
        .filter_map(|name| {
            let (first_id, last_id) = parse_file_name(name)?;
            Some(Named { path: folder.join(name), first_id, last_id })
        })
        .collect();
    segments.sort_unstable_by_key(|named| (named.first_id, named.last_id));
    Ok(segments)
}

/// Removes what was being written when its writer ended. For the one writer only.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), StoreError> {
    for name in names(folder)? {
        let path = folder.join(&name);
        if path.extension().is_some_and(|ending| ending == UNFINISHED) {
            fs::remove_file(&path).map_err(|error| StoreError::io(&path, "remove an unfinished file", &error))?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let broken = |error: io::Error| StoreError::io(folder, "list a folder", &error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(broken(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is no text is none of ours.
        if let Ok(name) = entry.map_err(broken)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
