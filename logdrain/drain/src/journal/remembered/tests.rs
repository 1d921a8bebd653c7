use super::*;
use crate::scratch::Scratch;
use std::fs;

const NOON: i64 = 1_800_000_000_000_000;
const SECOND: i64 = 1_000_000;
const PLACE: &str = "postgres://logdrain@db.example.com/logdrain";

fn split() -> (Parts, Split) {
    (Parts::new(3).unwrap(), Split::ByDrain)
}

fn ahead(micros: i64) -> Ahead {
    let ahead = Ahead::default();
    ahead.tell(micros);
    ahead
}

/// What a life leaves that ended at noon by the database's clock.
fn left(dir: &Path) -> Memory {
    let progress = Arc::<Progress>::default();
    fs::write(dir.join("journal.postgres"), r#"{"journal":"j1","node":"n1"}"#).unwrap();
    let files = Place::of(dir);
    let (parts, split) = split();
    let memory = Memory(Arc::new(Kept {
        files,
        journal: "j1".to_owned(),
        place: PLACE.to_owned(),
        parts,
        split,
        ahead: ahead(NOON),
        progress,
        news: Mutex::default(),
    }));
    for part in parts.each() {
        let mut settings = super::super::tests::settings();
        settings.window_ms += u64::from(part.number());
        let drain = |refused_until| Listed {
            drain: format!("d.{}", part.number()).into(),
            heard: Some(Timestamp::from_unix_micros(NOON - 7)),
            refused_until,
        };
        let listed = vec![drain(None), drain(Some(Timestamp::from_unix_micros(NOON + 5)))];
        memory.tell(part, Past { settings: Arc::new(settings), listed });
    }
    memory
}

fn written(dir: &Path) {
    left(dir).run(&AtomicBool::new(true));
}

fn recalled(dir: &Path) -> Result<Remembered, String> {
    recall_at(dir, PLACE, split(), &Machine::now())
}

#[test]
fn what_was_known_is_known_again_and_what_time_it_is() {
    let dir = Scratch::new("remembered");
    let error = recalled(&dir).unwrap_err();
    assert!(error.contains("remembers nothing of before"), "{error}");
    written(&dir);
    let Remembered { journal, ahead, parts } = recalled(&dir).unwrap();
    let now = ahead.now();
    assert_eq!((journal.as_str(), parts.len()), ("j1", 3));
    assert!((NOON..NOON + 60 * SECOND).contains(&now), "{now}");
    for (number, Past { settings, listed }) in (0..).zip(parts) {
        assert_eq!(settings.window_ms, 60_000 + number);
        assert_eq!(&*listed[0].drain, format!("d.{number}"));
        assert_eq!(listed[0].heard, Some(Timestamp::from_unix_micros(NOON - 7)));
        assert_eq!((listed[0].refused_until, listed.len()), (None, 2));
        assert_eq!(listed[1].refused_until, Some(Timestamp::from_unix_micros(NOON + 5)));
    }
}

#[test]
fn what_is_not_of_this_folder_this_journal_or_this_program_is_not_gone_by() {
    let dir = Scratch::new("remembered-wrong");
    written(&dir);
    let (parts, split) = split();
    let elsewhere = |place: &str, kind| recall_at(&dir, place, kind, &Machine::now()).unwrap_err();
    assert!(elsewhere("postgres://logdrain@other/logdrain", (parts, split)).contains("the same nobody can tell"));
    for kind in [(Parts::new(4).unwrap(), split), (parts, Split::ByAccount)] {
        assert!(elsewhere(PLACE, kind).contains("other partitions"));
    }
    // Each file, at each byte: damaged, cut off, or gone.
    for name in ["node", "p1"] {
        let file = dir.join("known").join(name);
        let whole = fs::read(&file).unwrap();
        let write = |bytes: &[u8]| fs::write(&file, bytes).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            write(&damaged);
            assert!(recalled(&dir).is_err(), "{name}: byte {at}");
            write(&whole[..at]);
            assert!(recalled(&dir).is_err(), "{name}: cut off at {at}");
        }
        // The same bytes in the same file; and in a copy of it.
        write(&whole);
        assert!(recalled(&dir).is_ok());
        let copy = dir.join("known/copy");
        fs::copy(&file, &copy).unwrap();
        fs::rename(&copy, &file).unwrap();
        if cfg!(unix) {
            let error = recalled(&dir).unwrap_err();
            assert!(error.contains("is a copy"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(recalled(&dir).unwrap_err().contains("remembers nothing of before"));
        written(&dir);
    }
    fs::write(dir.join("journal.postgres"), r#"{"journal":"j2","node":"n1"}"#).unwrap();
    assert!(recalled(&dir).unwrap_err().contains("another journal than its folder"));
}

#[test]
fn a_life_that_has_heard_of_nobody_leaves_what_was_there() {
    let dir = Scratch::new("remembered-twice");
    written(&dir);
    let read = || fs::read(dir.join("known/node")).unwrap();
    let before = read();
    let second = left(&dir);
    second.0.progress.nodes.remembers.store(true, Ordering::Release);
    second.run(&AtomicBool::new(true));
    assert!(read() == before);
    second.0.progress.nodes.remembers.store(false, Ordering::Release);
    second.run(&AtomicBool::new(true));
    assert!(read() != before && recalled(&dir).is_ok());
}

#[test]
fn the_time_is_carried_on_by_the_steady_clock_whatever_the_other_one_says() {
    let noted = Clocks { boot: Some("b".to_owned()), ahead_of_steady: NOON, ahead_of_wall: 3 * SECOND, time: NOON };
    let machine = |boot: &str, steady, wall| Machine { boot: Some(boot.to_owned()), steady, wall };
    for wall in [0, NOON, NOON + 3_600 * SECOND, i64::MAX] {
        assert_eq!(noted.now(&machine("b", 700 * SECOND, wall)), Ok(NOON + 700 * SECOND));
        assert!(noted.now(&machine("b", -1, wall)).unwrap_err().contains("steady clock"));
    }
}

#[test]
fn after_a_start_of_the_machine_the_time_is_behind_and_never_ahead() {
    let noted = Clocks { boot: Some("b".to_owned()), ahead_of_steady: NOON, ahead_of_wall: 3_600 * SECOND, time: NOON };
    // Up for 40 s, after it was off for so long.
    let started = |off: i64| {
        let wall = NOON - 3_600 * SECOND + (off + 40) * SECOND;
        noted.now(&Machine { boot: Some("c".to_owned()), steady: 40 * SECOND, wall })
    };
    for off in [-5, 0, 90, 900] {
        assert_eq!(started(off), Ok(NOON + 40 * SECOND), "{off}");
    }
    for off in [901, 3_600, 1 << 40] {
        assert!(started(off).unwrap_err().contains("off for more than 15 minutes"), "{off}");
    }
    for off in [-6, -3_600] {
        assert!(started(off).unwrap_err().contains("behind what it was"), "{off}");
    }
    // Where nobody tells which start it is, each is another one.
    let unknown = Machine { boot: None, steady: 0, wall: NOON - 3_600 * SECOND };
    assert_eq!(Clocks { boot: None, ..noted }.now(&unknown), Ok(NOON));
}
