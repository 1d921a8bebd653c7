//! Composites of Librato: metrics that functions put together.
//!
//! ```text
//! divide([sum(s("failed", {"app":"shop"}, {function:"sum"})), sum(s("started", {}, {function:"sum"}))])
//!
//! expression = name "(" [arguments] ")" / "[" expression *("," expression) "]"
//! arguments  = argument *("," argument)              ; of s: a name, tags, options; of others: expressions, then options
//! options    = "{" [key ":" value *("," key ":" value)] "}"
//! ```
//!
//! `s` is a line for each stream. `sum`, `mean`, `min` and `max` make one line of all that they are given; `add`, `subtract`,
//! `multiply` and `divide` lay lines over one another; `scale`, `rate` and `derive` change each line by itself.

use logdrain_charts::series::{Asked, Function, Grouping, Line, Selector, Series};
use std::iter::Peekable;
use std::str::CharIndices;

/// The longest text, the most metrics in it, and how deep functions may stand in one another.
const LONGEST: usize = 2_000;
const METRICS: usize = 10;
const DEEPEST: usize = 10;
/// The most of one metric's tags.
const TAGS: usize = 50;

/// What is to be put together, and how.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Composite {
    Metric(Asked),
    All(Vec<Composite>),
    Of(How, Vec<Composite>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum How {
    /// Of all lines one.
    Sum,
    Mean,
    Min,
    Max,
    /// One line laid over another.
    Add,
    Subtract,
    Multiply,
    Divide,
    /// Each line by itself.
    Scale(f64),
    /// Of so many seconds.
    Rate(f64),
    /// What it grew; whether what fell began again from zero.
    Derive(bool),
}

/// What is wrong, and at which character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong {
    pub(super) why: String,
    at: usize,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.why)
    }
}

type Options = Vec<(String, String)>;

struct Text<'a> {
    rest: Peekable<CharIndices<'a>>,
    len: usize,
    metrics: usize,
}

/// Reads a composite.
pub(super) fn parse(text: &str) -> Result<Composite, Wrong> {
    if text.len() > LONGEST {
        return Err(Wrong { why: format!("it is longer than {LONGEST} bytes"), at: LONGEST });
    }
    let mut text = Text { rest: text.char_indices().peekable(), len: text.len(), metrics: 0 };
    let read = text.expression(0)?;
    match text.next() {
        None => Ok(read),
        Some(_) => text.wrong("nothing more was expected"),
    }
}

