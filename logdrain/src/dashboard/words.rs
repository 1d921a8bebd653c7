//! Functions and selectors as people write them.

use crate::series::{Function, Selector};

/// The functions that forms offer, and what they are.
pub(crate) const FUNCTIONS: [(&str, &str); 12] = [
    ("avg", "average"),
    ("sum", "sum"),
    ("rate", "sum a minute"),
    ("count", "number of values"),
    ("last", "last"),
    ("max", "highest"),
    ("min", "lowest"),
    ("derivative", "growth of a counter"),
    ("p50", "p50 (median)"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
];

/// `avg`, `p95`, `p99.9`; `p999` is p99.9.
pub(crate) fn function(word: &str) -> Option<Function> {
    Some(match word {
        "avg" => Function::Avg,
        "sum" => Function::Sum,
        "rate" => Function::Rate,
        "count" => Function::Count,
        "last" => Function::Last,
        "max" => Function::Max,
        "min" => Function::Min,
        "derivative" => Function::Derivative,
        "p999" => Function::Quantile(0.999),
        _ => {
            let percent = word.strip_prefix('p').filter(|percent| percent.len() <= 6)?;
            let is_number = percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let percent: f64 = if is_number { percent.parse().ok()? } else { return None };
            // Of whole thousandths, so that p99.9 is the number that 0.999 is.
            let share = (percent * 1_000.0).round() / 100_000.0;
            (0.0..=100.0).contains(&percent).then_some(Function::Quantile(share))?
        }
    })
}

pub(crate) fn function_word(function: Function) -> String {
    match function {
        Function::Avg => "avg".to_owned(),
        Function::Sum => "sum".to_owned(),
        Function::Rate => "rate".to_owned(),
        Function::Count => "count".to_owned(),
        Function::Last => "last".to_owned(),
        Function::Max => "max".to_owned(),
        Function::Min => "min".to_owned(),
        Function::Derivative => "derivative".to_owned(),
        Function::Quantile(share) => match (share * 100_000.0).round() / 1_000.0 {
            percent if (percent - 99.9).abs() < 1e-9 => "p999".to_owned(),
            percent => format!("p{percent}"),
        },
    }
}

/// `key=value`, `key!=value`; several values between bars.
pub(crate) fn selector(text: &str) -> Option<Selector> {
    let (key, values) = text.split_once('=')?;
    let (key, is_negated) = match key.strip_suffix('!') {
        Some(key) => (key, true),
        None => (key, false),
    };
    let values: Vec<String> = values.split('|').map(|value| value.trim().to_owned()).collect();
    let key = key.trim();
    (!key.is_empty()).then(|| Selector { key: key.to_owned(), values, is_negated })
}

pub(crate) fn selector_word(selector: &Selector) -> String {
    let sign = if selector.is_negated { "!=" } else { "=" };
    format!("{}{sign}{}", selector.key, selector.values.join("|"))
}

pub(super) mod functions {
    use crate::series::Function;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(function: &Function, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::function_word(*function))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Function, D::Error> {
        let word = String::deserialize(deserializer)?;
        super::function(&word).ok_or_else(|| {
            let word: String = word.chars().take(20).collect();
            D::Error::custom(format!(
                "{word:?} is no function: avg, sum, rate, count, last, max, min, or p95 and the like"
            ))
        })
    }
}

pub(super) mod selectors {
    use crate::series::Selector;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(selectors: &[Selector], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(selectors.iter().map(super::selector_word))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Selector>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let read = |word: &String| {
            super::selector(word).ok_or_else(|| {
                let word: String = word.chars().take(40).collect();
                D::Error::custom(format!("{word:?} is no selector: write tag=value or tag!=value"))
            })
        };
        words.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for (word, _) in FUNCTIONS {
            assert_eq!(function_word(function(word).unwrap()), word);
        }
        assert_eq!(function("p99.9"), function("p999"));
        assert_eq!(function("p0").map(function_word).as_deref(), Some("p0"));
        for word in ["", "p", "p101", "p-1", "p1e1", "pNaN", "median", "p99.99999", "AVG", "p.", "p9.9.9"] {
            assert_eq!(function(word), None, "{word}");
        }
        for text in ["a=b", "a!=b|c*", "dyno=web.*", "a=", "a==b"] {
            assert_eq!(selector_word(&selector(text).unwrap()), text);
        }
        assert!(selector("a!=b|c").is_some_and(|read| read.is_negated && read.values.len() == 2));
        for text in ["", "a", "=b", "!=b", " =b"] {
            assert_eq!(selector(text), None, "{text}");
        }
    }
}
