//! The fast reader of headers, in the shape that Heroku writes them, by words of eight bytes.
//!
//! ```text
//! <158>1 2026-03-14T09:00:00.000000+00:00 host heroku router - at=info ...
//! ```
//!
//! Nearly every frame of a drain has this shape: PRI of two or three digits, VERSION 1, a time in UTC with six digits of
//! fraction, short names in ASCII. So nothing need be searched up to the names, and the digits of the time stand at fixed
//! offsets: it is compared with a pattern as a whole, and its numbers are taken out of words by multiplication. The names
//! of the router are compared as a whole too; of others only the spaces are looked for, all at once. There are few
//! branches, and those that are there mostly go one way.
//!
//! It answers what the plain reader, [`header`](crate::header), would have read, or nothing. Whatever has another shape, be
//! it wrong or merely rare, goes to the plain reader, which knows all shapes and alone tells errors. The tests below hold
//! the two against each other.
//!
//! It is inlined into its callers by order, so that what a caller does not ask for is not computed: most of a frame.

use crate::header::{Fields, Span};
use crate::pri::Pri;
use crate::timestamp::{Timestamp, days, days_in};

/// The words in which the end of a HOSTNAME is looked for, since a drain token has 38 bytes, and that of other names. All
/// may have that many bytes by the grammar, so a name that ends within them is not too long.
const HOSTNAME_WORDS: usize = 8;
const NAME_WORDS: usize = 4;

/// All of the header, and how long it is; `None` if it has another shape.
///
/// `minute` reads the front half of the time, `2026-03-14T09:00`, as the microsecond in which that minute begins.
#[inline(always)]
pub(crate) fn header(input: &[u8], minute: impl FnOnce(&[u8; 16]) -> Option<i64>) -> Option<(Fields, usize)> {
    let (pri, time) = pri_and_version(u64::from_le_bytes(*input.first_chunk()?))?;
    let (text, rest) = input.get(time..)?.split_first_chunk::<32>()?;
    let (front, back) = (text.first_chunk()?, text.last_chunk()?);
    // The halves of the 32 bytes are read apart, so that the caller can remember the front one.
    let timestamp = Timestamp::from_micros(minute(front)? + within_minute(back)?);
    let behind_time = time + 32;
    // Two of three lines are the router's.
    let (router, [behind_host, behind_app, behind_process, len]) =
        if rest.first_chunk() == Some(b" host heroku router - ") {
            (true, [5, 12, 19, 21].map(|len| behind_time + len))
        } else {
            names(input, behind_time)?
        };
    let fields = Fields {
        pri: Some(pri),
        version: 1,
        timestamp: Some(timestamp),
        timestamp_text: Span::new(time, behind_time),
        hostname: Span::new(behind_time + 1, behind_host),
        app_name: Span::new(behind_host + 1, behind_app),
        proc_id: Span::new(behind_app + 1, behind_process),
        msg_id: Span::new(behind_process + 1, len),
        router,
    };
    Some((fields, len))
}

/// The ends of HOSTNAME, APP-NAME, PROCID and MSGID, and whether the two in the middle are `heroku` and `router`.
#[inline(always)]
fn names(input: &[u8], behind_time: usize) -> Option<(bool, [usize; 4])> {
    let rest = input.get(behind_time..)?;
    let behind_host = if rest.starts_with(b" host ") {
        behind_time + 5
    } else if rest.starts_with(b" ") {
        name(input, behind_time, HOSTNAME_WORDS)?
    } else {
        return None;
    };
    let (behind_app, behind_process) = two_names(input, behind_host)?;
    let len = match input.get(behind_process + 1..)? {
        [b'-', b' ', ..] => behind_process + 2,
        _ => name(input, behind_process, NAME_WORDS)?,
    };
    let router = input.get(behind_host..behind_process) == Some(b" heroku router");
    Some((router, [behind_host, behind_app, behind_process, len]))
}

/// The byte at `at`, counted from the lowest.
#[inline(always)]
const fn byte(word: u64, at: u32) -> u8 {
    (word >> (8 * at)) as u8
}

/// Eight bytes of which each is given, a digit up to a greatest one, or anything.
///
/// Text is compared by exclusive or. What is as given becomes zero, and a digit its number. Other bytes show by any bit
/// that is left; where a digit is due, by one of the upper four bits, and a digit that is too great shows there too once
/// what its greatest has left to 15 is added. The sum carries into the next byte only from one that is wrong already.
struct Pattern {
    word: u64,
    left: u64,
    wrong: u64,
}

