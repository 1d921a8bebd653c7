//! Text of log lines on its way to a page: there is no other.
//!
//! It becomes runs of one look each. Colours of terminals (`ESC [ … m`) become classes; every character that would act or
//! cannot be seen is shown by its number in a look of its own; markup is escaped where it is written. What is sought is
//! marked. A run is cut off from the rest of its line when what it takes on the page reaches a limit, so that no line makes
//! a page large.

use logdrain_terms::escape::Watch;
use maud::{Markup, PreEscaped, Render};
use serde::ser::{Serialize, SerializeSeq as _, Serializer};
use std::borrow::Cow;
use std::fmt::Write as _;

/// What a run takes on the page beside its text.
const RUN: usize = 48;
/// The longest arguments of a colour code. What is longer is no colour code.
const ARGUMENTS: usize = 32;
/// The most words that are marked, and how long they may be.
const WORDS: usize = 16;
const WORD: usize = 128;

/// Words to be marked, in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<String>);

impl Marks {
    /// Those of the words that can be marked at all.
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let fits = |word: &String| !word.is_empty() && word.len() <= WORD;
        Self(words.into_iter().map(|word| word.to_ascii_lowercase()).filter(fits).take(WORDS).collect())
    }
}

/// How a run looks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Look {
    /// 30 to 37 as terminals count; 0 is the page's own.
    colour: u8,
    /// Of [`STYLES`], a bit each.
    styles: u8,
}

const BOLD: u8 = 1;
const DIM: u8 = 1 << 1;
const ITALIC: u8 = 1 << 2;
const UNDERLINED: u8 = 1 << 3;
const MARKED: u8 = 1 << 4;
const KEY: u8 = 1 << 5;
const NAMED: u8 = 1 << 6;
const FAILED: u8 = 1 << 7;
const STYLES: [(u8, &str); 8] = [
    (BOLD, "ab"),
    (DIM, "ad"),
    (ITALIC, "ai"),
    (UNDERLINED, "au"),
    (MARKED, "mk"),
    (KEY, "k"),
    (NAMED, "ctl"),
    (FAILED, "sx"),
];

impl Look {
    /// Its classes in the style sheet.
    fn class(self) -> String {
        let mut class = if self.colour == 0 { String::new() } else { format!("a{}", self.colour) };
        for (bit, name) in STYLES {
            if self.styles & bit != 0 {
                if !class.is_empty() {
                    class.push(' ');
                }
                class.push_str(name);
            }
        }
        class
    }

