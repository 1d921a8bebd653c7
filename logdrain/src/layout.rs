//! What a text looks like: which reader is for it, and what to say when none is.
//!
//! Readers guess nothing. `--input auto` tries them on the first lines, and takes the one that can read most.

use crate::args::InputKind;
use heroku_metrics::syslog::rendered::{self, Form};
use heroku_metrics::syslog::{Dialect, Frame, FrameError};
use log_archive::Reader;
use logdrain_terms::escape::Escaped;

/// How much of a text is looked at before it is decided.
pub(crate) const HEAD: usize = 64 * 1024;
/// And how many of its lines.
const LINES: usize = 64;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The kind of a text that begins with `head`; `None` when none of its lines can be read as anything.
pub(crate) fn kind(head: &[u8], dialect: Dialect) -> Option<InputKind> {
    let head = head.strip_prefix(MARK).unwrap_or(head);
    let start = head.trim_ascii_start();
    let digits = start.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_indented = lines(head).next().is_some_and(|(_, line)| line.starts_with(b" ") || line.starts_with(b"\t"));
    if digits > 0 && start[digits..].starts_with(b" <") && !is_indented {
        return Some(InputKind::Body);
    }
    let count = |kind| lines(head).take(LINES).filter(|(_, line)| line_of(kind, line, dialect).is_ok()).count();
    let is = |is: fn(&[u8]) -> bool| lines(head).take(LINES).filter(|(_, line)| is(line)).count();
    let (archived, events) = (is(is_row), is(is_papertrail));
    let [printed, copied, syslog, exported] =
        [InputKind::Rendered, InputKind::Copied, InputKind::Syslog, InputKind::Logentries].map(count);
    // Copies are whatever is printed too. A text that is mostly printed as it was has an indented line because an app
    // wrote one.
    let copied = if copied >= 2 * printed { copied } else { 0 };
    // Of equal counts the last one stands.
    [
        (archived, InputKind::Archive),
        (events, InputKind::Events),
        (exported, InputKind::Logentries),
        (syslog, InputKind::Syslog),
        (copied, InputKind::Copied),
        (printed, InputKind::Rendered),
    ]
    .into_iter()
    .max_by_key(|(count, _)| *count)
    .filter(|(count, _)| *count > 0)
    .map(|(_, kind)| kind)
}

/// Reads one line of a text, without its line end.
pub(crate) fn line_of(kind: InputKind, line: &[u8], dialect: Dialect) -> Result<Frame<'_>, FrameError> {
    match kind {
        InputKind::Copied => rendered::parse_line(line, Form::Copied),
        InputKind::Logentries => rendered::parse_line(line, Form::Exported),
        InputKind::Syslog => {
            let message = syslog_message(line);
            Frame::parse(message, dialect).map_err(|error| error.shifted((line.len() - message.len()) as u64))
        }
        InputKind::Auto | InputKind::Body | InputKind::Rendered | InputKind::Archive | InputKind::Events => {
            rendered::parse_line(line, Form::Printed)
        }
    }
}

/// What is behind blanks, quotes of mails, and a length, which a copied line may have in front.
fn syslog_message(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let [b' ' | b'\t' | b'>' | 0, behind @ ..] | [0xef, 0xbb, 0xbf, behind @ ..] = rest {
        rest = behind;
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match &rest[digits..] {
        [b' ', message @ ..] if digits > 0 && message.starts_with(b"<") => message,
        _ => rest,
    }
}

/// The lines that are not empty, with their numbers.
pub(crate) fn lines(head: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    (1..)
        .zip(head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !rendered::is_empty(line))
}

/// Whether it is text in UTF-8, or near enough.
pub(crate) fn is_text(head: &[u8]) -> bool {
    let head = &head[..head.len().min(4096)];
    head.iter().all(|byte| !matches!(byte, 1..=6 | 0x0e..=0x1a))
        && std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// The name that `iconv` has for UTF-16, when it is that: by its mark, or by the zeros of ASCII in it.
pub(crate) fn utf16(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Some("UTF-16");
    }
    let head = &head[..head.len().min(512) & !1];
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let half = head.len() / 2;
    match (zeros(0), zeros(1)) {
        (even, odd) if half >= 4 && even == 0 && odd * 10 >= half * 8 => Some("UTF-16LE"),
        (even, odd) if half >= 4 && odd == 0 && even * 10 >= half * 8 => Some("UTF-16BE"),
        _ => None,
    }
}

/// What was read of a text, and what was not.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// How many lines could be read, and how many could not.
    pub(crate) read: u64,
    refused: u64,
    /// Of those that could not, the first ones, with their numbers.
    sample: Vec<(u64, Vec<u8>)>,
    wrapped: u64,
    first_wrapped: u64,
}