impl Pattern {
    /// `0` stands for a digit up to the one in `most`, `?` for anything.
    const fn new(pattern: &[u8; 8], most: &[u8; 8]) -> Self {
        let (mut left, mut wrong) = ([0; 8], [0; 8]);
        let mut at = 0;
        while at < 8 {
            (left[at], wrong[at]) = match pattern[at] {
                b'0' => (15 - (most[at] - b'0'), 0xf0),
                b'?' => (0, 0),
                _ => (0, 0xff),
            };
            at += 1;
        }
        let word = u64::from_le_bytes(*pattern);
        Self { word, left: u64::from_le_bytes(left), wrong: u64::from_le_bytes(wrong) }
    }

    /// The bytes without the pattern, and those that are wrong.
    #[inline(always)]
    const fn strip(&self, text: u64) -> (u64, u64) {
        let stripped = text ^ self.word;
        (stripped, (stripped | stripped.wrapping_add(self.left)) & self.wrong)
    }
}

/// `<158>1 ` or `<45>1 `, and how long it is.
#[inline(always)]
fn pri_and_version(word: u64) -> Option<(Pri, usize)> {
    const THREE: Pattern = Pattern::new(b"<000>1 ?", b"<199>1 ?");
    const TWO: Pattern = Pattern::new(b"<00>1 ??", b"<99>1 ??");
    let ((three, not_three), (two, not_two)) = (THREE.strip(word), TWO.strip(word));
    if not_three == 0 {
        Some((Pri::of_digits(byte(three, 1), byte(three, 2), byte(three, 3))?, 7))
    } else if not_two == 0 {
        Some((Pri::of_digits(0, byte(two, 1), byte(two, 2))?, 6))
    } else {
        None
    }
}

/// The front half of a time, `2026-03-14T09:00`, as the microsecond in which that minute begins, if it is one in UTC.
#[inline]
pub(crate) fn minute_start(text: &[u8; 16]) -> Option<i64> {
    const DATE: Pattern = Pattern::new(b"0000-00-", b"9999-19-");
    const TIME: Pattern = Pattern::new(b"00T00:00", b"39T29:59");
    let [date, time] = words(text);
    let ((date, wrong_date), (time, wrong_time)) = (DATE.strip(date), TIME.strip(time));
    if wrong_date | wrong_time != 0 {
        return None;
    }
    let (date, time) = (pairs(date), pairs(time));
    let number = |pairs, at| u32::from(byte(pairs, at));
    let (year, month, day) = (number(date, 0) * 100 + number(date, 2), number(date, 5), number(time, 0));
    let (hour, minute) = (number(time, 3), number(time, 6));
    // All months have 28 days, so that mostly none need be counted.
    let fine = (1..=12).contains(&month) && 1 <= day && (day <= 28 || day <= days_in(year, month)) && hour <= 23;
    fine.then(|| (days(year, month, day) * 1_440 + i64::from(hour * 60 + minute)) * 60_000_000)
}

/// The back half of a time, `:00.000000+00:00`, in microseconds.
#[inline(always)]
fn within_minute(text: &[u8; 16]) -> Option<i64> {
    const FRONT: Pattern = Pattern::new(b":00.0000", b":59.9999");
    const BACK: Pattern = Pattern::new(b"00+00:00", b"99+00:00");
    let [front, back] = words(text);
    let ((front, wrong_front), (back, wrong_back)) = (FRONT.strip(front), BACK.strip(back));
    if wrong_front | wrong_back != 0 {
        return None;
    }
    // The eight bytes `00.00000` are pairs of digits: whole seconds, then hundreds of thousands (the point is 0),
    // thousands and tens of microseconds. Two pairs each are multiplied and added at once, in the upper half.
    let pairs = pairs(front >> 8 | back << 56);
    let every_other = 0x0000_00ff_0000_00ff;
    let seconds_thousands = (pairs & every_other).wrapping_mul(1_000 + (1_000_000 << 32));
    let hundred_thousands_tens = (pairs >> 16 & every_other).wrapping_mul(10 + (100_000 << 32));
    Some(((seconds_thousands + hundred_thousands_tens) >> 32) as i64 + i64::from(byte(back, 1)))
}

#[inline(always)]
fn words(text: &[u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, back @ ..] = *text;
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes(back)]
}

/// Of eight digits each becomes ten times itself and the next one, at most 99.
#[inline(always)]
const fn pairs(digits: u64) -> u64 {
    digits.wrapping_mul(10) + (digits >> 8)
}

