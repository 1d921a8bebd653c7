//! Names of severities and facilities, as syslog has them. Case is ignored; the number is a name, too.

/// Severities by number (RFC 5424, table 2), the name that is printed first.
const SEVERITIES: [&[&str]; 8] = [
    &["emerg", "emergency", "panic"],
    &["alert"],
    &["crit", "critical"],
    &["error", "err"],
    &["warning", "warn"],
    &["notice"],
    &["info", "informational"],
    &["debug"],
];

/// Facilities by number (RFC 5424, table 1; names of syslog.h, and for 12 to 15 those of rsyslog and FreeBSD).
const FACILITIES: [&[&str]; 24] = [
    &["kern"],
    &["user"],
    &["mail"],
    &["daemon"],
    &["auth"],
    &["syslog"],
    &["lpr"],
    &["news"],
    &["uucp"],
    &["cron"],
    &["authpriv"],
    &["ftp"],
    &["ntp"],
    &["audit", "security"],
    &["alert", "console"],
    &["clock", "solaris-cron"],
    &["local0"],
    &["local1"],
    &["local2"],
    &["local3"],
    &["local4"],
    &["local5"],
    &["local6"],
    &["local7"],
];

pub(crate) fn severity(text: &str) -> Option<u8> {
    number(&SEVERITIES, text)
}

pub(crate) fn facility(text: &str) -> Option<u8> {
    number(&FACILITIES, text)
}

pub(crate) fn severity_name(severity: u8) -> &'static str {
    name(&SEVERITIES, severity)
}

pub(crate) fn facility_name(facility: u8) -> &'static str {
    name(&FACILITIES, facility)
}

fn number(table: &[&[&str]], text: &str) -> Option<u8> {
    let named = table.iter().position(|names| names.iter().any(|name| name.eq_ignore_ascii_case(text)));
    // `007` and `+3` are no names.
    let numbered = || text.parse().ok().filter(|&number: &usize| number < table.len() && plain(number, text));
    named.or_else(numbered).and_then(|number| u8::try_from(number).ok())
}

fn plain(number: usize, text: &str) -> bool {
    text.len() == if number < 10 { 1 } else { 2 } && !text.starts_with('+')
}

fn name(table: &[&'static [&'static str]], number: u8) -> &'static str {
    table.get(usize::from(number)).and_then(|names| names.first()).copied().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for number in 0..8 {
            assert_eq!(severity(severity_name(number)), Some(number));
        }
        for number in 0..24 {
            assert_eq!(facility(facility_name(number)), Some(number));
        }
        assert_eq!(["PANIC", "Err", "warn", "3", "Critical"].map(severity), [0, 3, 4, 3, 2].map(Some));
        assert_eq!(["fatal", "er", "8", "+3", "03", "", "-1", "3 "].map(severity), [None; 8]);
        assert_eq!(["Cron", "LOCAL3", "23", "10"].map(facility), [9, 19, 23, 10].map(Some));
        assert_eq!(["24", "local", "local8", "+1"].map(facility), [None; 4]);
    }
}
