//! What a file may be called, and what its object is.

use std::fmt::Write as _;
use std::io;

/// The longest name, in bytes.
pub(super) const NAME: usize = 512;

/// Behind all names that begin with a text, and before all others that come behind them: no name has this letter.
pub(super) const BEHIND: char = char::MAX;

/// # Errors
/// What is wrong with it.
pub(super) fn check(name: &str) -> io::Result<()> {
    let is_part = |part: &str| !["", ".", ".."].contains(&part);
    let is_letter = |letter: char| !letter.is_control() && letter != BEHIND;
    if name.len() <= NAME && name.split('/').all(is_part) && name.chars().all(is_letter) {
        return Ok(());
    }
    Err(wrong(format!("{:?} is no name of a file", name.chars().take(80).collect::<String>())))
}

pub(super) fn wrong(said: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, said)
}

/// A key that no object ever had: `p3/e17/UNIQUE`, which begins with the number that the database gave it.
pub(super) fn new_key(part: u8, epoch: i64, number: u64) -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random number is to be had: {error}")))?;
    let mut key = format!("p{part}/e{epoch}/{number:016x}");
    for byte in bytes {
        let _ = write!(key, "{byte:02x}");
    }
    Ok(key)
}

/// Partition, epoch and what is unique, of a key that was made here.
pub(super) fn parts_of(key: &str) -> Option<(u8, i64, &str)> {
    let mut parts = key.split('/');
    let (part, epoch, unique) = (parts.next()?, parts.next()?, parts.next()?);
    let is_unique = unique.len() == 48 && unique.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if parts.next().is_some() || !is_unique {
        return None;
    }
    let (part, epoch) = (part.strip_prefix('p')?.parse().ok()?, epoch.strip_prefix('e')?.parse().ok()?);
    // As it was written, and in no other way.
    (key == format!("p{part}/e{epoch}/{unique}")).then_some((part, epoch, unique))
}

/// The number in a key that was made here.
pub(super) fn number_of(key: &str) -> Option<u64> {
    let (.., unique) = parts_of(key)?;
    u64::from_str_radix(unique.get(..16)?, 16).ok()
}

/// For whom something is read: the partition, and the first two parts of a name, such as `p3/logs/ACCOUNT`. Nobody takes all
/// turns.
pub(super) fn whose(part: u8, name: &str) -> String {
    let end = name.match_indices('/').nth(1).map_or(name.len(), |(at, _)| at);
    format!("p{part}/{}", name.get(..end).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_name() {
        for name in ["a", "logs/acme/0/1-2.seg", "é/ü", ".x/..y", &"a".repeat(NAME)] {
            check(name).unwrap();
        }
        for name in ["", "/a", "a/", "a//b", ".", "a/../b", "a\0", "a\nb", "a\u{10FFFF}", &"a".repeat(NAME + 1)] {
            assert_eq!(check(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_made() {
        let key = new_key(3, 17, 300).unwrap();
        let unique = key.strip_prefix("p3/e17/").unwrap();
        assert_eq!((parts_of(&key), number_of(&key)), (Some((3, 17, unique)), Some(300)));
        assert_ne!(new_key(3, 17, 300).unwrap(), key);
        for wrong in
            [&key[1..], &format!("{key}0"), &format!("{key}/x"), &key.replace("p3", "p03"), &key.replace('e', "E")]
        {
            assert_eq!(parts_of(wrong), None, "{wrong}");
        }
        assert_eq!(parts_of("p3/00000000000000000020.snapshot"), None);
    }

    #[test]
    fn readers_are_told_apart_by_partition_and_account() {
        assert_eq!(whose(3, "logs/acme/0/1-2.seg"), "p3/logs/acme");
        assert_eq!(whose(3, "state"), "p3/state");
        assert_eq!(whose(3, "logs/acme"), "p3/logs/acme");
    }
}
