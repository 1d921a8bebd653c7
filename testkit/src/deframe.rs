//! The slow oracle of framing: what a reader of octet counts must find in a whole body.
//!
//! One position is looked at after the other, everything is copied, and each rule stands once, in the order in which
//! it is told. It costs up to the square of the body and depends on nothing of the family.

/// The pieces of a body, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums)] // a test should match all of it
pub enum Item {
    /// A frame: MSG-LEN, SP and as many bytes as it declares.
    Frame {
        /// The offset of MSG-LEN's first digit.
        offset: u64,
        /// The bytes of all three.
        wire_len: u64,
        /// The declared bytes; of a repaired frame, its line.
        bytes: Vec<u8>,
        /// Whether the length was off, and the frame read to the end of its line instead.
        repaired: bool,
    },
    /// Bytes that are no frame.
    Error {
        /// `bad_length`, `too_long`, `truncated` or `length_off`.
        kind: &'static str,
        /// The offset of the first byte that is no frame's.
        start: u64,
        /// The offset of the byte that is wrong.
        offset: u64,
        /// How many bytes are passed over, from `start` on.
        skipped: u64,
    },
}

/// A body, taken apart.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Walk {
    /// Frames and errors in order.
    pub items: Vec<Item>,
    /// The bytes of LF and CRLF outside of frames.
    pub separators: u64,
    /// The bytes passed over because of errors.
    pub skipped: u64,
}

/// The limits of a reader.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Rules {
    /// The longest frame that is read.
    pub max_frame: u64,
    /// The longest frame that is passed over to its end.
    pub max_skip: u64,
    /// Whether to look for the next frame behind an error, instead of giving up, and not to believe each length.
    pub resync: bool,
}

/// Takes a body apart.
pub fn walk(body: &[u8], rules: Rules) -> Walk {
    let mut walk = Walk::default();
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if rest.starts_with(b"\n") {
            walk.separators += 1;
            at += 1;
            continue;
        }
        if rest.starts_with(b"\r\n") {
            walk.separators += 2;
            at += 2;
            continue;
        }
        // What is wrong, at which byte, and where the search for the next frame begins.
        let (kind, wrong, search_from) = match length(rest) {
            Err(wrong) => ("bad_length", wrong, 1),
            Ok((declared, digits)) => {
                let start = digits + 1;
                if declared > rules.max_frame {
                    if declared <= rules.max_skip && rules.resync {
                        let passed = (start as u64 + declared).min(rest.len() as u64);
                        let at_now = at as u64;
                        walk.items.push(Item::Error {
                            kind: "too_long",
                            start: at_now,
                            offset: at_now,
                            skipped: passed,
                        });
                        walk.skipped += passed;
                        at += passed as usize;
                        continue;
                    }
                    ("too_long", 0, start)
                } else if (rest.len() - start) as u64 >= declared {
                    let end = start + declared as usize;
                    if !rules.resync || stands(body, at + end, rules.max_frame) {
                        let bytes = rest[start..end].to_vec();
                        walk.items.push(Item::Frame {
                            offset: at as u64,
                            wire_len: end as u64,
                            bytes,
                            repaired: false,
                        });
                        at += end;
                        continue;
                    }
                    ("length_off", end, start)
                } else {
                    ("truncated", 0, start)
                }
            }
        };
        if let Some(end) = line_of(body, at, rules.max_frame).filter(|_| rules.resync) {
            let bytes = body[at + search_from..end].to_vec();
            walk.items.push(Item::Frame { offset: at as u64, wire_len: (end - at) as u64, bytes, repaired: true });
            at = end;
            continue;
        }
        let mut next = body.len();
        if rules.resync {
            for candidate in at + search_from..body.len() {
                if is_plain(body, candidate, rules.max_frame) || is_next_frame(body, candidate, rules.max_frame) {
                    next = candidate;
                    break;
                }
            }
        }
        let skipped = (next - at) as u64;
        walk.items.push(Item::Error { kind, start: at as u64, offset: (at + wrong) as u64, skipped });
        walk.skipped += skipped;
        at = next;
    }
    walk
}

/// The number at the start of `text` and how many digits it has; or the byte that is wrong with it.
fn length(text: &[u8]) -> Result<(u64, usize), usize> {
    let mut digits = String::new();
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0' if digits.is_empty() => return Err(at),
            b'0'..=b'9' => {
                digits.push(char::from(*byte));
                if digits.parse::<u64>().is_err() {
                    return Err(at);
                }
            }
            b' ' if !digits.is_empty() => {
                let number = digits.parse().expect("it was parsed one digit ago");
                return Ok((number, digits.len()));
            }
            _ => return Err(at),
        }
    }
    Err(text.len())
}

/// What a frame may look like to the one in front of it.
#[derive(PartialEq)]
enum Head {
    /// The length of a message, and where its frame ends.
    Message(u64, u64),
    /// The same of a frame that is no message.
    Other(u64, u64),
    /// The body ends in it; `true` where more than a length is there.
    CutOff(bool),
    None,
}

