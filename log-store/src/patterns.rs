//! What fills a log: lines that differ only in numbers, ids, addresses and quoted texts are one pattern.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Patterns kept. With the bytes below about 12 MB at most.
const KEPT: usize = 10_000;
/// Bytes of a pattern that are told apart.
const PATTERN_BYTES: usize = 512;
/// Bytes of a program that are told apart.
const PROGRAM_BYTES: usize = 255;
/// The longest text that an address can have.
const ADDRESS_BYTES: usize = 45;

/// Counts lines by what they have in common.
///
/// Numbers become `<n>`, hexadecimal ids of 8 digits and more `<hex>`, UUIDs `<uuid>`, addresses `<ip>`, and what stands in
/// double quotes `"<text>"`. Colour codes are left out. At most 10,000 patterns are kept: when there are more, the rarer half
/// is let go, and from then on each count is "at least" ([`Patterns::is_at_least`]).
///
/// Works without a store, on any lines.
///
/// ```
/// use log_store::Patterns;
///
/// let mut patterns = Patterns::new();
/// patterns.add(b"nginx", br#"10.0.0.7 "GET /cart" 200 in 15ms"#);
/// patterns.add(b"nginx", br#"10.0.9.1 "GET /" 200 in 3ms"#);
/// patterns.add(b"cron", b"started");
/// let top = patterns.top(1);
/// assert_eq!(top[0].text(), br#"<ip> "<text>" <n> in <n>ms"#);
/// assert_eq!((top[0].program(), top[0].count()), (&b"nginx"[..], 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    /// By program and pattern, with a 0xff between them: it begins no character.
    kept: HashMap<Box<[u8]>, Volume>,
    lines: u64,
    bytes: u64,
    let_go: bool,
    /// The key of the line at hand.
    key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Volume {
    count: u64,
    bytes: u64,
}

/// Lines that are alike, of one program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    program: Box<[u8]>,
    text: Box<[u8]>,
    count: u64,
    bytes: u64,
}

impl Pattern {
    /// What wrote these lines.
    #[must_use]
    pub fn program(&self) -> &[u8] {
        &self.program
    }

    /// What they have in common, with placeholders; at most 512 bytes. Empty in [`Patterns::programs`].
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of their messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Patterns {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a line. Linear in its length, whatever it holds.
    pub fn add(&mut self, program: &[u8], message: &[u8]) {
        self.lines += 1;
        self.bytes += message.len() as u64;
        self.key.clear();
        self.key.extend_from_slice(&program[..program.len().min(PROGRAM_BYTES)]);
        self.key.push(0xff);
        let start = self.key.len();
        outline(message, &mut self.key, start + PATTERN_BYTES);
        let volume = match self.kept.get_mut(self.key.as_slice()) {
            Some(volume) => volume,
            None => {
                if self.kept.len() >= KEPT {
                    self.let_go();
                }
                self.kept.entry(self.key.as_slice().into()).or_default()
            }
        };
        volume.count += 1;
        volume.bytes += message.len() as u64;
    }

    /// Lets the rarer half go. A flood of lines that are all different thus drives out itself and not what is common; the
    /// work is a sort for every 5,000 patterns that are new.
    fn let_go(&mut self) {
        let mut counts: Vec<u64> = self.kept.values().map(|volume| volume.count).collect();
        let middle = counts.len() / 2;
        let (_, &mut median, _) = counts.select_nth_unstable(middle);
        // Of those that are exactly as common as the median as many as are needed to come to a half.
        let mut spare = middle - counts.iter().filter(|&&count| count < median).count().min(middle);
        self.kept.retain(|_, volume| {
            if volume.count == median && spare > 0 {
                spare -= 1;
                return false;
            }
            volume.count >= median
        });
        self.let_go = true;
    }

    /// The most common patterns, at most `limit`, most common first.
    #[must_use]
    pub fn top(&self, limit: usize) -> Vec<Pattern> {
        let all = self.kept.iter().map(|(key, volume)| {
            let (program, text) = parts(key);
            (program, text, *volume)
        });
        most_common(all, limit)
    }

    /// The programs that wrote most lines, at most `limit`, with an empty text, most lines first.
    #[must_use]
    pub fn programs(&self, limit: usize) -> Vec<Pattern> {
        let mut programs: HashMap<&[u8], Volume> = HashMap::new();
        for (key, volume) in &self.kept {
            let sum = programs.entry(parts(key).0).or_default();
            sum.count += volume.count;
            sum.bytes += volume.bytes;
        }
        most_common(programs.into_iter().map(|(program, volume)| (program, &[][..], volume)), limit)
    }

    /// How many lines were counted.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of their messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there were more patterns than are kept, so that a count may be short of the truth.
    #[must_use]
    pub fn is_at_least(&self) -> bool {
        self.let_go
    }
}

/// Program and pattern of a key. A program may hold a 0xff itself; a pattern does too then, so look for the one that was put
/// in: the first, since no UTF-8 text holds one. Two broken programs may be told apart less well than they could be.
fn parts(key: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(0xff, key) {
        Some(at) => (&key[..at], &key[at + 1..]),
        None => (key, &[]),
    }
}

fn most_common<'a>(all: impl Iterator<Item = (&'a [u8], &'a [u8], Volume)>, limit: usize) -> Vec<Pattern> {
    let mut all: Vec<_> = all.collect();
    // Equal counts in the order of their texts: the same lines give the same list.
    all.sort_unstable_by(|a, b| (b.2.count, b.2.bytes, a.0, a.1).cmp(&(a.2.count, a.2.bytes, b.0, b.1)));
    all.truncate(limit);
    all.into_iter()
        .map(|(program, text, volume)| Pattern {
            program: program.into(),
            text: text.into(),
            count: volume.count,
            bytes: volume.bytes,
        })
        .collect()
}

