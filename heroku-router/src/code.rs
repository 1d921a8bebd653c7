use core::fmt;

/// An error code of the platform: `H`, `R` or `L` and two digits.
///
/// The shape is what is stable: Heroku has added codes over the years, so all 300 are accepted, and the ones that its
/// article *Error Codes* lists carry a [`title`](Self::title). Sorted by class, then number.
///
/// ```
/// use heroku_router::{Code, CodeClass, Severity};
///
/// let code = Code::parse(b"H12").ok_or("three bytes: a letter, two digits")?;
/// assert_eq!((code.class(), code.number()), (CodeClass::Http, 12));
/// assert_eq!(code.title(), Some("Request timeout"));
/// assert_eq!(code.severity(), Some(Severity::Critical));
/// assert_eq!(code.to_string(), "H12");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    class: CodeClass,
    number: u8,
}

/// Which part of the platform a code is from; the letter of it.
///
/// ```
/// use heroku_router::{Code, CodeClass};
/// assert_eq!(Code::parse(b"L10").map(|code| code.class()), Some(CodeClass::Logging));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum CodeClass {
    /// `H`: a request failed; on router lines.
    Http,
    /// `R`: a dyno misbehaved; on lines of the dyno manager.
    Runtime,
    /// `L`: log lines were lost or withheld; on lines of Logplex and log-shuttle.
    Logging,
}

/// How bad a code is, as the Heroku command line rates it (`heroku apps:errors`).
///
/// ```
/// use heroku_router::Severity;
/// assert!(Severity::Info < Severity::Critical);
/// assert_eq!(Severity::Warning.to_string(), "warning");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong with the app: a client gave up, or there is no app.
    Info,
    /// Worth a look.
    Warning,
    /// Requests or data are lost.
    Critical,
}

impl Code {
    /// `H81`, which lines of 2013 and before call `blank-app`.
    pub(crate) const BLANK_APP: Self = Self { class: CodeClass::Http, number: 81 };
    /// The code of the one line on which something of the client's, `agent`, stands behind the numbers.
    pub(crate) const MISDIRECTED: Self = Self { class: CodeClass::Http, number: 31 };

    /// Reads exactly three bytes: `H`, `R` or `L` in upper case, and two digits.
    ///
    /// ```
    /// use heroku_router::Code;
    /// assert!(Code::parse(b"L10").is_some());
    /// for other in [&b"l10"[..], b"L1", b"L100", b"X10", b"H1x", b""] {
    ///     assert_eq!(Code::parse(other), None);
    /// }
    /// ```
    #[must_use]
    pub const fn parse(text: &[u8]) -> Option<Self> {
        let &[letter, tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text else { return None };
        let class = match letter {
            b'H' => CodeClass::Http,
            b'R' => CodeClass::Runtime,
            b'L' => CodeClass::Logging,
            _ => return None,
        };
        Some(Self { class, number: (tens - b'0') * 10 + (ones - b'0') })
    }

    /// The letter's meaning.
    ///
    /// ```
    /// use heroku_router::{Code, CodeClass};
    /// assert_eq!(Code::parse(b"R14").map(|code| code.class()), Some(CodeClass::Runtime));
    /// ```
    #[must_use]
    pub const fn class(self) -> CodeClass {
        self.class
    }

    /// The two digits, 0..=99.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// The code as it stands on a line.
    const fn as_bytes(self) -> [u8; 3] {
        [self.class.letter(), b'0' + self.number / 10, b'0' + self.number % 10]
    }

    /// The code as it stands on a line, as text that outlives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let at = self.class.index() * 300 + usize::from(self.number) * 3;
        TEXT.get(at..at + 3).unwrap_or_default()
    }

    /// The title in Heroku's article *Error Codes*; `None` for a code that it does not list.
    ///
    /// Lines may word it otherwise: `desc="No web processes running"` is H14, `No web dynos running`.
    ///
    /// ```
    /// use heroku_router::Code;
    /// assert_eq!(Code::parse(b"L10").and_then(|code| code.title()), Some("Drain buffer overflow"));
    /// assert_eq!(Code::parse(b"H77").and_then(|code| code.title()), None);
    /// ```
    #[must_use]
    pub fn title(self) -> Option<&'static str> {
        self.row().map(|row| row.title)
    }

    /// The level in the table of the Heroku command line; `None` for a code that it does not list.
    ///
    /// ```
    /// use heroku_router::{Code, Severity};
    /// assert_eq!(Code::parse(b"H27").and_then(|code| code.severity()), Some(Severity::Info));
    /// assert_eq!(Code::parse(b"L14").and_then(|code| code.severity()), None);
    /// ```
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        self.row().and_then(|row| row.severity)
    }

    fn row(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.code == self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.as_str())
    }
}

impl CodeClass {
    /// `H`, `R` or `L`.
    const fn letter(self) -> u8 {
        match self {
            Self::Http => b'H',
            Self::Runtime => b'R',
            Self::Logging => b'L',
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Http => 0,
            Self::Runtime => 1,
            Self::Logging => 2,
        }
    }
}

