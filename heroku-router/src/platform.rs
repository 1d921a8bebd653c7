use crate::code::{Code, CodeClass};
use crate::error::FieldRefusal;
use crate::value::number;
use memchr::{memchr, memmem};

/// An error line of the dyno manager (`R` codes) or of Logplex and log-shuttle (`L` codes), in every known wording.
///
/// ```text
/// Error R14 (Memory quota exceeded)
/// Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch
/// Error L10 (output buffer overflow): 480 messages dropped since 2026-03-14T09:00:00+00:00.
/// Error L10 (output buffer overflow): drain 'd.<uuid>' dropped 1 messages since 2026-03-14T09:00:00+00:00.
/// L11 (Tail buffer overflow) -> This tail session dropped 37 messages since 2026-03-14T09:00:00+00:00
/// Error L12: 64 messages dropped since 2026-03-14T09:00:00+00:00.
/// Error L13: 9 messages lost since 2026-03-14T09:00:00+00:00.
/// Error L14 (certificate validation): error="bad certificate" uri="syslog+tls://drain.shop.example.com:6514/"
/// L15: Error displaying log lines. Please try again.
/// Error L20 (Tail sessions forbidden) Tail sessions for this app are forbidden due to log volume.
/// ```
///
/// `H` codes stand on router lines: see [`RouterLine`](crate::RouterLine).
///
/// ```
/// use heroku_router::PlatformError;
///
/// let line = b"Error L10 (output buffer overflow): 480 messages dropped since 2026-03-14T09:00:00+00:00.";
/// let error = PlatformError::parse(line).ok_or("no error line")?;
/// assert_eq!(error.code().as_str(), "L10");
/// assert_eq!(error.description(), Some("output buffer overflow"));
/// assert_eq!(error.count(), Some(480));
/// assert_eq!(error.since(), Some("2026-03-14T09:00:00+00:00"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlatformError<'a> {
    code: Code,
    description: Option<&'a [u8]>,
    text: &'a [u8],
    has_arrow: bool,
    losses: Option<Losses<'a>>,
    is_cut: bool,
}

/// `N messages dropped since T.`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Losses<'a> {
    count: Result<u64, FieldRefusal>,
    since: Option<&'a [u8]>,
    drain: Option<&'a [u8]>,
}

