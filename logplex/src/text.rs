//! Numbers and ids as bytes: what a line is made of, written without the machinery of `format!`, which would cost more
//! than everything else in the traffic.

use testkit::random::Random;

/// Two digits each, 00 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The number in decimal.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while value >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    at -= 2;
    digits[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
    out.extend_from_slice(&digits[at + usize::from(value < 10)..]);
}

/// `712` as `7.12`.
pub(crate) fn hundredths(out: &mut Vec<u8>, value: u64) {
    number(out, value / 100);
    out.push(b'.');
    out.extend_from_slice(&PAIRS[(value % 100) as usize]);
}

/// The lowest `places` digits, zeros in front included.
pub(crate) fn padded(out: &mut Vec<u8>, value: u64, places: usize) {
    let from = out.len();
    out.resize(from + places, b'0');
    let mut rest = value;
    for digit in out[from..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

const HEX: [&[u8; 16]; 2] = [b"0123456789abcdef", b"0123456789ABCDEF"];

/// 128 random bits as a UUID.
pub(crate) fn uuid(out: &mut Vec<u8>, random: &mut Random) {
    let bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
    for index in 0..32 {
        if matches!(index, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(HEX[0][(bits >> (124 - 4 * index)) as usize & 15]);
    }
}

/// 128 random bits as `Logplex-Frame-Id` has them: 32 upper-case hex digits.
pub(crate) fn frame_id(random: &mut Random) -> String {
    let bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
    (0..32).map(|index| char::from(HEX[1][(bits >> (124 - 4 * index)) as usize & 15])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_those_of_format() {
        for value in [0, 7, 10, 99, 100, 101, 999, 1_000, 65_536, 1_000_000_007, u64::MAX] {
            assert_eq!(written(|out| number(out, value)), value.to_string());
            assert_eq!(written(|out| hundredths(out, value)), format!("{}.{:02}", value / 100, value % 100));
        }
        assert_eq!(written(|out| padded(out, 42, 6)), "000042");
    }

    #[test]
    fn ids_have_their_shapes() {
        let uuid = written(|out| uuid(out, &mut Random::new(2)));
        assert_eq!(uuid, Random::new(2).uuid());
        let id = frame_id(&mut Random::new(2));
        assert_eq!(id, uuid.replace('-', "").to_uppercase());
    }
}
