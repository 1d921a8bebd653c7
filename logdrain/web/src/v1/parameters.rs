//! What a request says: its query, the form or the JSON of its body, and its path, as one set of parameters.
//!
//! ```text
//! q=a&q=b            the last one counts, and the body counts over the query
//! q=  &&  q          what is empty is absent
//! a[b]=c             the value `b` of `a`; a%5Bb%5D=c and a[b=c mean the same
//! a[b][]=c           one of several values; `{"a": {"b": ["c"]}}` in JSON
//! 7  "7"  7.0        numbers come as text or as numbers
//! ```
//!
//! Clients of many years write all of these, under any method. Everything has a bound: the bytes of a body, how many values
//! there are, how deep a key goes.

use super::answer::Answer;
use axum::http::HeaderValue;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes of a body.
pub(super) const BODY: usize = 64 << 10;
/// The most values of a request.
const VALUES: usize = 2_000;
/// How deep a key goes: `a[b][c][d]`. What goes deeper is passed over, as every key that means nothing here.
const DEPTH: usize = 4;
/// The most bytes of a key.
const KEY: usize = 256;

/// What a method does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// GET and HEAD.
    Read,
    /// POST.
    Create,
    /// PUT and PATCH.
    Change,
    /// DELETE.
    Remove,
}

impl Method {
    /// `None` is a method that nothing is done by.
    pub(super) fn of(method: &axum::http::Method) -> Option<Self> {
        Some(match method.as_str() {
            "GET" | "HEAD" => Self::Read,
            "POST" => Self::Create,
            "PUT" | "PATCH" => Self::Change,
            "DELETE" => Self::Remove,
            _ => return None,
        })
    }
}

/// Why a request cannot be answered: 400, with the reason as its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong(pub String);

impl From<Wrong> for Answer {
    fn from(wrong: Wrong) -> Self {
        Self::error(axum::http::StatusCode::BAD_REQUEST, wrong.0)
    }
}

/// The values of a key, in their order. One that is no list has one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Given {
    values: Vec<String>,
    is_list: bool,
}

/// A part of a file, as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PartOf {
    /// As `Range` says it.
    range: String,
    /// The tag of the file that is meant, as `If-Range` says it; of another one all is wanted.
    of: Option<String>,
}

impl PartOf {
    /// What of a file with this tag is asked for, if it is not all of it. RFC 9110, 13.1.5.
    pub(super) fn range_of(&self, tag: &str) -> Option<&str> {
        self.of.as_ref().is_none_or(|of| of == tag).then_some(self.range.as_str())
    }
}

/// A request, as far as it asks for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    method: Method,
    /// Behind `/api/v1/`, without `.json`.
    path: Vec<String>,
    /// By key, as in a form: `group[name]`.
    given: BTreeMap<String, Given>,
    base: String,
    takes_gzip: bool,
    range: Option<PartOf>,
}

impl Ask {
    /// Reads the path behind `/api/v1` and the query.
    ///
    /// # Errors
    /// When there are more values than anybody means.
    pub fn new(method: Method, path: &str, query: &str) -> Result<Self, Wrong> {
        let mut ask = Self {
            method,
            path: pieces(path),
            given: BTreeMap::new(),
            base: String::new(),
            takes_gzip: false,
            range: None,
        };
        Pairs::of_form(query.as_bytes())?.put_into(&mut ask.given);
        Ok(ask)
    }

    /// Lays a body over what the query says. What kind it is says its type, or else its first byte.
    ///
    /// # Errors
    /// When it is neither a form nor JSON, or has more than anybody means.
    pub fn with_body(mut self, kind: Option<&str>, body: &[u8]) -> Result<Self, Wrong> {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        if text.is_empty() {
            return Ok(self);
        }
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let is_json = match kind.as_deref() {
            Some("application/x-www-form-urlencoded") => false,
            Some(kind) if kind == "application/json" || kind.ends_with("+json") => true,
            // Who sends JSON and does not say so.
            _ => matches!(text.first(), Some(b'{' | b'[')),
        };
        let pairs = if is_json { Pairs::of_json(text)? } else { Pairs::of_form(text)? };
        pairs.put_into(&mut self.given);
        Ok(self)
    }

    /// Says what links begin with, and whether the answer may be compressed.
    pub(super) fn with_way(mut self, base: String, takes_gzip: bool) -> Self {
        (self.base, self.takes_gzip) = (base, takes_gzip);
        self
    }

