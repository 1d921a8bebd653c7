//! Lengths that are off by a little, as senders write them that count characters, or whose line ends were stripped: no
//! frame is handed out that holds anything but a whole message, and what is plain to see is read all the same.

mod walks;

use heroku_syslog::{Dialect, FrameReader, Frames, FramingErrorKind, Limits, Recovery};
use walks::{Setting, all_agree};

/// Messages that would still be read when a digit more or less belonged to them.
fn line(n: usize) -> String {
    let message = match n % 4 {
        0 => format!("count#orders={}", 1 + n % 7),
        1 => format!("at=info connect=0ms service={}ms status=200 bytes={} protocol=https", 10 + n, 100 + 37 * n),
        2 => format!("größe → measure#cart={}", 1000 + 911 * n),
        _ => format!("sample#load={n} source=web.{}", 1 + n % 12),
    };
    format!("<190>1 2026-03-30T10:{:02}:{:02}.5+00:00 host app web.1 - {message}", n / 60 % 60, n % 60)
}

/// What ends a line: what is counted of it, and what is not.
const ENDS: [(&str, &str); 6] = [("", ""), ("\n", ""), ("", "\n"), ("\r\n", ""), ("", "\r\n"), ("\n", "\n")];

fn body(lines: usize, (counted, more): (&str, &str), off: impl Fn(usize, &str) -> isize) -> Vec<u8> {
    let frame = |n| {
        let line = line(n) + counted;
        let length = line.len().checked_add_signed(off(n, &line)).expect("a length");
        format!("{length} {line}{more}")
    };
    (0..lines).map(frame).collect::<String>().into_bytes()
}

/// The messages that were read, each of which must be whole, and how many frames were repaired.
fn read(name: &str, body: &[u8], lines: usize) -> (usize, usize) {
    let whole: Vec<String> = (0..lines).map(line).collect();
    let (mut count, mut repaired) = (0, 0);
    for raw in Frames::new(body).flatten() {
        let frame = raw.parse(Dialect::Logplex).expect("a header");
        let text = std::str::from_utf8(frame.bytes()).expect("text").trim_end();
        assert!(whole.iter().any(|line| line == text), "{name}: {text:?}");
        count += 1;
        repaired += usize::from(raw.is_repaired());
    }
    (count, repaired)
}

#[test]
fn no_length_that_is_off_makes_a_value() {
    for end in ENDS {
        for off in (-24..=24).filter(|off| *off != 0) {
            for lines in [1, 2, 3, 40] {
                let name = format!("{lines} lines with {end:?}, off by {off}");
                let (count, repaired) = read(&name, &body(lines, end, |_, _| off), lines);
                let with_line_ends = !(end.0.is_empty() && end.1.is_empty());
                if with_line_ends {
                    assert!(count >= lines - usize::from(lines == 1 && off == 0), "{name}: {count} read");
                } else {
                    assert!(repaired <= 1, "{name}: nothing tells where a line ends but the end of input");
                }
            }
        }
    }
}

#[test]
fn one_length_that_is_off_costs_no_more_than_two_frames() {
    for end in ENDS {
        for off in (-24..=24).filter(|off| *off != 0) {
            for wrong in [0, 1, 7, 11] {
                let name = format!("line {wrong} of 12 with {end:?}, off by {off}");
                let body = body(12, end, |n, _| if n == wrong { off } else { 0 });
                let (count, repaired) = read(&name, &body, 12);
                assert!(count >= 10 && repaired <= 1, "{name}: {count} read");
                if end != ("", "") {
                    assert_eq!(count, 12, "{name}");
                }
            }
        }
    }
}

#[test]
fn characters_counted_for_bytes_are_repaired() {
    let characters = |_, line: &str| line.chars().count() as isize - line.len() as isize;
    for end in [("", "\n"), ("\n", ""), ("", "\r\n")] {
        let body = body(100, end, characters);
        // One line of four has other letters; where LF is counted too, those that fit are read as they are.
        assert_eq!(read("characters", &body, 100), (100, 25), "{end:?}");
    }
    let body = body(100, ("", ""), characters);
    let (count, repaired) = read("characters without line ends", &body, 100);
    assert!(count >= 50 && repaired == 0, "{count} of 75 whole frames, less those in front of others");
}

#[test]
fn line_ends_that_were_stripped_are_refused_as_a_whole() {
    let stripped = body(6, ("", ""), |_, _| 1);
    assert_eq!(read("stripped", &stripped, 6), (0, 0));
    let kinds: Vec<_> = Frames::new(&stripped).filter_map(Result::err).map(|error| error.kind()).collect();
    assert!(kinds.contains(&FramingErrorKind::LengthOff), "{kinds:?}");
    // Under Stop the declared length is what counts.
    assert!(Frames::new(&stripped).with_recovery(Recovery::Stop).flatten().count() > 0);
}

