//! Rows of text and numbers, in columns that fit a terminal.
//!
//! Where everything has room, the parts of a row stand side by side. On a narrow terminal the least needed numbers are
//! left out, the name takes a line of its own, and the text below it goes on in further lines. Text is never cut: two rows
//! that differ look different.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthChar as _;

/// A column behind the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    /// On a narrow terminal columns go from the highest number on; 0 stays.
    spare: u8,
}

impl Column {
    /// Numbers, with their last digits below each other.
    pub(crate) const fn number(title: &'static str, spare: u8) -> Self {
        Self { title, right: true, spare }
    }

    pub(crate) const fn word(title: &'static str, spare: u8) -> Self {
        Self { title, right: false, spare }
    }
}

#[derive(Debug)]
pub(crate) struct Row {
    /// Empty when the row goes on with the name above it.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) cells: Vec<String>,
}

/// What a line of the output belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Header,
    Row(usize),
}

#[derive(Debug)]
pub(crate) struct Sheet {
    /// Titles of name and text; without the second there is no text.
    titles: (&'static str, &'static str),
    columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

/// Between two columns.
const GAP: usize = 2;
/// How deep the text stands below its name.
const INDENT: usize = 2;
/// Text has at least this much, or as much as it needs, before numbers are left out; on a very narrow terminal two fifths.
const TEXT: usize = 24;
/// A longer word may be broken.
const WORD: usize = 32;
/// With less than this beside the numbers, these go below the text.
const LEAST_TEXT: usize = 10;

impl Sheet {
    pub(crate) const fn new(titles: (&'static str, &'static str), columns: Vec<Column>) -> Self {
        Self { titles, columns, rows: Vec::new() }
    }

    /// The lines, and the titles of columns that were left out. `None` as a width leaves nothing out.
    pub(crate) fn lines(&self, width: Option<usize>) -> (Vec<(Part, String)>, Vec<&'static str>) {
        let widths: Vec<usize> = (0..self.columns.len()).map(|index| self.cell_width(index)).collect();
        let widest = |title: &str, part: fn(&Row) -> &str| {
            self.rows.iter().map(|row| shown_width(part(row))).chain([shown_width(title)]).max().unwrap_or(0)
        };
        let name = widest(self.titles.0, |row| &row.name);
        let text = widest(self.titles.1, |row| &row.text);
        let left = if self.titles.1.is_empty() { 1 + name } else { 1 + name + GAP + text };
        let whole = left + widths.iter().map(|width| GAP + width).sum::<usize>();
        match width {
            Some(width) if whole > width => self.narrow(width, name.max(text + INDENT), &widths),
            _ => (self.wide(name, text, &widths), Vec::new()),
        }
    }

    fn cell_width(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.cells.get(index));
        cells.map(|cell| shown_width(cell)).chain([shown_width(self.columns[index].title)]).max().unwrap_or(0)
    }