fn head(body: &[u8], at: usize) -> Head {
    let text = &body[at..];
    match length(text) {
        Ok((declared, digits)) => {
            let message = &text[digits + 1..];
            let end = (at + digits + 1) as u64 + declared;
            // PRI VERSION SP, and nine bytes for the other fields.
            match mark(message) {
                Some(mark) if declared >= mark as u64 + 9 => Head::Message(declared, end),
                Some(_) => Head::Other(declared, end),
                None if is_cut_mark(message) => Head::CutOff(!message.is_empty()),
                None => Head::Other(declared, end),
            }
        }
        Err(wrong) if wrong == text.len() => Head::CutOff(false),
        Err(_) => Head::None,
    }
}

fn is_line_end(text: &[u8]) -> bool {
    text.starts_with(b"\n") || text.starts_with(b"\r\n")
}

/// Whether LF ends a frame at `end`, and a byte from `0` to `?` stands behind it.
fn is_line(body: &[u8], end: usize) -> bool {
    body[end - 1] == b'\n' && body.get(end).is_some_and(|byte| (b'0'..=b'?').contains(byte))
}

/// Whether what stands at `end` tells that a frame ends there.
fn stands(body: &[u8], end: usize, max_frame: u64) -> bool {
    if end == body.len() || is_line_end(&body[end..]) {
        return true;
    }
    if is_line(body, end) {
        return true;
    }
    let inside = |declared: u64, end: u64| declared <= max_frame && end <= body.len() as u64;
    match head(body, end) {
        Head::None => false,
        Head::CutOff(begun) => begun,
        Head::Other(declared, next) => inside(declared, next) && ends(body, next as usize, None),
        Head::Message(declared, next) if inside(declared, next) && is_line(body, next as usize) => true,
        Head::Message(declared, next) if inside(declared, next) => {
            !is_merged(body, end, max_frame) && ends(body, next as usize, Some(max_frame))
        }
        Head::Message(declared, _)
            if declared > max_frame && shorter(body, end, max_frame).all(|next| next + 64 + 9 <= body.len()) =>
        {
            !is_merged(body, end, max_frame)
        }
        Head::Message(..) => shorter(body, end, max_frame).all(|next| next > body.len()),
    }
}

/// Whether a frame may end at `at`; with a limit, one that is no message may lie between, or a start be cut off.
fn ends(body: &[u8], at: usize, max_frame: Option<u64>) -> bool {
    if at == body.len() || is_line_end(&body[at..]) {
        return true;
    }
    match (head(body, at), max_frame) {
        (Head::Message(..), _) => true,
        (Head::CutOff(_), max_frame) => max_frame.is_some(),
        (Head::Other(declared, next), Some(max_frame)) => {
            declared <= max_frame && next <= body.len() as u64 && ends(body, next as usize, None)
        }
        _ => false,
    }
}

/// The ends of the frames at `at`, with fewer and fewer digits of the length.
fn shorter(body: &[u8], at: usize, max_frame: u64) -> impl Iterator<Item = usize> {
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..digits).filter_map(move |without| match head(body, at + without) {
        Head::Message(declared, next) if declared <= max_frame => usize::try_from(next).ok(),
        _ => None,
    })
}

/// Whether within 64 bytes of the end of such a shorter frame another one begins.
fn is_merged(body: &[u8], at: usize, max_frame: u64) -> bool {
    let start = at + body[at..].iter().position(|byte| *byte == b' ').expect("a length ends in SP") + 1;
    shorter(body, at, max_frame).any(|end| {
        (start + 2..body.len()).any(|bracket| {
            (end.saturating_sub(64)..end.saturating_add(64)).contains(&bracket)
                && body[bracket - 2].is_ascii_digit()
                && body[bracket - 1] == b' '
                && mark(&body[bracket..]).is_some()
        })
    })
}

/// Whether a frame is plain to see at `at`: at the start of a line, with a length, PRI, VERSION, date and time.
fn is_plain(body: &[u8], at: usize, max_frame: u64) -> bool {
    if at > 0 && body[at - 1] != b'\n' {
        return false;
    }
    let Ok((declared, digits)) = length(&body[at..]) else { return false };
    let message = &body[at + digits + 1..];
    let Some(mark) = mark(message) else { return false };
    let shape: String = message[mark..]
        .iter()
        .take(19)
        .map(|byte| if byte.is_ascii_digit() { '0' } else { char::from(*byte).to_ascii_lowercase() })
        .collect();
    declared <= max_frame && shape == "0000-00-00t00:00:00"
}

