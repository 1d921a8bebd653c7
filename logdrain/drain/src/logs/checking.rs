//! Whether the lines on the disk can be read: for `logdrain doctor`, also beside a running server.

use super::{place, state};
use log_store::{Options, Reader};
use logdrain_terms::number;
use std::path::Path;

/// Damage that is named one by one.
const NAMED: usize = 20;

/// Reads every file whole, tells what it finds, and answers how much of it is wrong.
pub fn check(dir: &Path, say: &mut dyn FnMut(&str)) -> u64 {
    let folder = place::lines(dir);
    if !folder.exists() {
        return 0;
    }
    let read = log_store::check(&folder).and_then(|checked| {
        let accounts = Reader::open(&folder, &Options::new()).and_then(|reader| reader.accounts())?;
        Ok((checked, accounts))
    });
    let (checked, accounts) = match read {
        Ok(read) => read,
        Err(error) => {
            say(&format!("lines      cannot be read: {error}"));
            return 1;
        }
    };
    if let Some((position, _)) = state::list(&place::states(dir)).unwrap_or_default().first() {
        say(&format!("lines      of events up to {position} are in files"));
    }
    say(&format!("lines      {} in {} files", checked.lines(), checked.files()));
    for account in &accounts {
        let bytes = number::human(account.bytes() as f64, "bytes");
        say(&format!("account    {}: {} lines, {bytes}", account.name(), account.events()));
    }
    for damage in checked.damage().iter().take(NAMED) {
        say(&format!("lines      {damage}"));
    }
    if checked.damage().len() > NAMED {
        say(&format!("lines      and {} times more of that", checked.damage().len() - NAMED));
    }
    checked.damage().len() as u64
}