    /// `CSI … m`. Grounds are passed over: text on its own colour cannot be hidden so, nor can text that is concealed.
    fn obey(&mut self, arguments: &str) {
        let mut numbers = arguments.split([';', ':']).map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.styles |= BOLD,
                2 => self.styles |= DIM,
                3 => self.styles |= ITALIC,
                4 => self.styles |= UNDERLINED,
                22 => self.styles &= !(BOLD | DIM),
                23 => self.styles &= !ITALIC,
                24 => self.styles &= !UNDERLINED,
                39 => self.colour = 0,
                30..=37 => self.colour = number as u8,
                90..=97 => self.colour = (number - 60) as u8,
                // One of 256 colours, or one by its parts: not shown, and its arguments are no codes.
                38 | 48 => match numbers.next() {
                    Some(5) => drop(numbers.next()),
                    Some(2) => drop(numbers.nth(2)),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// Bytes of a log line, as far as a limit lets a page show them.
#[derive(Clone, Debug)]
pub struct LogText {
    runs: Vec<(Look, String)>,
    is_cut: bool,
}

impl LogText {
    /// What `bytes` show, with nothing marked.
    pub fn plain(bytes: &[u8], limit: usize) -> Self {
        Self::new(bytes, &Marks::default(), limit)
    }

    /// What `bytes` show with marks, in at most `limit` bytes of a page and one character.
    pub(super) fn new(bytes: &[u8], marks: &Marks, limit: usize) -> Self {
        // Nothing takes less than a byte for a byte, but for colour codes: a line of these alone shows little.
        let head = bytes.get(..limit.saturating_mul(2)).unwrap_or(bytes);
        let (shown, mut looks) = stripped(&String::from_utf8_lossy(head));
        mark(&shown, &mut looks, marks);
        keys(&shown, &mut looks);
        let mut text = Self { runs: Vec::new(), is_cut: head.len() < bytes.len() };
        let (mut watch, mut taken, mut last) = (Watch::default(), 0, Look::default());
        for (at, c) in shown.char_indices() {
            // A mark at the start would stand on what is before this text.
            let stands_alone = at == 0 && unicode_width::UnicodeWidthChar::width(c) == Some(0);
            let look = looks.get(at).copied().unwrap_or_default();
            if (watch.is_named(c) && c != '\t') || stands_alone {
                taken += RUN + 10;
                let mut name = String::new();
                let _ = write!(name, "{}", c.escape_unicode());
                text.runs.push((Look { styles: NAMED, ..Look::default() }, name));
                last = Look { styles: NAMED, ..look };
            } else {
                match text.runs.last_mut() {
                    Some((_, run)) if last == look => run.push(c),
                    _ => {
                        taken += RUN;
                        text.runs.push((look, c.to_string()));
                    }
                }
                last = look;
                taken += match c {
                    '&' => "&amp;".len(),
                    '<' | '>' => "&lt;".len(),
                    '"' => "&quot;".len(),
                    // As JSON writes it.
                    '\\' => 2,
                    c => c.len_utf8(),
                };
            }
            if taken >= limit && at + c.len_utf8() < shown.len() {
                text.is_cut = true;
                break;
            }
        }
        text
    }

    /// Whether there is more of it than is shown.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What is shown, without looks: for titles and names.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self.runs.as_slice() {
            [(_, one)] => Cow::Borrowed(one),
            runs => Cow::Owned(runs.iter().map(|(_, run)| run.as_str()).collect()),
        }
    }
}

impl Render for LogText {
    fn render_to(&self, page: &mut String) {
        for (look, run) in &self.runs {
            if *look == Look::default() {
                run.render_to(page);
            } else {
                // The class is made of words of ours.
                let _ = write!(page, "<span class=\"{}\">", look.class());
                run.render_to(page);
                page.push_str("</span>");
            }
        }
    }

    fn render(&self) -> Markup {
        let mut page = String::new();
        self.render_to(&mut page);
        PreEscaped(page)
    }
}

/// `["text", ["class", "text"], …]`, for a script that puts it on a page as text.
impl Serialize for LogText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.runs.len()))?;
        for (look, run) in &self.runs {
            match *look == Look::default() {
                true => all.serialize_element(run)?,
                false => all.serialize_element(&(look.class(), run))?,
            }
        }
        all.end()
    }
}

/// The text without its colour codes, and how each byte of it looks.
fn stripped(text: &str) -> (String, Vec<Look>) {
    let (mut shown, mut looks, mut look) = (String::with_capacity(text.len()), Vec::new(), Look::default());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\u{1b}'
            && let Some((arguments, behind)) = colour_code(rest)
        {
            look.obey(arguments);
            rest = behind;
            continue;
        }
        shown.push(c);
        looks.resize(shown.len(), look);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    (shown, looks)
}

/// `ESC [ … m` at the start of a text: what is in it, and what is behind it.
fn colour_code(text: &str) -> Option<(&str, &str)> {
    let code = text.strip_prefix("\u{1b}[")?;
    let end = code.bytes().take(ARGUMENTS).position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    let (arguments, behind) = code.split_at(end);
    Some((arguments, behind.strip_prefix('m')?))
}

fn mark(shown: &str, looks: &mut [Look], marks: &Marks) {
    if marks.0.is_empty() {
        return;
    }
    let folded = shown.to_ascii_lowercase();
    for word in &marks.0 {
        for (at, found) in folded.match_indices(word.as_str()) {
            for look in looks.iter_mut().skip(at).take(found.len()) {
                look.styles |= MARKED;
            }
        }
    }
}

