//! The slow oracle of framing: what a reader of octet counts must find in a whole body.
//!
//! One position is looked at after the other, everything is copied, and each rule stands once, in the order in which
//! it is told. It costs up to the square of the body and depends on nothing of the family.

/// What there is in a body, one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::exhaustive_enums)] // a test should match all of it
pub enum Item {
    /// A frame: MSG-LEN, SP and as many octets as it declares.
    Frame {
        /// Of MSG-LEN's first digit.
        offset: u64,
        /// The octets of all three.
        wire_len: u64,
        /// The declared octets.
        bytes: Vec<u8>,
    },
    /// Octets that are no frame.
    Error {
        /// `bad_length`, `too_long` or `truncated`.
        kind: &'static str,
        /// The first octet that is no frame's.
        start: u64,
        /// The octet that is wrong.
        offset: u64,
        /// How many octets are passed over, from `start` on.
        skipped: u64,
    },
}

/// A body, taken apart.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Walk {
    /// Frames and errors in order.
    pub items: Vec<Item>,
    /// The octets of LF and CRLF outside of frames.
    pub separators: u64,
    /// The octets passed over because of errors.
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
    /// Whether to look for the next frame behind an error, instead of giving up.
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
        // What is wrong, which octet, and from where on a next frame is looked for.
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
                    let bytes = rest[start..end].to_vec();
                    walk.items.push(Item::Frame { offset: at as u64, wire_len: end as u64, bytes });
                    at += end;
                    continue;
                } else {
                    ("truncated", 0, start)
                }
            }
        };
        let mut next = body.len();
        if rules.resync {
            for candidate in at + search_from..body.len() {
                if is_next_frame(body, candidate, rules.max_frame) {
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

/// The number at the start of `text` and its digits; or the octet that is wrong with it.
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

/// Whether reading goes on at `at`: a place, whose declared length ends at the end or at a place.
fn is_next_frame(body: &[u8], at: usize, max_frame: u64) -> bool {
    if !is_place(&body[at..]) {
        return false;
    }
    let (declared, digits) = length(&body[at..]).expect("a place begins with a length");
    let end = (at + digits + 1) as u64 + declared;
    if declared > max_frame || end > body.len() as u64 {
        return false;
    }
    let behind = &body[end as usize..];
    let behind = behind.strip_prefix(b"\r\n").or(behind.strip_prefix(b"\n")).unwrap_or(behind);
    behind.is_empty() || is_place(behind)
}

/// Whether MSG-LEN SP "<" PRIVAL ">" VERSION SP stands at the start of `text`.
fn is_place(text: &[u8]) -> bool {
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
        Item::Frame { offset, wire_len, bytes: bytes.as_bytes().to_vec() }
    }

    #[test]
    fn frames_and_separators() {
        let walk = walk(b"\n2 ab\r\n3 cde", RULES);
        assert_eq!(walk.items, [frame(1, 4, "ab"), frame(7, 5, "cde")]);
        assert_eq!((walk.separators, walk.skipped), (3, 0));
    }

    #[test]
    fn the_search_wants_a_whole_frame() {
        let found = walk(b"x7 <13>1 a8 <13>1 b", RULES);
        assert_eq!(found.items[0], Item::Error { kind: "bad_length", start: 0, offset: 0, skipped: 1 });
        assert_eq!(found.items[1], frame(1, 9, "<13>1 a"));
        assert_eq!(found.items[2], Item::Error { kind: "truncated", start: 10, offset: 10, skipped: 9 });
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
