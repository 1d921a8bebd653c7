//! Rules that are asked together fit the lines that each of them fits when asked alone: random queries, of exclusions,
//! alternatives in each other, attributes and words that lie where texts are cut or joined.

use alert_rules::{LogRule, LogRules, Period, Tick, Verdict};
use core::net::IpAddr;
use log_query::{Fields, Query};
use metric_model::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use testkit::random::Random;

/// Pieces of words and of lines, which therefore meet often.
const PIECES: [&str; 28] = [
    "a",
    "B",
    "ab",
    "ba",
    "aab",
    "boom",
    "Boo",
    "web.1",
    "app/web.1",
    "web.1: a",
    ": ",
    " a",
    "b:",
    "größe",
    "GRÖSSE",
    "ÄÖ",
    "äö",
    "\u{3bb}x",
    "at=info",
    "status=200",
    "a\nb",
    "\"q\\",
    "b\n",
    "Ошибка",
    "ошиБКА",
    "ςσ",
    "Σ",
    "\na",
];

/// Of a text without borders, as long as a needle may be, one more or less, or somewhat.
fn long(random: &mut Random) -> String {
    let text: String = (0..200_u32).map(|at| char::from(b'a' + (at * at / 7 % 26) as u8)).collect();
    let length = random.pick(&[31, 32, 33, 40, 127, 128, 129, 150]);
    let from = random.below(3) as usize;
    let mut word = text[from..from + length].to_string();
    match random.below(4) {
        0 => word.push('é'),
        1 => word.replace_range(length - 1.., "_"),
        _ => {}
    }
    word
}

fn text(random: &mut Random) -> String {
    if random.chance(150) {
        return long(random);
    }
    (0..random.between(1, 3)).map(|_| random.pick(&PIECES)).collect()
}

