//! Filters of an account, by the API of a server.

use super::served::{ask, get, server, text};
use crate::args::account::{AccountArgs, FilterAction, FilterNumber, FilterText};
use hyper::Method;
use logdrain_terms::failure::{Failure, Status};
use serde_json::{Value, json};
use std::io::Write as _;

pub(super) fn run(args: &AccountArgs, action: &FilterAction) -> Result<Status, Failure> {
    match action {
        FilterAction::List(named) => {
            let told = get(&server(args, named)?, "/api/v2/filters", &[])?;
            told["filters"].as_array().into_iter().flatten().try_for_each(print)?;
        }
        FilterAction::Add { what, name, off, server: named } => {
            let filter = json!({ "text": what.text, "kind": kind(what), "name": name, "on": !off });
            print(&ask(&server(args, named)?, Method::POST, "/api/v2/filters", Some(&filter))?)?;
        }
        FilterAction::Preview { what, server: named } => {
            let asked = [("text", what.text.as_str()), ("kind", kind(what))];
            preview(&get(&server(args, named)?, "/api/v2/filters/preview", &asked)?)?;
        }
        FilterAction::On(filter) => print(&switch(args, filter, true)?)?,
        FilterAction::Off(filter) => print(&switch(args, filter, false)?)?,
        FilterAction::Remove(filter) => {
            ask(&server(args, &filter.server)?, Method::DELETE, &path(filter), None)?;
        }
    }
    Ok(Status::Done)
}

fn kind(what: &FilterText) -> &'static str {
    if what.regex { "regex" } else { "string" }
}

fn path(filter: &FilterNumber) -> String {
    format!("/api/v2/filters/{}", filter.id)
}

fn switch(args: &AccountArgs, filter: &FilterNumber, on: bool) -> Result<Value, Failure> {
    ask(&server(args, &filter.server)?, Method::PATCH, &path(filter), Some(&json!({ "on": on })))
}

/// `1000  on   string  dropped 12 today  health checks  at=info path=/up`
fn print(filter: &Value) -> Result<(), Failure> {
    let on = if filter["on"] == Value::Bool(true) { "on" } else { "off" };
    let [id, kind, dropped, name, what] =
        ["id", "kind", "dropped_today", "name", "text"].map(|key| text(filter.get(key).unwrap_or(&Value::Null)));
    writeln!(std::io::stdout(), "{id}  {on:<3}  {kind:<6}  dropped {dropped} today  {name}  {what}")?;
    Ok(())
}

fn preview(told: &Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let whole = if told["complete"] == Value::Bool(true) { "" } else { ", as far as there was time to look" };
    writeln!(out, "{} of {} lines of the last hour{whole}", text(&told["dropped_lines"]), text(&told["lines"]))?;
    for program in told["programs"].as_array().into_iter().flatten() {
        let [dropped, of, name] = ["dropped_lines", "lines", "program"].map(|key| text(&program[key]));
        writeln!(out, "{dropped:>10} of {of:>10}  {name}")?;
    }
    Ok(())
}