impl<'a> PlatformError<'a> {
    /// Reads a line; `None` when it is another line. Never panics, allocates nothing, linear in the line.
    ///
    /// The line is an error when it starts with `Error`, a space and an R or L code, or with an L code alone, and then
    /// ends, or has ` (` or `:` behind the code. So `Error R14 (` and a bare `Error L10` are errors, but
    /// `Error R14 again`, `R14 (x)` and `error r14 (x)` are prose. One `- ` before it is passed over: that is the
    /// NILVALUE of STRUCTURED-DATA where a sender wrote RFC 5424 and the reader was told of the Logplex dialect.
    ///
    /// ```
    /// use heroku_router::PlatformError;
    /// assert!(PlatformError::parse(b"Error R14 (Memory quota exceeded)").is_some());
    /// assert!(PlatformError::parse(b"Error H12 (Request timeout)").is_none());
    /// ```
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        u32::try_from(line.len()).ok()?;
        let trimmed = line.trim_ascii_end();
        let start = trimmed.strip_prefix(b"- ").unwrap_or(trimmed);
        let (rest, announced) = match start.strip_prefix(b"Error ") {
            Some(rest) => (rest, true),
            None => (start, false),
        };
        let (bytes, rest) = rest.split_at_checked(3)?;
        let code = Code::parse(bytes)?;
        match code.class() {
            CodeClass::Runtime if announced => {}
            CodeClass::Logging => {}
            CodeClass::Runtime | CodeClass::Http => return None,
        }
        if !rest.is_empty() && !rest.starts_with(b" (") && !rest.starts_with(b":") {
            return None;
        }
        if rest.is_empty() && !announced {
            return None;
        }
        let is_open = rest.starts_with(b" (") && memchr(b')', rest).is_none();
        let (description, rest) = description(rest);
        let (text, has_arrow) = text(rest);
        let losses = if has_losses(code) { losses(text, trimmed.len() - text.len()) } else { None };
        let is_lossless = has_losses(code) && losses.is_none() && memmem::find(text, b"since ").is_none();
        let is_cut = is_open || is_lossless || (description.is_none() && text.is_empty());
        Some(Self { code, description, text, has_arrow, losses, is_cut })
    }

    /// The code.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let error = PlatformError::parse(b"Error R12 (Exit timeout)");
    /// assert_eq!(error.map(|error| error.code().number()), Some(12));
    /// ```
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The text in parentheses, as on the line; `None` when there is none or it is not UTF-8.
    ///
    /// It can differ from [`Code::title`]: L10 says `output buffer overflow`.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let error = PlatformError::parse(b"Error R12 (Exit timeout)");
    /// assert_eq!(error.and_then(|error| error.description()), Some("Exit timeout"));
    /// ```
    #[must_use]
    pub fn description(&self) -> Option<&'a str> {
        self.description.and_then(utf8)
    }

    /// The text behind `->`; `None` when there is none or it is not UTF-8.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let error = PlatformError::parse(b"Error R13 (Attach error) -> Failed to attach to process");
    /// assert_eq!(error.and_then(|error| error.detail()), Some("Failed to attach to process"));
    /// ```
    #[must_use]
    pub fn detail(&self) -> Option<&'a str> {
        if self.has_arrow { utf8(self.text) } else { None }
    }

    /// All that stands behind code, parentheses and the `:` or `->` that follows them; any bytes.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let error = PlatformError::parse(br#"Error L14 (certificate validation): error="expired" uri="syslog://x""#);
    /// assert_eq!(error.map(|error| error.text()), Some(&br#"error="expired" uri="syslog://x""#[..]));
    /// ```
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// How many messages were lost. L10 to L13 say it, in two orders of words, and so may a newer L code; `None` on
    /// every other line, and where the number does not fit: see [`refusal`](Self::refusal).
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let line = b"Error L10 (output buffer overflow): drain 'd.1' dropped 7 messages since 2026-03-14T09:00:00Z.";
    /// assert_eq!(PlatformError::parse(line).and_then(|error| error.count()), Some(7));
    /// ```
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.losses?.count.ok()
    }

    /// Since when messages were lost: the timestamp as written, without the full stop of the sentence.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let line = b"Error L13: 9 messages lost since 2026-03-14T09:00:00.125+00:00.";
    /// assert_eq!(PlatformError::parse(line).and_then(|error| error.since()), Some("2026-03-14T09:00:00.125+00:00"));
    /// ```
    #[must_use]
    pub fn since(&self) -> Option<&'a str> {
        self.losses?.since.and_then(utf8)
    }

    /// The drain token of an L10 that names its drain, as tail sessions show it.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let line = b"Error L10 (output buffer overflow): drain 'd.1' dropped 7 messages since 2026-03-14T09:00:00Z.";
    /// assert_eq!(PlatformError::parse(line).and_then(|error| error.drain()), Some("d.1"));
    /// ```
    #[must_use]
    pub fn drain(&self) -> Option<&'a str> {
        self.losses?.drain.and_then(utf8)
    }

    /// Why the number of lost messages could not be read: it is beyond 64 bits.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let error = PlatformError::parse(b"Error L12: 99999999999999999999 messages dropped since x.").ok_or("L12")?;
    /// assert_eq!(error.count(), None);
    /// let refusal = error.refusal().ok_or("the count is refused")?;
    /// assert_eq!(refusal.to_string(), "number out of range in count at byte 11");
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<FieldRefusal> {
        self.losses?.count.err()
    }

    /// Whether the line ends before its time: behind the code, in the description, or before it has told since when messages
    /// were lost. How many were is not known then.
    ///
    /// ```
    /// # use heroku_router::PlatformError;
    /// let is_cut = |line: &str| PlatformError::parse(line.as_bytes()).is_some_and(|error| error.is_cut());
    /// assert!(is_cut("Error R14 (Memory quota exc") && is_cut("Error L13: 11"));
    /// assert!(!is_cut("Error R10 (Boot timeout) -> Web process fai"), "the detail is text");
    /// ```
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// The memory that a dyno holds, from the line that the dyno manager writes before an R14 or R15.
///
/// ```text
/// Process running mem=531MB(103.7%)
/// Process running mem=612M(119.5%)
/// ```
///
/// ```
/// use heroku_router::MemoryHint;
///
/// let hint = MemoryHint::parse(b"Process running mem=531MB(103.7%)").ok_or("no hint")?;
/// assert_eq!((hint.megabytes(), hint.percent()), (531, 103.7));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MemoryHint {
    megabytes: u64,
    percent: f64,
}

