//! Sixteen octets at a time, on lines that are known to hold no control characters.

use byte_words::Two;
#[cfg(not(target_arch = "x86_64"))]
use memchr::arch::all::memchr::Three;
#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr::Three;

/// Whether there is an octet below SP, so that another separator than SP may be met.
///
/// The least of each of sixteen columns, and the least of these: the compiler makes vectors of it.
#[inline]
pub(crate) fn has_control(line: &[u8]) -> bool {
    let Some(last) = line.last_chunk::<16>() else { return line.iter().any(|&octet| octet < b' ') };
    let mut least = *last;
    for octets in line.as_chunks::<16>().0 {
        for (least, octet) in least.iter_mut().zip(octets) {
            *least = (*least).min(*octet);
        }
    }
    least.iter().fold(u8::MAX, |least, &octet| least.min(octet)) < b' '
}

/// Whether there is an octet below SP, and whether there is a quote, `"` or `'`. Most lines have neither, which one pass
/// tells.
#[inline]
pub(crate) fn has_control_or_quote(line: &[u8]) -> (bool, bool) {
    match has_control_before_quote(line) {
        Some(has_control) => (has_control, false),
        None => (has_control(line), true),
    }
}

/// Whether there is an octet below SP; `None` when there is a quote.
#[inline]
fn has_control_before_quote(line: &[u8]) -> Option<bool> {
    let Some(last) = line.last_chunk::<16>() else {
        let has_quote = line.iter().any(|&octet| matches!(octet, b'"' | b'\''));
        return if has_quote { None } else { Some(has_control(line)) };
    };
    let quotes = Two::new(b'"', b'\'');
    let mut least = *last;
    for octets in line.as_chunks::<16>().0 {
        if quotes.find(octets).is_some() {
            return None;
        }
        for (least, octet) in least.iter_mut().zip(octets) {
            *least = (*least).min(*octet);
        }
    }
    if quotes.find(last).is_some() {
        return None;
    }
    Some(least.iter().fold(u8::MAX, |least, &octet| least.min(octet)) < b' ')
}

/// The first `=` or SP of the first 32 octets; `None` is no judgement.
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
    text.iter().position(|&octet| matches!(octet, b'=' | b' '))
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
    rest.iter().position(|&octet| octet == b' ').map_or(text.len(), |at| from + at)
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
    match rest.iter().position(|&octet| matches!(octet, b' ' | b'#' | b'"')) {
        Some(at) => Some(from + at).filter(is_space),
        None => Some(text.len()),
    }
}

/// Whether all octets are of `A-Za-z0-9_.:/-`. Sixteen to 32 are taken as their first and last sixteen, which may overlap,
/// eight to fifteen as their first and last eight.
#[inline]
pub(crate) fn are_of_name(octets: &[u8]) -> bool {
    match (octets.first_chunk::<16>(), octets.last_chunk::<16>()) {
        (Some(first), Some(last)) if octets.len() <= 32 => return are(first) & are(last),
        _ => {}
    }
    match (octets.first_chunk::<8>(), octets.last_chunk::<8>()) {
        (Some(first), Some(last)) if octets.len() <= 16 => are(first) & are(last),
        // Names are mostly good, so look at all octets rather than branch at each.
        _ => octets.iter().fold(true, |good, &octet| good & NAME[usize::from(octet)]),
    }
}

/// The octets of a metric's name.
const NAME: [bool; 256] = {
    let (mut class, mut octet) = ([false; 256], 0);
    while octet < 256 {
        class[octet] = is_of_name(octet as u8);
        octet += 1;
    }
    class
};

/// The ASCII codes from `-` to `:` are `-./`, the digits and `:`.
const fn is_of_name(octet: u8) -> bool {
    (octet.wrapping_sub(b'-') < 14) | ((octet | 0x20).wrapping_sub(b'a') < 26) | (octet == b'_')
}

/// No early end, neither here nor for one octet: the compiler makes one vector of it.
#[inline(always)]
fn are<const N: usize>(octets: &[u8; N]) -> bool {
    octets.iter().fold(true, |good, &octet| good & is_of_name(octet))
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
        for octet in 0..=255_u8 {
            assert_eq!(NAME[usize::from(octet)], listed.contains(&octet), "{octet:#x}");
        }
    }

    /// Each length, and each place in it where something else stands.
    #[test]
    fn lanes_agree_with_octet_by_octet() {
        for len in 0..70 {
            for place in 0..=len {
                for octet in [
                    b'\0', 0x1f, b' ', b'!', b'"', b'\'', b'&', b'=', b'#', b'-', b'_', b'`', b'{', b'@', b'[', 0x7f,
                    0x80, 0xff,
                ] {
                    let mut text = alloc::vec![b'x'; len];
                    if let Some(slot) = text.get_mut(place) {
                        *slot = octet;
                    }
                    let first = |is: fn(u8) -> bool| text.iter().position(|&octet| is(octet));
                    assert_eq!(has_control(&text), first(|octet| octet < b' ').is_some(), "{text:?}");
                    let has_quote = first(|octet| matches!(octet, b'"' | b'\'')).is_some();
                    assert_eq!(has_control_or_quote(&text), (has_control(&text), has_quote), "{text:?}");
                    assert_eq!(space(&text), first(|octet| octet == b' ').unwrap_or(len), "{text:?}");
                    let wanted = if matches!(octet, b'#' | b'"') && place < len { None } else { Some(space(&text)) };
                    assert_eq!(space_before_hash(&text), wanted, "{text:?}");
                    assert_eq!(are_of_name(&text), first(|octet| !is_of_name(octet)).is_none(), "{text:?}");
                    let found = first(|octet| matches!(octet, b'=' | b' ')).filter(|&at| at < 32);
                    assert_eq!(equals_or_space(&text), found, "{text:?}");
                }
            }
        }
    }
}