/// Writes the pattern of a line behind what is in `out`, until that has `end` bytes.
fn outline(message: &[u8], out: &mut Vec<u8>, end: usize) {
    let mut rest = message;
    // Once a quote was looked for in vain, none is closed behind it either.
    let mut quotes = true;
    // Whether the byte before belongs to a word: digits inside a word (`utf8`, `H12`) are part of it.
    let mut in_word = false;
    while let Some(&byte) = rest.first() {
        if out.len() >= end {
            out.truncate(end);
            return;
        }
        let (used, placeholder): (usize, &[u8]) = match byte {
            b'"' if quotes => match closing_quote(rest) {
                Some(used) => (used, b"\"<text>\""),
                None => {
                    quotes = false;
                    (1, b"\"")
                }
            },
            0x1b => match colour_code(rest) {
                Some(used) => (used, b""),
                None => (1, &rest[..1]),
            },
            _ if in_word => (1, &rest[..1]),
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' => value(rest).unwrap_or((1, &rest[..1])),
            _ => (1, &rest[..1]),
        };
        out.extend_from_slice(placeholder);
        // What follows a value begins anew only if it is no digit or letter: `15ms` is `<n>ms`, `1a2b` is `<n>a2b`.
        in_word = if used == 1 { is_word(byte) } else { byte != b'"' && byte != 0x1b };
        rest = &rest[used..];
    }
    out.truncate(end);
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// A value that varies from line to line, at the start of a word: how long it is and what stands for it.
fn value(rest: &[u8]) -> Option<(usize, &'static [u8])> {
    if is_uuid(rest) {
        return Some((36, b"<uuid>"));
    }
    if let Some(used) = address(rest) {
        return Some((used, b"<ip>"));
    }
    if let Some(digits) = rest.strip_prefix(b"0x") {
        let hex = run(digits, |byte| byte.is_ascii_hexdigit());
        if hex > 0 {
            return Some((2 + hex, b"<hex>"));
        }
    }
    let hex = run(rest, |byte| byte.is_ascii_hexdigit());
    let digits = run(rest, |byte| byte.is_ascii_digit());
    if hex >= 8 && hex > digits && rest.get(hex).is_none_or(|&byte| !is_word(byte)) {
        // Without a digit it may be a word, such as `deadbeef`; of random ids of 8 only one in 2,500 has none.
        if rest[..hex].iter().any(u8::is_ascii_digit) {
            return Some((hex, b"<hex>"));
        }
        return None;
    }
    if digits == 0 {
        return None;
    }
    let fraction = match rest.get(digits) {
        Some(b'.') => run(&rest[digits + 1..], |byte| byte.is_ascii_digit()),
        _ => 0,
    };
    Some((digits + if fraction > 0 { 1 + fraction } else { 0 }, b"<n>"))
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn is_uuid(rest: &[u8]) -> bool {
    rest.len() >= 36
        && rest.get(36).is_none_or(|&byte| !is_word(byte))
        && rest[..36].iter().enumerate().all(|(at, &byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// An IPv4 or IPv6 address: how long it is.
fn address(rest: &[u8]) -> Option<usize> {
    let longest = &rest[..rest.len().min(ADDRESS_BYTES + 1)];
    let v4 = run(longest, |byte| byte.is_ascii_digit() || byte == b'.');
    let v6 = run(longest, |byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.');
    // The full stop or colon of a sentence, or the one before a port, does not belong to it.
    let whole = |used: usize| rest.get(used).is_none_or(|&byte| !is_word(byte));
    let trimmed = |used: usize| longest[..used].iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1);
    let v4 = trimmed(v4);
    if v4 >= 7 && whole(v4) && text::<Ipv4Addr>(&longest[..v4]) {
        return Some(v4);
    }
    let v6 = trimmed(v6);
    ((3..=ADDRESS_BYTES).contains(&v6)
        && whole(v6)
        && longest[..v6].contains(&b':')
        && text::<Ipv6Addr>(&longest[..v6]))
    .then_some(v6)
}

fn text<T: FromStr>(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<T>().is_ok())
}

/// A text in quotes, with both of them: how long it is. A backslash takes the quote behind it.
fn closing_quote(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// `ESC [ 1;31 m`: how long it is.
fn colour_code(rest: &[u8]) -> Option<usize> {
    let inside = rest.strip_prefix(b"\x1b[")?;
    let numbers = run(inside, |byte| byte.is_ascii_digit() || byte == b';');
    (inside.get(numbers) == Some(&b'm')).then_some(numbers + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(message: &str) -> String {
        let mut out = Vec::new();
        outline(message.as_bytes(), &mut out, PATTERN_BYTES);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn what_varies_is_a_placeholder() {
        for (message, expected) in [
            ("", ""),
            ("started", "started"),
            ("took 15ms", "took <n>ms"),
            ("load 1.25 of 2.", "load <n> of <n>."),
            ("web.1 H12 utf8", "web.<n> H12 utf8"),
            ("id_123", "id_<n>"),
            ("request 0a1b2c3d4e5f done", "request <hex> done"),
            ("deadbeef and decade", "deadbeef and decade"),
            ("at 0x7fff12", "at <hex>"),
            ("12345678", "<n>"),
            ("8601b555-6a83-4c12-8269-97c8e32cdb22,", "<uuid>,"),
            ("from 10.0.0.7:8080.", "from <ip>:<n>."),
            ("from 10.0.0.7.", "from <ip>."),
            ("from fe80::1 and ::1", "from <ip> and <ip>"),
            ("12:34:56", "<n>:<n>:<n>"),
            (r#"a="b c" d="e\"f""#, r#"a="<text>" d="<text>""#),
            (r#"an open " quote 5"#, r#"an open " quote <n>"#),
            ("\x1b[1;31mred\x1b[0m 7", "red <n>"),
            ("1a2b", "<n>a2b"),
            ("größe 5", "größe <n>"),
        ] {
            assert_eq!(pattern(message), expected, "{message:?}");
        }
    }

    #[test]
    fn a_flood_of_unique_lines_leaves_what_is_common() {
        let mut patterns = Patterns::new();
        let mut word = String::new();
        for round in 0..100_000_u32 {
            patterns.add(b"app", b"request done in 5 ms");
            word.clear();
            // Letters only, so that each is a pattern of its own.
            for shift in 0..5 {
                word.push(char::from(b'g' + ((round >> (4 * shift)) & 15) as u8));
            }
            patterns.add(b"app", word.as_bytes());
        }
        let top = patterns.top(1);
        assert_eq!((top[0].text(), top[0].count()), (&b"request done in <n> ms"[..], 100_000));
        assert!(patterns.is_at_least());
        assert!(patterns.kept.len() <= KEPT);
        assert_eq!(patterns.lines(), 200_000);
        assert!(patterns.programs(9)[0].count() >= 100_000);
    }

    #[test]
    fn hostile_lines_cost_what_they_are_long() {
        let mut patterns = Patterns::new();
        for piece in ["\"", "\\", "\"\\", "0", "a", ":", "0:", "1.", "\x1b[", "0x", "-"] {
            let line = piece.repeat(1_000_000 / piece.len());
            patterns.add(b"app", line.as_bytes());
        }
        assert!(patterns.top(99).iter().all(|pattern| pattern.text().len() <= PATTERN_BYTES));
    }
}