impl Text<'_> {
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.len, |(at, _)| *at)
    }

    fn wrong<T>(&mut self, why: &str) -> Result<T, Wrong> {
        Err(Wrong { why: why.to_owned(), at: self.at() })
    }

    /// What comes next, but for blanks.
    fn next(&mut self) -> Option<char> {
        while self.rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        self.rest.peek().map(|(_, c)| *c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.next() == Some(wanted);
        if is_there {
            self.rest.next();
        }
        is_there
    }

    fn expect(&mut self, wanted: char) -> Result<(), Wrong> {
        if self.take(wanted) { Ok(()) } else { self.wrong(&format!("{wanted} was expected")) }
    }

    fn word(&mut self) -> String {
        self.next();
        let mut word = String::new();
        while let Some((_, c)) = self.rest.next_if(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            word.push(c);
        }
        word
    }

    /// A text between quotes of either kind, or a word.
    fn text(&mut self) -> Result<String, Wrong> {
        let Some(quote @ ('"' | '\'')) = self.next() else {
            let word = self.word();
            return if word.is_empty() { self.wrong("a text was expected") } else { Ok(word) };
        };
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some((_, c)) if c == quote => return Ok(text),
                Some((_, '\\')) => text.extend(self.rest.next().map(|(_, c)| c)),
                Some((_, c)) => text.push(c),
                None => return self.wrong("the text has no end"),
            }
        }
    }

    fn options(&mut self) -> Result<Options, Wrong> {
        let mut options = Options::new();
        self.expect('{')?;
        while !self.take('}') {
            if options.len() >= TAGS {
                return self.wrong(&format!("there are more than {TAGS}"));
            }
            if !options.is_empty() {
                self.expect(',')?;
            }
            let key = self.text()?;
            self.expect(':')?;
            options.push((key, self.text()?));
        }
        Ok(options)
    }

    fn expression(&mut self, depth: usize) -> Result<Composite, Wrong> {
        if depth >= DEEPEST {
            return self.wrong("functions stand too deep in one another");
        }
        if self.take('[') {
            let mut all = vec![self.expression(depth + 1)?];
            while self.take(',') {
                all.push(self.expression(depth + 1)?);
            }
            self.expect(']')?;
            return Ok(Composite::All(all));
        }
        let name = self.word();
        if matches!(name.as_str(), "s" | "series") {
            return self.metric();
        }
        let at = self.at();
        self.expect('(')?;
        let mut all = vec![self.expression(depth + 1)?];
        let mut options = Options::new();
        while self.take(',') {
            if self.next() == Some('{') {
                options = self.options()?;
                break;
            }
            all.push(self.expression(depth + 1)?);
        }
        self.expect(')')?;
        let option = |key: &str| options.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        let number = |key: &str, usual: f64| match option(key) {
            None => Ok(usual),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .ok_or_else(|| Wrong { why: format!("{key} is no number"), at }),
        };
        let how = match name.as_str() {
            "sum" => How::Sum,
            "mean" => How::Mean,
            "min" => How::Min,
            "max" => How::Max,
            "add" => How::Add,
            "subtract" => How::Subtract,
            "multiply" => How::Multiply,
            "divide" => How::Divide,
            "scale" => How::Scale(number("factor", 1.0)?),
            "rate" => How::Rate(number("duration", 1.0)?),
            "derive" => How::Derive(option("detect_reset") == Some("true")),
            _ => {
                let why = "there are s, sum, mean, min, max, add, subtract, multiply, divide, scale, rate and derive"
                    .to_owned();
                return Err(Wrong { why, at });
            }
        };
        Ok(Composite::Of(how, all))
    }

    /// What stands behind `s`: a name, tags, options.
    fn metric(&mut self) -> Result<Composite, Wrong> {
        self.metrics += 1;
        if self.metrics > METRICS {
            return self.wrong(&format!("there are more than {METRICS} metrics"));
        }
        self.expect('(')?;
        let name = self.text()?;
        let tags = if self.take(',') { self.options()? } else { Options::new() };
        let at = self.at();
        let options = if self.take(',') { self.options()? } else { Options::new() };
        self.expect(')')?;
        let mut function = Function::Avg;
        for (key, value) in options {
            match key.as_str() {
                "function" => {
                    function =
                        value.parse::<Function>().map_err(|error| Wrong { why: format!("{value} is {error}"), at })?
                }
                // It is drawn in the resolution that is asked for.
                "period" => {}
                _ => return Err(Wrong { why: format!("{key} is no option of a metric: there is function"), at }),
            }
        }
        let selector = |(key, value): (String, String)| {
            let (is_negated, value) = value.strip_prefix('!').map_or((false, value.as_str()), |value| (true, value));
            Selector { key, values: vec![value.to_owned()], is_negated }
        };
        // Any value, and so also none.
        let tags = tags.into_iter().filter(|(_, value)| value != "*");
        let selectors = tags.map(selector).collect();
        Ok(Composite::Metric(Asked { name, selectors, grouping: Grouping::Apart, function }))
    }
}