#[test]
fn lengths_that_are_off_however_they_are_cut() {
    for end in ENDS {
        for off in [-13, -2, -1, 1, 2, 13, 90] {
            let name = format!("{end:?}, off by {off}");
            all_agree(&name, &body(5, end, |_, _| off), Setting::RESYNC);
            all_agree(&name, &body(5, end, |n, _| if n == 2 { off } else { 0 }), Setting::RESYNC);
        }
    }
}

#[test]
fn a_quiet_connection_gets_its_frame_at_once() {
    let limits = Limits::new();
    for (pieces, at_once) in [
        // A frame without LF, and nothing behind it.
        (&["16 <1>1 - - - - - -"][..], 1),
        // Its LF may still come; it would be a separator.
        (&["16 <1>1 - - - - - -\r"], 0),
        // The start of a next one, of which more is on its way.
        (&["16 <1>1 - - - - - -16 <1>1 - "], 1),
        (&["16 <1>1 - - - - - -16 <"], 1),
        (&["16 <1>1 - - - - - -1"], 0),
        // A frame that is not whole.
        (&["16 <1>1 - - - "], 0),
        (&["17 <1>1 - - - - - -\n"], 1),
        (&["17 <1>1 - - - - - -\n17 <1>1 - - - - - -\n"], 2),
    ] {
        let mut reader = FrameReader::new(limits, Recovery::Resync);
        for piece in pieces {
            reader.push(piece.as_bytes());
        }
        while reader.next_frame().is_some() {}
        let mut reader = FrameReader::new(limits, Recovery::Resync);
        let mut count = 0;
        for piece in pieces {
            reader.push(piece.as_bytes());
            reader.flush();
            while let Some(item) = reader.next_frame() {
                assert!(item.is_ok(), "{pieces:?}");
                count += 1;
            }
        }
        assert_eq!(count, at_once, "{pieces:?}");
    }
}

/// Right frames in any pieces, and a flush behind each: none is lost, none is refused.
#[test]
fn flushing_costs_no_frame() {
    for end in ENDS {
        let body = body(9, end, |_, _| 0);
        for size in 1..body.len().min(200) {
            let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
            let mut count = 0;
            for piece in body.chunks(size) {
                reader.push(piece);
                reader.flush();
                while let Some(item) = reader.next_frame() {
                    assert!(item.is_ok_and(|raw| !raw.is_repaired()), "{end:?} by {size}");
                    count += 1;
                }
            }
            reader.finish();
            while let Some(item) = reader.next_frame() {
                assert!(item.is_ok(), "{end:?} by {size}");
                count += 1;
            }
            assert_eq!(count, 9, "{end:?} by {size}");
        }
    }
}

/// A bad header is no wrong length: it costs its own frame.
#[test]
fn frames_that_are_no_messages_cost_no_neighbour() {
    let good = line(0);
    let good = format!("{} {good}", good.len());
    for odd in ["10 <999>1 - -", "4 junk", "10 ---\n 3 ab?", "9 <190>1 x\n", "15 {\"a\":[1,2,3,4]}"] {
        for text in [
            format!("{good}{odd}{good}"),
            format!("{good}\n{odd}\n{good}\n"),
            format!("{good}{good}{odd}"),
            format!("{odd}{odd}{good}"),
        ] {
            let frames: Vec<_> = Frames::new(text.as_bytes()).collect();
            assert!(frames.iter().all(Result::is_ok), "{text:?}: {frames:?}");
        }
    }
}

/// The costs of what a hostile sender can have looked for: lines that are never closed, starts that never end well.
#[test]
fn false_starts_cost_linear_time_in_pieces_of_any_size() {
    let head = "99 <190>1 2026-03-30T10:00:00+00:00 host app web.1 - ";
    for (unit, size) in [
        (format!("\n{head}"), 1),
        (format!("{head}x\n"), 1),
        (format!("\n{head}5 <"), 13),
        (format!("{head}{}", "5 <".repeat(20_000)), 1),
        (format!("70000 {head}"), 1),
        (format!("65536 {head}\n"), 1),
        ("65000 <1>1 \n".to_owned(), 1),
        ("44 <1>1 - - - - - -28 <1>1 - - - - - -12 xxxxxxxxxxxx".to_owned(), 7),
    ] {
        let storm = unit.repeat((1 << 20) / unit.len() + 1);
        let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
        let (mut bytes, mut most) = (0, 0);
        for piece in storm.as_bytes().chunks(size) {
            reader.push(piece);
            while let Some(item) = reader.next_frame() {
                bytes += item.map_or(0, |raw| raw.wire_len());
            }
            most = most.max(reader.buffered());
        }
        reader.finish();
        while let Some(item) = reader.next_frame() {
            bytes += item.map_or(0, |raw| raw.wire_len());
        }
        assert_eq!(bytes + reader.separators() + reader.skipped(), storm.len() as u64, "{unit:.60}");
        assert!(most <= 3 * 65_536 + 128, "{unit:.60}: {most} bytes held");
    }
}