/// How much of a line is kept to be shown.
const SHOWN: usize = 160;

impl Survey {
    /// Enters a line and its number.
    pub(crate) fn enter(&mut self, line: &[u8], number: u64, is_read: bool) {
        if is_read {
            self.read += 1;
            return;
        }
        self.refused += 1;
        if self.sample.len() < LINES {
            self.sample.push((number, line[..line.len().min(4 * SHOWN)].to_vec()));
        }
        if is_rest_of_line(line) {
            self.wrapped += 1;
            if self.wrapped == 1 {
                self.first_wrapped = number;
            }
        }
    }

    /// What to say when some lines could not be read because their text was wrapped.
    pub(crate) fn hint(&self) -> Option<String> {
        (self.read > 0 && self.wrapped >= 2 && 2 * self.wrapped >= self.refused).then(|| {
            format!(
                "{} lines seem to be the rest of the line in front of them, from line {} on: the text was wrapped, as mail \
                 programs and terminals do, and what stands on such lines is not counted; take the log unwrapped",
                self.wrapped, self.first_wrapped
            )
        })
    }

    /// What to say when no line could be read.
    pub(crate) fn nothing_read(&self) -> Option<String> {
        let (number, line) = self.sample.first().filter(|_| self.read == 0)?;
        let (what, advice) = looks_like(&self.sample);
        Some(format!("no line could be read; {what}. Line {number}: {}. {advice}", shown(line)))
    }
}

/// A line as it is shown to people: escaped, and cut.
pub(crate) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { " …" } else { "" };
    format!("`{}`{more}", Escaped(&cut))
}

/// Keys of router lines, whose lines are the long ones.
const KEYS: [&[u8]; 18] = [
    b"method=",
    b"path=",
    b"host=",
    b"request_id=",
    b"fwd=",
    b"dyno=",
    b"queue=",
    b"wait=",
    b"connect=",
    b"service=",
    b"status=",
    b"bytes=",
    b"protocol=",
    b"tls=",
    b"tls_version=",
    b"code=",
    b"desc=",
    b"sample#",
];

/// Whether a line is one that nothing but a wrapped one leaves behind: a key of the platform among its first words.
fn is_rest_of_line(line: &[u8]) -> bool {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take(3)
        .any(|word| KEYS.iter().any(|key| word.starts_with(key)))
}

const TAKE_THESE: &str =
    "Read are drain bodies, what `heroku logs` prints, syslog lines (RFC 5424), archives and Papertrail's text";

