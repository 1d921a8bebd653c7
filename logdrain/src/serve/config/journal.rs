//! Where the journal is, when it is not in the folder.

use super::Wrong;
use super::file::{Secret, Size};
use super::secrets::secret;
use logdrain_drain::journal::Address;
use logdrain_drain::limits::IntakeLimits;
use std::path::{Path, PathBuf};

/// Copies of what one step writes: that of the step, the statement as it is built, and as it goes out; a buffer that grows is
/// there twice for a moment.
const COPIES: usize = 4;
/// What two who read get ahead, besides the event itself: as it came, and as it is handed on.
const AHEAD: usize = 1 << 20;

/// Bytes of bodies that a step has, before the last one that goes with it: of the budget, steps that wait for the two who read
/// them hold less than half.
pub(super) const fn group_bytes(limits: &IntakeLimits) -> usize {
    limits.bodies / 16
}

/// The most bytes that a journal in a database takes besides those of the bodies that wait for it.
pub(super) fn memory(limits: &IntakeLimits) -> usize {
    let step = group_bytes(limits).saturating_add(limits.body);
    COPIES.saturating_mul(step).saturating_add(4 * AHEAD.saturating_add(limits.body))
}

/// The most bytes of the spool, when the file does not say it,
const SPOOL: u64 = 1 << 30;
/// and at least.
const LEAST_SPOOL: u64 = 1 << 20;

/// Reads `spool` and `spool_limit`, which so many partitions share. Answers the most bytes, and 0 without a spool.
pub(super) fn spool(spool: Option<bool>, limit: Option<Size>, has_journal: bool, parts: u16) -> Result<u64, Wrong> {
    let key = if limit.is_some() { "spool_limit" } else { "spool" };
    if !has_journal && (spool == Some(true) || limit.is_some()) {
        return Err(Wrong(format!(
            "{key}: is for a journal in a database, and there is no journal = \"postgres://...\""
        )));
    }
    if spool == Some(false) && limit.is_some() {
        return Err(Wrong::new("spool_limit: there is no spool: spool = false"));
    }
    let limit = limit.map_or(SPOOL, |limit| limit.0 as u64);
    if limit < LEAST_SPOOL {
        return Err(Wrong::new("spool_limit: is too little; 1MB is the least, and spool = false is none"));
    }
    if limit / u64::from(parts) < LEAST_SPOOL {
        return Err(Wrong(format!(
            "spool_limit: is too little for {parts} partitions, of which each has its share; {parts}MB is the least, and \
             spool = false is none"
        )));
    }
    Ok(if spool == Some(false) { 0 } else { limit })
}

/// Reads `journal` and the file of its password.
pub(super) fn of_file(
    journal: Option<Secret>,
    password_file: Option<PathBuf>,
    limit: Option<&Size>,
    beside: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<Address>, Wrong> {
    let Some(Secret(text)) = journal else {
        if password_file.is_some() {
            return Err(Wrong::new("journal_password_file: there is no journal that it is of"));
        }
        return Ok(None);
    };
    if limit.is_some() {
        return Err(Wrong::new(
            "journal_limit is of a journal in the folder, and journal names a database: strike one",
        ));
    }
    let password = password_file.map(|file| secret("journal_password", None, Some(file), beside, "journal", warnings));
    let password = password.transpose()?;
    let address = Address::parse(&text, password.as_deref()).map_err(|why| Wrong(format!("journal: {why}")))?;
    if address.is_plain() {
        warnings.push("journal: sslmode=disable: password and deliveries can be read on the way".to_owned());
    }
    Ok(Some(address))
}
