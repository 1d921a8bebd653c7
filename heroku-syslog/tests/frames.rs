//! Octet counts: the cases of `testdata/frames.toml`, and both readers against the slow oracle.

mod walks;

use heroku_syslog::{Frames, FramingErrorKind, Limits, Recovery};
use testkit::deframe::Item;
use walks::{Setting, all_agree, whole};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    frames: Vec<u64>,
    /// How many of them were repaired.
    #[serde(default)]
    repaired: usize,
    #[serde(default)]
    errors: Vec<(String, u64, u64, u64)>,
    #[serde(default)]
    separators: u64,
    message: Option<String>,
    stop: Option<Found>,
    max_frame: Option<usize>,
    max_skip: Option<usize>,
}

#[derive(serde::Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Found {
    frames: Vec<u64>,
    #[serde(default)]
    errors: Vec<(String, u64, u64, u64)>,
}

fn found(body: &[u8], setting: Setting) -> Found {
    let mut found = Found { frames: Vec::new(), errors: Vec::new() };
    for item in whole(body, setting).items {
        match item {
            Item::Frame { bytes, .. } => found.frames.push(bytes.len() as u64),
            Item::Error { kind, start, offset, skipped } => {
                found.errors.push((kind.to_owned(), start, offset, skipped));
            }
        }
    }
    found
}

fn setting(expect: &Expect, recovery: Recovery) -> Setting {
    let Setting { max_frame, max_skip, .. } = Setting::RESYNC;
    Setting {
        max_frame: expect.max_frame.unwrap_or(max_frame),
        max_skip: expect.max_skip.unwrap_or(max_skip),
        recovery,
    }
}

#[test]
fn cases() {
    for case in testkit::cases("frames") {
        let expect: Expect = case.expect();
        let resync = setting(&expect, Recovery::Resync);
        let stop = setting(&expect, Recovery::Stop);
        let limits = Limits::new().with_max_frame(resync.max_frame).with_max_skip(resync.max_skip);
        let mut frames = Frames::new(&case.input).with_limits(limits);
        let error = frames.find_map(Result::err);
        if let Some(message) = &expect.message {
            assert_eq!(error.map(|error| error.to_string()).as_ref(), Some(message), "{}", case.name);
        }
        frames.by_ref().for_each(drop);
        assert_eq!(frames.separators(), expect.separators, "{}", case.name);
        let repaired = |item: &Item| matches!(item, Item::Frame { repaired: true, .. });
        let repaired = whole(&case.input, resync).items.iter().filter(|item| repaired(item)).count();
        assert_eq!(repaired, expect.repaired, "{}", case.name);
        let wanted = Found { frames: expect.frames, errors: expect.errors };
        assert_eq!(found(&case.input, resync), wanted, "{}", case.name);
        assert_eq!(found(&case.input, stop), expect.stop.unwrap_or(wanted), "{} under stop", case.name);
    }
}

#[test]
fn cases_however_they_are_cut() {
    for case in testkit::cases("frames") {
        let expect: Expect = case.expect();
        // The oracle costs the square of what it searches; the long cases are for the readers, and checked above.
        if case.input.len() < 100_000 {
            all_agree(&case.name, &case.input, setting(&expect, Recovery::Resync));
            all_agree(&case.name, &case.input, setting(&expect, Recovery::Stop));
        }
    }
}

#[test]
fn long_cases_however_they_are_cut() {
    for case in testkit::cases("frames").iter().filter(|case| case.input.len() >= 100_000) {
        let expect: Expect = case.expect();
        for recovery in [Recovery::Resync, Recovery::Stop] {
            let setting = setting(&expect, recovery);
            let expected = whole(&case.input, setting);
            for size in [1, 7, 1_460, 65_536] {
                assert_eq!(walks::in_pieces(case.input.chunks(size), setting), expected, "{} by {size}", case.name);
            }
        }
    }
}

#[test]
fn recorded_bodies_however_they_are_cut() {
    let mut bodies = 0;
    for entry in std::fs::read_dir(testkit::testdata()).expect("testdata is there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "logplex") {
            let body = std::fs::read(&path).expect("it can be read");
            let name = path.display().to_string();
            all_agree(&name, &body, Setting::RESYNC);
            all_agree(&name, &body, Setting::STOP);
            // Damage in the middle, to be found again behind.
            let middle = body.len() / 2;
            let damaged = [&body[..middle], &body[middle + 7..]].concat();
            all_agree(&name, &damaged, Setting::RESYNC);
            all_agree(&name, &damaged, Setting::STOP);
            bodies += 1;
        }
    }
    assert!(bodies > 0, "testdata has a body");
}

/// What a storm of false beginnings costs is told by counting bytes a reader holds and by finishing at all: a
/// quadratic search of these 4 MiB would take hours.
#[test]
fn a_storm_costs_linear_time_and_bounded_memory() {
    for unit in ["65536 <1>1 ", "9999 <1>1 9 <1>1 ", "<", "1 <1>1 ", "11111111111111111111 <1>1 ", "99999", "1 <"] {
        let mut storm = b"?".to_vec();
        while storm.len() < 4 << 20 {
            storm.extend_from_slice(unit.as_bytes());
        }
        let walk = whole(&storm, Setting::RESYNC);
        let mut reader = heroku_syslog::FrameReader::new(Limits::new(), Recovery::Resync);
        let (mut items, mut most) = (0, 0);
        for piece in storm.chunks(4_096) {
            reader.push(piece);
            while reader.next_frame().is_some() {
                items += 1;
            }
            most = most.max(reader.buffered());
        }
        reader.finish();
        while reader.next_frame().is_some() {
            items += 1;
        }
        assert_eq!((items, reader.skipped()), (walk.items.len(), walk.skipped), "{unit}");
        assert!(most <= 65_536 + 4_096 + 64, "{unit}: {most} bytes held");
    }
}

#[test]
fn what_is_passed_over_is_not_held() {
    let mut reader = heroku_syslog::FrameReader::new(Limits::new(), Recovery::Resync);
    reader.push(b"1000000 ");
    for _ in 0..1_000 {
        reader.push(&[b'x'; 1_000]);
        assert!(reader.buffered() <= 1_008);
        assert!(reader.pending_error().is_none_or(|error| error.kind() == FramingErrorKind::TooLong));
        if let Some(item) = reader.next_frame() {
            assert_eq!(item.expect_err("it is too long").skipped(), 1_000_008);
        }
    }
    reader.push(b"16 <1>1 - - - - - -\n");
    assert_eq!(reader.next_frame().expect("a frame").expect("which is good").offset(), 1_000_008);
}

#[test]
fn under_stop_the_error_is_seen_at_once_and_told_at_the_end() {
    let mut reader = heroku_syslog::FrameReader::new(Limits::new(), Recovery::Stop);
    reader.push(b"2 ab?");
    assert!(reader.next_frame().expect("a frame").is_ok());
    assert!(reader.next_frame().is_none());
    let error = reader.pending_error().expect("it was met");
    assert_eq!((error.offset(), error.skipped()), (4, 1));
    reader.push(b"16 <1>1 - - - - - -");
    assert_eq!((reader.buffered(), reader.skipped()), (0, 20));
    reader.finish();
    reader.push(b"more");
    assert_eq!(reader.next_frame().expect("the error").expect_err("an error").skipped(), 20);
    assert!(reader.next_frame().is_none());
    assert_eq!((reader.offset(), reader.buffered()), (24, 0), "nothing is taken behind the end");
}
