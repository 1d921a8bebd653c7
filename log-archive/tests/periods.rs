//! Names of hours and days, and keys: both ways, in order, and nothing else is taken.

use log_archive::{Keys, NameErrorKind, Period, read_event_text};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;

fn period(name: &str) -> Period {
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn edges() {
    let day = period("2026-11-28");
    assert_eq!((day.start(), day.end() - day.start()), (1_795_824_000_000_000, 24 * HOUR));
    assert_eq!(day.hours().map(|hour| hour.end() - hour.start()).sum::<i64>(), 24 * HOUR);
    assert!(day.hours().all(|hour| hour < day && hour.day() == day && !hour.is_day()) && day.is_day());
    assert_eq!(period("2026-11-28-23").next(), Some(period("2026-11-29-00")));
    assert_eq!(period("2024-02-28").next(), Some(period("2024-02-29")));
    assert_eq!(period("2026-12-31").next(), Some(period("2027-01-01")));
    assert_eq!((period("9999-12-31").next(), period("9999-12-31-23").next()), (None, None));
    assert_eq!(period("9999-12-31-22").next(), Some(period("9999-12-31-23")));
    // Half open, before and after 1970, and clamped.
    let hour = period("2026-11-28-22");
    assert_eq!(Period::hour_of(hour.start()), hour);
    assert_eq!(Period::hour_of(hour.end() - 1), hour);
    assert_eq!(Some(Period::hour_of(hour.end())), hour.next());
    assert_eq!(Period::hour_of(-1), period("1969-12-31-23"));
    assert_eq!(Period::hour_of(i64::MIN), period("0000-01-01-00"));
    assert_eq!(Period::hour_of(i64::MAX), period("9999-12-31-23"));
}

#[test]
fn what_is_no_name() {
    for text in [
        "",
        "2026",
        "2026-11",
        "2026-11-28-",
        "2026-11-28-2",
        "2026-11-28-24",
        "2026-11-28-022",
        "2026-11-31",
        "2026-02-29",
        "2026-00-01",
        "2026-13-01",
        "2026-11-28T22",
        "2026-11-28 ",
        " 2026-11-28",
        "2026-11-28-22.tsv.gz",
        "+026-11-28",
        "12026-11-28",
        "2026-1-28",
        "2026-11-28-+1",
        "2026-11-28-22\n",
        "\u{662}026-11-28",
        "2026\u{2d}11-28/",
    ]
    .into_iter()
    .filter(|text| *text != "2026-11-28")
    {
        assert_eq!(text.parse::<Period>().map_err(|error| error.kind()), Err(NameErrorKind::Period), "{text:?}");
    }
    assert_eq!(Period::of_file_name("2026-11-28-22.tsv.gz"), Some(period("2026-11-28-22")));
    assert_eq!(Period::of_file_name("2026-11-28.tsv"), Some(period("2026-11-28")));
    for name in [
        "2026-11-28",
        "2026-11-28.gz",
        "2026-11-28.TSV",
        "2026-11-28.tsv.gz.part",
        "x/2026-11-28.tsv",
        ".tsv.gz",
        ".tsv",
        "2026-11-28.tsv.tsv",
    ] {
        assert_eq!(Period::of_file_name(name), None, "{name}");
    }
}

#[test]
fn prefixes_and_accounts() {
    let hour = period("2026-11-28-22");
    for (prefix, account, folder) in [
        (Keys::PREFIX, "42", "papertrail/logs/42/"),
        ("papertrail/logs/", "42", "papertrail/logs/42/"),
        ("/a", "b", "a/b/"),
        ("", "42", "42/"),
        ("", "", ""),
        ("/", "", ""),
        ("a/b/c", "", "a/b/c/"),
        ("größe und mehr", "ein Wort", "größe und mehr/ein Wort/"),
    ] {
        let keys = Keys::new(prefix, account).unwrap_or_else(|error| panic!("{prefix:?} {account:?}: {error}"));
        assert_eq!(keys.folder(), folder);
        let key = keys.key(hour);
        assert_eq!(key, format!("{folder}dt=2026-11-28/2026-11-28-22.tsv.gz"));
        assert_eq!(keys.period(&key), Some(hour));
        for wrong in [
            "dt=2026-11-28/2026-11-28-22.tsv",
            "dt=2026-11-27/2026-11-28-22.tsv.gz",
            "dt=2026-11-28/../dt=2026-11-28/2026-11-28-22.tsv.gz",
            "dt=2026-11-28-22/2026-11-28-22.tsv.gz",
            "2026-11-28-22.tsv.gz",
            "dt=2026-11-28/2026-11-28-22.books.json",
            "dt=2026-11-28/",
            "",
        ] {
            assert_eq!(keys.period(&format!("{folder}{wrong}")), None, "{wrong}");
        }
        assert_eq!(keys.period(&format!("x{key}")), None);
    }
    for prefix in ["a//b", "///", "a//", "a/../b", "..", ".", "a\\b", "a\nb", "a\u{85}", &"x".repeat(513)] {
        assert_eq!(Keys::new(prefix, "42").map_err(|error| error.kind()), Err(NameErrorKind::Prefix), "{prefix:?}");
    }
    for account in ["a/b", "/", "/42", "42/", "..", ".", "a\\b", "a\0", &"x".repeat(257)] {
        let error = Keys::new(Keys::PREFIX, account).unwrap_err();
        assert_eq!(error.kind(), NameErrorKind::Account, "{account:?}");
        assert!(!error.to_string().contains(char::is_control));
    }
    let longest = Keys::new(&"x".repeat(512), &"y".repeat(256)).expect("both fit");
    assert!(longest.key(hour).len() < 1024);
}

proptest! {
    #[test]
    fn both_ways_and_in_order(all in prop::collection::vec((any::<i64>(), any::<bool>()), 2..20)) {
        let periods: Vec<Period> = all.iter().map(|(micros, day)| {
            let hour = Period::hour_of(*micros);
            if *day { hour.day() } else { hour }
        }).collect();
        let keys = Keys::new(Keys::PREFIX, "42").expect("a good prefix");
        for period in &periods {
            prop_assert_eq!(period.to_string().parse(), Ok(*period));
            prop_assert_eq!(Period::of_file_name(&period.file_name()), Some(*period));
            prop_assert_eq!(keys.period(&keys.key(*period)), Some(*period));
            prop_assert_eq!(Period::hour_of(period.start()).start(), period.start());
            prop_assert_eq!(Period::hour_of(period.end() - 1).end(), period.end());
            if let Some(next) = period.next() {
                prop_assert_eq!(next.start(), period.end());
                prop_assert!(next > *period);
            }
        }
        for pair in periods.windows(2) {
            prop_assert_eq!(pair[0].cmp(&pair[1]), keys.key(pair[0]).cmp(&keys.key(pair[1])));
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..60), year: u16, offset: i16) {
        if let Ok(period) = text.parse::<Period>() {
            prop_assert_eq!(period.to_string(), &text[..]);
        }
        let _ = (Period::of_file_name(&text), read_event_text(&bytes, year, offset));
        if let Ok(keys) = Keys::new(&text, &text) {
            prop_assert_eq!(keys.period(&keys.key(Period::hour_of(0))), Some(Period::hour_of(0)));
        }
        let _ = read_event_text(&[b"Nov 21 14:14:58 ", &bytes[..]].concat(), year, offset);
    }
}

#[test]
fn text_of_events() {
    let read = |line: &str, year, offset| {
        read_event_text(line.as_bytes(), year, offset).map(|row| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (
                row.generated_at(),
                row.offset_minutes(),
                text(row.source_name()),
                text(row.program()),
                text(row.message()),
            )
        })
    };
    let at = 1_795_270_498_000_000;
    for (line, program, message) in [
        ("Nov 21 14:14:58 shop heroku/web.4: Starting process", "heroku/web.4", "Starting process"),
        ("Nov 21 14:14:58 shop heroku/web.4: Starting process\r\n", "heroku/web.4", "Starting process"),
        ("Nov 21 14:14:58 shop app/web.1:   two: blanks \n", "app/web.1", "  two: blanks "),
        ("Nov 21 14:14:58 shop app/web.1:", "app/web.1", ""),
        ("Nov 21 14:14:58 shop app/web.1: ", "app/web.1", ""),
        ("Nov 21 14:14:58 shop no program here: x", "", "no program here: x"),
        ("Nov 21 14:14:58 shop : x", "", "x"),
        ("Nov 21 14:14:58 shop ", "", ""),
        ("Nov 21 14:14:58 shop", "", ""),
    ] {
        assert_eq!(
            read(line, 2026, 0),
            Some((at, 0, "shop".to_owned(), program.to_owned(), message.to_owned())),
            "{line:?}"
        );
    }
    assert_eq!(read("Nov 21 14:14:58 shop a: b", 2026, -480).map(|row| (row.0, row.1)), Some((at + 8 * HOUR, -480)));
    let first = read("Nov 01 00:00:00 a b: c", 2026, 0);
    assert!(
        first.is_some()
            && first == read("Nov  1 00:00:00 a b: c", 2026, 0)
            && first == read("Nov 1 00:00:00 a b: c", 2026, 0)
    );
    assert!(read("Feb 29 00:00:00 a b: c", 2024, 0).is_some() && read("Feb 29 00:00:00 a b: c", 2026, 0).is_none());
    for line in [
        "",
        "Nov",
        "Nov 21",
        "Nov 21 14:14:58",
        "Nov 21 14:14:58 ",
        "Nov 21 14:14:58  app: x",
        "nov 21 14:14:58 a b: c",
        "Nov 31 14:14:58 a b: c",
        "Nov 21 24:14:58 a b: c",
        "Nov 0 14:14:58 a b: c",
        "Nov21 14:14:58 a b: c",
        "Nov 21 14:14 a b: c",
        "Nov 21 14:14:58.5 a b: c",
        "2026-11-21T14:14:58Z a b: c",
        "\u{1b}[1mNov 21 14:14:58 a b: c",
    ] {
        assert_eq!(read(line, 2026, 0), None, "{line:?}");
    }
}