/// `key=` steps back, so that values can be read; what says that a request failed stands out.
fn keys(shown: &str, looks: &mut [Look]) {
    let mut from = 0;
    for word in shown.split(' ') {
        let is_key = |key: &str| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'#' | b'-'))
        };
        if let Some((key, value)) = word.split_once('=')
            && is_key(key)
        {
            let start = from + key.len() + 1;
            let mut take = |from: usize, len: usize, style: u8| {
                let plain = looks.iter_mut().skip(from).take(len).filter(|look| look.colour == 0);
                plain.for_each(|look| look.styles |= style);
            };
            take(from, key.len() + 1, KEY);
            if has_failed(key, value) {
                take(start, value.len(), FAILED);
            }
        }
        from += word.len() + 1;
    }
}

fn has_failed(key: &str, value: &str) -> bool {
    let is_code = |first: u8| {
        let bytes = value.as_bytes();
        bytes.len() == 3 && bytes.first() == Some(&first) && bytes.iter().skip(1).all(u8::is_ascii_digit)
    };
    match key {
        "status" => is_code(b'5'),
        "at" => value == "error",
        "code" => [b'H', b'R', b'L'].into_iter().any(is_code),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        LogText::plain(text.as_bytes(), 4_096).render().into_string()
    }

    #[test]
    fn text_is_never_markup_and_nothing_in_it_acts() {
        assert_eq!(
            html("<script>alert('x')</script>\"&"),
            "&lt;script&gt;alert('x')&lt;/script&gt;&quot;&amp;",
            "as text, never in an attribute of ours without quotes"
        );
        assert_eq!(
            html("a\u{202e}b\u{1b}[2J\u{7}\0\nc"),
            "a<span class=\"ctl\">\\u{202e}</span>b<span class=\"ctl\">\\u{1b}</span>[2J\
             <span class=\"ctl\">\\u{7}</span><span class=\"ctl\">\\u{0}</span><span class=\"ctl\">\\u{a}</span>c"
        );
        assert_eq!(html("\u{301}a"), "<span class=\"ctl\">\\u{301}</span>a");
        assert_eq!(LogText::plain(b"a\xff\xfeb", 100).text(), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn colours_become_classes() {
        assert_eq!(html("\u{1b}[1;31mred\u{1b}[0m plain"), "<span class=\"a31 ab\">red</span> plain");
        assert_eq!(html("\u{1b}[38;5;31;4mu\u{1b}[m"), "<span class=\"au\">u</span>");
        assert_eq!(html("\u{1b}[8m\u{1b}[37;47mseen"), "<span class=\"a37\">seen</span>", "nothing hides");
        // Without an end it is no colour code, and eats nothing.
        assert!(html("\u{1b}[31").ends_with("</span>[31"));
        assert!(html(&format!("\u{1b}[{}mx", "1;".repeat(40))).contains("1;1;1"));
    }

    #[test]
    fn what_is_sought_is_marked_across_colours_and_keys_step_back() {
        let marks = Marks::new(["TimeOut".to_owned(), String::new()]);
        let text = LogText::new("at=error Time\u{1b}[31mout".as_bytes(), &marks, 4_096);
        assert_eq!(
            text.render().into_string(),
            "<span class=\"k\">at=</span><span class=\"sx\">error</span> <span class=\"mk\">Time</span><span class=\"a31 mk\">out</span>"
        );
        assert_eq!(
            serde_json::to_string(&text).unwrap(),
            "[[\"k\",\"at=\"],[\"sx\",\"error\"],\" \",[\"mk\",\"Time\"],[\"a31 mk\",\"out\"]]"
        );
    }

    #[test]
    fn no_line_makes_a_page_large() {
        for hostile in
            ["&", "\"", "\0", "\u{202e}", "\u{1b}[31ma\u{1b}[32mb", "é", "a=b ", "\\", "\u{1b}[31m", "a\u{301}"]
        {
            let line = hostile.repeat(100_000);
            let text = LogText::new(line.as_bytes(), &Marks::new(["a".to_owned()]), 4_000);
            let (page, json) = (text.render().into_string(), serde_json::to_string(&text).unwrap());
            assert!(page.len() <= 4_000 + 80 && text.is_cut(), "{hostile:?}: {}", page.len());
            assert!(json.len() <= 4_000 + 80, "{hostile:?}: {}", json.len());
        }
        let whole = LogText::plain(b"short", 4_000);
        assert!(!whole.is_cut() && whole.text() == "short");
        assert!(!LogText::plain(&[b'a'; 100], 160).is_cut());
    }
}