    fn wide(&self, name: usize, text: usize, widths: &[usize]) -> Vec<(Part, String)> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let line = |row_name: &str, row_text: &str, cells: String| {
            let mut line = format!(" {}", padded(row_name, name));
            if !self.titles.1.is_empty() {
                line.push_str(&format!("  {}", padded(row_text, text)));
            }
            trimmed(line + &cells)
        };
        let header = line(self.titles.0, self.titles.1, self.titles_of(&all, widths));
        let rows = self.rows.iter().enumerate();
        let rows =
            rows.map(|(index, row)| (Part::Row(index), line(&row.name, &row.text, self.cells(row, &all, widths))));
        [(Part::Header, header)].into_iter().chain(rows).collect()
    }

    fn narrow(&self, width: usize, need: usize, widths: &[usize]) -> (Vec<(Part, String)>, Vec<&'static str>) {
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        let taken = |kept: &[usize]| kept.iter().map(|index| GAP + widths[*index]).sum::<usize>();
        // A tag in two pieces reads badly.
        let word = self.rows.iter().flat_map(|row| row.text.split(' ')).map(|word| INDENT + shown_width(word)).max();
        let wanted = TEXT.min(width * 2 / 5).max(word.unwrap_or(0).min(WORD).min(width * 3 / 5)).min(1 + need);
        while taken(&kept) + wanted > width {
            let goes = kept.iter().copied().filter(|index| self.columns[*index].spare > 0);
            let Some(goes) = goes.max_by_key(|index| self.columns[*index].spare) else { break };
            kept.retain(|index| *index != goes);
        }
        let left_out = (0..self.columns.len()).filter(|index| !kept.contains(index));
        let left_out = left_out.map(|index| self.columns[index].title).filter(|title| !title.is_empty()).collect();
        let room = width.saturating_sub(taken(&kept));
        if room < LEAST_TEXT {
            return (self.stacked(width, &kept), left_out);
        }
        let title = if self.titles.1.is_empty() {
            self.titles.0.to_owned()
        } else {
            format!("{}, {}", self.titles.0, self.titles.1)
        };
        let mut lines = Vec::new();
        let titles = self.titles_of(&kept, widths);
        beside(&mut lines, Part::Header, wrap(&title, 1, room), titles, room);
        let mut order = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            let part = Part::Row(index);
            let cells = self.cells(row, &kept, widths);
            if index == 0 || !row.name.is_empty() {
                let goes_on = self.rows[index + 1..].iter().take_while(|row| row.name.is_empty()).count();
                order = telling(&self.rows[index..=index + goes_on]);
            }
            if row.text.is_empty() {
                beside(&mut lines, part, wrap(&row.name, 1, width), cells, room);
                continue;
            }
            if !row.name.is_empty() {
                lines.extend(wrap(&row.name, 1, width).into_iter().map(|line| (part, line)));
            }
            beside(&mut lines, part, wrap(&reordered(&row.text, &order), INDENT, room), cells, room);
        }
        (lines, left_out)
    }

    /// Numbers below the text, for a terminal that is narrower than they are.
    fn stacked(&self, width: usize, kept: &[usize]) -> Vec<(Part, String)> {
        let mut lines = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let mut cells = String::new();
            for index in kept {
                let (title, cell) = (self.columns[*index].title, row.cells.get(*index).map_or("", String::as_str));
                if !cell.is_empty() {
                    cells.push_str(if cells.is_empty() { "" } else { " " });
                    cells.push_str(&if title.is_empty() { cell.to_owned() } else { format!("{title} {cell}") });
                }
            }
            for (text, indent) in [(row.name.as_str(), 1), (&row.text, INDENT), (&cells, INDENT + 2)] {
                if !text.is_empty() {
                    lines.extend(wrap(text, indent, width).into_iter().map(|line| (Part::Row(index), line)));
                }
            }
        }
        lines
    }

    fn titles_of(&self, kept: &[usize], widths: &[usize]) -> String {
        kept.iter().map(|index| self.cell(*index, self.columns[*index].title, widths)).collect()
    }

    fn cells(&self, row: &Row, kept: &[usize], widths: &[usize]) -> String {
        kept.iter().map(|index| self.cell(*index, row.cells.get(*index).map_or("", String::as_str), widths)).collect()
    }

    fn cell(&self, index: usize, text: &str, widths: &[usize]) -> String {
        if self.columns[index].right {
            format!("  {}{text}", " ".repeat(widths[index].saturating_sub(shown_width(text))))
        } else {
            format!("  {}", padded(text, widths[index]))
        }
    }
}

/// How many values each key of `key=value` words has in the rows.
fn telling(rows: &[Row]) -> BTreeMap<&str, usize> {
    let mut values: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    let keys: BTreeSet<&str> = rows.iter().flat_map(|row| row.text.split(' ')).map(key).collect();
    for row in rows {
        let found: BTreeMap<&str, &str> = row.text.split(' ').map(|word| (key(word), word)).collect();
        for key in &keys {
            values.entry(key).or_default().insert(found.get(key).copied());
        }
    }
    values.into_iter().map(|(key, values)| (key, values.len())).collect()
}

fn key(word: &str) -> &str {
    word.split_once('=').map_or(word, |(key, _)| key)
}

/// The words that tell the rows of one name apart come first. What is in quotes stays as it is.
fn reordered(text: &str, values: &BTreeMap<&str, usize>) -> String {
    if text.contains('"') {
        return text.to_owned();
    }
    let mut words: Vec<_> = text.split(' ').collect();
    words.sort_by_key(|word| Reverse(values.get(key(word)).copied().unwrap_or(0)));
    words.join(" ")
}

/// Puts the cells on the first of the lines that leaves room for them, or on one of their own.
fn beside(lines: &mut Vec<(Part, String)>, part: Part, text: Vec<String>, cells: String, room: usize) {
    let mut cells = Some(cells);
    for line in text {
        let line = match cells.take() {
            Some(cells) if shown_width(&line) <= room => padded(&line, room) + &cells,
            held => {
                cells = held;
                line
            }
        };
        lines.push((part, trimmed(line)));
    }
    if let Some(cells) = cells {
        lines.push((part, trimmed(" ".repeat(room) + &cells)));
    }
}

/// Columns that `text` takes on a terminal.
pub(crate) fn shown_width(text: &str) -> usize {
    // By characters, as terminals do it; what joins characters into one is shown as an escape.
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(shown_width(text))))
}

fn trimmed(mut line: String) -> String {
    line.truncate(line.trim_end_matches(' ').len());
    line
}

