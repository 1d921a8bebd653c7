//! The parser that one writes first with nom: a rule for each part, text throughout, the time kept as text.

use super::{frames, line};
use crate::Visit;
use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_till1, take_until};
use nom::character::complete::{char, digit1, space0};
use nom::combinator::{map_res, opt, rest};
use nom::sequence::{delimited, preceded, terminated};

struct Header<'a> {
    app_name: &'a str,
    proc_id: &'a str,
    message: &'a str,
}

fn word(input: &str) -> IResult<&str, &str> {
    terminated(take_till1(|c| c == ' '), char(' ')).parse(input)
}

fn header(input: &str) -> IResult<&str, Header<'_>> {
    let (input, _pri) = delimited(char('<'), map_res(digit1, str::parse::<u8>), char('>')).parse(input)?;
    let (input, _version) = terminated(map_res(digit1, str::parse::<u16>), char(' ')).parse(input)?;
    let (input, (_time, _hostname, app_name, proc_id)) = (word, word, word, word).parse(input)?;
    let (input, message) = preceded(tag("- "), rest).parse(input)?;
    Ok((input, Header { app_name, proc_id, message }))
}

fn value(input: &str) -> IResult<&str, &str> {
    alt((delimited(char('"'), take_until("\""), char('"')), take_till(|c| c == ' '))).parse(input)
}

fn pair(input: &str) -> IResult<&str, (&str, &str)> {
    let (input, key) = preceded(space0, take_till1(|c| c == ' ' || c == '=')).parse(input)?;
    let (input, value) = opt(preceded(char('='), value)).parse(input)?;
    Ok((input, (key, value.unwrap_or_default())))
}

fn pairs<'a>(mut input: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    while let Ok((behind, pair)) = pair(input) {
        found.push(pair);
        input = behind;
    }
}

/// Frames, and those of the router among them.
#[must_use]
pub fn nom_headers(body: &str) -> (u64, u64) {
    let (mut count, mut router) = (0, 0);
    for (_, header) in frames(body).flat_map(header) {
        count += 1;
        router += u64::from(header.app_name == "heroku" && header.proc_id == "router");
    }
    (count, router)
}

/// All fields of all lines.
pub fn nom_lines<V: Visit>(body: &str, mut visit: V) -> V {
    let mut found = Vec::new();
    for (_, header) in frames(body).flat_map(header) {
        line((header.app_name, header.proc_id, header.message), &mut found, pairs, &mut visit);
    }
    visit
}

/// The sum of `service=` of messages.
pub fn nom_service<'a>(messages: impl Iterator<Item = &'a str>) -> f64 {
    let mut found = Vec::new();
    let mut sum = 0.0;
    for message in messages {
        found.clear();
        pairs(message, &mut found);
        sum += super::router(&found).service.unwrap_or_default();
    }
    sum
}
