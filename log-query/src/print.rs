//! A query as text again.

use crate::names::{facility_name, severity_name};
use crate::node::Entry;
use crate::query::Query;
use crate::term::{Term, Within};
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Brackets stand only where the tree needs them, so there are never more of them within each other than were typed.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries();
        // What is open: behind which entry it ends, whether OR joins what is in it, whether a bracket closes it.
        let mut open: Vec<(usize, bool, bool)> = Vec::new();
        let mut first = true;
        let mut negated = false;
        for (at, entry) in entries.iter().enumerate() {
            while let Some(&(end, _, bracket)) = open.last()
                && end <= at
            {
                open.pop();
                if bracket {
                    f.write_char(')')?;
                }
            }
            let within = open.last().map(|&(_, any, _)| any);
            if !first && !negated {
                f.write_str(if within == Some(true) { " OR " } else { " " })?;
            }
            first = false;
            let end = at + 1 + entry.below();
            match entry {
                Entry::All(_) | Entry::Any(_) => {
                    let any = matches!(entry, Entry::Any(_));
                    let bracket = negated || (any && within == Some(false));
                    if bracket {
                        f.write_char('(')?;
                    }
                    open.push((end, any, bracket));
                    // The first in it follows directly.
                    first = true;
                }
                Entry::Not(_) => f.write_char('-')?,
                Entry::Term(term) => write_term(f, term)?,
                Entry::Severity(severity) => write!(f, "severity:{}", severity_name(*severity))?,
                Entry::Facility(facility) => write!(f, "facility:{}", facility_name(*facility))?,
                Entry::SourceIp(prefix) => write!(f, "ip:{}", prefix.as_str())?,
            }
            negated = matches!(entry, Entry::Not(_));
        }
        while let Some((_, _, bracket)) = open.pop() {
            if bracket {
                f.write_char(')')?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({self})")
    }
}

fn write_term(f: &mut fmt::Formatter<'_>, term: &Term) -> fmt::Result {
    f.write_str(match term.within() {
        Within::All => "",
        Within::System => "sender:",
        Within::Program => "program:",
        Within::Message => "message:",
    })?;
    if is_plain_word(term.text()) {
        return f.write_str(term.text());
    }
    f.write_char('"')?;
    for letter in term.text().chars() {
        if letter == '"' || letter == '\\' {
            f.write_char('\\')?;
        }
        f.write_char(letter)?;
    }
    f.write_char('"')
}

/// Whether a text stands for itself without quotes, and without a note.
fn is_plain_word(text: &str) -> bool {
    const OPERATORS: [&str; 3] = ["and", "or", "not"];
    let plain = |letter: char| letter.is_alphanumeric() || "_./=@#%+-,<>!?&|;~^$[]{}".contains(letter);
    text.chars().all(plain) && !text.starts_with('-') && !OPERATORS.iter().any(|word| word.eq_ignore_ascii_case(text))
}
