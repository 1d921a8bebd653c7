//! Searches the slow way: a query is cut into tokens, the tokens into lists, and each text is compared with each piece of
//! each field, letter by letter. Nothing here is linear, or spares memory.

use std::net::IpAddr;

/// A line in its parts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Line {
    /// Who sent it.
    pub system: Vec<u8>,
    /// Which program.
    pub program: Vec<u8>,
    /// The text.
    pub message: Vec<u8>,
    /// 0 to 7.
    pub severity: Option<u8>,
    /// 0 to 23.
    pub facility: Option<u8>,
    /// Where it came from.
    pub source_ip: Option<IpAddr>,
}

impl Line {
    /// Of three texts.
    pub fn new(system: &[u8], program: &[u8], message: &[u8]) -> Self {
        Self { system: system.into(), program: program.into(), message: message.into(), ..Self::default() }
    }
}

/// Whether a line fits a query. An empty query fits all.
pub fn fits(query: &str, line: &Line) -> bool {
    let tokens = tokens(&query.chars().collect::<Vec<_>>());
    let (tree, used) = group(&tokens, false, true);
    assert_eq!(used, tokens.len(), "all is read of {query:?}");
    tree.is_none_or(|tree| holds(&tree, line))
}

#[derive(Clone, Debug)]
enum Token {
    Open {
        negated: bool,
        either: bool,
    },
    Close,
    And,
    Or,
    Not,
    Leaf {
        negated: bool,
        leaf: Leaf,
    },
    /// A term that asks for nothing.
    Nothing,
}

#[derive(Clone, Debug)]
enum Leaf {
    Anywhere(String),
    System(String),
    Program(String),
    Message(String),
    Severity(u8),
    Facility(u8),
    Ip(String),
}

#[derive(Clone, Debug)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Leaf(Leaf),
}

const SEVERITIES: &str =
    "0 emerg emergency panic|1 alert|2 crit critical|3 err error|4 warn warning|5 notice|6 info informational|7 debug";
const FACILITIES: &str = "0 kern|1 user|2 mail|3 daemon|4 auth|5 syslog|6 lpr|7 news|8 uucp|9 cron|10 authpriv|11 ftp|12 ntp|\
    13 audit security|14 alert console|15 clock solaris-cron|16 local0|17 local1|18 local2|19 local3|20 local4|21 local5|22 local6|23 local7";

