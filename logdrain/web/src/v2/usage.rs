//! What an account used of a day, by system and program.

use super::problem::Problem;
use super::{Asked, Done, blocking, json};
use jiff::civil::Date;
use logdrain_drain::directory::Used;
use logdrain_drain::logs::{Notice, Usage};
use serde_json::{Value, json};
use std::sync::Arc;

const DAY_MICROS: i64 = 86_400_000_000;

pub(super) async fn show(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let now = logdrain_drain::journal::now().unix_micros();
    let usage = asked.site().logs.usage(&asked.viewer.account, now);
    let today = day(now);
    match asked.parameters().text("day") {
        None => Ok(Done::Json(json(&of_today(&usage, &today, now))?)),
        Some(text) if text == today => Ok(Done::Json(json(&of_today(&usage, &today, now))?)),
        Some(text) => {
            let is_day = text.len() == 10 && text.parse::<Date>().is_ok_and(|date| date.to_string() == text);
            if !is_day {
                return Err(Problem::wrong("day is no day: write it as 2026-11-28"));
            }
            let told = blocking(asked, move |asked| {
                let used = asked.site().directory.usage(&asked.viewer.account, &text, &text)?;
                Ok(of_day(&text, used.into_iter().map(|(_, used)| used)))
            });
            Ok(Done::Json(json(&told.await?)?))
        }
    }
}

fn day(unix_micros: i64) -> String {
    let text = heroku_metrics::model::Timestamp::from_unix_micros(unix_micros).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

fn of_today(usage: &Usage, day: &str, now: i64) -> Value {
    let of = &usage.day;
    let mut by: Vec<_> = of
        .largest()
        .into_iter()
        .map(|(system, program, used)| {
            json!({ "system": system, "program": program, "events": used.events, "bytes": used.bytes })
        })
        .collect();
    // Programs that are not told by name stand under none.
    if of.rest.events > 0 {
        by.push(json!({ "system": "", "program": "", "events": of.rest.events, "bytes": of.rest.bytes }));
    }
    let notice = usage.notice().map(|notice| match notice {
        Notice::Near => "near",
        Notice::Full => "full",
        Notice::Stopped => "stopped",
    });
    let filtered: Vec<_> =
        of.filtered.iter().map(|(filter, events)| json!({ "filter": filter, "events": events })).collect();
    json!({
        "day": day,
        "events": of.used.events,
        "bytes": of.used.bytes,
        "limit": usage.limits.volume,
        "hard_limit": usage.limits.hard_limit,
        "percent": usage.percent(),
        "projected_bytes": usage.projected(now),
        "seconds_left": (DAY_MICROS - now.rem_euclid(DAY_MICROS)) / 1_000_000,
        "notice": notice,
        "over_volume_events": of.over,
        "unknown_system_events": of.unknown,
        "by": by,
        "filtered": filtered,
    })
}

/// A day that is over: what was used is known, and what was allowed then is not.
fn of_day(day: &str, used: impl Iterator<Item = Used>) -> Value {
    let (mut events, mut bytes) = (0_u64, 0_u64);
    let by: Vec<_> = used
        .map(|used| {
            events = events.saturating_add(used.events);
            bytes = bytes.saturating_add(used.bytes);
            json!({ "system": used.system, "program": used.program, "events": used.events, "bytes": used.bytes })
        })
        .collect();
    json!({ "day": day, "events": events, "bytes": bytes, "by": by })
}