impl Composite {
    /// What it comes to; `ask` answers its metrics, all over the same steps.
    ///
    /// # Errors
    /// What `ask` says, or why lines cannot be laid over one another.
    pub(super) fn evaluate<E: From<&'static str>>(
        &self,
        ask: &mut dyn FnMut(&Asked) -> Result<Series, E>,
    ) -> Result<Series, E> {
        match self {
            Self::Metric(asked) => ask(asked),
            Self::All(all) => together(all, ask),
            Self::Of(how, all) => {
                let mut series = together(all, ask)?;
                let step = f64::from(series.step.max(1));
                match how {
                    How::Sum | How::Mean | How::Min | How::Max => {
                        series.lines = reduced(*how, &series.lines, series.steps);
                    }
                    How::Add | How::Subtract | How::Multiply | How::Divide => laid(*how, &mut series)?,
                    How::Scale(factor) => each(&mut series, |value| value * factor),
                    How::Rate(duration) => each(&mut series, |value| value / step * duration),
                    How::Derive(detects) => series.lines.iter_mut().for_each(|line| derive(line, *detects)),
                }
                Ok(series)
            }
        }
    }
}

/// All lines of several, one behind the other.
fn together<E: From<&'static str>>(
    all: &[Composite],
    ask: &mut dyn FnMut(&Asked) -> Result<Series, E>,
) -> Result<Series, E> {
    let mut parts = all.iter();
    let first = parts.next().ok_or("there is nothing to put together")?;
    let mut series = first.evaluate(ask)?;
    for part in parts {
        let more = part.evaluate(ask)?;
        if (more.start, more.step, more.steps) != (series.start, series.step, series.steps) {
            return Err("its metrics cannot be laid over one another in this time".into());
        }
        series.lines.extend(more.lines);
    }
    Ok(series)
}

fn each(series: &mut Series, change: impl Fn(f64) -> f64) {
    series.lines.iter_mut().flat_map(|line| line.values.iter_mut().flatten()).for_each(|value| *value = change(*value));
}

/// One line of all that there are, where any of them is known.
fn reduced(how: How, lines: &[Line], steps: usize) -> Vec<Line> {
    let at = |step: usize| {
        let values = || lines.iter().filter_map(|line| line.values.get(step).copied().flatten());
        let count = values().count();
        (count > 0).then(|| match how {
            How::Min => values().fold(f64::INFINITY, f64::min),
            How::Max => values().fold(f64::NEG_INFINITY, f64::max),
            How::Mean => values().sum::<f64>() / count as f64,
            _ => values().sum(),
        })
    };
    if lines.is_empty() { Vec::new() } else { vec![Line { tags: Vec::new(), values: (0..steps).map(at).collect() }] }
}

/// Lays lines over the first, where all of them are known.
fn laid(how: How, series: &mut Series) -> Result<(), &'static str> {
    let is_of_two = matches!(how, How::Subtract | How::Divide);
    let mut lines = std::mem::take(&mut series.lines).into_iter();
    // A metric without a value has no line, and neither has what it is part of.
    let Some(mut first) = lines.next() else { return Ok(()) };
    let rest: Vec<Line> = lines.collect();
    if is_of_two && rest.len() > 1 {
        return Err("two lines are subtracted or divided: make one of several by sum, mean, min or max");
    }
    if rest.is_empty() {
        return Ok(());
    }
    for (step, value) in first.values.iter_mut().enumerate() {
        for line in &rest {
            *value = value.zip(line.values.get(step).copied().flatten()).and_then(|(a, b)| match how {
                How::Subtract => Some(a - b),
                How::Multiply => Some(a * b),
                How::Divide => (b != 0.0).then(|| a / b),
                _ => Some(a + b),
            });
        }
    }
    first.tags.clear();
    series.lines = vec![first];
    Ok(())
}

