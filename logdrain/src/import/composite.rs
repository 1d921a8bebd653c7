//! Composite metrics: what was computed of several metrics, as far as a series of a chart can say it.
//!
//! ```text
//! expression = name "(" argument { "," argument } ")" ; argument = expression | list | text | options | number
//!
//! s("name", "source" or {"tag":"value"}, {function:"mean", period:"60"})     a metric
//! sum(A)  mean(A)  min(A)  max(A)   scale(A, {factor:"100"})   rate(A)   derive(A)
//! sum([A, B])  subtract([A, B])  divide([A, B])                              of two metrics
//! ```

use super::found::shown;
use super::metrics::{Metric, function};
use logdrain_charts::dashboard::{Combine, Operation, Source};
use logdrain_charts::series::{Function, Selector};

/// Longer ones, and deeper ones, nobody wrote by hand.
const LONGEST: usize = 8 << 10;
const DEPTH: usize = 32;
const METRIC: usize = 255;

#[derive(Clone, PartialEq, Debug)]
enum Term {
    Call(String, Vec<Self>),
    List(Vec<Self>),
    Text(String),
    Options(Vec<(String, Self)>),
}

/// The series that a composite is.
///
/// # Errors
/// What of it cannot be drawn, in words.
pub(super) fn source(text: &str) -> Result<Source, String> {
    if text.len() > LONGEST {
        return Err("its composite is too long".to_owned());
    }
    let mut reader = Reader { rest: text, depth: 0 };
    let term = reader.term()?;
    reader.blank();
    if !reader.rest.is_empty() {
        return Err(format!("its composite cannot be read at {:?}", shown(reader.rest, 40)));
    }
    of_term(&term)
}

fn of_term(term: &Term) -> Result<Source, String> {
    let Term::Call(name, arguments) = term else { return Err("its composite is not of metrics".to_owned()) };
    let first = arguments.first();
    match (name.as_str(), first) {
        ("s" | "series" | "metric", _) => metric(arguments),
        ("sum" | "add", Some(Term::List(two))) if two.len() > 1 => combined(two, Operation::Plus),
        ("subtract", Some(Term::List(two))) => combined(two, Operation::Minus),
        ("divide", Some(Term::List(two))) => combined(two, Operation::DividedBy),
        ("sum" | "mean" | "min" | "max" | "rate" | "derive" | "scale", Some(inner)) => {
            let inner = match inner {
                Term::List(one) if one.len() == 1 => &one[0],
                other => other,
            };
            let mut source = of_term(inner)?;
            if source.combine.is_some() && name != "scale" {
                return Err(format!("{name} of several metrics cannot be drawn"));
            }
            match name.as_str() {
                "rate" => source.function = Function::Rate,
                "derive" => source.change = true,
                "scale" => {
                    let factor = option(arguments, "factor").and_then(|text| text.parse::<f64>().ok());
                    source.scale *= factor.filter(|factor| factor.is_finite()).ok_or("scale has no factor")?;
                }
                // A percentile is that of all values.
                _ if matches!(source.function, Function::Quantile(_)) => {}
                word => {
                    source.function = function(word).unwrap_or(source.function);
                    source.group_by.clear();
                }
            }
            Ok(source)
        }
        (other, _) => Err(format!("there is nothing like {}(...) for a chart", shown(other, 30))),
    }
}

