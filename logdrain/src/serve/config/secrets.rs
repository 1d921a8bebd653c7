//! Passwords, and files that only the server may read.

use super::file::{Secret, Watcher};
use super::{Wrong, machine};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What a password is expected to have, at least.
const SHORT_PASSWORD: usize = 12;

/// Where systemd puts the files that a unit's `LoadCredential=` names, for the service alone to read.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The most bytes of a file that is read: a device may have no end.
const MOST: u64 = 4 << 20;

/// The text of a configuration, or of a secret.
///
/// # Errors
/// When it cannot be read, or is longer than any of them.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {MOST} bytes")));
    }
    Ok(text)
}

/// A path of the file: from the folder `beside`, or below `${CREDENTIALS_DIRECTORY}`.
pub(super) fn located(beside: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix(format!("${{{CREDENTIALS}}}")), std::env::var_os(CREDENTIALS)) {
        (Ok(name), Some(folder)) => Path::new(&folder).join(name),
        _ => beside.join(path),
    }
}

/// A password, as it stands there or in a file of its own.
pub(super) fn password(
    text: Option<Secret>,
    file: Option<PathBuf>,
    beside: &Path,
    section: &str,
    warnings: &mut Vec<String>,
) -> Result<String, Wrong> {
    secret("password", text, file, beside, section, warnings)
}

/// A secret under this key, or in the file that `KEY_file` names.
pub(super) fn secret(
    key: &str,
    said: Option<Secret>,
    file: Option<PathBuf>,
    beside: &Path,
    section: &str,
    warnings: &mut Vec<String>,
) -> Result<String, Wrong> {
    let secret = match (said, file) {
        (Some(Secret(secret)), None) if !secret.is_empty() => secret,
        (None, Some(path)) => {
            // Nor is the path told: a password may stand in its place.
            let path = located(beside, &path);
            if machine::is_read_by_all(&path) {
                warnings.push(format!("{section}, {key}_file: {}", machine::READ_BY_ALL));
            }
            let text = text(&path)
                .map_err(|error| Wrong(format!("{section}, {key}_file: cannot be read: {}", error.kind())))?;
            let secret = text.trim_end_matches(['\r', '\n']);
            if secret.is_empty() {
                return Err(Wrong(format!("{section}, {key}_file: holds no {key}")));
            }
            secret.to_owned()
        }
        _ => return Err(Wrong(format!("{section}: give one of {key} and {key}_file"))),
    };
    if secret.chars().count() < SHORT_PASSWORD {
        warnings.push(format!("{section}: the {key} has fewer than {SHORT_PASSWORD} characters and can be guessed"));
    }
    Ok(secret)
}

/// Who may look at the page and at `/metrics`: user and password.
pub(super) fn watcher(watcher: Watcher, beside: &Path, warnings: &mut Vec<String>) -> Result<(String, String), Wrong> {
    let Watcher { user, password: text, password_file } = watcher;
    Ok((user, password(text, password_file, beside, "[watcher]", warnings)?))
}