fn derive(line: &mut Line, detects_reset: bool) {
    let mut before: Option<f64> = None;
    for value in &mut line.values {
        let now = *value;
        *value = now.zip(before).map(|(now, before)| if detects_reset && now < before { now } else { now - before });
        before = now.or(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str) -> Series {
        let line = |market: &str, values: &[f64]| Line {
            tags: vec![("market".to_owned(), market.to_owned())],
            values: values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect(),
        };
        let lines = match name {
            "orders" => vec![line("de", &[1.0, 2.0, f64::NAN]), line("fr", &[3.0, 4.0, 5.0])],
            "visits" => vec![line("de", &[8.0, 0.0, 10.0])],
            "counter" => vec![line("de", &[5.0, 9.0, 2.0])],
            _ => Vec::new(),
        };
        Series { start: 0, step: 60, steps: 3, closed: 3, unit: String::new(), lines, more: 0 }
    }

    #[derive(Debug, PartialEq)]
    struct Failed(&'static str);

    impl From<&'static str> for Failed {
        fn from(why: &'static str) -> Self {
            Self(why)
        }
    }

    fn values(text: &str) -> Result<Vec<Vec<Option<f64>>>, Failed> {
        let read = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = read.evaluate(&mut |asked: &Asked| Ok::<_, Failed>(series(&asked.name)))?;
        Ok(found.lines.into_iter().map(|line| line.values).collect())
    }

    #[test]
    fn composites_come_to_what_their_functions_say() {
        let one = |values: [Option<f64>; 3]| Ok(vec![values.to_vec()]);
        for (text, expected) in [
            (r#"sum(s("orders"))"#, one([Some(4.0), Some(6.0), Some(5.0)])),
            (
                r#"mean(series("orders", {"market":"*"}, {function:"sum", period:"60"}))"#,
                one([Some(2.0), Some(3.0), Some(5.0)]),
            ),
            (r#"max([s('orders'), s("visits")])"#, one([Some(8.0), Some(4.0), Some(10.0)])),
            (r#"divide([ sum(s("orders")), s("visits", {}) ])"#, one([Some(0.5), None, Some(0.5)])),
            (r#"subtract([s("visits"), sum(s("orders"))])"#, one([Some(4.0), Some(-6.0), Some(5.0)])),
            (r#"multiply([s("orders")])"#, one([Some(3.0), Some(8.0), None])),
            (r#"scale(s("visits"), {factor:"0.5"})"#, one([Some(4.0), Some(0.0), Some(5.0)])),
            (r#"rate(s("visits"), {duration: 30})"#, one([Some(4.0), Some(0.0), Some(5.0)])),
            (r#"derive(s("counter"), {detect_reset:"true"})"#, one([None, Some(4.0), Some(2.0)])),
            (r#"derive(s("counter"))"#, one([None, Some(4.0), Some(-7.0)])),
            (r#"sum(s("none"))"#, Ok(vec![])),
            (
                r#"divide([s("orders"), s("visits")])"#,
                Err(Failed("two lines are subtracted or divided: make one of several by sum, mean, min or max")),
            ),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
        assert_eq!(values(r#"s("orders")"#).unwrap().len(), 2);
        let asked = parse(r#"s("a\"b", {app: "shop", "dyno":"!web.*"}, {function: p95})"#).unwrap();
        let selector =
            |key: &str, value: &str, is_negated| Selector { key: key.into(), values: vec![value.into()], is_negated };
        let selectors = vec![selector("app", "shop", false), selector("dyno", "web.*", true)];
        let function = Function::Quantile(0.95);
        assert_eq!(
            asked,
            Composite::Metric(Asked { name: "a\"b".into(), selectors, grouping: Grouping::Apart, function })
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, at) in [
            ("", 1),
            ("sum", 4),
            ("sum(", 5),
            ("nothing(s('a'))", 8),
            ("s('a'", 6),
            ("s('a", 5),
            ("s('a', {b})", 10),
            ("s('a', {}, {function:'median'})", 10),
            ("s('a', {}, {other:'x'})", 10),
            ("s('a') s('b')", 8),
            ("[s('a'), ]", 10),
            ("scale(s('a'), {factor:'x'})", 6),
        ] {
            assert_eq!(parse(text).unwrap_err().at + 1, at, "{text}: {}", parse(text).unwrap_err());
        }
        assert!(parse(&"sum(".repeat(400)).unwrap_err().why.contains("too deep"));
        assert!(parse(&"[".repeat(1_900)).unwrap_err().why.contains("too deep"));
        assert!(parse(&format!("[{}]", ["s('a')"; 30].join(","))).unwrap_err().why.contains("more than 10"));
        assert!(parse(&" ".repeat(3_000)).unwrap_err().why.contains("longer"));
    }
}
