//! A query as text again.

use crate::names::{facility_name, severity_name};
use crate::node::Entry;
use crate::query::Query;
use crate::term::{Term, Within};
use alloc::string::String;
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

impl Query {
    /// What the query asks for, in words. Control characters are escaped.
    ///
    /// ```
    /// use log_query::Query;
    ///
    /// let parsed = Query::parse(r#"program:nginx (status=50 OR severity:crit) -"/health""#);
    /// assert_eq!(
    ///     parsed.query().explain(),
    ///     r#"lines with "nginx" in the program and (with "status=50" or of severity crit) and without "/health""#
    /// );
    /// assert_eq!(Query::default().explain(), "all lines");
    /// ```
    #[must_use]
    pub fn explain(&self) -> String {
        if self.is_empty() {
            return String::from("all lines");
        }
        let entries = self.entries();
        let mut out = String::from("lines ");
        // What is open: behind which entry it ends, and what joins what is in it.
        let mut open: Vec<(usize, &str)> = Vec::new();
        let (mut first, mut negated) = (true, false);
        for (at, entry) in entries.iter().enumerate() {
            while open.pop_if(|(end, _)| *end <= at).is_some() {
                out.push(')');
            }
            if !first && !negated {
                out.push_str(open.last().map_or(" and ", |&(_, joined)| joined));
            }
            first = false;
            match entry {
                Entry::All(below) | Entry::Any(below) => {
                    out.push_str(if negated { "not (" } else { "(" });
                    open.push((at + 1 + below, if matches!(entry, Entry::All(_)) { " and " } else { " or " }));
                    first = true;
                }
                Entry::Not(_) => {}
                Entry::Term(term) => explain_term(&mut out, term, negated),
                Entry::Severity(severity) => explain_value(&mut out, negated, "of severity ", severity_name(*severity)),
                Entry::Facility(facility) => explain_value(&mut out, negated, "of facility ", facility_name(*facility)),
                Entry::SourceIp(prefix) => {
                    explain_value(&mut out, negated, "from an address that begins with ", prefix.as_str());
                }
            }
            negated = matches!(entry, Entry::Not(_));
        }
        out.extend(open.iter().map(|_| ')'));
        // The whole needs no brackets.
        if let Some(Entry::All(_) | Entry::Any(_)) = entries.first() {
            out.pop();
            out.remove("lines ".len());
        }
        out
    }
}

fn explain_value(out: &mut String, negated: bool, what: &str, value: &str) {
    out.push_str(if negated { "not " } else { "" });
    out.push_str(what);
    out.push_str(value);
}

fn explain_term(out: &mut String, term: &Term, negated: bool) {
    out.push_str(if negated { "without \"" } else { "with \"" });
    for letter in term.text().chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.extend(letter.escape_default()),
            letter => out.push(letter),
        }
    }
    out.push_str(match term.within() {
        Within::All => "\"",
        Within::System => "\" in the sender",
        Within::Program => "\" in the program",
        Within::Message => "\" in the message",
    });
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
