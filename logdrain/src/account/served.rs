//! What a server says of an account by its API, and the changes that it is asked for.

use crate::args::account::AccountArgs;
use crate::args::server::ServerArgs;
use crate::server::{self, Server};
use hyper::Method;
use logdrain_terms::client::Ask;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::number::human;
use logdrain_terms::plan::{self, Plan};
use serde_json::{Value, json};
use std::io::Write as _;

/// Programs that are named.
const PROGRAMS: usize = 20;
/// The most bytes of an answer.
const ANSWER: usize = 4 << 20;
/// The account that is meant when none is named: whoever has a token has one, and need not name it.
const ANY: &str = "default";

/// The server, and the account that is meant there.
pub(super) fn server(args: &AccountArgs, server: &ServerArgs) -> Result<Server, Failure> {
    server::needed(server, (args.account != ANY).then_some(args.account.as_str()))
}

pub(super) fn get(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
    server.get(path, parameters).map_err(|error| server.failure(&error))
}

/// Asks for a change; what has no answer gives null.
pub(super) fn ask(server: &Server, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    let mut ask = Ask::new(method, server.path(path, &[]));
    if let Some(body) = body {
        ask = ask.with_body("application/json", body.to_string());
    }
    let told = server.ask(&ask, async |answer| {
        let bytes = answer.bytes(ANSWER).await?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    });
    told.map_err(|error| server.failure(&error))
}

/// A text of an answer, as a terminal may have it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => Escaped(text).to_string(),
        other => Escaped(&other.to_string()).to_string(),
    }
}

fn bytes(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |bytes| human(bytes as f64, "bytes"))
}

pub(super) fn list(server: &Server) -> Result<Status, Failure> {
    let told = get(server, "/api/v2/accounts", &[])?;
    let mut out = std::io::stdout().lock();
    for account in told["accounts"].as_array().into_iter().flatten() {
        writeln!(out, "{}  {}", text(&account["name"]), text(&account["plan"]))?;
    }
    Ok(Status::Done)
}

pub(super) fn create(server: &Server, name: &str) -> Result<Status, Failure> {
    let made = ask(server, Method::POST, "/api/v2/accounts", Some(&json!({ "name": name })))?;
    writeln!(std::io::stdout(), "{}", text(&made["name"]))?;
    Ok(Status::Done)
}

/// A plan is one that every server knows, or a file's.
pub(super) fn plan(server: &Server, name: &str, dry_run: bool) -> Result<Status, Failure> {
    let plan = match name {
        "none" => Value::Null,
        _ if Plan::shipped(name).is_some() => name.into(),
        _ => {
            let plan = plan::load(name)?;
            serde_json::to_value(&plan).map_err(|error| Failure::Config(error.to_string()))?
        }
    };
    let told = ask(server, Method::PUT, "/api/v2/plan", Some(&json!({ "plan": plan, "dry_run": dry_run })))?;
    let mut out = std::io::stdout().lock();
    let effects: Vec<_> = told["effects"].as_array().into_iter().flatten().collect();
    for effect in &effects {
        writeln!(out, "{}", text(effect))?;
    }
    if effects.is_empty() {
        writeln!(out, "Nothing changes.")?;
    }
    if dry_run {
        writeln!(out, "Nothing was changed: this was --dry-run.")?;
    }
    Ok(Status::Done)
}

pub(super) fn status(server: &Server) -> Result<Status, Failure> {
    let account = get(server, "/api/v2/account", &[])?;
    let plan = get(server, "/api/v2/plan", &[])?;
    let usage = get(server, "/api/v2/usage", &[])?;
    let destinations = get(server, "/api/v1/destinations.json", &[])?;
    // Who may not see them has no members to be told of.
    let members = server.get::<Value>("/api/v2/members", &[]).ok();
    let mut out = std::io::stdout().lock();
    writeln!(out, "account       {}", text(&account["name"]))?;
    writeln!(out, "plan          {}", text(&plan["plan"]["name"]))?;
    let limit = match usage["limit"].as_u64() {
        Some(_) => format!(" of {} a day, {} %", bytes(&usage["limit"]), text(&usage["percent"])),
        None => String::new(),
    };
    writeln!(out, "today         {} lines, {}{limit}", text(&usage["events"]), bytes(&usage["bytes"]))?;
    writeln!(out, "at midnight   about {}, UTC", bytes(&usage["projected_bytes"]))?;
    for (key, what) in [("over_volume_events", "over the volume"), ("unknown_system_events", "of unknown systems")] {
        if usage[key].as_u64().is_some_and(|events| events > 0) {
            writeln!(out, "not kept      {} lines {what}", text(&usage[key]))?;
        }
    }
    let streams = &account["streams"];
    let allowed = match streams["allowed"].as_u64() {
        Some(_) => format!(" of {}", text(&streams["allowed"])),
        None => String::new(),
    };
    writeln!(out, "streams       {}{allowed}", text(&streams["used"]))?;
    for (key, what) in [("systems", "systems"), ("groups", "groups"), ("searches", "searches"), ("filters", "filters")]
    {
        writeln!(out, "{what:<13} {}", text(&account[key]))?;
    }
    for member in members.iter().flat_map(|told| told["members"].as_array()).flatten() {
        writeln!(out, "member        {}", text(&member["email"]))?;
    }
    for destination in destinations.as_array().into_iter().flatten() {
        let syslog = &destination["syslog"];
        writeln!(out, "destination   {}:{}", text(&syslog["hostname"]), text(&syslog["port"]))?;
    }
    let by: Vec<_> = usage["by"].as_array().into_iter().flatten().collect();
    for used in by.iter().take(PROGRAMS) {
        let name = match used["system"].as_str() {
            Some("") => "others".to_owned(),
            _ => format!("{} {}", text(&used["system"]), text(&used["program"])),
        };
        writeln!(out, "{:>12}  {:>10} lines  {name}", bytes(&used["bytes"]), text(&used["events"]))?;
    }
    if by.len() > PROGRAMS {
        writeln!(out, "and {} programs with less", by.len() - PROGRAMS)?;
    }
    Ok(Status::Done)
}
