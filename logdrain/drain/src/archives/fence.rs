//! Who may write archives where nodes share a folder: the owner of a partition, and nobody who was its owner before.
//!
//! ```text
//! p3/archives/ACCOUNT/dt=.../...   the archives
//! p3/archiving/e17/e17/            where the owner at epoch 17 writes what gets its name there
//! ```
//!
//! Every file that comes to its place, or goes from it, is renamed out of the owner's folder or into it, in one step of the file
//! system. Who takes over first makes his own folder within the one that there is, then gives that one his epoch, and then removes
//! the folders of those before him. So an owner who was stopped, at whatever moment, and wakes up finds nothing any more to rename
//! from or to: not by the name, which is another one, and not by a handle that his machine has still, whose folder is gone. There
//! is always exactly one folder `eN`: of two who take over one is later, and the earlier one finds out.
//!
//! Where somebody has emptied the fence by hand, or removed it, nothing tells any more who was there last. Whoever owned the
//! partition then has nothing left to rename from or to, either; and the folders of lines beside it (`p3/e17`), which are made
//! before this is taken, tell who comes too late to begin it again.

use super::folder::sync;
use crate::fail_point;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the owner's folder is, beside the archives.
const FENCE: &str = "archiving";
/// How often it is tried again when others do the same.
const TRIES: usize = 100;

