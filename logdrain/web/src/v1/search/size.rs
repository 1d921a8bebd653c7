//! How long an event is in JSON at most, before it is written.

use log_store::Event;

/// What stands around the texts of an event.
const AROUND: usize = 560;
/// Bytes that are added up in a byte, at most five each.
const CHUNK: usize = 48;

/// The most bytes that an event has in JSON.
pub(super) fn most(event: &Event<'_>) -> usize {
    AROUND + 2 * text(event.system()) + text(event.program()) + text(event.message())
}

/// Without a way out of the loop and in numbers of a byte, so that many bytes are looked at at a time.
fn text(bytes: &[u8]) -> usize {
    let more = |byte: &u8| {
        let is_control = u8::from(*byte < 0x20) | u8::from(*byte == 0x7f);
        let is_escaped = u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        // A byte that is no text becomes three; two that a terminal would obey, six.
        5 * is_control + is_escaped + 2 * (*byte >> 7)
    };
    let of_chunk = |chunk: &[u8]| usize::from(chunk.iter().fold(0_u8, |sum, byte| sum.wrapping_add(more(byte))));
    bytes.len() + bytes.chunks(CHUNK).map(of_chunk).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_counts_as_what_it_may_become() {
        for byte in 0..=u8::MAX {
            let one = match byte {
                0..0x20 | 0x7f => 6,
                b'"' | b'\\' => 2,
                0x80.. => 3,
                _ => 1,
            };
            for count in [0, 1, 7, CHUNK, CHUNK + 1, 1_000] {
                assert_eq!(text(&vec![byte; count]), one * count, "{count} of {byte}");
            }
        }
    }
}