fn metric(arguments: &[Term]) -> Result<Source, String> {
    let Some(Term::Text(name)) = arguments.first() else { return Err("its composite names no metric".to_owned()) };
    if name.contains('*') {
        return Err("its composite is of all metrics with a name like another: name each".to_owned());
    }
    let metric = Metric::of(&shown(name, METRIC));
    let mut source = Source::of(&metric.name, Function::Avg);
    if let Some(word) = option(arguments, "function") {
        source.function = function(&word).ok_or_else(|| format!("there is no function {}", shown(&word, 30)))?;
    }
    if let Some((quantile, _)) = metric.percentile {
        source.function = Function::Quantile(quantile);
    }
    let tags: Vec<(String, String)> = match arguments.get(1) {
        Some(Term::Text(of)) => vec![("source".to_owned(), of.clone())],
        Some(Term::Options(tags)) => {
            let text = |(key, value): &(String, Term)| match value {
                Term::Text(value) => Some((key.clone(), value.clone())),
                _ => None,
            };
            tags.iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in tags {
        // `%` was filled in from the page.
        if !matches!(value.as_str(), "*" | "%" | "") {
            source.tags.push(Selector { key, values: vec![value], is_negated: false });
        } else if value == "*" && source.group_by.len() < 6 {
            source.group_by.push(key);
        }
    }
    Ok(source)
}

fn combined(two: &[Term], operation: Operation) -> Result<Source, String> {
    let [first, second] = two else { return Err("it computes of more than two metrics".to_owned()) };
    let (mut first, second) = (of_term(first)?, of_term(second)?);
    if first.combine.is_some() || second.combine.is_some() {
        return Err("it computes of more than two metrics".to_owned());
    }
    if second.change || (second.scale - first.scale).abs() > f64::EPSILON && operation != Operation::DividedBy {
        return Err("its second metric is scaled, or how much it grew".to_owned());
    }
    if operation == Operation::DividedBy {
        first.scale /= second.scale;
    }
    let grouped = !second.group_by.is_empty() && second.group_by == first.group_by;
    let Source { metric, function, tags, .. } = second;
    first.combine = Some(Combine { operation, metric, function, tags, grouped });
    Ok(first)
}

fn option(arguments: &[Term], name: &str) -> Option<String> {
    arguments.iter().rev().find_map(|argument| match argument {
        Term::Options(all) => all.iter().find_map(|(key, value)| match value {
            Term::Text(value) if key == name => Some(value.clone()),
            _ => None,
        }),
        _ => None,
    })
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a mark, if it is what comes next.
    fn takes(&mut self, mark: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn needs(&mut self, mark: char) -> Result<(), String> {
        if self.takes(mark) {
            Ok(())
        } else {
            Err(format!("its composite lacks a {mark} at {:?}", shown(self.rest, 40)))
        }
    }

    fn term(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("its composite is too deep".to_owned());
        }
        let term = self.any();
        self.depth -= 1;
        term
    }

    fn any(&mut self) -> Result<Term, String> {
        self.blank();
        if self.takes('[') {
            return Ok(Term::List(self.until(']', Self::term)?));
        }
        if self.takes('{') {
            return Ok(Term::Options(self.until('}', Self::pair)?));
        }
        if let Some(quote) = self.rest.chars().next().filter(|one| matches!(one, '"' | '\'')) {
            return self.quoted(quote).map(Term::Text);
        }
        let word = self.word()?;
        if self.takes('(') {
            return Ok(Term::Call(word, self.until(')', Self::term)?));
        }
        Ok(Term::Text(word))
    }

    fn until<T>(&mut self, end: char, one: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut all = Vec::new();
        while !self.takes(end) {
            if !all.is_empty() {
                self.needs(',')?;
            }
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn pair(&mut self) -> Result<(String, Term), String> {
        self.blank();
        let key = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.word()?,
        };
        self.needs(':')?;
        Ok((key, self.term()?))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let inside = self.rest.strip_prefix(quote).unwrap_or(self.rest);
        let (text, rest) = inside.split_once(quote).ok_or("its composite has a quote that does not end")?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn word(&mut self) -> Result<String, String> {
        let is_end = |one: char| one.is_whitespace() || "()[]{},:\"'".contains(one);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(format!("its composite cannot be read at {:?}", shown(self.rest, 40)));
        }
        self.rest = rest;
        Ok(word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let mut source = serde_json::to_value(source(text).unwrap()).unwrap();
        source.as_object_mut().unwrap().retain(|key, _| key != "colour");
        source.to_string().replace('"', "")
    }

    #[test]
    fn what_a_series_can_say_is_carried_over() {
        for (text, expected) in [
            (r#"s("cpu","*")"#, "{metric:cpu,function:avg,group_by:[source]}"),
            (
                r#" series ( "cpu" , { "dyno" : "web.*" , app_name:"%" } , { function:"sum" , period:"60" } ) "#,
                "{metric:cpu,function:sum,tags:[dyno=web.*]}",
            ),
            (r#"sum(s("cpu","*"))"#, "{metric:cpu,function:sum}"),
            (r#"max([s("cpu",{dyno:"*"})])"#, "{metric:cpu,function:max}"),
            (r#"rate(s("n","%",{function:"sum"}))"#, "{metric:n,function:rate}"),
            (r#"derive(s('n','web.1'))"#, "{metric:n,function:avg,tags:[source=web.1],change:true}"),
            (
                r#"scale(divide([sum(s("errors","*")),sum(s("requests","*"))]),{factor:"100"})"#,
                "{metric:errors,function:sum,scale:100.0,combine:{operation:divided_by,metric:requests,function:sum}}",
            ),
            (
                r#"subtract([s("a","x"),s("b.p95","x")])"#,
                "{metric:a,function:avg,tags:[source=x],combine:{operation:minus,metric:b,function:p95,tags:[source=x]}}",
            ),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn what_it_cannot_is_told_by_name() {
        let deep = "sum(".repeat(1_000);
        let long = "s".repeat(LONGEST + 1);
        for (text, said) in [
            (r#"moving_average(s("a","*"),{size:"5"})"#, "nothing like moving_average(...)"),
            (r#"timeshift("1w",s("a","*"))"#, "nothing like timeshift"),
            (r#"sum([s("a","*"),s("b","*"),s("c","*")])"#, "more than two"),
            (r#"divide([sum([s("a","*"),s("b","*")]),s("c","*")])"#, "more than two"),
            (r#"s("a.*","*")"#, "name each"),
            (r#"s("a","*",{function:"median"})"#, "no function median"),
            (r#"s("a""#, "lacks a ,"),
            (r#"s("a"#, "does not end"),
            ("", "cannot be read"),
            ("7", "not of metrics"),
            (r#"s("a","*") s"#, "cannot be read at \"s\""),
            ("s()", "names no metric"),
            ("scale(s(\"a\"))", "no factor"),
            (&deep, "too deep"),
            (&long, "too long"),
        ] {
            let why = source(text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
    }
}
