//! How long an event is in JSON at most, before it is written.

use log_store::Event;

/// What stands around the texts of an event.
const AROUND: usize = 560;

/// The most bytes that an event has in JSON.
pub(super) fn most(event: &Event<'_>) -> usize {
    let text = |bytes: &[u8]| -> usize {
        let byte = |byte: &u8| match byte {
            0..0x20 | 0x7f => 6,
            b'"' | b'\\' => 2,
            // A byte that is no text becomes three; two that a terminal would obey, six.
            0x80.. => 3,
            _ => 1,
        };
        bytes.iter().map(byte).sum()
    };
    AROUND + 2 * text(event.system()) + text(event.program()) + text(event.message())
}