    /// What part of a file is asked for, by `Range`, and of which one, by `If-Range`.
    pub(super) fn with_range(self, range: Option<&HeaderValue>, of: Option<&HeaderValue>) -> Self {
        // What cannot be read is the name of no file.
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        Self { range: range.map(|range| PartOf { range: text(range), of: of.map(text) }), ..self }
    }

    pub(super) const fn range(&self) -> Option<&PartOf> {
        self.range.as_ref()
    }

    pub(super) const fn takes_gzip(&self) -> bool {
        self.takes_gzip
    }

    /// What absolute links begin with: `https://logs.example.com`. Empty where no such thing is known: links are paths then.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub const fn method(&self) -> Method {
        self.method
    }

    /// The pieces of the path: `systems`, `7`, `join`.
    pub fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// What a value says; `None` when it says nothing.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.said(key).filter(|text| !text.is_empty())
    }

    /// The same for `outer[key]`.
    pub fn nested(&self, outer: &str, key: &str) -> Option<&str> {
        self.text(&inner(outer, key))
    }

    /// What a value says, also when that is nothing: `Some("")` is one that is there, and empty or null.
    pub fn said(&self, key: &str) -> Option<&str> {
        self.given.get(key)?.values.last().map(String::as_str)
    }

    /// The same for `outer[key]`.
    pub fn said_nested(&self, outer: &str, key: &str) -> Option<&str> {
        self.said(&inner(outer, key))
    }

    /// Every value of a list (`key[]`, or an array); a single value is a list of one. `None` when it is not there; an empty
    /// list is there.
    pub fn list(&self, key: &str) -> Option<Vec<&str>> {
        let given = self.given.get(key)?;
        Some(given.values.iter().map(String::as_str).filter(|value| !value.is_empty()).collect())
    }

    /// The same for `outer[key]`.
    pub fn list_nested(&self, outer: &str, key: &str) -> Option<Vec<&str>> {
        self.list(&inner(outer, key))
    }

    /// A whole number, written as one, as text, or with `.0` behind it.
    ///
    /// # Errors
    /// When it is no whole number from 0 to 2^63 - 1.
    pub fn number(&self, key: &str) -> Result<Option<u64>, Wrong> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match whole(text) {
            Some(number) => Ok(Some(number)),
            None => Err(Wrong(format!("{key} is no number from 0 to {}", i64::MAX))),
        }
    }

    /// The same for `outer[key]`.
    ///
    /// # Errors
    /// As [`Ask::number`].
    pub fn number_nested(&self, outer: &str, key: &str) -> Result<Option<u64>, Wrong> {
        self.number(&inner(outer, key))
    }

    /// Seconds since 1970 as microseconds. What lies before 1970 or behind all times is cut to them.
    ///
    /// # Errors
    /// When it is no number.
    pub fn time(&self, key: &str) -> Result<Option<i64>, Wrong> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let text = text.trim();
        let is_number = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
        let wrong = || Wrong(format!("{key} is no time: seconds since 1970, as 1700000000"));
        if let (true, Ok(seconds)) = (is_number, text.parse::<i64>()) {
            return Ok(Some(seconds.saturating_mul(1_000_000).max(0)));
        }
        let seconds = text.parse::<f64>().ok().filter(|seconds| is_number && !seconds.is_nan()).ok_or_else(wrong)?;
        // What is too large or too small becomes the largest or the smallest.
        Ok(Some(((seconds * 1e6).round() as i64).max(0)))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// When it says neither.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Wrong> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" => Ok(Some(true)),
            "false" | "0" | "no" | "off" | "f" => Ok(Some(false)),
            _ => Err(Wrong(format!("{key} is neither true nor false"))),
        }
    }

    /// The same for `outer[key]`.
    ///
    /// # Errors
    /// As [`Ask::flag`].
    pub fn flag_nested(&self, outer: &str, key: &str) -> Result<Option<bool>, Wrong> {
        self.flag(&inner(outer, key))
    }
}

fn inner(outer: &str, key: &str) -> String {
    format!("{outer}[{key}]")
}

/// `7`, `7.0`, `7.000`.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, zeros) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| is_whole && zeros.bytes().all(|byte| byte == b'0'))?;
    (number <= i64::MAX.unsigned_abs()).then_some(number)
}

/// `/systems/a%20b/join.json`: `systems`, `a b`, `join`.
fn pieces(path: &str) -> Vec<String> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".json").unwrap_or(path);
    path.split('/').filter(|piece| !piece.is_empty()).map(decoded).collect()
}