impl Severity {
    /// `info`, `warning` or `critical`, as the Heroku command line writes it.
    ///
    /// ```
    /// assert_eq!(heroku_router::Severity::Critical.as_str(), "critical");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

struct Known {
    code: Code,
    title: &'static str,
    severity: Option<Severity>,
}

const fn h(number: u8, title: &'static str, severity: Option<Severity>) -> Known {
    Known { code: Code { class: CodeClass::Http, number }, title, severity }
}

const fn r(number: u8, title: &'static str, severity: Option<Severity>) -> Known {
    Known { code: Code { class: CodeClass::Runtime, number }, title, severity }
}

const fn l(number: u8, title: &'static str, severity: Option<Severity>) -> Known {
    Known { code: Code { class: CodeClass::Logging, number }, title, severity }
}

const INFO: Option<Severity> = Some(Severity::Info);
const WARNING: Option<Severity> = Some(Severity::Warning);
const CRITICAL: Option<Severity> = Some(Severity::Critical);
/// Not in the table of the command line.
const UNRATED: Option<Severity> = None;

/// Titles: Dev Center, *Error Codes*, editions of 2012 to 2024, so codes no longer written are here too. Severities:
/// the table of errors of the Heroku command line (github.com/heroku/cli), whose `R151` is a slip for R15.
const KNOWN: &[Known] = &[
    h(10, "App crashed", CRITICAL),
    h(11, "Backlog too deep", CRITICAL),
    h(12, "Request timeout", CRITICAL),
    h(13, "Connection closed without response", CRITICAL),
    h(14, "No web dynos running", CRITICAL),
    h(15, "Idle connection", WARNING),
    h(16, "Redirect to herokuapp.com", WARNING),
    h(17, "Poorly formatted HTTP response", WARNING),
    h(18, "Server Request Interrupted", CRITICAL),
    h(19, "Backend connection timeout", CRITICAL),
    h(20, "App boot timeout", CRITICAL),
    h(21, "Backend connection refused", CRITICAL),
    h(22, "Connection limit reached", CRITICAL),
    h(23, "Endpoint misconfigured", CRITICAL),
    h(24, "Forced close", CRITICAL),
    h(25, "HTTP Restriction", CRITICAL),
    h(26, "Request Error", CRITICAL),
    h(27, "Client Request Interrupted", INFO),
    h(28, "Client Connection Idle", WARNING),
    h(31, "Misdirected Request", CRITICAL),
    h(32, "TLS Certificate Mismatch", UNRATED),
    h(70, "Access to Bamboo HTTP endpoint denied", UNRATED),
    h(80, "Maintenance mode", WARNING),
    h(81, "Blank app", INFO),
    h(82, "You've used up your dyno hour pool", INFO),
    h(83, "Planned Service Degradation", UNRATED),
    h(99, "Platform error", CRITICAL),
    r(10, "Boot timeout", CRITICAL),
    r(11, "Bad bind", UNRATED),
    r(12, "Exit timeout", WARNING),
    r(13, "Attach error", WARNING),
    r(14, "Memory quota exceeded", CRITICAL),
    r(15, "Memory quota vastly exceeded", CRITICAL),
    r(16, "Detached", WARNING),
    r(17, "Checksum error", UNRATED),
    r(99, "Platform error", WARNING),
    l(10, "Drain buffer overflow", WARNING),
    l(11, "Tail buffer overflow", WARNING),
    l(12, "Local buffer overflow", WARNING),
    l(13, "Local delivery error", CRITICAL),
    l(14, "Certificate validation error", UNRATED),
    l(15, "Tail buffer temporarily unavailable", UNRATED),
    l(20, "Tail sessions forbidden", UNRATED),
];

/// All 300 codes behind each other, so that a code has a text without a buffer of its own.
const BYTES: [u8; 900] = {
    let mut text = [0; 900];
    let classes = [CodeClass::Http, CodeClass::Runtime, CodeClass::Logging];
    let mut nth = 0;
    while nth < 300 {
        let bytes = Code { class: classes[nth / 100], number: (nth % 100) as u8 }.as_bytes();
        text[nth * 3] = bytes[0];
        text[nth * 3 + 1] = bytes[1];
        text[nth * 3 + 2] = bytes[2];
        nth += 1;
    }
    text
};

const TEXT: &str = match core::str::from_utf8(&BYTES) {
    Ok(text) => text,
    Err(_) => "",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_hundred_codes_print_as_they_are_read() {
        for letter in ["H", "R", "L"] {
            for number in 0..100 {
                let text = format!("{letter}{number:02}");
                let code = Code::parse(text.as_bytes()).unwrap();
                assert_eq!(code.as_str(), text);
                assert_eq!(code.to_string(), text);
                assert_eq!(code.as_bytes(), text.as_bytes());
                assert_eq!((char::from(code.class().letter()).to_string(), code.number()), (letter.to_owned(), number));
            }
        }
    }

    #[test]
    fn anything_else_is_no_code() {
        for text in ["", "H", "H1", "H123", "h12", "X12", "H1a", "Ha1", "H-1", "H 1", "blank-app", "R151", "\u{ff28}12"]
        {
            assert_eq!(Code::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_names_each_code_once() {
        let codes: Vec<Code> = KNOWN.iter().map(|known| known.code).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(codes.len(), 27 + 9 + 7);
    }

    #[test]
    fn debug_shows_the_text() {
        assert_eq!(format!("{:?}", Code::BLANK_APP), "Code(H81)");
        assert_eq!(format!("{:>5}", Code::MISDIRECTED), "  H31");
    }
}
