//! Tables: a text, the zone, which side, and the instant.

use super::*;
use jiff::ZonedDateTime;

/// A Saturday: Berlin has put its clocks back on the Sunday four weeks ago, New York on the Sunday before the last three.
const NOW: &str = "2026-11-28T14:30:00+01:00[Europe/Berlin]";

fn now(text: &str) -> ZonedDateTime {
    text.parse().unwrap()
}

fn read(text: &str, now: &ZonedDateTime, side: Side) -> Result<String, TimeError> {
    parse(text, now, side).map(|instant| {
        Timestamp::from_microsecond(instant.unix_micros)
            .unwrap()
            .to_zoned_datetime(now.time_zone().clone())
            .strftime("%F %T%.f %:z")
            .to_string()
    })
}

#[test]
fn what_people_write_is_read() {
    let now = now(NOW);
    for (text, earliest, latest) in [
        ("now", "2026-11-28 14:30:00 +01:00", "2026-11-28 14:30:00 +01:00"),
        ("today", "2026-11-28 00:00:00 +01:00", "2026-11-28 14:30:00 +01:00"),
        ("yesterday", "2026-11-27 00:00:00 +01:00", "2026-11-27 23:59:59.999999 +01:00"),
        ("2026-11-20", "2026-11-20 00:00:00 +01:00", "2026-11-20 23:59:59.999999 +01:00"),
        ("2026/11/20", "2026-11-20 00:00:00 +01:00", "2026-11-20 23:59:59.999999 +01:00"),
        ("2026-11-28", "2026-11-28 00:00:00 +01:00", "2026-11-28 14:30:00 +01:00"),
        ("3 hours ago", "2026-11-28 11:30:00 +01:00", "2026-11-28 11:30:00 +01:00"),
        ("an hour ago", "2026-11-28 13:30:00 +01:00", "2026-11-28 13:30:00 +01:00"),
        ("last hour", "2026-11-28 13:30:00 +01:00", "2026-11-28 13:30:00 +01:00"),
        ("past 2 days", "2026-11-26 14:30:00 +01:00", "2026-11-26 14:30:00 +01:00"),
        ("1h", "2026-11-28 13:30:00 +01:00", "2026-11-28 13:30:00 +01:00"),
        ("-1h", "2026-11-28 13:30:00 +01:00", "2026-11-28 13:30:00 +01:00"),
        ("2h30m", "2026-11-28 12:00:00 +01:00", "2026-11-28 12:00:00 +01:00"),
        ("2h 30m ago", "2026-11-28 12:00:00 +01:00", "2026-11-28 12:00:00 +01:00"),
        ("2 hours and 30 minutes ago", "2026-11-28 12:00:00 +01:00", "2026-11-28 12:00:00 +01:00"),
        ("1.5h", "2026-11-28 13:00:00 +01:00", "2026-11-28 13:00:00 +01:00"),
        ("90s", "2026-11-28 14:28:30 +01:00", "2026-11-28 14:28:30 +01:00"),
        ("1 week ago", "2026-11-21 14:30:00 +01:00", "2026-11-21 14:30:00 +01:00"),
        ("1 month ago", "2026-10-28 14:30:00 +01:00", "2026-10-28 14:30:00 +01:00"),
        ("4:06 pm", "2026-11-28 16:06:00 +01:00", "2026-11-28 16:06:00.999999 +01:00"),
        ("14:06", "2026-11-28 14:06:00 +01:00", "2026-11-28 14:06:00.999999 +01:00"),
        ("12 am", "2026-11-28 00:00:00 +01:00", "2026-11-28 00:00:00.999999 +01:00"),
        ("12pm", "2026-11-28 12:00:00 +01:00", "2026-11-28 12:00:00.999999 +01:00"),
        ("noon", "2026-11-28 12:00:00 +01:00", "2026-11-28 12:00:00.999999 +01:00"),
        ("yesterday at 5:30pm", "2026-11-27 17:30:00 +01:00", "2026-11-27 17:30:00.999999 +01:00"),
        ("5:30 p.m. yesterday", "2026-11-27 17:30:00 +01:00", "2026-11-27 17:30:00.999999 +01:00"),
        ("yesterday at noon UTC", "2026-11-27 13:00:00 +01:00", "2026-11-27 13:00:00.999999 +01:00"),
        ("5 AM Friday", "2026-11-27 05:00:00 +01:00", "2026-11-27 05:00:00.999999 +01:00"),
        ("Friday", "2026-11-27 00:00:00 +01:00", "2026-11-27 23:59:59.999999 +01:00"),
        ("Saturday", "2026-11-28 00:00:00 +01:00", "2026-11-28 14:30:00 +01:00"),
        ("last Saturday", "2026-11-21 00:00:00 +01:00", "2026-11-21 23:59:59.999999 +01:00"),
        // Today it lies ahead, and who names the day means one that was.
        ("5 pm Saturday", "2026-11-21 17:00:00 +01:00", "2026-11-21 17:00:00.999999 +01:00"),
        ("9 am sat", "2026-11-28 09:00:00 +01:00", "2026-11-28 09:00:00.999999 +01:00"),
        ("2013-08-20 04:12:55", "2013-08-20 04:12:55 +02:00", "2013-08-20 04:12:55.999999 +02:00"),
        ("2013-08-20 04:12:55.25", "2013-08-20 04:12:55.25 +02:00", "2013-08-20 04:12:55.259999 +02:00"),
        ("2013-08-20T04:12:55Z", "2013-08-20 06:12:55 +02:00", "2013-08-20 06:12:55.999999 +02:00"),
        ("2013-08-20t04:12:55.123456z", "2013-08-20 06:12:55.123456 +02:00", "2013-08-20 06:12:55.123456 +02:00"),
        ("2013-08-20T04:12:55-07:00", "2013-08-20 13:12:55 +02:00", "2013-08-20 13:12:55.999999 +02:00"),
        ("2013-08-20 04:12:55 -0700", "2013-08-20 13:12:55 +02:00", "2013-08-20 13:12:55.999999 +02:00"),
        ("2013-08-20 04:12 America/New_York", "2013-08-20 10:12:00 +02:00", "2013-08-20 10:12:00.999999 +02:00"),
        ("Nov 21 14:14:58", "2026-11-21 14:14:58 +01:00", "2026-11-21 14:14:58.999999 +01:00"),
        // As a line from the turn of the year is printed.
        ("Dec 31 23:59:59", "2025-12-31 23:59:59 +01:00", "2025-12-31 23:59:59.999999 +01:00"),
        ("21 November 2025, 2pm", "2025-11-21 14:00:00 +01:00", "2025-11-21 14:00:00.999999 +01:00"),
        ("nov 21st", "2026-11-21 00:00:00 +01:00", "2026-11-21 23:59:59.999999 +01:00"),
        ("Feb 29", "2024-02-29 00:00:00 +01:00", "2024-02-29 23:59:59.999999 +01:00"),
        ("1480000000", "2016-11-24 16:06:40 +01:00", "2016-11-24 16:06:40.999999 +01:00"),
        ("1480000000.5", "2016-11-24 16:06:40.5 +01:00", "2016-11-24 16:06:40.599999 +01:00"),
        ("@86400", "1970-01-02 01:00:00 +01:00", "1970-01-02 01:00:00.999999 +01:00"),
        ("  Yesterday\u{a0}at  5:30PM ", "2026-11-27 17:30:00 +01:00", "2026-11-27 17:30:00.999999 +01:00"),
    ] {
        assert_eq!(read(text, &now, Side::Earliest), Ok(earliest.to_owned()), "{text}, as the earliest time");
        assert_eq!(read(text, &now, Side::Latest), Ok(latest.to_owned()), "{text}, as the latest time");
    }
}