/// `%2F` is `/`; a plus sign is one, in a path.
fn decoded(piece: &str) -> String {
    let piece = piece.replace('+', "%2B");
    form_urlencoded::parse(format!("={}", piece.replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The values of one source, in their order.
#[derive(Default)]
struct Pairs(Vec<(String, String, bool)>);

impl Pairs {
    fn of_form(text: &[u8]) -> Result<Self, Wrong> {
        let mut pairs = Self::default();
        for (key, value) in form_urlencoded::parse(text) {
            if let Some((key, is_list)) = key_of_form(&key) {
                pairs.add(&key, value.into_owned(), is_list).map_err(Wrong)?;
            }
        }
        Ok(pairs)
    }

    fn of_json(text: &[u8]) -> Result<Self, Wrong> {
        let mut pairs = Self::default();
        let mut json = serde_json::Deserializer::from_slice(text);
        let outer = Values { pairs: &mut pairs, key: Cow::Borrowed(""), deep: 0, is_list: false };
        let read = outer.deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| Wrong(format!("the body is no JSON that is understood: {error}")))?;
        Ok(pairs)
    }

    fn add(&mut self, key: &str, value: String, is_list: bool) -> Result<(), String> {
        // Nothing here is called so.
        if key.is_empty() || key.len() > KEY {
            return Ok(());
        }
        if self.0.len() >= VALUES {
            return Err(format!("there are more than {VALUES} parameters"));
        }
        self.0.push((key.to_owned(), value, is_list));
        Ok(())
    }

    /// What one source says of a key counts over what another said before.
    fn put_into(self, given: &mut BTreeMap<String, Given>) {
        let mut own: BTreeMap<String, Given> = BTreeMap::new();
        for (key, value, is_list) in self.0 {
            let there = own.entry(key).or_default();
            // Of what is no list, the last one counts.
            if !(is_list && there.is_list) {
                there.values.clear();
            }
            there.is_list = is_list;
            there.values.push(value);
        }
        given.extend(own);
    }
}

/// `a[b][]`: `a[b]`, and that it is a list. A bracket that was left open closes at the end. `None` is deeper than anything
/// that is read here.
fn key_of_form(key: &str) -> Option<(String, bool)> {
    let Some((outer, rest)) = key.split_once('[') else { return Some((key.to_owned(), false)) };
    let mut whole = outer.to_owned();
    let mut is_list = false;
    for (deep, part) in rest.split('[').enumerate() {
        if deep + 1 >= DEPTH {
            return None;
        }
        let name = part.split(']').next().unwrap_or_default();
        is_list = name.is_empty();
        if !is_list {
            whole.push('[');
            whole.push_str(name);
            whole.push(']');
        }
    }
    Some((whole, is_list))
}

/// Takes JSON as a form would say the same, without a tree of it in memory.
struct Values<'a> {
    pairs: &'a mut Pairs,
    key: Cow<'a, str>,
    deep: usize,
    is_list: bool,
}

impl Values<'_> {
    fn add<E: serde::de::Error>(self, value: String) -> Result<(), E> {
        if self.deep == 0 {
            return Err(E::custom("it is an object with the parameters by name"));
        }
        // Names may be nested by brackets here, too.
        match key_of_form(&self.key) {
            Some((key, is_list)) => self.pairs.add(&key, value, is_list || self.is_list).map_err(E::custom),
            None => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the parameters by name")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.add(value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.add(value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.add(value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.add(value.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.add(value.to_owned())
    }

    /// Null is there, and says nothing.
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if self.deep == 0 { Ok(()) } else { self.add(String::new()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        if self.deep == 0 {
            return Err(A::Error::custom("it is an object with the parameters by name"));
        }
        if self.is_list {
            while all.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut is_empty = true;
        loop {
            let inner =
                Values { pairs: &mut *self.pairs, key: Cow::Borrowed(&self.key), deep: self.deep + 1, is_list: true };
            if all.next_element_seed(inner)?.is_none() {
                break;
            }
            is_empty = false;
        }
        // It is there, and holds nothing.
        if is_empty { Values { is_list: true, ..self }.add(String::new()) } else { Ok(()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        if self.is_list || self.deep >= DEPTH {
            while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(name) = all.next_key::<Cow<'_, str>>()? {
            let key = if self.deep == 0 { name.into_owned() } else { inner(&self.key, &name) };
            all.next_value_seed(Values {
                pairs: &mut *self.pairs,
                key: key.into(),
                deep: self.deep + 1,
                is_list: false,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