/// `text` in lines of at most `width` columns, each `indent` deep. Lines end at blanks; a word that is longer goes on in
/// lines that are two deeper, so that it cannot be taken for two words.
pub(crate) fn wrap(text: &str, indent: usize, width: usize) -> Vec<String> {
    let indent = indent.min(width / 3);
    let deeper = indent + 1 + usize::from(width > 5);
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let mut used = indent;
    let mut is_new = true;
    for word in text.split(' ') {
        let len = shown_width(word);
        if !is_new {
            if used + 1 + len <= width {
                line.push(' ');
                used += 1;
            } else {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                used = indent;
            }
        }
        is_new = false;
        if used + len <= width {
            line.push_str(word);
            used += len;
            continue;
        }
        let mut begun = false;
        for c in word.chars() {
            let len = c.width().unwrap_or(0);
            if used + len > width && len > 0 && begun {
                lines.push(std::mem::replace(&mut line, " ".repeat(deeper)));
                used = deeper;
            }
            begun = true;
            line.push(c);
            used += len;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_blanks_and_long_words_go_on_deeper() {
        assert_eq!(wrap("a=1 b=2 c=3", 1, 8), [" a=1 b=2", " c=3"]);
        assert_eq!(wrap("abcdefghijkl mn", 1, 8), [" abcdefg", "   hijkl", " mn"]);
        assert_eq!(wrap("abcdefg hijkl", 1, 8), [" abcdefg", " hijkl"], "two words look otherwise");
        assert_eq!(wrap("", 2, 8), ["  "]);
        assert_eq!(wrap("日本語日本語", 0, 5), ["日本", " 語日", " 本語"]);
        assert_eq!(wrap("abce\u{301}f", 0, 4), ["abce\u{301}", " f"], "a mark stays with its letter");
    }

    #[test]
    fn every_width_is_kept_and_ends() {
        let text = "dyno=web.1 k=日本語日本語日本語 ".repeat(3) + &"x".repeat(50);
        for width in 1..60 {
            for line in wrap(&text, 3, width) {
                assert!(shown_width(&line) <= width.max(4), "{width}: {line:?}");
            }
        }
    }
    fn sheet(texts: &[&str]) -> Sheet {
        let mut sheet = Sheet::new(("metric", "tags"), vec![Column::number("n", 0), Column::number("max", 1)]);
        for (index, text) in texts.iter().enumerate() {
            let name = if index == 0 { "a.rather.long.name.of.a.metric".to_owned() } else { String::new() };
            sheet.rows.push(Row {
                name,
                text: (*text).to_owned(),
                cells: vec!["1".to_owned(), "12,345 ms".to_owned()],
            });
        }
        sheet
    }

    #[test]
    fn no_two_rows_look_the_same_at_any_width() {
        let long = "x".repeat(100);
        let (long_1, long_2) = (format!("k={long}1 z=1"), format!("k={long}2 z=1"));
        let texts = [
            "dyno=web.1 method=GET source=web.1 status_category=2xx status_code=200",
            "dyno=web.1 method=GET source=web.1 status_category=2xx status_code=201",
            "dyno=web.2 method=GET source=web.2 status_category=2xx status_code=200",
            "dyno=web.1",
            "dyno=web.1 method=GET",
            "k=\"a b\"",
            "k=\"a b=c\"",
            "k=日本語日本語日本語日本語日本語",
            "k=日本語日本語日本語日本語日本語日",
            &long_1,
            &long_2,
        ];
        for width in 12..150 {
            let (lines, _) = sheet(&texts).lines(Some(width));
            let mut seen = std::collections::BTreeMap::<usize, Vec<String>>::new();
            for (part, line) in lines {
                assert!(shown_width(&line) <= width, "{width}: {line:?}");
                if let Part::Row(index) = part
                    && !line.contains("rather")
                {
                    seen.entry(index).or_default().push(line);
                }
            }
            let rows: std::collections::BTreeSet<_> = seen.values().collect();
            assert_eq!(rows.len(), texts.len(), "{width}: {seen:#?}");
        }
    }

    #[test]
    fn what_tells_rows_apart_comes_first() {
        let (lines, _) = sheet(&["a=1 b=12345 c=1 d=1", "a=1 b=12345 c=2 d=1", "a=1 b=12345 c=3 d=1"]).lines(Some(30));
        let text: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(
            text,
            [
                " metric, tags     n        max",
                " a.rather.long.name.of.a.metri",
                "   c",
                "  c=1 a=1         1  12,345 ms",
                "  b=12345 d=1",
                "  c=2 a=1         1  12,345 ms",
                "  b=12345 d=1",
                "  c=3 a=1         1  12,345 ms",
                "  b=12345 d=1",
            ]
        );
    }

    #[test]
    fn wide_characters_and_marks_keep_the_columns() {
        for width in [None, Some(60)] {
            let (lines, _) = sheet(&["k=日本語", "k=e\u{301}\u{323}", "k=abc", "k=🚀"]).lines(width);
            let ends: Vec<_> = lines.iter().filter(|(_, line)| line.ends_with(" ms")).collect();
            assert_eq!(ends.len(), 4);
            assert!(ends.iter().all(|(_, line)| shown_width(line) == shown_width(&ends[0].1)), "{lines:#?}");
        }
    }
}
