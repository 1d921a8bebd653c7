use super::*;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-demo-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

#[test]
fn a_folder_is_made_and_emptied_again_and_no_other_is_touched() {
    let dir = scratch("own");
    drop(claim(&dir).unwrap());
    assert_eq!(fs::read_to_string(dir.join(MARK)).unwrap(), MARKED);
    fs::create_dir_all(dir.join("logs/default")).unwrap();
    fs::write(dir.join("logs/default/0.seg"), "old").unwrap();
    fs::write(dir.join("journal.db"), "old").unwrap();
    let lock = claim(&dir).unwrap();
    let left = || {
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left(), [MARK, "lock"]);
    // While a server is at work in it nothing goes.
    fs::write(dir.join("journal.db"), "new").unwrap();
    let error = claim(&dir).unwrap_err().to_string();
    assert!(error.contains("another logdrain serves this store"), "{error}");
    drop(lock);
    assert_eq!(fs::read_to_string(dir.join("journal.db")).unwrap(), "new");
    // A mark with other words is not ours.
    fs::write(dir.join(MARK), "mine").unwrap();
    let error = claim(&dir).unwrap_err().to_string();
    assert!(error.contains("holds something else") && error.contains("--store"), "{error}");
    assert_eq!(fs::read_to_string(dir.join("journal.db")).unwrap(), "new");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_folder_of_somebody_else_stays_as_it_is() {
    let dir = scratch("other");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("thesis.tex"), "x").unwrap();
    assert!(claim(&dir).is_err());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    fs::remove_dir_all(&dir).unwrap();
    fs::write(&dir, "a file").unwrap();
    assert!(claim(&dir).is_err());
    fs::remove_file(dir).unwrap();
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_not_emptied() {
    let (dir, other) = (scratch("link"), scratch("linked"));
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("thesis.tex"), "x").unwrap();
    drop(claim(&dir).unwrap());
    std::os::unix::fs::symlink(&other, dir.join("logs")).unwrap();
    drop(claim(&dir).unwrap());
    assert!(!dir.join("logs").exists() && other.join("thesis.tex").exists());
    fs::remove_dir_all(dir).unwrap();
    fs::remove_dir_all(other).unwrap();
}