/// The ends of two names behind the SP at `at`: the offsets of the next SP and of the one behind it.
///
/// `None` if [`name`] finds none.
#[inline(always)]
fn two_names(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + 1;
    if let Some(bytes) = input.get(start..)?.first_chunk() {
        let word = u128::from_le_bytes(*bytes);
        let first = spaces(word);
        // Without its lowest bit: what shows behind the first SP.
        let second = first & first.wrapping_sub(1);
        if second != 0 && word & HIGH == 0 {
            let (first, second) = (first.trailing_zeros() as usize / 8, second.trailing_zeros() as usize / 8);
            // Neither name is empty. So the second mark does not stand next to the first, where it could be a `!`.
            if 0 < first && first + 1 < second {
                return Some((start + first, start + second));
            }
        }
    }
    // A name of more than the sixteen bytes, or one beyond ASCII, which `name` refuses.
    let first = name(input, at, NAME_WORDS)?;
    Some((first, name(input, first, NAME_WORDS)?))
}

/// The end of the name behind the SP at `at`: the offset of the next SP, looked for in `words` words.
///
/// `None` if the name is empty, is longer, is not ASCII, or stands so close to the end of input that a word reaches
/// beyond.
#[inline(never)]
fn name(input: &[u8], at: usize, words: usize) -> Option<usize> {
    let start = at + 1;
    for at in (start..start + 8 * words).step_by(8) {
        let word = u128::from(u64::from_le_bytes(*input.get(at..)?.first_chunk()?));
        let spaces = spaces(word);
        // Looks at the bytes in front of the first SP; at all of them if there is no SP.
        if word & HIGH & spaces.wrapping_sub(1) & !spaces != 0 {
            return None;
        }
        if spaces != 0 {
            let end = at + spaces.trailing_zeros() as usize / 8;
            return (end > start).then_some(end);
        }
    }
    None
}

/// The eighth bits of all bytes.
const HIGH: u128 = u128::from_le_bytes([0x80; 16]);

