//! Plans: which there are, which an account has, and what another one would change.

use super::problem::Problem;
use super::{Asked, Done, json};
use heroku_metrics::model::Timestamp;
use logdrain_drain::settings::change::Change;
use logdrain_terms::plan::Plan;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Null is none, and must be said.
    #[serde(deserialize_with = "Value::deserialize")]
    plan: Value,
    #[serde(default)]
    dry_run: bool,
}

pub(super) fn list() -> Result<Done, Problem> {
    let plans: Vec<_> = Plan::shipped_names().filter_map(Plan::shipped).map(|plan| shape(Some(&plan))).collect();
    Ok(Done::Json(json(&json!({ "plans": plans }))?))
}

fn shape(plan: Option<&Plan>) -> Value {
    let Some(plan) = plan else { return Value::Null };
    let mut told = serde_json::to_value(plan).unwrap_or_default();
    told["name"] = plan.name().into();
    told
}

pub(super) fn show(asked: &Asked) -> Result<Done, Problem> {
    let account = asked.settings.account(&asked.viewer.account);
    let since = (account.plan_since > 0).then(|| Timestamp::from_unix_micros(account.plan_since).to_string());
    Ok(Done::Json(json(&json!({ "plan": shape(account.plan.as_ref()), "since": since }))?))
}

/// The plan that is asked for: by name, whole, or none.
fn asked_for(said: &Value) -> Result<Option<Plan>, Problem> {
    let plan = match said {
        Value::Null => return Ok(None),
        Value::String(name) => Plan::shipped(name).ok_or_else(|| {
            let names: Vec<_> = Plan::shipped_names().collect();
            Problem::wrong(format!("there is no plan of this name; there are {}", names.join(", ")))
        })?,
        Value::Object(_) => {
            let text = said.to_string();
            Plan::of_json(&text).map_err(|why| Problem::wrong(format!("plan: {why}")))?
        }
        _ => return Err(Problem::wrong("plan is a name, an object, or null for none")),
    };
    Ok(Some(plan))
}

/// Who may see what a plan would change may see usage, and who changes it has the right to.
pub(super) async fn set(asked: &Asked, said: Said) -> Result<Done, Problem> {
    let plan = asked_for(&said.plan)?;
    let is_lawful = if said.dry_run { asked.viewer.sees_all_groups() } else { asked.viewer.may_change_plans() };
    if !is_lawful {
        return Err(Problem::forbidden("plans are changed by who has the right to change plans"));
    }
    let now = logdrain_drain::journal::now().unix_micros();
    let settings = asked.site().intake.settings();
    let known = settings.account(&asked.viewer.account).plan.as_ref();
    let used = asked.site().logs.usage(&asked.viewer.account, now).day.used.bytes;
    let effects = effects(known, plan.as_ref(), used);
    let told = json(&json!({ "plan": shape(plan.as_ref()), "dry_run": said.dry_run, "effects": effects }))?;
    if !said.dry_run && known != plan.as_ref() {
        asked.change(Change::Plan { account: asked.account(), plan, at: now }).await?;
    }
    Ok(Done::Json(told))
}

/// What another plan changes, in sentences.
fn effects(known: Option<&Plan>, plan: Option<&Plan>, used_today: u64) -> Vec<String> {
    let mut all = Vec::new();
    let search = |plan: Option<&Plan>| plan.and_then(|plan| plan.logs.search());
    let (before, after) = (search(known), search(plan));
    match after {
        _ if before == after => {}
        Some(after) if before.is_none_or(|before| after < before) => all.push(format!(
            "Lines older than {} are hidden at once and deleted after 7 days; until then another plan shows them again.",
            time(after)
        )),
        Some(after) => all.push(format!("Lines can be searched for {}, as far as they are there.", time(after))),
        None => all.push("Lines can be searched for as long as the server keeps them.".to_owned()),
    }
    let volume = |plan: Option<&Plan>| plan.and_then(|plan| plan.logs.hard_limit());
    match volume(plan) {
        after if volume(known) == after => {}
        Some(limit) if used_today >= limit => all.push(format!(
            "{used_today} bytes were used today and {limit} may be: nothing more is kept until midnight UTC. Metrics go on."
        )),
        Some(limit) => all.push(format!("{limit} bytes may be kept a day; {used_today} were used today.")),
        None => all.push("There is no limit to the volume of a day.".to_owned()),
    }
    let archive = |plan: Option<&Plan>| plan.and_then(|plan| plan.logs.archive());
    match archive(plan) {
        after if archive(known) == after => {}
        Some(after) => all.push(format!("Archives are kept for {}.", time(after))),
        None => all.push("The plan asks for no archives.".to_owned()),
    }
    let streams = |plan: Option<&Plan>| plan.and_then(|plan| plan.metrics.streams());
    match streams(plan) {
        after if streams(known) == after => {}
        Some(streams) => {
            all.push(format!("{streams} metric streams are allowed of each drain; those beyond are folded."))
        }
        None => all.push("There is no limit to metric streams.".to_owned()),
    }
    all
}

fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => format!("{} hours", seconds / 3_600),
        seconds => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_said_of_what_changes_alone() {
        let (small, large) = (Plan::shipped("choklad"), Plan::shipped("volmar"));
        let (small, large) = (small.as_ref(), large.as_ref());
        assert_eq!(effects(small, small, 7), [""; 0]);
        let down = effects(large, small, 7).join("\n");
        assert!(
            down.contains("older than 2 days are hidden") && down.contains("10485760 bytes may be kept a day; 7"),
            "{down}"
        );
        assert!(effects(large, small, 10 << 20).join("\n").contains("nothing more is kept until midnight"));
        let up = effects(small, large, 7).join("\n");
        assert!(up.contains("searched for 14 days") && up.contains("Archives are kept for 365 days"), "{up}");
        assert!(effects(small, None, 7).join("\n").contains("as long as the server keeps them"));
        assert!(effects(None, small, 7).join("\n").contains("hidden at once"));
    }
}