impl MemoryHint {
    /// Reads the whole line; `None` when it has another shape.
    ///
    /// ```
    /// use heroku_router::MemoryHint;
    /// assert!(MemoryHint::parse(b"Process running mem=612M(119.5%)").is_some());
    /// assert!(MemoryHint::parse(b"Process running mem=(119.5%)").is_none());
    /// ```
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        // mem-hint = "Process running mem=" 1*DIGIT ("M" / "MB") "(" 1*DIGIT "." 1*DIGIT "%)"
        let rest = line.trim_ascii_end().strip_prefix(b"Process running mem=")?;
        let (amount, share) = rest.split_at_checked(memchr(b'(', rest)?)?;
        let digits = amount.strip_suffix(b"MB").or_else(|| amount.strip_suffix(b"M"))?;
        let megabytes = number(digits).ok()?;
        let share = share.strip_prefix(b"(")?.strip_suffix(b"%)")?;
        let (whole, fraction) = share.split_at_checked(memchr(b'.', share)?)?;
        let fraction = fraction.strip_prefix(b".")?;
        let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let percent = utf8(share)?.parse().ok().filter(|percent: &f64| percent.is_finite())?;
        Some(Self { megabytes, percent })
    }

    /// Memory in use, in megabytes of 1,048,576 bytes.
    #[must_use]
    pub const fn megabytes(&self) -> u64 {
        self.megabytes
    }

    /// The same in percent of the dyno's quota.
    #[must_use]
    pub const fn percent(&self) -> f64 {
        self.percent
    }
}

/// Whether a line of this code can say how many messages were lost: all L codes but those known to be about none.
fn has_losses(code: Code) -> bool {
    code.class() == CodeClass::Logging && !matches!(code.number(), 14 | 15 | 20)
}

/// `"(" r-name ")"`, and r-name has no `)`. Text that is not closed is no description.
fn description(rest: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(inner) = rest.strip_prefix(b" (") else { return (None, rest) };
    match memchr(b')', inner) {
        Some(close) => (Some(&inner[..close]), &inner[close + 1..]),
        None => (None, inner),
    }
}

/// `": " text`, `" -> " text` or `" " text`; the flag tells of the arrow.
fn text(rest: &[u8]) -> (&[u8], bool) {
    let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
    match rest.strip_prefix(b"->") {
        Some(rest) => (rest.trim_ascii_start(), true),
        None => (rest, false),
    }
}

/// `count " messages " ["dropped " / "lost "] "since " TIMESTAMP ["."]`, wherever in the text it stands, so that
/// `480 messages dropped since`, `dropped 480 messages since` and `This tail session dropped …` are one rule.
/// `from` is where in the line the text starts.
fn losses(text: &[u8], from: usize) -> Option<Losses<'_>> {
    for at in memmem::find_iter(text, b" messages ") {
        let (before, behind) = (&text[..at], &text[at + b" messages ".len()..]);
        let start = before.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        let digits = &before[start..];
        if digits.is_empty() || (start > 0 && before[start - 1] != b' ') {
            continue;
        }
        let verb = behind.strip_prefix(b"dropped ").or_else(|| behind.strip_prefix(b"lost ")).unwrap_or(behind);
        let Some(since) = verb.strip_prefix(b"since ") else { continue };
        // Both fit: `parse` refuses lines of 4 GiB.
        let refusal = |kind| FieldRefusal::new(kind, "count", (from + start) as u32, digits.len() as u32);
        let since = since.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let since = since.strip_suffix(b".").unwrap_or(since);
        return Some(Losses {
            count: number(digits).map_err(refusal),
            since: Some(since).filter(|since| !since.is_empty()),
            drain: drain(before),
        });
    }
    None
}

/// `"drain '" drain-token "' dropped"`
fn drain(text: &[u8]) -> Option<&[u8]> {
    let token = text.strip_prefix(b"drain '")?;
    let token = &token[..memchr(b'\'', token)?];
    Some(token).filter(|token| !token.is_empty())
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_ends_at_the_first_parenthesis() {
        assert_eq!(description(b" (a (b) c): d"), (Some(&b"a (b"[..]), &b" c): d"[..]));
        assert_eq!(description(b" ()"), (Some(&b""[..]), &b""[..]));
        assert_eq!(description(b" (open"), (None, &b"open"[..]));
        assert_eq!(description(b": text"), (None, &b": text"[..]));
    }

    #[test]
    fn text_stands_behind_colon_arrow_or_space() {
        assert_eq!(text(b": a"), (&b"a"[..], false));
        assert_eq!(text(b" -> a"), (&b"a"[..], true));
        assert_eq!(text(b" a -> b"), (&b"a -> b"[..], false));
        assert_eq!(text(b""), (&b""[..], false));
    }

    #[test]
    fn memory_hints_have_one_shape() {
        for line in [
            &b""[..],
            b"Process running",
            b"Process running mem=",
            b"Process running mem=1028",
            b"Process running mem=1028MB",
            b"Process running mem=1028MB(103%)",
            b"Process running mem=1028MB(.3%)",
            b"Process running mem=1028MB(103.%)",
            b"Process running mem=1028MB(1e3.0%)",
            b"Process running mem=531MB(103.7%) or so",
            b"Process running mem=1028kB(103.3%)",
            b"Process running mem=-1MB(103.3%)",
            b"Process running mem=18446744073709551616MB(103.3%)",
        ] {
            assert_eq!(MemoryHint::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
