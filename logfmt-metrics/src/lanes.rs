//! Sixteen bytes at a time, on lines that are known to hold no control characters.

use byte_words::Two;
#[cfg(not(target_arch = "x86_64"))]
use memchr::arch::all::memchr::Three;
#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr::Three;

/// Whether there is an byte below SP, so that another separator than SP may be met.
///
/// The least of each of sixteen columns, and the least of these: the compiler makes vectors of it.
#[inline]
pub(crate) fn has_control(line: &[u8]) -> bool {
    let Some(last) = line.last_chunk::<16>() else { return line.iter().any(|&byte| byte < b' ') };
    let mut least = *last;
    for bytes in line.as_chunks::<16>().0 {
        for (least, byte) in least.iter_mut().zip(bytes) {
            *least = (*least).min(*byte);
        }
    }
    least.iter().fold(u8::MAX, |least, &byte| least.min(byte)) < b' '
}

/// Whether there is an byte below SP, and whether there is a quote, `"` or `'`. Most lines have neither, which one pass
/// tells.
#[inline]
pub(crate) fn has_control_or_quote(line: &[u8]) -> (bool, bool) {
    match has_control_before_quote(line) {
        Some(has_control) => (has_control, false),
        None => (has_control(line), true),
    }
}

/// Whether there is an byte below SP; `None` when there is a quote.
#[inline]
fn has_control_before_quote(line: &[u8]) -> Option<bool> {
    let Some(last) = line.last_chunk::<16>() else {
        let has_quote = line.iter().any(|&byte| matches!(byte, b'"' | b'\''));
        return if has_quote { None } else { Some(has_control(line)) };
    };
    let quotes = Two::new(b'"', b'\'');
    let mut least = *last;
    for bytes in line.as_chunks::<16>().0 {
        if quotes.find(bytes).is_some() {
            return None;
        }
        for (least, byte) in least.iter_mut().zip(bytes) {
            *least = (*least).min(*byte);
        }
    }
    if quotes.find(last).is_some() {
        return None;
    }
    Some(least.iter().fold(u8::MAX, |least, &byte| least.min(byte)) < b' ')
}

/// The first `=` or SP of the first 32 bytes; `None` is no judgement.
///
#[inline]
pub(crate) fn equals_or_space(text: &[u8]) -> Option<usize> {
    let Some((first, behind)) = text.split_first_chunk::<16>() else { return in_few(text) };
    let searcher = Two::new(b'=', b' ');
    searcher.find(first).or_else(|| match behind.first_chunk::<16>() {
        Some(second) => Some(16 + searcher.find(second)?),
        None => Some(16 + in_few(behind)?),
    })
}

#[inline]
fn in_few(text: &[u8]) -> Option<usize> {
    text.iter().position(|&byte| matches!(byte, b'=' | b' '))
}

/// The first SP, or the end of the text.
#[inline]
pub(crate) fn space(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<16>();
    let searcher = Two::new(b' ', b' ');
    for (nth, chunk) in chunks.iter().enumerate() {
        if let Some(at) = searcher.find(chunk) {
            return 16 * nth + at;
        }
    }
    let from = 16 * chunks.len();
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| byte == b' ').map_or(text.len(), |at| from + at)
}

/// The first SP, or the end of the text; `None` when there is a `#` or a double quote before.
#[inline]
pub(crate) fn space_before_hash(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<16>();
    let searcher = three(b' ', b'#', b'"');
    let is_space = |at: &usize| text.get(*at) == Some(&b' ');
    for (nth, chunk) in chunks.iter().enumerate() {
        if let Some(at) = searcher.as_ref().and_then(|searcher| searcher.find(chunk)) {
            return Some(16 * nth + at).filter(is_space);
        }
    }
    let from = 16 * chunks.len();
    let rest = text.get(from..).unwrap_or_default();
    match rest.iter().position(|&byte| matches!(byte, b' ' | b'#' | b'"')) {
        Some(at) => Some(from + at).filter(is_space),
        None => Some(text.len()),
    }
}

/// Whether all bytes are of `A-Za-z0-9_.:/-`. Sixteen to 32 are taken as their first and last sixteen, which may overlap,
/// eight to fifteen as their first and last eight.
#[inline]
pub(crate) fn are_of_name(bytes: &[u8]) -> bool {
    match (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        (Some(first), Some(last)) if bytes.len() <= 32 => return are(first) & are(last),
        _ => {}
    }
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => are(first) & are(last),
        // Names are mostly good, so look at all bytes rather than branch at each.
        _ => bytes.iter().fold(true, |good, &byte| good & NAME[usize::from(byte)]),
    }
}

/// The bytes of a metric's name.
const NAME: [bool; 256] = {
    let (mut class, mut byte) = ([false; 256], 0);
    while byte < 256 {
        class[byte] = is_of_name(byte as u8);
        byte += 1;
    }
    class
};

/// The ASCII codes from `-` to `:` are `-./`, the digits and `:`.
const fn is_of_name(byte: u8) -> bool {
    (byte.wrapping_sub(b'-') < 14) | ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte == b'_')
}

/// No early end, neither here nor for one byte: the compiler makes one vector of it.
#[inline(always)]
fn are<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(true, |good, &byte| good & is_of_name(byte))
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn three(first: u8, second: u8, third: u8) -> Option<Three> {
    Three::new(first, second, third)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn three(first: u8, second: u8, third: u8) -> Option<Three> {
    Some(Three::new(first, second, third))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_names_is_the_documented_one() {
        let listed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-";
        for byte in 0..=255_u8 {
            assert_eq!(NAME[usize::from(byte)], listed.contains(&byte), "{byte:#x}");
        }
    }

    /// Each length, and each index in it where something else stands.
    #[test]
    fn lanes_agree_with_byte_by_byte() {
        for len in 0..70 {
            for index in 0..=len {
                for byte in [
                    b'\0', 0x1f, b' ', b'!', b'"', b'\'', b'&', b'=', b'#', b'-', b'_', b'`', b'{', b'@', b'[', 0x7f,
                    0x80, 0xff,
                ] {
                    let mut text = alloc::vec![b'x'; len];
                    if let Some(slot) = text.get_mut(index) {
                        *slot = byte;
                    }
                    let first = |is: fn(u8) -> bool| text.iter().position(|&byte| is(byte));
                    assert_eq!(has_control(&text), first(|byte| byte < b' ').is_some(), "{text:?}");
                    let has_quote = first(|byte| matches!(byte, b'"' | b'\'')).is_some();
                    assert_eq!(has_control_or_quote(&text), (has_control(&text), has_quote), "{text:?}");
                    assert_eq!(space(&text), first(|byte| byte == b' ').unwrap_or(len), "{text:?}");
                    let wanted = if matches!(byte, b'#' | b'"') && index < len { None } else { Some(space(&text)) };
                    assert_eq!(space_before_hash(&text), wanted, "{text:?}");
                    assert_eq!(are_of_name(&text), first(|byte| !is_of_name(byte)).is_none(), "{text:?}");
                    let found = first(|byte| matches!(byte, b'=' | b' ')).filter(|&at| at < 32);
                    assert_eq!(equals_or_space(&text), found, "{text:?}");
                }
            }
        }
    }
}