#[test]
fn days_are_of_the_calendar_and_hours_elapse() {
    // At 3 in the night of the 25th the clocks in Berlin go back to 2.
    let autumn = now("2026-10-25T12:00:00+01:00[Europe/Berlin]");
    let spring = now("2026-03-29T12:00:00+02:00[Europe/Berlin]");
    for (now, text, expected) in [
        (&autumn, "1 day ago", "2026-10-24 12:00:00 +02:00"),
        (&autumn, "24 hours ago", "2026-10-24 13:00:00 +02:00"),
        (&autumn, "1d12h", "2026-10-24 00:00:00 +02:00"),
        (&spring, "1 day ago", "2026-03-28 12:00:00 +01:00"),
        (&spring, "24h", "2026-03-28 11:00:00 +01:00"),
    ] {
        assert_eq!(read(text, now, Side::Earliest), Ok(expected.to_owned()), "{text}");
    }
    // Twice by the clock, and not at all.
    for (now, text, earliest, latest) in [
        (&autumn, "02:30", "2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00.999999 +01:00"),
        (&spring, "02:30", "2026-03-29 01:30:00 +01:00", "2026-03-29 03:30:00.999999 +02:00"),
    ] {
        assert_eq!(read(text, now, Side::Earliest), Ok(earliest.to_owned()));
        assert_eq!(read(text, now, Side::Latest), Ok(latest.to_owned()));
    }
    // In Santiago a day of spring begins at 1 in the night.
    let santiago = now("2026-09-06T12:00:00-03:00[America/Santiago]");
    assert_eq!(read("today", &santiago, Side::Earliest), Ok("2026-09-06 01:00:00 -03:00".to_owned()));
    assert_eq!(read("yesterday", &santiago, Side::Latest), Ok("2026-09-05 23:59:59.999999 -04:00".to_owned()));
}

