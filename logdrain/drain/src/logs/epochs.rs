//! The files of a partition that nodes share: a folder for each epoch, in a place that all nodes see.
//!
//! ```text
//! p3/e17/logs/...           lines of the owner at epoch 17, and where they stand
//! p3/e17/owner              who that is: no other one was ever the owner at this epoch
//! p3/e18.unfinished/        being taken over by the owner at epoch 18
//! p3/e18/                   taken over: the files are those of e17, under names of its own
//! ```
//!
//! Whoever owns a partition writes in the folder of its epoch and in no other. Who takes over has claimed the partition by then:
//! whatever the one before lets the journal forget, it had written there before. So its newest folder as it stands is what a
//! start after a crash would find, and what it writes after that nobody misses: the journal has it still. Files never change
//! once they have their name, so that they are linked and not copied, where the file system can.
//!
//! **An epoch is given once.** A database that was put back from a backup gives those again that it has lost. What was kept at them
//! is further than that journal then, and whoever went on with it, or without it, would lose lines in silence: what comes under
//! numbers that were given before would pass for kept. So who finds lines of his own epoch that he did not make, or of a
//! higher one, takes nothing over and says so.

use crate::fail_point;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Behind the name of a folder that is being made, and of a file.
const UNFINISHED: &str = "unfinished";
/// Who made a folder, in it.
const OWNER: &str = "owner";
/// What is locked is of one folder.
const LOCK: &str = "lock";
/// Folders within folders: `logs/ACCOUNT/PARTITION`.
const DEEP: usize = 4;
/// How often a folder is looked at again that changes meanwhile.
const TRIES: usize = 100;

/// The folder of the owner at an epoch, with what the owners before it have left in theirs. `place` is the partition's, and is
/// there. Asked once more it answers the same folder.
///
/// # Errors
/// When the place cannot be read or written. Nothing is lost then, and it may be tried again. Nor is anything where somebody else
/// has kept lines at this epoch, or at a higher one.
pub fn take_over(place: &Path, epoch: i64) -> io::Result<PathBuf> {
    take_over_as(place, epoch, own_name()?)
}

fn take_over_as(place: &Path, epoch: i64, who: &str) -> io::Result<PathBuf> {
    let own = folder(place, epoch);
    let newest = epochs(place)?.into_iter().max();
    if let Some(newest) = newest.filter(|newest| *newest > epoch) {
        return Err(given_before(&folder(place, newest), newest, epoch));
    }
    if own.is_dir() && fs::read_to_string(own.join(OWNER)).ok().as_deref() != Some(who) {
        return Err(given_before(&own, epoch, epoch));
    }
    if !own.is_dir() {
        let unfinished = own.with_extension(UNFINISHED);
        let mut tries = 0;
        loop {
            remove(&unfinished)?;
            fs::create_dir(&unfinished)?;
            // Somebody who was owner before this one may finish his folder only now: it is one more that was left.
            let before = epochs(place)?.into_iter().filter(|other| *other < epoch).max();
            let Some(before) = before else { break };
            let (from, to) = (folder(place, before), &unfinished);
            // Its owner may live still, and a file that was there is another one's part by now.
            match files(&from, DEEP).and_then(|names| link_all(&from, to, &names).map(|()| names)) {
                Ok(names) if files(&from, DEEP)? == names => break,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ if tries >= TRIES => {
                    return Err(io::Error::other(format!("{}: does not stand still", from.display())));
                }
                _ => tries += 1,
            }
        }
        fail_point("links");
        let mut owner = File::create(unfinished.join(OWNER))?;
        owner.write_all(who.as_bytes())?;
        owner.sync_all()?;
        sync(&unfinished)?;
        fs::rename(&unfinished, &own)?;
        sync(place)?;
        fail_point("folder");
    }
    Ok(own)
}