fn tokens(text: &[char]) -> Vec<Token> {
    let mut tokens = Vec::new();
    // For each open bracket: the key whose value it is, whether neighbours mean OR, and what it counts.
    let mut open: Vec<(String, bool, usize)> = Vec::new();
    let mut deep = 0;
    let mut at = 0;
    while at < text.len() {
        let blank = |at: usize| text.get(at).is_none_or(|letter| letter.is_whitespace());
        if blank(at) {
            at += 1;
            continue;
        }
        let ends = |at: usize| blank(at) || text[at] == ')';
        if text[at] == ')' && deep == 0 {
            if open.pop().is_some() {
                tokens.push(Token::Close);
            }
            at += 1;
            continue;
        }
        let starts = |word: &str| text[at..].iter().copied().take(word.len()).eq(word.chars());
        let operator = [("AND", Token::And), ("OR", Token::Or), ("NOT", Token::Not)]
            .into_iter()
            .find(|(word, _)| starts(word) && (ends(at + word.len()) || text[at + word.len()] == '('));
        if let Some((word, token)) = operator {
            tokens.push(token);
            at += word.len();
            continue;
        }
        let (mut key, mut either) =
            open.last().map_or((String::new(), false), |(key, either, _)| (key.clone(), *either));
        let mut typed = None;
        let mut negated = false;
        let excludes = |at: usize| {
            text.get(at) == Some(&'-') && !ends(at + 1) && text[at + 1] != '-' && !(text[at + 1] == '*' && ends(at + 2))
        };
        let mut literal = false;
        for part in 0..2 {
            if excludes(at) {
                negated = !negated;
                at += 1;
            } else if text[at] == '-' {
                literal = true;
            }
            if part == 1 || literal {
                break;
            }
            let colon = text[at..].iter().position(|letter| *letter == ':').map(|len| at + len);
            let Some(colon) = colon.filter(|colon| !ends(colon + 1)) else { break };
            let name: String = text[at..colon].iter().collect();
            let known = ["sender", "host", "program", "message", "severity", "facility", "ip"];
            let Some(known) = known.into_iter().find(|known| known.eq_ignore_ascii_case(&name)) else { break };
            (key, either, typed) = (known.to_owned(), true, Some(name));
            at = colon + 1;
        }
        let count = if either { 2 } else { 1 };
        let depth: usize = open.iter().map(|(_, _, count)| count).sum();
        if !literal && text[at] == '(' && depth + count <= 512 {
            tokens.push(Token::Open { negated, either });
            open.push((key, either, count));
            at += 1;
            continue;
        }
        let (content, quoted) = if !literal && kind(text[at]).is_some() {
            let mut content = String::new();
            let quote = kind(text[at]);
            at += 1;
            loop {
                match text.get(at) {
                    None => break,
                    Some(letter) if kind(*letter) == quote => {
                        at += 1;
                        break;
                    }
                    Some('\\') if text.get(at + 1).is_some_and(|next| *next == '\\' || kind(*next) == quote) => {
                        content.push(text[at + 1]);
                        at += 2;
                    }
                    Some(letter) => {
                        content.push(*letter);
                        at += 1;
                    }
                }
            }
            (content, true)
        } else {
            let from = at;
            let full = depth + open.last().map_or(1, |(_, either, _)| if *either { 2 } else { 1 }) > 512;
            while !blank(at) {
                if text[at] == '(' {
                    match closing(text, at) {
                        Some(close) if at > from => at = close,
                        _ if full || at == from => deep += 1,
                        _ => break,
                    }
                } else if text[at] == ')' {
                    if deep == 0 {
                        break;
                    }
                    deep -= 1;
                }
                at += 1;
            }
            (text[from..at].iter().collect(), false)
        };
        if (content == "*" && !quoted) || content.is_empty() {
            tokens.push(Token::Nothing);
            continue;
        }
        let named = |table: &str| {
            let names =
                table.split('|').position(|names| names.split(' ').any(|name| name.eq_ignore_ascii_case(&content)));
            names.map(|number| number as u8)
        };
        let as_text = || Leaf::Anywhere(typed.iter().fold(content.clone(), |text, name| format!("{name}:{text}")));
        let leaf = match key.as_str() {
            "" => Leaf::Anywhere(content),
            "sender" | "host" => Leaf::System(content),
            "program" => Leaf::Program(content),
            "message" => Leaf::Message(content),
            "severity" => named(SEVERITIES).map_or_else(as_text, Leaf::Severity),
            "facility" => named(FACILITIES).map_or_else(as_text, Leaf::Facility),
            _ if content.len() <= 45 && content.chars().all(|letter| "0123456789abcdefABCDEF.:".contains(letter)) => {
                Leaf::Ip(content)
            }
            _ => as_text(),
        };
        let is_nothing = match &leaf {
            Leaf::Anywhere(text) | Leaf::System(text) | Leaf::Program(text) | Leaf::Message(text) => {
                plain(text.as_bytes()).is_empty()
            }
            _ => false,
        };
        tokens.push(if is_nothing { Token::Nothing } else { Token::Leaf { negated, leaf } });
    }
    tokens
}