/// Takes the archives of a partition for the owner at an epoch: from then on nobody before him writes any. Answers the folder
/// that he writes in. Asked once more it answers the same.
///
/// # Errors
/// When the place cannot be read or written; or somebody has taken over since.
pub(super) fn take(place: &Path, epoch: i64) -> io::Result<PathBuf> {
    let (fence, own) = (place.join(FENCE), name(epoch));
    for _ in 0..TRIES {
        let before = match holder(&fence)? {
            Some(before) => before,
            None => {
                if newest_beside(place)? > Some(epoch) {
                    return Err(taken_over());
                }
                begin(place, epoch)?;
                continue;
            }
        };
        if before > epoch {
            return Err(taken_over());
        }
        match enter(&fence, before, epoch) {
            Ok(()) => {
                remove_before(&fence.join(&own), epoch)?;
                return Ok(fence.join(&own).join(&own));
            }
            // Somebody else has taken over meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{}: does not stand still", fence.display())))
}

fn taken_over() -> io::Error {
    io::Error::other("another node has taken the partition over")
}

/// The newest owner of whom there are lines.
fn newest_beside(place: &Path) -> io::Result<Option<i64>> {
    let mut newest = None;
    for entry in fs::read_dir(place)? {
        newest = newest.max(epoch_of(&entry?.file_name()));
    }
    Ok(newest)
}

fn name(epoch: i64) -> String {
    format!("e{epoch}")
}

fn epoch_of(name: &OsStr) -> Option<i64> {
    name.to_str()?.strip_prefix('e')?.parse().ok()
}

/// The epoch of who took it last; `None` if it is not there, or seems to be empty: it may have been looked at in the moment of a
/// change. It is only begun where it is empty.
fn holder(fence: &Path) -> io::Result<Option<i64>> {
    let entries = match fs::read_dir(fence) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut last = None;
    for entry in entries {
        last = last.max(epoch_of(&entry?.file_name()));
    }
    Ok(last)
}

/// Makes it, with the folder of an owner that there was never: of two who do so one is later, and leaves it. One that is empty
/// gives way to it in one step of the file system, and one that is not stays.
fn begin(place: &Path, epoch: i64) -> io::Result<()> {
    let unfinished = place.join(format!("{FENCE}.{}.unfinished", name(epoch)));
    if unfinished.is_dir() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir(&unfinished)?;
    fs::create_dir(unfinished.join(name(0)))?;
    let made = fs::rename(&unfinished, place.join(FENCE));
    if made.is_err() {
        fs::remove_dir_all(&unfinished)?;
        return if place.join(FENCE).is_dir() { Ok(()) } else { made };
    }
    sync(place)
}

/// The owner's folder is there before the one around it is his: nobody who comes late makes one.
fn enter(fence: &Path, before: i64, epoch: i64) -> io::Result<()> {
    let own = name(epoch);
    let within = fence.join(name(before));
    match fs::create_dir(within.join(&own)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fail_point("own");
    if before != epoch {
        fs::rename(&within, fence.join(&own))?;
        fail_point("fence");
        sync(fence)?;
    }
    sync(&fence.join(&own))
}

/// Removes the folders of those before; also when one of them, who does not know yet, writes there at the same time.
fn remove_before(around: &Path, epoch: i64) -> io::Result<()> {
    for entry in fs::read_dir(around)? {
        let other = entry?;
        // One that is later is of somebody who takes over just now.
        if epoch_of(&other.file_name()).is_none_or(|other| other >= epoch) {
            continue;
        }
        let mut tries = 0;
        while let Err(error) = fs::remove_dir_all(other.path()) {
            tries += 1;
            match error.kind() {
                io::ErrorKind::NotFound if !other.path().exists() => break,
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty if tries < TRIES => {}
                _ => return Err(error),
            }
        }
    }
    sync(around)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("logdrain-fence-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn who_was_owner_before_brings_nothing_to_its_place_and_takes_nothing_from_it() {
        let place = scratch("before");
        let first = take(&place, 3).unwrap();
        assert_eq!(take(&place, 3).unwrap(), first, "it is his still");
        fs::write(first.join("half"), "of the first").unwrap();
        let second = take(&place, 7).unwrap();
        fs::write(place.join("whole"), "of the second").unwrap();
        assert!(fs::rename(first.join("half"), place.join("whole")).is_err());
        assert!(fs::rename(place.join("whole"), first.join("gone")).is_err());
        assert!(fs::File::create(first.join("more")).is_err());
        assert_eq!(fs::read_to_string(place.join("whole")).unwrap(), "of the second");
        assert!(take(&place, 3).is_err() && take(&place, 5).is_err(), "who slept all the time finds out");
        assert_eq!(names(&place.join(FENCE)), ["e7"]);
        assert_eq!(names(&place.join("archiving/e7")), ["e7"]);
        fs::write(second.join("half"), "of the second").unwrap();
        fs::rename(second.join("half"), place.join("whole")).unwrap();
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn of_all_who_take_it_at_once_the_last_one_has_it_and_no_other() {
        for round in 0..40 {
            let place = scratch(&format!("race-{round}"));
            let together = Barrier::new(6);
            std::thread::scope(|scope| {
                for epoch in 1..=6 {
                    let (place, together) = (&place, &together);
                    scope.spawn(move || {
                        together.wait();
                        // Those that lose may find out in the middle.
                        let taken = take(place, epoch);
                        assert!(epoch < 6 || taken.is_ok(), "{taken:?}");
                    });
                }
            });
            assert_eq!(names(&place.join(FENCE)), ["e6"]);
            assert!(place.join("archiving/e6/e6").is_dir());
            // Nobody else has a folder by the name that he knows.
            assert!((1..6).all(|epoch| !place.join(format!("archiving/e{epoch}/e{epoch}")).exists()));
            take(&place, 7).unwrap();
            assert_eq!(
                (names(&place), names(&place.join("archiving/e7"))),
                (vec![FENCE.to_owned()], vec!["e7".to_owned()])
            );
            fs::remove_dir_all(place).unwrap();
        }
    }

    #[test]
    fn one_that_was_emptied_by_hand_is_begun_again_by_nobody_who_comes_too_late() {
        let place = scratch("emptied");
        let empty = || {
            fs::remove_dir_all(place.join(FENCE)).unwrap();
            fs::create_dir(place.join(FENCE)).unwrap();
        };
        let first = take(&place, 3).unwrap();
        fs::write(first.join("half"), "of the first").unwrap();
        for (epoch, empty) in [(5, &empty as &dyn Fn()), (6, &|| fs::remove_dir_all(place.join(FENCE)).unwrap())] {
            empty();
            fs::create_dir(place.join(format!("e{epoch}"))).unwrap();
            // Who was owner before has nothing to rename from, and does not begin it.
            assert!(fs::rename(first.join("half"), place.join("whole")).is_err());
            for late in [3, 4] {
                let error = take(&place, late).unwrap_err();
                assert!(error.to_string().contains("another node has taken"), "{error}");
            }
            let taken = take(&place, epoch).unwrap();
            assert_eq!(taken, place.join(format!("archiving/e{epoch}/e{epoch}")));
            assert!(taken.is_dir() && take(&place, epoch).unwrap() == taken && take(&place, 3).is_err());
            assert_eq!(names(&place.join(FENCE)), [format!("e{epoch}")]);
        }
        // Nor does the owner's own folder have to be there.
        fs::remove_dir(place.join("archiving/e6/e6")).unwrap();
        assert!(take(&place, 6).unwrap().is_dir() && take(&place, 7).unwrap().is_dir());
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn where_the_place_is_not_there_nothing_is_made() {
        let place = scratch("away").join("p3");
        assert!(take(&place, 1).is_err() && !place.exists());
    }
}