/// Removes the folders of the owners before an epoch that was [taken over](take_over). It may take its time; what is left when it
/// is broken off goes with the next one.
///
/// # Errors
/// When one of them cannot be removed; all others are.
pub fn remove_before(place: &Path, epoch: i64) -> io::Result<()> {
    let mut failed = None;
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| Path::new(name).file_stem()?.to_str()?.strip_prefix('e'));
        // A file is somebody else's.
        if stem.and_then(|epoch| epoch.parse::<i64>().ok()).is_some_and(|other| other < epoch)
            && entry.file_type()?.is_dir()
            && let Err(error) = remove(&place.join(&name))
        {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What this process calls itself where it keeps lines: nobody else does, nor it in another life.
fn own_name() -> io::Result<&'static str> {
    static NAME: OnceLock<String> = OnceLock::new();
    if let Some(name) = NAME.get() {
        return Ok(name);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random number is to be had: {error}")))?;
    Ok(NAME.get_or_init(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn given_before(found: &Path, newest: i64, epoch: i64) -> io::Error {
    io::Error::other(format!(
        "{}: holds lines of an owner at epoch {newest}, and this node owns the partition at epoch {epoch}: another one has taken it \
         over since, or the database was put back from a backup that is older than these lines. Then put back a newer one; or, \
         if there is none, stop all nodes, move that folder away, where its lines stay to be searched, and start them: what \
         the journal has is kept again",
        found.display()
    ))
}

fn folder(place: &Path, epoch: i64) -> PathBuf {
    place.join(format!("e{epoch}"))
}

/// The epochs that have a whole folder.
fn epochs(place: &Path) -> io::Result<Vec<i64>> {
    let mut epochs = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() {
            continue;
        }
        epochs.extend(name.to_str().and_then(|name| name.strip_prefix('e')).and_then(|rest| rest.parse::<i64>().ok()));
    }
    Ok(epochs)
}

/// All files that are whole, below a folder, sorted.
fn files(dir: &Path, deep: usize) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (name, kind) = (PathBuf::from(entry.file_name()), entry.file_type()?);
        if kind.is_dir() && deep > 1 {
            all.extend(files(&entry.path(), deep - 1)?.into_iter().map(|below| name.join(below)));
        } else if kind.is_file() && !is_passing(&name) && (deep < DEEP || name.as_os_str() != OWNER) {
            all.push(name);
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn is_passing(name: &Path) -> bool {
    let ends = |with: &str| name.extension() == Some(OsStr::new(with));
    ends(UNFINISHED) || ends(LOCK) || name.file_name() == Some(OsStr::new(UNFINISHED))
}

fn link_all(from: &Path, to: &Path, names: &[PathBuf]) -> io::Result<()> {
    let mut made: Vec<&Path> = Vec::new();
    for name in names {
        let within = name.parent().unwrap_or(Path::new(""));
        if !made.contains(&within) {
            fs::create_dir_all(to.join(within))?;
            made.push(within);
        }
        let (source, target) = (from.join(name), to.join(name));
        match fs::hard_link(&source, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            // File systems without links, and those that allow few of them.
            Err(_) => {
                fs::copy(&source, &target)?;
                File::open(&target)?.sync_all()?;
            }
        }
    }
    for within in made {
        for dir in within.ancestors() {
            sync(&to.join(dir))?;
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it; also when another one does so at the same time.
fn remove(dir: &Path) -> io::Result<()> {
    for _ in 0..TRIES {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.exists() => return Ok(()),
            // Its owner, who does not know yet, made a file meanwhile; or took one away.
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {}
            removed => return removed,
        }
    }
    Err(io::Error::other(format!("{}: cannot be removed, since something writes in it", dir.display())))
}

fn sync(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("logdrain-epochs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn write(dir: &Path, name: &str, text: &str) {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), text).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn who_takes_over_has_what_was_left_and_what_the_one_before_does_then_changes_nothing() {
        let place = scratch("taken");
        let first = take_over(&place, 1).unwrap();
        write(&first, "logs/shop/0/1-2.seg", "lines");
        write(&first, "logs/shop/0/3-4.unfinished", "half");
        write(&first, "logs/0.lock", "");
        write(&first, "logs-state/7.state", "stands");
        write(&first, "logs-state/unfinished", "half");
        let taken = take_over(&place, 4).unwrap();
        remove_before(&place, 4).unwrap();
        assert_eq!(names(&place), ["e4"]);
        assert_eq!(names(&taken.join("logs/shop/0")), ["1-2.seg"]);
        assert_eq!(
            (names(&taken.join("logs")), names(&taken.join("logs-state"))),
            (vec!["shop".to_owned()], vec!["7.state".to_owned()])
        );
        assert_eq!(fs::read_to_string(taken.join("logs/shop/0/1-2.seg")).unwrap(), "lines");
        // It writes on where it was, and takes away what it merged.
        write(&first, "logs/shop/0/1-4.seg", "of nobody");
        write(&place, "e2.unfinished/logs/shop/0/8-9.seg", "half");
        // Files of somebody else are neither an owner's nor in the way.
        ["e0", "e3"].iter().for_each(|name| write(&place, name, "of somebody"));
        assert_eq!(take_over(&place, 4).unwrap(), taken);
        remove_before(&place, 4).unwrap();
        assert_eq!(
            (names(&place), names(&taken.join("logs/shop/0"))),
            (["e0", "e3", "e4"].map(str::to_owned).to_vec(), vec!["1-2.seg".to_owned()])
        );
        write(&place, "e5", "of somebody");
        assert_eq!(names(&take_over(&place, 6).unwrap().join("logs/shop/0")), ["1-2.seg"]);
    }

    #[test]
    fn what_was_not_finished_is_begun_again_and_only_a_whole_folder_counts() {
        let place = scratch("unfinished");
        write(&take_over(&place, 3).unwrap(), "logs/shop/0/1-2.seg", "lines");
        // One that was killed in the middle, and this one before.
        write(&place, "e5.unfinished/logs/shop/0/8-9.seg", "half");
        write(&place, "e6.unfinished/logs/shop/0/8-9.seg", "half");
        let taken = take_over(&place, 6).unwrap();
        assert_eq!(names(&taken.join("logs/shop/0")), ["1-2.seg"]);
        // One that had claimed before, and slept: it finds out, and what it may have begun goes.
        assert!(take_over(&place, 5).is_err());
        assert_eq!(take_over(&place, 6).unwrap(), taken);
        remove_before(&place, 6).unwrap();
        assert_eq!(names(&place), ["e6"]);
        assert_eq!(names(&take_over(&place, 7).unwrap().join("logs/shop/0")), ["1-2.seg"]);
        assert!(take_over(&place.join("away"), 8).is_err());
    }

    #[test]
    fn epochs_that_a_backup_gives_again_take_nothing_over_and_begin_nothing() {
        let place = scratch("again");
        write(&take_over_as(&place, 3, "one").unwrap(), "logs/shop/0/1-2.seg", "lines");
        let taken = take_over_as(&place, 5, "two").unwrap();
        assert_eq!(names(&taken), ["logs", "owner"]);
        assert_eq!(fs::read_to_string(taken.join("owner")).unwrap(), "two");
        // The database has lost one claim, and two.
        for epoch in [5, 4, 3] {
            let error = take_over_as(&place, epoch, "three").unwrap_err().to_string();
            assert!(error.contains("/e5: holds lines of an owner at epoch 5"), "{error}");
            assert!(error.contains(&format!("at epoch {epoch}: another one")), "{error}");
        }
        assert_eq!(
            (names(&place), names(&taken.join("logs/shop/0"))),
            (vec!["e3".to_owned(), "e5".to_owned()], vec!["1-2.seg".to_owned()])
        );
        assert_eq!(take_over_as(&place, 5, "two").unwrap(), taken, "asked once more");
        // Moved away, they are in nobody's way.
        fs::rename(place.join("e5"), place.join("kept-e5")).unwrap();
        fs::rename(place.join("e3"), place.join("kept-e3")).unwrap();
        assert_eq!(names(&take_over_as(&place, 4, "three").unwrap()), ["owner"]);
        remove_before(&place, 4).unwrap();
        assert_eq!(names(&place), ["e4", "kept-e3", "kept-e5"]);
    }
}
