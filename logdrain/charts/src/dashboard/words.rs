//! Functions as forms offer them, and selectors as people write them.

use crate::series::Selector;

/// The functions that forms offer, and what they are.
pub const FUNCTIONS: [(&str, &str); 12] = [
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

/// `key=value`, `key!=value`; several values between bars.
pub fn selector(text: &str) -> Option<Selector> {
    let (key, values) = text.split_once('=')?;
    let (key, is_negated) = match key.strip_suffix('!') {
        Some(key) => (key, true),
        None => (key, false),
    };
    let values: Vec<String> = values.split('|').map(|value| value.trim().to_owned()).collect();
    let key = key.trim();
    (!key.is_empty()).then(|| Selector { key: key.to_owned(), values, is_negated })
}

pub fn selector_word(selector: &Selector) -> String {
    let sign = if selector.is_negated { "!=" } else { "=" };
    format!("{}{sign}{}", selector.key, selector.values.join("|"))
}

pub(super) mod functions {
    use crate::series::Function;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(function: &Function, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(function)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Function, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse::<Function>().map_err(|error| {
            let word: String = word.chars().take(20).collect();
            D::Error::custom(format!("{word:?} is {error}"))
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
    use crate::series::Function;

    #[test]
    fn words_are_read_as_they_are_written() {
        for (word, _) in FUNCTIONS {
            assert_eq!(word.parse::<Function>().map(|function| function.to_string()).as_deref(), Ok(word));
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