#[test]
fn what_lies_ahead_is_known() {
    let now = now(NOW);
    for (text, ahead) in
        [("4:06 pm", true), ("tomorrow", true), ("2027-01-01", true), ("14:29", false), ("today", false), ("1h", false)]
    {
        assert_eq!(parse(text, &now, Side::Earliest).unwrap().lies_ahead, ahead, "{text}");
    }
    assert!(!parse("today", &now, Side::Latest).unwrap().lies_ahead);
}

#[test]
fn what_is_not_understood_is_said() {
    let now = now(NOW);
    for (text, said) in [
        ("06/07/2026", "`06/07/2026` can be read as day, month or as month, day; write the year first"),
        ("13/07/26", "can be read as"),
        ("6.7.2026 14:00", "can be read as"),
        ("1480000000000", "looks like milliseconds"),
        ("soon", "`soon` is not understood as a time; write it as 3 hours ago"),
        ("yesterday at teatime", "`teatime` is not understood"),
        ("5", "`5` is not understood"),
        ("2026", "`2026` is not understood"),
        ("3 parsecs ago", "is not understood"),
        ("ago", "is not understood"),
        ("", "is not understood"),
        ("+1h", "is not understood"),
        ("yesterday 3 hours ago", "is not understood"),
        ("5 pm 6 pm", "is not understood"),
        ("today yesterday", "is not understood"),
        ("5pm PST", "`pst` is not understood"),
        ("5pm Middle/Earth", "`middle/earth` is no zone that is known"),
        ("25:00", "there is no such time"),
        ("13 pm", "there is no such time"),
        ("2026-02-30", "there is no such time"),
        ("99999999999 years ago", "is not understood"),
        ("half past", "is not understood"),
        ("٣ hours ago", "is not understood"),
        ("1.2.3h", "is not understood"),
        ("1..5h", "is not understood"),
        ("5:3", "is not understood"),
        ("é:00", "is not understood"),
    ] {
        for side in [Side::Earliest, Side::Latest] {
            let Err(error) = parse(text, &now, side).map_err(|error| error.to_string()) else {
                panic!("{text} is read")
            };
            // What lies too far back for the calendar may be said either way.
            assert!(error.contains(said) || (text.contains("years") && error.contains("no such")), "{text}: {error}");
        }
    }
    assert!(parse(&"9h".repeat(1_000_000), &now, Side::Earliest).is_err());
}

#[test]
fn no_text_of_known_words_makes_it_stumble() {
    const WORDS: [&str; 24] = [
        "5",
        "pm",
        "at",
        "last",
        "ago",
        "friday",
        "nov",
        "21",
        "2026",
        "2026-11-21",
        "t",
        "04:12:55",
        "z",
        "+02:00",
        "-",
        "1h",
        "a",
        "and",
        "utc",
        "noon",
        ":",
        ".",
        "9223372036854775807",
        "s",
    ];
    let now = now(NOW);
    let mut state = 1_u64;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(WORDS[(state >> 33) as usize % WORDS.len()]);
            if state >> 62 & 1 == 0 {
                text.push(' ');
            }
        }
        for side in [Side::Earliest, Side::Latest] {
            let _ = parse(&text, &now, side);
        }
        // Of one text the latest time is never before the earliest one.
        if let (Ok(first), Ok(last)) = (parse(&text, &now, Side::Earliest), parse(&text, &now, Side::Latest)) {
            assert!(first.unix_micros <= last.unix_micros || first.lies_ahead, "{text}");
        }
    }
}

#[test]
fn zones_are_names_and_offsets() {
    for name in ["UTC", "utc", "Z", "+05:30", "-0800", "Europe/Berlin", "Asia/Kolkata"] {
        assert!(zone(name).is_ok(), "{name}");
    }
    for name in ["Middle/Earth", "", "+5", "+99:00", "+02:99"] {
        assert!(zone(name).unwrap_err().to_string().contains("write UTC, an offset as +02:00, or a name"), "{name}");
    }
}
