use crate::error::{NameError, NameErrorKind};
use crate::period::Period;

/// Where the archives of an account lie in a bucket: `papertrail/logs/42/dt=2026-11-28/2026-11-28-22.tsv.gz`.
///
/// Keys sort by time, and `dt=` is a partition to Hive and Athena. No key leaves its prefix, whatever an account is called.
///
/// ```
/// use log_archive::{Keys, Period};
///
/// let keys = Keys::new(Keys::PREFIX, "42")?;
/// let hour: Period = "2026-11-28-22".parse()?;
/// assert_eq!(keys.key(hour), "papertrail/logs/42/dt=2026-11-28/2026-11-28-22.tsv.gz");
/// assert_eq!(keys.period("papertrail/logs/42/dt=2026-11-28/2026-11-28-22.tsv.gz"), Some(hour));
///
/// // Some buckets have no account in their keys.
/// assert_eq!(Keys::new("/logs/", "")?.key(hour.day()), "logs/dt=2026-11-28/2026-11-28.tsv.gz");
/// # Ok::<(), log_archive::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys {
    folder: String,
}

/// S3 takes keys of 1,024 bytes.
const MAX_PREFIX: usize = 512;
const MAX_ACCOUNT: usize = 256;

impl Keys {
    /// Where Papertrail puts them.
    pub const PREFIX: &'static str = "papertrail/logs";

    /// Of this account's id, below this prefix, with slashes around it or without. Either may be empty and is then left out.
    ///
    /// # Errors
    /// If one of them is too long (512 and 256 bytes), or has a part that a folder cannot have.
    pub fn new(prefix: &str, account: &str) -> Result<Self, NameError> {
        let prefix = prefix.strip_prefix('/').unwrap_or(prefix);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let mut folder = String::new();
        for (part, most, kind) in
            [(prefix, MAX_PREFIX, NameErrorKind::Prefix), (account, MAX_ACCOUNT, NameErrorKind::Account)]
        {
            if part.is_empty() {
                continue;
            }
            let one = kind == NameErrorKind::Prefix || !part.contains('/');
            if !one || part.len() > most || !part.split('/').all(is_name) {
                return Err(NameError::new(kind));
            }
            folder.push_str(part);
            folder.push('/');
        }
        Ok(Self { folder })
    }

    /// What all keys begin with, its last slash included: what to list. Empty if prefix and account are.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The key of a period.
    #[must_use]
    pub fn key(&self, period: Period) -> String {
        format!("{}dt={}/{}", self.folder, period.day(), period.file_name())
    }

    /// The period of a key, if it is one of these.
    #[must_use]
    pub fn period(&self, key: &str) -> Option<Period> {
        let (_, name) = key.strip_prefix(&self.folder)?.strip_prefix("dt=")?.split_once('/')?;
        let period = Period::of_file_name(name)?;
        (self.key(period) == key).then_some(period)
    }
}

fn is_name(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.contains(|letter: char| letter.is_control() || letter == '\\')
}