/// The end of the line of the frame that is plain to see at `at`, if it is closed and holds no other head.
fn line_of(body: &[u8], at: usize, max_frame: u64) -> Option<usize> {
    if !is_plain(body, at, max_frame) {
        return None;
    }
    let (declared, digits) = length(&body[at..]).expect("it is plain");
    let start = at + digits + 1;
    let end = match body[start..].iter().position(|byte| *byte == b'\n') {
        Some(line) => {
            let end = start + line + 1;
            let closed = end == body.len()
                || is_line_end(&body[end..])
                || is_head(&body[end..])
                || matches!(head(body, end), Head::CutOff(_));
            closed.then_some(end)
        }
        None => {
            let beyond = usize::try_from(declared).ok().and_then(|declared| body.get(start + declared));
            beyond.filter(|byte| !byte.is_ascii_digit()).map(|_| body.len())
        }
    };
    let end = end.filter(|end| (end - start) as u64 <= max_frame)?;
    let other = body[start..end].windows(3).any(|text| text[0].is_ascii_digit() && text.ends_with(b" <"));
    (!other).then_some(end)
}

/// How many bytes PRI VERSION SP take at the start of a message.
fn mark(message: &[u8]) -> Option<usize> {
    let text: Vec<u8> = [b"1 ", message].concat();
    is_head(&text).then(|| message.iter().position(|byte| *byte == b' ').expect("VERSION ends in SP") + 1)
}

/// Whether `message` is the beginning of a PRI VERSION SP that is cut off.
fn is_cut_mark(message: &[u8]) -> bool {
    let (pri, version) = match message.iter().position(|byte| *byte == b'>') {
        Some(at) => (&message[..at], &message[at + 1..]),
        None => (message, &b""[..]),
    };
    let closed = pri.len() < message.len();
    let digits = |text: &[u8]| text.len() <= 3 && text.iter().all(u8::is_ascii_digit);
    let Some((_, value)) = pri.split_first().filter(|(bracket, _)| **bracket == b'<') else {
        return message.is_empty();
    };
    let number: u32 = String::from_utf8_lossy(value).parse().unwrap_or(0);
    digits(value) && number <= 191 && (!closed || !value.is_empty()) && digits(version) && !version.starts_with(b"0")
}

/// Whether reading goes on at `at`: a frame may begin there, and its declared length ends at the end of the body or where
/// another one may begin.
fn is_next_frame(body: &[u8], at: usize, max_frame: u64) -> bool {
    if !is_head(&body[at..]) {
        return false;
    }
    let (declared, digits) = length(&body[at..]).expect("a head begins with a length");
    let end = (at + digits + 1) as u64 + declared;
    if declared > max_frame || end > body.len() as u64 {
        return false;
    }
    let behind = &body[end as usize..];
    let behind = behind.strip_prefix(b"\r\n").or(behind.strip_prefix(b"\n")).unwrap_or(behind);
    (behind.is_empty() || is_head(behind)) && !is_merged(body, at, max_frame)
}

/// Whether MSG-LEN SP "<" PRIVAL ">" VERSION SP stands at the start of `text`.
fn is_head(text: &[u8]) -> bool {
    let Ok((_, digits)) = length(text) else { return false };
    let header: String = text[digits + 1..].iter().take(12).map(|byte| char::from(*byte)).collect();
    let Some((pri, rest)) = header.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return false };
    let Some((version, _)) = rest.split_once(' ') else { return false };
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(pri) && pri.parse::<u32>().is_ok_and(|pri| pri <= 191) && digits(version) && !version.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { max_frame: 100, max_skip: 200, resync: true };

    fn frame(offset: u64, wire_len: u64, bytes: &str) -> Item {
        Item::Frame { offset, wire_len, bytes: bytes.as_bytes().to_vec(), repaired: false }
    }

    #[test]
    fn frames_and_separators() {
        let walk = walk(b"\n2 ab\r\n3 cde", RULES);
        assert_eq!(walk.items, [frame(1, 4, "ab"), frame(7, 5, "cde")]);
        assert_eq!((walk.separators, walk.skipped), (3, 0));
    }

    #[test]
    fn the_search_wants_a_whole_frame() {
        let junk = Item::Error { kind: "bad_length", start: 0, offset: 0, skipped: 1 };
        let found = walk(b"x7 <13>1 a7 <13>1 b", RULES);
        assert_eq!(found.items, [junk.clone(), frame(1, 9, "<13>1 a"), frame(10, 9, "<13>1 b")]);
        // In front of one that is cut a frame may have swallowed a digit of its length.
        let cut = walk(b"x7 <13>1 a8 <13>1 b", RULES);
        assert_eq!(cut.items, [junk, Item::Error { kind: "length_off", start: 1, offset: 10, skipped: 18 }]);
        let lost = walk(b"x8 <13>1 a8 <13>1 b", RULES);
        assert_eq!(lost.items, [Item::Error { kind: "bad_length", start: 0, offset: 0, skipped: 19 }]);
    }

    #[test]
    fn giving_up_costs_the_rest() {
        let walk = walk(b"2 ab150 c", Rules { resync: false, ..RULES });
        assert_eq!(walk.items[1], Item::Error { kind: "too_long", start: 4, offset: 4, skipped: 5 });
        assert_eq!(walk.skipped, 5);
    }
}