fn leaf(random: &mut Random) -> String {
    match random.below(14) {
        0 => format!("severity:{}", random.below(8)),
        1 => format!("facility:{}", random.below(24)),
        2 => format!("ip:{}", random.pick(&["10.", "10.1.2", "2001:DB8:", "192.0.2.7", "::"])),
        kind => {
            let field = match kind {
                3 => "system:",
                4 => "program:",
                5 => "message:",
                _ => "",
            };
            format!("{field}\"{}\"", text(random).replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

fn query(random: &mut Random, depth: u64) -> String {
    if depth == 0 || random.chance(300) {
        return leaf(random);
    }
    let (joint, dashes) = random.pick(&[(" ", 0), (" ", 1_000), (" ", 400), (" OR ", 0), (" OR ", 300)]);
    let count = if random.chance(30) { 90 } else { random.between(1, 6) };
    let parts: Vec<String> = (0..count)
        .map(|_| {
            let dash = if random.chance(dashes) { "-" } else { "" };
            let part = query(random, if count == 90 { 0 } else { depth - 1 });
            if part.contains(' ') { format!("{dash}({part})") } else { format!("{dash}{part}") }
        })
        .collect();
    parts.join(joint)
}

/// Brackets in brackets, as deep as they are read.
fn deep(random: &mut Random) -> String {
    let levels = random.between(100, 500);
    let mut text = String::new();
    for _ in 0..levels {
        let (dash, joint) = random.pick(&[("", " OR "), ("", " "), ("-", " OR "), ("-", " ")]);
        text += &format!("{}{joint}{dash}(", leaf(random));
    }
    text + &leaf(random)
}

#[derive(Debug)]
struct Sent {
    system: String,
    program: Vec<u8>,
    message: Vec<u8>,
    severity: u64,
    facility: u64,
    address: Option<IpAddr>,
}

impl Sent {
    fn new(random: &mut Random) -> Self {
        let mut message = Vec::new();
        for _ in 0..random.below(7) {
            let piece = text(random);
            message.extend(if random.chance(200) { piece.to_uppercase() } else { piece }.into_bytes());
            let between: [&[u8]; 9] = [b"", b"", b"", b" ", b"\x1b[31m", b"\x1b[0m", b"\n", b"\xff", b"\xd0"];
            message.extend(random.pick(&between));
        }
        let programs: [&[u8]; 5] = [b"app/web.1", b"a", b"\x1b[1m", b"B\n", b"\xd0"];
        let program = if random.chance(200) { Vec::new() } else { random.pick(&programs).to_vec() };
        Self {
            system: random.pick(&["", "shop", "ab", "ab\n", "Boom", "boom", "ОШИБКА"]).into(),
            program,
            message,
            severity: random.below(10),
            facility: random.below(30),
            address: random.pick(&["", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.77"]).parse().ok(),
        }
    }

    fn fields(&self) -> Fields<'_> {
        let mut fields = Fields::new(self.system.as_bytes(), &self.program, &self.message);
        if self.severity < 8 {
            fields = fields.with_severity(self.severity as u8);
        }
        if self.facility < 24 {
            fields = fields.with_facility(self.facility as u8);
        }
        self.address.map_or(fields, |address| fields.with_source_ip(address))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn rules_fit_together_what_each_fits_alone(seed: u64) {
        let mut random = Random::new(seed);
        let asked: Vec<(String, &str)> = (0..random.between(1, 20))
            .map(|_| {
                let text = if random.chance(30) { deep(&mut random) } else { query(&mut random, 3) };
                (text, random.pick(&["*", "*", "*", "shop", "b*"]))
            })
            .collect();
        let at = Timestamp::from_unix_seconds;
        let mut rules = LogRules::new(Tick::new(1, at(0)));
        let queries: Vec<Query> = asked.iter().map(|(text, _)| Query::parse(text).into_query()).collect();
        for (number, (query, (_, system))) in (0..).zip(queries.iter().zip(&asked)) {
            let rule = LogRule::new(query.clone(), Period::Minute);
            rules.set(number, if *system == "*" { rule } else { rule.with_systems([system]) });
        }
        let mut expected: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for id in 2..42 {
            // From no room at all to room for everything.
            if random.chance(100) {
                rules.set_cache(random.pick(&[0, 1_000, 5_000, 20_000, 100_000, usize::MAX]));
            }
            let sent = Sent::new(&mut random);
            let mut fits = 0;
            for (number, (query, (_, system))) in (0..).zip(queries.iter().zip(&asked)) {
                let is_of = match *system {
                    "*" => true,
                    "shop" => sent.system == "shop",
                    _ => sent.system.starts_with('b'),
                };
                if is_of && query.matches(&sent.fields()) {
                    expected.entry(number).or_default().push(id);
                    fits += 1;
                }
            }
            prop_assert_eq!(rules.event(id, at(1), &sent.fields()), fits, "{:?} of {:#?}", sent, asked);
        }
        let told: BTreeMap<u64, Vec<u64>> = rules
            .tick(Tick::new(100, at(60)))
            .into_iter()
            .filter_map(Verdict::alert)
            .map(|alert| (alert.rule(), alert.ids().to_vec()))
            .collect();
        prop_assert_eq!(told, expected);
    }
}

/// A word of a thousand is told from the others without a look at them, and a line that holds all of them, too.
#[test]
fn of_many_excluded_words_each_counts() {
    let word = |number: u64| format!("word{number}x");
    let text: Vec<String> = (0..1_000).map(|number| format!("-{}", word(number))).collect();
    let at = Timestamp::from_unix_seconds;
    let mut rules = LogRules::new(Tick::new(1, at(0)));
    rules.set(1, LogRule::new(Query::parse(&text.join(" ")).into_query(), Period::Minute));
    rules.set(2, LogRule::new(Query::parse(&format!("({})", text.join(" OR "))).into_query(), Period::Minute));
    let mut id = 1;
    let mut fits = |message: &str| {
        id += 1;
        rules.event(id, at(1), &Fields::new(b"shop", b"app", message.as_bytes()))
    };
    for number in 0..1_000 {
        assert_eq!(fits(&format!("one {} only", word(number).to_uppercase())), 1, "{number}");
    }
    let all: String = (0..1_000).map(word).collect();
    assert_eq!((fits("nothing"), fits(&all), fits(&all[1..]), fits("")), (2, 0, 1, 2));
}
