//! A piece of 10,000 bytes says nothing that the line it is cut from does not, however that goes on.
#![no_main]

use family_fuzz::{Draw, SENDERS, said};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let sender = draw.pick(&SENDERS);
    let rest: [u8; 3] = std::array::from_fn(|_| draw.pick(b"05amskBr"));
    // A line end or colour at the end would change what the message is.
    let line = draw.rest();
    if line.len() > 9_990 || line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0x1b)) {
        return;
    }
    // Behind a mark that closes, letters make another line of it, not the same one that goes on.
    if !line.last().is_some_and(u8::is_ascii_alphanumeric) {
        return;
    }
    let mut piece = vec![b'x'; 9_999 - line.len()];
    piece.push(b' ');
    piece.extend_from_slice(line);
    let Some(found) = said(sender, &piece) else { return };
    let whole = said(sender, &[&piece[..], &rest, b" ."].concat()).expect("a frame like the other");
    let mut left: Vec<_> = whole.rows.iter().map(|(row, _)| row).collect();
    for (row, _) in &found.rows {
        let place = left.iter().position(|other| *other == row);
        assert!(place.is_some(), "{row} of {sender} is not in {whole:?}: {}", line.escape_ascii());
        left.swap_remove(place.unwrap_or_default());
    }
});