/// Where the bracket that opens at `at` is closed, if that is in front of the next blank.
fn closing(text: &[char], at: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, letter) in text.iter().enumerate().skip(at) {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            letter if letter.is_whitespace() => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

fn kind(letter: char) -> Option<u8> {
    ["\"", "'", "“”„‟", "‘’‚‛"].iter().zip(0..).find(|(quotes, _)| quotes.contains(letter)).map(|(_, kind)| kind)
}

/// Of what stands between brackets, what it means and how many tokens it took with its closing bracket.
fn group(tokens: &[Token], either: bool, whole: bool) -> (Option<Tree>, usize) {
    #[derive(Clone, PartialEq)]
    enum Word {
        And,
        Or,
        Not,
        Nothing,
        Term(usize),
    }
    let (mut words, mut terms) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let word = match &tokens[at] {
            Token::Close if whole => unreachable!("brackets that close nothing are no tokens"),
            Token::Close => break,
            Token::And => Word::And,
            Token::Or => Word::Or,
            Token::Not => Word::Not,
            Token::Nothing => Word::Nothing,
            Token::Leaf { negated, leaf } => {
                terms.push(if *negated {
                    Tree::Not(Box::new(Tree::Leaf(leaf.clone())))
                } else {
                    Tree::Leaf(leaf.clone())
                });
                Word::Term(terms.len() - 1)
            }
            Token::Open { negated, either } => {
                let (inner, used) = group(&tokens[at + 1..], *either, false);
                at += used;
                match inner {
                    None => Word::Nothing,
                    Some(tree) => {
                        terms.push(if *negated { negate(tree) } else { tree });
                        Word::Term(terms.len() - 1)
                    }
                }
            }
        };
        words.push(word);
        at += 1;
    }
    let used = (at + 1).min(tokens.len());

    // NOT holds for the term behind it, or is dropped with what is not there.
    let mut kept: Vec<Word> = Vec::new();
    let mut nots = 0;
    for word in words {
        match word {
            Word::Not => nots += 1,
            Word::Term(term) => {
                for _ in 0..nots {
                    terms[term] = negate(terms[term].clone());
                }
                nots = 0;
                kept.push(word);
            }
            Word::Nothing => nots = 0,
            Word::And | Word::Or => {
                nots = 0;
                // Without a left side.
                if matches!(kept.last(), Some(Word::Term(_))) {
                    kept.push(word);
                }
            }
        }
    }
    if matches!(kept.last(), Some(Word::And | Word::Or)) {
        kept.pop();
    }

    let alternatives: Vec<Tree> = kept
        .split(|word| *word == Word::Or)
        .filter(|words| !words.is_empty())
        .map(|words| {
            let mut runs: Vec<Vec<Tree>> = Vec::new();
            let mut and = !either;
            for word in words {
                match word {
                    Word::Term(term) if and && !runs.is_empty() => runs.last_mut().unwrap().push(terms[*term].clone()),
                    Word::Term(term) => runs.push(vec![terms[*term].clone()]),
                    _ => {}
                }
                and = !either || *word == Word::And;
            }
            let is_not = |run: &&Vec<Tree>| run.len() == 1 && matches!(run[0], Tree::Not(_));
            let mut shall: Vec<Tree> = runs.iter().filter(is_not).map(|run| run[0].clone()).collect();
            let there: Vec<Tree> = runs.iter().filter(|run| !is_not(run)).map(|run| Tree::All(run.clone())).collect();
            if !there.is_empty() {
                shall.push(Tree::Any(there));
            }
            Tree::All(shall)
        })
        .collect();
    // One term alone in brackets is what it is without.
    let tree = match alternatives.len() {
        0 => None,
        _ if terms_of(&kept) == 1 => kept.iter().find_map(|word| match word {
            Word::Term(term) => Some(terms[*term].clone()),
            _ => None,
        }),
        _ => Some(Tree::Any(alternatives)),
    };
    return (tree, used);

    fn terms_of(words: &[Word]) -> usize {
        words.iter().filter(|word| matches!(word, Word::Term(_))).count()
    }
}

fn negate(tree: Tree) -> Tree {
    match tree {
        Tree::Not(inner) => *inner,
        tree => Tree::Not(Box::new(tree)),
    }
}

fn holds(tree: &Tree, line: &Line) -> bool {
    match tree {
        Tree::All(trees) => trees.iter().all(|tree| holds(tree, line)),
        Tree::Any(trees) => trees.iter().any(|tree| holds(tree, line)),
        Tree::Not(tree) => !holds(tree, line),
        Tree::Leaf(leaf) => match leaf {
            Leaf::System(text) => contains(&line.system, text),
            Leaf::Program(text) => contains(&line.program, text),
            Leaf::Message(text) => contains(&line.message, text),
            Leaf::Severity(severity) => line.severity == Some(*severity),
            Leaf::Facility(facility) => line.facility == Some(*facility),
            Leaf::Ip(text) => line
                .source_ip
                .is_some_and(|address| address.to_canonical().to_string().starts_with(&text.to_ascii_lowercase())),
            Leaf::Anywhere(text) => {
                let joined = [&line.program[..], b": ", &line.message].concat();
                contains(&line.system, text)
                    || contains(&line.program, text)
                    || contains(&line.message, text)
                    || (!line.program.is_empty() && contains(&joined, text))
            }
        },
    }
}

fn contains(field: &[u8], text: &str) -> bool {
    let (field, text) = (letters(&plain(field)), letters(&plain(text.as_bytes())));
    field.windows(text.len()).any(|window| window == text)
}

/// Without colour codes.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let code = text[at..].strip_prefix(b"\x1b[").and_then(|behind| {
            let end = behind.iter().position(|byte| *byte == b'm')?;
            behind[..end].iter().all(|byte| b"0123456789;:".contains(byte)).then_some(end + 3)
        });
        match code {
            Some(len) => at += len,
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Letters in one case; bytes that are no character are a number beyond.
fn letters(text: &[u8]) -> Vec<Result<char, u8>> {
    text.utf8_chunks()
        .flat_map(|chunk| {
            chunk
                .valid()
                .chars()
                .map(|letter| Ok(one_case(letter)))
                .chain(chunk.invalid().iter().map(|byte| Err(*byte)))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn one_case(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let upper: Vec<char> = letter.to_uppercase().collect();
    let upper = if let [upper] = upper[..]
        && !upper.is_ascii()
    {
        upper
    } else {
        letter
    };
    let lower: Vec<char> = upper.to_lowercase().collect();
    if let [lower] = lower[..]
        && !lower.is_ascii()
    {
        lower
    } else {
        upper
    }
}
