//! Colour codes anywhere in a line of any sender: it says the same with and without them.
#![no_main]

use family_fuzz::{Draw, SENDERS, said};
use libfuzzer_sys::fuzz_target;
use logfmt_metrics::colour::Uncoloured;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let sender = draw.pick(&SENDERS);
    let places: [(u8, u8); 4] = std::array::from_fn(|_| (draw.octet(), draw.octet()));
    // What colours there are already are taken out first.
    let mut uncoloured = Uncoloured::new();
    let mut line = uncoloured.read(draw.rest()).to_vec();
    while line != uncoloured.read(&line) {
        line = uncoloured.text().to_vec();
    }
    // A code must neither make nor break another, nor the message a piece, nor stand behind the line end, which is no part
    // of the message where it is last.
    if line.contains(&0x1b)
        || line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
        || (9_900..=10_000).contains(&line.len())
    {
        return;
    }
    let mut coloured = Vec::new();
    for at in 0..=line.len() {
        for (place, code) in places {
            if usize::from(place) == at % 256 {
                let codes: [&[u8]; 4] = [b"\x1b[m", b"\x1b[1;32m", b"\x1b[K", b"\x1b[38:5:9m"];
                coloured.extend_from_slice(codes[usize::from(code) % 4]);
            }
        }
        coloured.extend_from_slice(line.get(at..at + 1).unwrap_or_default());
    }
    if (9_900..=10_000).contains(&coloured.len()) {
        return;
    }
    assert_eq!(uncoloured.read(&coloured), line);
    for at in 0..line.len() {
        let range = uncoloured.original(at..at + 1);
        assert_eq!(coloured.get(range), line.get(at..at + 1));
    }
    let (Some(plain), Some(found)) = (said(sender, &line), said(sender, &coloured)) else { return };
    assert_eq!(found, plain, "{sender}: {}", coloured.escape_ascii());
});
