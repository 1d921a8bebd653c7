//! Folding, until `log-query` has it.
pub(super) fn fold_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    let from = out.len();
    let (mut rest, mut coloured) = (text, false);
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let (before, code) = rest.split_at(at);
        out.extend_from_slice(before);
        let behind = match code_len(code) {
            Some(len) => {
                coloured = true;
                len
            }
            None => {
                out.push(0x1b);
                1
            }
        };
        rest = code.get(behind..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    if let Some(new) = out.get_mut(from..) {
        new.make_ascii_lowercase();
    }
    coloured
}

fn code_len(text: &[u8]) -> Option<usize> {
    let parameters = text.strip_prefix(b"\x1b[")?;
    let len = parameters.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    (parameters.get(len) == Some(&b'm')).then_some(len + 3)
}
