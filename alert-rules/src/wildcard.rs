/// Whether a text fits a pattern, in which `*` stands for any text, also none. All else stands for itself.
///
/// Only the last star is ever tried again, so the work is at most the product of both lengths.
pub(crate) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if text.get(seen) == Some(byte) => {
                at += 1;
                seen += 1;
            }
            _ => {
                // The star takes one byte more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Whether it fits one of them.
pub(crate) fn fits_any(patterns: &[Box<str>], text: &[u8]) -> bool {
    patterns.iter().any(|pattern| fits(pattern.as_bytes(), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|from| slow(rest, &text[from..])),
            Some((byte, rest)) => text.split_first().is_some_and(|(first, left)| first == byte && slow(rest, left)),
        }
    }

    proptest! {
        #[test]
        fn it_fits_as_the_definition_says(pattern in "[ab*]{0,7}", text in "[ab*]{0,9}") {
            prop_assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        assert!(!fits("*a".repeat(2_000).as_bytes(), "a".repeat(1_999).as_bytes()));
        assert!(!fits(format!("{}b", "*a".repeat(500)).as_bytes(), "a".repeat(20_000).as_bytes()));
    }
}