/// The eighth bits of the bytes that are SP.
///
/// Subtracting one borrows from an byte that is zero by now, and one of 0x01 right behind it (a `!`) shows too then. So
/// what shows first is a SP, and what shows behind it is one unless it stands next to what showed before.
#[inline(always)]
fn spaces(word: u128) -> u128 {
    let other = word ^ u128::from_le_bytes([b' '; 16]);
    other.wrapping_sub(u128::from_le_bytes([1; 16])) & !other & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::without_line_end;
    use crate::header;
    use crate::parsed::Parsed;
    use crate::timestamp::date_time;
    use alloc::string::String;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// What the plain reader reads, if that is a header of text.
    fn plain(line: &[u8]) -> Option<(Fields, usize)> {
        let input = without_line_end(line);
        let Parsed { value, rest } = header::header(input).ok()?;
        let len = input.len() - rest.len();
        core::str::from_utf8(&input[..len]).ok().map(|_| (value, len))
    }

    /// Whether the fast reader reads it, and if so as the plain one.
    fn agrees(line: &[u8]) -> bool {
        let read = super::header(line, minute_start);
        assert!(read.is_none() || read == plain(line), "{}", line.escape_ascii());
        read.is_some()
    }

    const SHAPES: [&[u8]; 10] = [
        b"<158>1 2026-03-14T09:00:00.000000+00:00 host heroku router - at=info method=GET",
        b"<45>1 2024-02-29T23:59:59.999999+00:00 host heroku web.12 - State changed from starting to up\n",
        b"<190>1 1969-12-31T00:00:00.000001+00:00 host app web.1 - ",
        b"<0190>1 2024-02-03T04:05:06.789012+00:00 host app web.1 - - ",
        b"<134>1 2024-02-03T04:05:06.789012+00:00 host app heroku-postgres - source=DATABASE\r\n",
        b"<191>1 2024-02-03T04:05:06.789012+00:00 d.5ca1ab1e-0000-4000-8000-00000000beef heroku router - - at=info",
        b"<00>1 2024-02-03T04:05:06.789012+00:00 shop.example.com an-app-of-31-octets-in-its-name process-with-a-name-of-31-chars ID-of-31-octets-as-a-message-id - hi",
        b"<13>1 2024-02-03T04:05:06.789012+00:00 shop.example.com app worker.1 ID47 a message",
        "<190>1 2024-02-03T04:05:06.789012+00:00 host app web.1 - \u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes(),
        b"<190>1 2024-02-03T04:05:06.789012+00:00 - - - - a message",
    ];

    #[test]
    fn herokus_shapes_are_read_fast() {
        let read: Vec<bool> = SHAPES.iter().map(|line| agrees(line)).collect();
        // The fourth has a PRI of four digits.
        assert_eq!(read, [true, true, true, false, true, true, true, true, true, true]);
    }

    #[test]
    fn traffic_is_read_fast() {
        let haystack = testkit::traffic::Traffic::new(5).generate();
        let frames: Vec<_> = crate::Frames::new(haystack.body()).flatten().collect();
        assert_eq!(frames.len() as u64, haystack.truth().lines);
        assert!(frames.iter().all(|raw| agrees(raw.bytes())));
        let router =
            frames.iter().filter(|raw| super::header(raw.bytes(), minute_start).is_some_and(|(read, _)| read.router));
        assert_eq!(router.count() as u64, haystack.truth().router_lines);
    }

    #[test]
    fn fast_is_plain_whatever_byte_changes() {
        for line in SHAPES {
            let mut line = line.to_vec();
            for at in 0..line.len() {
                let byte = line[at];
                for other in 0..=255 {
                    line[at] = other;
                    agrees(&line);
                }
                line[at] = byte;
                agrees(&line[..at]);
                agrees(&[&line[..at], &line[at + 1..]].concat());
                for more in [&b" "[..], b"-", b"0", b"!", b"\n", b" !", b"\xc3\xa9"] {
                    agrees(&[&line[..at], more, &line[at..]].concat());
                }
            }
        }
    }

    #[test]
    fn fast_is_plain_of_names_of_any_length() {
        for (host, app) in
            (0..72).flat_map(|host| [0, 1, 5, 7, 8, 9, 14, 15, 16, 31, 32, 33, 49].map(|app| (host, app)))
        {
            for process in [0, 1, 6, 7, 8, 15, 16, 31, 32, 33, 129] {
                let [host, app, process] = [host, app, process].map(|len| "n".repeat(len));
                for rest in ["", " ", " -", " - ", " - hello", " -- hello, hello", " ID47 hello, hello"] {
                    agrees(
                        alloc::format!("<45>1 2024-02-03T04:05:06.789012+00:00 {host} {app} {process}{rest}")
                            .as_bytes(),
                    );
                }
            }
        }
    }

    #[test]
    fn fast_is_plain_of_all_minutes() {
        for year in [0, 1, 4, 99, 100, 400, 1582, 1899, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999] {
            for (month, day) in (0..=19).flat_map(|month| (0..=39).map(move |day| (month, day))) {
                for (hour, minute) in [(0, 0), (9, 59), (19, 60), (23, 59), (24, 0), (29, 7)] {
                    let text = alloc::format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}");
                    let plain = date_time(alloc::format!("{text}:00Z").as_bytes()).ok().map(|parsed| parsed.value);
                    let read = minute_start(text.as_bytes().first_chunk().expect("16 bytes"));
                    assert_eq!(read, plain.map(Timestamp::unix_micros), "{text}");
                }
            }
        }
    }

    #[test]
    fn fast_is_plain_in_the_corpus() {
        let Some(folder) = testkit::corpus() else { return };
        let mut lines = 0;
        for file in std::fs::read_dir(folder).expect("it can be listed").flatten() {
            let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
            let records = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            for raw in records.filter_map(|record| record["raw"].as_str().map(String::from)) {
                agrees(raw.as_bytes());
                // Behind a header, and as frames of a body.
                agrees(alloc::format!("<158>1 2026-03-14T09:00:00.000000+00:00 {raw}").as_bytes());
                crate::Frames::new(raw.as_bytes()).flatten().for_each(|frame| {
                    agrees(frame.bytes());
                });
                lines += 1;
            }
        }
        assert!(lines > 100, "{lines} lines");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn fast_is_plain(
            line in "<[0-9]{1,4}>[0-2] [12][09][0-9]{2}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{5,7}(Z|[+-]0[01]:00|\\+00:00) (host|[a-z.!]{1,40}|) (heroku|app|[!-~]{0,9}) (router|web\\.[0-9]{1,3}|[a-z!.\u{e9}]{0,20})( -| [!-~]{0,34})?( .{0,20})?\n?",
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof!["[ !0-9:T+<>-]", "."]), 0..3),
        ) {
            agrees(line.as_bytes());
            let mut line = line.into_bytes();
            for (at, text) in changes {
                let at = at.index(line.len());
                line.splice(at..at + 1, text.bytes());
                agrees(&line);
            }
        }
    }
}
