//! Names of severities and facilities: as archives print them, and all that syslog calls them.

/// Severities by number (RFC 5424, table 2); the first name is the one that is printed.
const SEVERITIES: [&[&str]; 8] = [
    &["Emerg", "emergency", "panic"],
    &["Alert"],
    &["Crit", "critical"],
    &["Error", "err"],
    &["Warning", "warn"],
    &["Notice"],
    &["Info", "informational"],
    &["Debug"],
];

/// Facilities by number (RFC 5424, table 1; names of syslog.h, and for 12 to 15 those of rsyslog and FreeBSD).
const FACILITIES: [&[&str]; 24] = [
    &["Kern"],
    &["User"],
    &["Mail"],
    &["Daemon"],
    &["Auth"],
    &["Syslog"],
    &["Lpr"],
    &["News"],
    &["Uucp"],
    &["Cron"],
    &["Authpriv"],
    &["Ftp"],
    &["Ntp"],
    &["Audit", "security"],
    &["Alert", "console"],
    &["Clock", "solaris-cron"],
    &["Local0"],
    &["Local1"],
    &["Local2"],
    &["Local3"],
    &["Local4"],
    &["Local5"],
    &["Local6"],
    &["Local7"],
];

/// What a severity is called in an archive; none above 7.
///
/// ```
/// assert_eq!(log_archive::severity_name(3), Some("Error"));
/// ```
#[must_use]
pub fn severity_name(severity: u8) -> Option<&'static str> {
    name(&SEVERITIES, severity)
}

/// What a facility is called in an archive; none above 23.
///
/// ```
/// assert_eq!(log_archive::facility_name(19), Some("Local3"));
/// ```
#[must_use]
pub fn facility_name(facility: u8) -> Option<&'static str> {
    name(&FACILITIES, facility)
}

/// The severity of this name, of any of its names, or of its number; ASCII case is ignored.
///
/// ```
/// assert_eq!([&b"Error"[..], b"ERR", b"3", b"fatal"].map(log_archive::severity_number), [Some(3), Some(3), Some(3), None]);
/// ```
#[must_use]
pub fn severity_number(name: &[u8]) -> Option<u8> {
    number(&SEVERITIES, name)
}

/// The facility of this name, of any of its names, or of its number; ASCII case is ignored.
///
/// ```
/// assert_eq!([&b"Local3"[..], b"cron", b"23", b""].map(log_archive::facility_number), [Some(19), Some(9), Some(23), None]);
/// ```
#[must_use]
pub fn facility_number(name: &[u8]) -> Option<u8> {
    number(&FACILITIES, name)
}

fn name(table: &[&[&'static str]], number: u8) -> Option<&'static str> {
    table.get(usize::from(number))?.first().copied()
}

fn number(table: &[&[&str]], text: &[u8]) -> Option<u8> {
    let named = table.iter().position(|names| names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(text)));
    let numbered = || match text {
        [digit @ b'0'..=b'9'] => Some(usize::from(digit - b'0')),
        // `03` is no number: nobody writes it.
        [ten @ b'1'..=b'9', one @ b'0'..=b'9'] => Some(usize::from(ten - b'0') * 10 + usize::from(one - b'0')),
        _ => None,
    };
    named.or_else(numbered).filter(|number| *number < table.len()).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for number in 0..=255 {
            let severity = severity_name(number);
            assert_eq!(severity.is_some(), number < 8);
            let facility = facility_name(number);
            assert_eq!(facility.is_some(), number < 24);
            for (name, read) in [(severity, severity_number as fn(&[u8]) -> _), (facility, facility_number)] {
                let Some(name) = name else { continue };
                assert!(name.starts_with(|letter: char| letter.is_ascii_uppercase()));
                assert_eq!(read(name.as_bytes()), Some(number));
                assert_eq!(read(name.to_ascii_lowercase().as_bytes()), Some(number));
                assert_eq!(read(name.to_ascii_uppercase().as_bytes()), Some(number));
                assert_eq!(read(number.to_string().as_bytes()), Some(number));
            }
        }
        for none in ["", "8", "03", "+3", "-1", "fatal", "3 ", "256", "\u{e9}"] {
            assert_eq!(severity_number(none.as_bytes()), None, "{none}");
        }
        for none in ["", "24", "99", "local", "local8", "007"] {
            assert_eq!(facility_number(none.as_bytes()), None, "{none}");
        }
    }
}
