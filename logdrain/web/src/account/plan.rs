//! The plan: what it allows, what is used of it today and by whom, and what another one would change.

use super::Rooms;
use super::sent::{Outcome, Refused, Sent};
use crate::events::LogText;
use crate::layout::Frame;
use axum::http::Method;
use logdrain_drain::journal;
use logdrain_drain::logs::Usage;
use logdrain_terms::number;
use logdrain_terms::plan::Plan;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::time::Duration;

/// Programs that are listed.
const LISTED: usize = 50;
/// The most bytes of a name.
const NAME: usize = 300;
/// What stands for no plan at all, which no plan is called.
const NONE: &str = "-";

/// Changes the plan, or says what that would do.
pub(super) async fn change(sent: &Sent<'_>, is_trial: bool) -> Result<Outcome, Refused> {
    let name = sent.form.typed("plan");
    let plan = if name == NONE { Value::Null } else { json!(name) };
    let told = sent.v2(Method::PUT, "plan", json!({ "plan": plan, "dry_run": is_trial })).await?;
    if !is_trial {
        return Ok(Outcome::Done("plan"));
    }
    let effects: Vec<&str> =
        told.get("effects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let title = if name == NONE { "no plan".to_owned() } else { format!("the plan {name}") };
    Ok(Outcome::Told(html! {
        section.card.once role="status" {
            h2 { "What " (title) " would change" }
            @if effects.is_empty() { p { "Nothing." } } @else { ul.said { @for effect in effects { li { (effect) } } } }
            @if sent.viewer.may_change_plans() {
                form method="post" {
                    @if let Some(token) = sent.viewer.form_token() { input type="hidden" name="form" value=(token); }
                    input type="hidden" name="plan" value=(name);
                    button.btn.first type="submit" name="do" value="change" { "Change to " (title) }
                }
            }
        }
    }))
}

pub(super) fn content(rooms: &Rooms, frame: &Frame) -> Markup {
    let name = &frame.viewer.account;
    let settings = frame.site.settings();
    let plan = settings.account(name).plan.as_ref();
    let now = journal::now().unix_micros();
    let usage = frame.site.logs.usage(name, now);
    html! {
        (today(&usage, now))
        (streams(rooms, frame, plan))
        (programs(&usage))
        (allowed(plan))
        @if frame.viewer.may_change_plans() { (choose(frame, plan)) }
    }
}

fn today(usage: &Usage, now: i64) -> Markup {
    let used = usage.day.used;
    let percent = usage.percent();
    let limit = usage.limits.volume;
    let projected = usage.projected(now);
    let over = usage.day.over;
    let dropped: u64 = usage.day.filtered.iter().map(|(_, lines)| lines).sum();
    html! {
        div.tiles {
            div.tile.warn[percent.is_some_and(|percent| percent >= 90.0)] {
                span { "used today" } b { (bytes(used.bytes)) }
                small { @if let (Some(limit), Some(percent)) = (limit, percent) { (format!("{percent:.0}")) " % of " (bytes(limit)) }
                    @else { "no limit" } }
            }
            div.tile { span { "lines today" } b { (number::human(used.events as f64, "")) } small { "since midnight, UTC" } }
            div.tile.warn[limit.is_some_and(|limit| projected > limit)] {
                span { "end of day" } b { (bytes(projected)) } small { "if it goes on like this" }
            }
            div.tile { span { "dropped by filters" } b { (number::human(dropped as f64, "")) } small { "lines today" } }
            @if over > 0 { div.tile.bad { span { "not kept" } b { (number::human(over as f64, "")) } small { "lines beyond the volume" } } }
        }
        @if let (Some(limit), Some(percent)) = (limit, percent) {
            svg.meter viewBox="0 0 100 2" preserveAspectRatio="none" role="img"
                aria-label={ (format!("{percent:.0}")) " percent of " (bytes(limit)) " are used" } {
                rect.all width="100" height="2" {}
                rect.used.warn[percent >= 90.0] width=(format!("{:.1}", percent.clamp(0.0, 100.0))) height="2" {}
            }
        }
    }
}

/// Metric streams of each drain of the account, against what the plan allows.
fn streams(rooms: &Rooms, frame: &Frame, plan: Option<&Plan>) -> Markup {
    let settings = frame.site.settings();
    let shown = rooms.board.copy();
    let own = shown.drains.iter().filter(|(key, _)| settings.account_of(key) == frame.viewer.account);
    let drains: Vec<(u64, Option<u32>)> = own.map(|(_, drain)| (drain.quota_used, drain.quota_limit)).collect();
    let used: u64 = drains.iter().map(|(used, _)| used).sum();
    let fullest =
        drains.iter().filter_map(|(used, limit)| limit.map(|limit| (*used, limit))).max_by_key(|(used, _)| *used);
    let allowed = plan.and_then(|plan| plan.metrics.streams());
    html! {
        section.card {
            h2 { "Metric streams" }
            p { b { (number::human(used as f64, "")) } " in use over " (drains.len()) @if drains.len() == 1 { " drain" } @else { " drains" }
                @if let Some(allowed) = allowed { ", " (allowed) " allowed of each" } @else { ", without a limit" } "." }
            @if let Some((used, limit)) = fullest {
                p class=(if used >= u64::from(limit) { "warn" } else { "dim" }) { "The fullest drain uses " (used) " of " (limit)
                    @if used >= u64::from(limit) { ": new streams are folded into others" } "." }
            }
        }
    }
}

fn programs(usage: &Usage) -> Markup {
    let largest = usage.day.largest();
    let all = usage.day.used.bytes.max(1);
    html! {
        section.card {
            h2 { "Today by system and program" }
            @if largest.is_empty() { p { "Nothing was kept today." } } @else {
                div.scroll tabindex="0" { table {
                    tr { th { "system" } th { "program" } th.n { "lines" } th.n { "size" } th.n { "share" } }
                    @for (system, program, used) in largest.iter().take(LISTED) {
                        tr { td.t { (LogText::plain(system.as_bytes(), NAME)) } td.t { (LogText::plain(program.as_bytes(), NAME)) }
                            td.n { (number::human(used.events as f64, "")) } td.n { (bytes(used.bytes)) }
                            td.n { (format!("{:.1} %", used.bytes as f64 * 100.0 / all as f64)) } }
                    }
                } }
                @if largest.len() > LISTED { p.dim { "and " (largest.len() - LISTED) " more" } }
            }
        }
    }
}

fn allowed(plan: Option<&Plan>) -> Markup {
    html! {
        section.card {
            h2 { "Plan" }
            @match plan {
                None => p { "There is none: the server's own limits hold." }
                Some(plan) => dl.facts {
                    div { dt { "name" } dd { (plan.name()) } }
                    div { dt { "lines can be searched" } dd { (plan.logs.search().map_or("as long as the server keeps them".to_owned(), time)) } }
                    div { dt { "archives are kept" } dd { (plan.logs.archive().map_or("none are asked for".to_owned(), time)) } }
                    div { dt { "volume of a day" } dd { (plan.logs.volume().map_or("no limit".to_owned(), bytes)) } }
                    div { dt { "metric streams of a drain" } dd { (plan.metrics.streams().map_or("no limit".to_owned(), |most| most.to_string())) } }
                }
            }
        }
    }
}

fn choose(frame: &Frame, plan: Option<&Plan>) -> Markup {
    let now = plan.map_or(NONE, Plan::name);
    html! {
        section.card {
            h2 { "Another plan" }
            form.line method="post" action=(frame.link("/account/plan")) {
                (frame.form_token())
                label { "Plan" select name="plan" {
                    option value=(NONE) selected[now == NONE] { "none" }
                    @for name in Plan::shipped_names() { option value=(name) selected[now == name] { (name) } }
                } }
                button.btn type="submit" name="do" value="try" { "See what would change" }
            }
        }
    }
}

fn bytes(number: u64) -> String {
    number::human(number as f64, "bytes")
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 172_800 => format!("{} days", seconds / 86_400),
        seconds => format!("{} hours", seconds / 3_600),
    }
}
