//! Durations and sizes, as the command line and the configuration write them.

use std::time::Duration;

/// `60s`, `5m`, `2h`, `7d`, `500ms`, or plain seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (digits, factor_ms) =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1_000)]
            .into_iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
            .unwrap_or((text, 1_000));
    let number: u64 = digits.parse().map_err(|_| "expected a duration such as 60s, 5m or 500ms".to_owned())?;
    number.checked_mul(factor_ms).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// `512MB`, `1GB`, or plain bytes; by 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = [("GB", 30), ("MB", 20), ("kB", 10), ("KB", 10), ("B", 0), ("", 0)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let number: u64 = digits.parse().map_err(|_| "expected a size such as 512MB or 1GB".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("-1s").is_err() && duration("s").is_err() && duration("18446744073709551615h").is_err());
        assert_eq!(bytes("512MB"), Ok(512 << 20));
        assert_eq!(bytes("17"), Ok(17));
        assert!(bytes("lots").is_err());
    }
}