/// What the lines look like, and what to do.
fn looks_like(sample: &[(u64, Vec<u8>)]) -> (&'static str, &'static str) {
    let all: Vec<u8> = sample.iter().flat_map(|(_, line)| [&line[..], b"\n"].concat()).collect();
    if let Some(name) = utf16(&all) {
        return match name {
            "UTF-16BE" => (
                "it looks like UTF-16 (big-endian) text",
                "Convert it: iconv -f UTF-16BE -t UTF-8 FILE, or in PowerShell: Get-Content FILE | Set-Content -Encoding utf8 NEW",
            ),
            _ => (
                "it looks like UTF-16 text, as PowerShell writes it with `>`",
                "Convert it: iconv -f UTF-16LE -t UTF-8 FILE, or in PowerShell: Get-Content FILE | Set-Content -Encoding utf8 NEW",
            ),
        };
    }
    if !is_text(&all) {
        return ("it looks like no text", TAKE_THESE);
    }
    let most = |is: fn(&[u8]) -> bool| {
        let count = sample.iter().filter(|(_, line)| is(line.trim_ascii())).count();
        2 * count >= sample.len()
    };
    if most(is_archive) {
        (
            "it looks like a Papertrail archive (columns between tabs)",
            "A row has ten columns, of which the first is a number, and the second and third are times",
        )
    } else if most(is_papertrail) {
        (
            "it looks like Papertrail's text (`Nov 21 14:14:58 app heroku/web.1: …`)",
            "Say so: --input events, with --year and --tz if they are not those of the file and of this machine",
        )
    } else if most(|line| line.starts_with(b"<") && is_old_time(behind_pri(line))) {
        (
            "it looks like syslog of the old form (RFC 3164: `<PRI>Nov 21 14:14:58 host …`)",
            "Have the sender write RFC 5424, as Heroku's drains do",
        )
    } else if most(is_old_time) {
        (
            "it looks like a syslog file (`Nov 21 14:14:58 host program: …`)",
            "Have syslog write RFC 5424, or have it read as Papertrail's text: --input events",
        )
    } else if most(|line| {
        line.windows(2)
            .position(|text| text == b" <")
            .is_some_and(|at| at > 0 && line[..at].iter().all(u8::is_ascii_digit))
    }) {
        (
            "it looks like a drain body whose lengths are not right, or whose headers are none of RFC 5424",
            "Keep every byte of a body (curl --data-binary, not --data), and count bytes, not characters",
        )
    } else if most(|line| line.starts_with(b"{") || line.starts_with(b"[{")) {
        ("it looks like JSON, one object a line", "Take out the text of the lines, with time, source and dyno in front")
    } else if most(|line| line.starts_with(b"<") && line.windows(3).take(5).any(|text| text == b">1 ")) {
        (
            "it looks like syslog lines without a length",
            "Say so: --input syslog; if that was said, their headers are not those of RFC 5424",
        )
    } else if most(is_untimed) {
        (
            "it looks like `heroku logs` text without its times",
            "A value needs a time: take the lines as `heroku logs` prints them",
        )
    } else if most(|line| line.starts_with(b"<!") || line.starts_with(b"<html") || line.ends_with(b">")) {
        ("it looks like a page, not a log", TAKE_THESE)
    } else if most(is_access_log) {
        ("it looks like the access log of a web server", TAKE_THESE)
    } else if sample.iter().any(|(_, line)| line.starts_with(b"POST /") || line.starts_with(b"HTTP/1")) {
        ("it looks like a whole HTTP request", "Take its body alone")
    } else if sample.iter().any(|(_, line)| is_rest_of_line(line)) {
        ("it looks like wrapped lines of a log, whose beginnings are not there", "Take the log unwrapped")
    } else if most(|line| line.first().is_some_and(u8::is_ascii_digit)) {
        (
            "it looks like a log in a form of its own, or lines with another time than RFC 3339",
            "A line begins with a time as `2026-03-14T09:26:53+00:00`, then `app[web.1]:` and the text",
        )
    } else {
        ("it looks like none of the layouts of a Heroku log", TAKE_THESE)
    }
}

/// `Nov 21 14:14:58 `
fn is_old_time(line: &[u8]) -> bool {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let Some(([m1, m2, m3, b' ', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2], _)) =
        line.split_first_chunk::<15>()
    else {
        return false;
    };
    MONTHS.contains(&&[*m1, *m2, *m3])
        && (*d1 == b' ' || d1.is_ascii_digit())
        && [d2, h1, h2, n1, n2, s1, s2].into_iter().all(u8::is_ascii_digit)
}

/// An old time, a system, and a program with `/`
fn is_papertrail(line: &[u8]) -> bool {
    let Some((_, rest)) = line.split_at_checked(16).filter(|_| is_old_time(line)) else { return false };
    let mut words = rest.split(|byte| *byte == b' ');
    words.nth(1).is_some_and(|program| program.contains(&b'/'))
}

/// A row of an archive, whole.
fn is_row(line: &[u8]) -> bool {
    matches!(Reader::new(line).read(), Ok(Some(_)))
}

/// Nearly ten columns, of which the first is a number
fn is_archive(line: &[u8]) -> bool {
    line.iter().filter(|byte| **byte == b'\t').count() >= 8
        && line
            .split(|byte| *byte == b'\t')
            .next()
            .is_some_and(|id| !id.is_empty() && id.iter().all(u8::is_ascii_digit))
}

fn behind_pri(line: &[u8]) -> &[u8] {
    line.iter().take(5).position(|byte| *byte == b'>').map_or(line, |at| &line[at + 1..])
}

/// `app[web.1]: `
fn is_untimed(line: &[u8]) -> bool {
    let end = line.iter().take(180).position(|byte| *byte == b' ').unwrap_or(line.len());
    line[..end].ends_with(b"]:") && line[..end].contains(&b'[')
}

/// `192.0.2.1 - - [`
fn is_access_log(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    words.next().is_some_and(|host| host.contains(&b'.') || host.contains(&b':'))
        && words.nth(2).is_some_and(|time| time.starts_with(b"["))
}
