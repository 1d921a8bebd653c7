//! Alerts: rules with the channels that they tell. A rule is written as a file of rules has it, or taken from a template.
//!
//! ```text
//! POST /api/v2/alerts {"log": {"name": "Timeouts", "query": "code=H12", "minimum": 5}, "channels": [1]}
//! POST /api/v2/alerts {"template": "h12"}
//! ```

use super::channels::tell;
use super::problem::Problem;
use super::scans::told as time;
use super::{Asked, Done, LONGEST, blocking, json};
use crate::dashboards::Gate;
use logdrain_drain::alerts::file::{Asked as Ready, OfLines, OfMinutes, Rule, Rules};
use logdrain_drain::alerts::standing::{Is, Stand, Stands};
use logdrain_drain::alerts::templates::{self, TEMPLATES, what};
use logdrain_drain::alerts::told::{self, Condition, Facts, Kind, MetricFacts, Told};
use logdrain_drain::journal;
use logdrain_drain::settings::account::Alert;
use logdrain_drain::settings::change::Change;
use logdrain_terms::units::duration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An alert is muted for no longer than a year, in microseconds.
/// Alerts of a list, the most bytes of it, and letters of a sentence where a list is short.
const MOST: usize = 1_000;
const LIST: usize = LONGEST - 1_024;
const SHOWN: usize = 300;
const LONGEST_MUTE: i64 = 366 * 86_400_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    log: Option<OfLines>,
    metric: Option<OfMinutes>,
    template: Option<String>,
    channels: Option<BTreeSet<u32>>,
    on: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mute {
    /// A time as of RFC 3339.
    until: Option<String>,
    /// `2h`
    #[serde(rename = "for")]
    length: Option<String>,
}

/// The rule that somebody wrote down or chose; `None` if he did neither.
///
/// # Errors
/// When he did more than one, or there is something wrong with it.
pub(super) fn rule_of(
    log: Option<OfLines>,
    metric: Option<OfMinutes>,
    template: Option<String>,
) -> Result<Option<Rule>, Problem> {
    let mut rule = match (log, metric, template) {
        (None, None, None) => return Ok(None),
        (Some(rule), None, None) => Rule::Lines(rule),
        (None, Some(rule), None) => Rule::Minutes(rule),
        (None, None, Some(name)) => template_of(&name)?,
        _ => return Err(Problem::wrong("say one of log, metric and template")),
    };
    rule.trim();
    ready(&rule)?;
    Ok(Some(rule))
}

fn template_of(name: &str) -> Result<Rule, Problem> {
    templates::rule(name).ok_or_else(|| {
        let known: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        Problem::wrong(format!("there is no template of this name; there are {}", known.join(", ")))
    })
}

pub(super) fn no_rule() -> Problem {
    Problem::wrong("the rule is missing: say log, metric or template")
}

/// A rule as it is asked, alone.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ready(rule: &Rule) -> Result<Rules, Problem> {
    let name = rule.name().to_owned();
    let mut rules = Rules::default();
    match rule.asked().map_err(Problem::wrong)? {
        Ready::Lines(rule, due) => rules.logs.push((name, rule, due)),
        Ready::Minutes(rule) => rules.metrics.push((name, rule)),
    }
    Ok(rules)
}

/// What a rule asks, in words.
pub(super) fn says(rule: &Rule) -> String {
    match rule.asked() {
        Ok(Ready::Lines(rule, _)) => rule.to_string(),
        Ok(Ready::Minutes(rule)) => rule.to_string(),
        Err(why) => why,
    }
}

/// What each alert told last.
type Last = BTreeMap<u32, (Kind, i64)>;

async fn last(asked: &Arc<Asked>) -> Result<Last, Problem> {
    blocking(asked, |asked| asked.site().alerts.outbox().last_of_each(&asked.viewer.account).map_err(Problem::from))
        .await
}

fn shape(asked: &Asked, (id, alert): (u32, &Alert), last: &Last) -> Value {
    let stands = asked.site().alerts.outbox().standings().get(&asked.viewer.account);
    shape_of(asked, (id, alert), last, &stands)
}

fn shape_of(asked: &Asked, (id, alert): (u32, &Alert), last: &Last, stands: &Stands) -> Value {
    let mut told = brief_of(asked, (id, alert), last, stands);
    if let (Some(told), Ok(Value::Object(rule))) = (told.as_object_mut(), serde_json::to_value(&alert.rule)) {
        told.extend(rule);
    }
    told
}

/// How an alert is called and stands, without its rule.
fn brief_of(asked: &Asked, (id, alert): (u32, &Alert), last: &Last, stands: &Stands) -> Value {
    let muted_until = alert.muted_until.filter(|until| *until > asked.now());
    let last = last.get(&id);
    // One that nobody has asked yet has seen nothing.
    let is = if matches!(alert.rule, Rule::Minutes(_)) { Is::NoData } else { Is::Ok };
    let stand = stands.get(&id).copied().unwrap_or(Stand { is, ..Stand::default() });
    let (state, since) = match (alert.is_on, muted_until) {
        (false, _) => ("off", None),
        (true, Some(_)) => ("muted", None),
        (true, None) => (stand.is.word(), stand.since),
    };
    let left_out = if since.is_some() { stand.left_out } else { 0 };
    json!({
        "id": id,
        "name": alert.rule.name(),
        "says": says(&alert.rule),
        "on": alert.is_on,
        "state": state,
        "since": since.map(time),
        "left_out": left_out,
        "last": last.map(|(_, at)| time(*at)),
        "muted_until": muted_until.map(time),
        "channels": alert.channels,
    })
}

pub(super) async fn list(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let last = last(asked).await?;
    let alerts = &asked.settings.account(&asked.viewer.account).alerts;
    let stands = asked.site().alerts.outbox().standings().get(&asked.viewer.account);
    let parameters = asked.parameters();
    let most = parameters.number("limit", 1..=MOST, MOST)?;
    let after = parameters.number("after", 0..=u32::MAX as usize, 0)?;
    let is_brief = parameters.text("brief").is_some_and(|text| text == "true");
    let behind = |id: &u32| usize::try_from(*id).is_ok_and(|id| id > after);
    let (mut told, mut len, mut has_more) = (Vec::new(), 0, false);
    for (id, alert) in alerts.iter().filter(|(id, _)| behind(id)) {
        let mut one = if is_brief {
            brief_of(asked, (*id, alert), &last, &stands)
        } else {
            shape_of(asked, (*id, alert), &last, &stands)
        };
        if is_brief && let Some(Value::String(says)) = one.get_mut("says") {
            *says = shortened(says);
        }
        len += one.to_string().len() + 1;
        // There is always one, or nobody came to the next.
        if told.len() >= most || (len > LIST && !told.is_empty()) {
            has_more = true;
            break;
        }
        told.push(one);
    }
    Ok(Done::Json(json(&json!({ "alerts": told, "more": has_more }))?))
}

/// A sentence, as a list shows it.
fn shortened(says: &str) -> String {
    match says.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &says[..end]),
        None => says.to_owned(),
    }
}

pub(super) fn all_templates() -> Result<Done, Problem> {
    let all: Vec<Value> = TEMPLATES
        .iter()
        .map(|(name, text)| {
            let rule = template_of(name)?;
            let mut told = json!({ "template": name, "for": what(text), "says": says(&rule) });
            if let (Some(told), Ok(Value::Object(rule))) = (told.as_object_mut(), serde_json::to_value(&rule)) {
                told.extend(rule);
            }
            Ok(told)
        })
        .collect::<Result<_, Problem>>()?;
    Ok(Done::Json(json(&json!({ "templates": all }))?))
}

/// The alert in the path, as it is on the disk.
pub(super) fn found(asked: &Asked) -> Result<Alert, Problem> {
    let settings = asked.site().intake.settings();
    let alert = settings.account(&asked.viewer.account).alerts.get(&asked.id);
    alert.cloned().ok_or_else(|| Problem::nothing("there is no such alert"))
}

pub(super) async fn show(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    as_it_is(asked).await
}

/// The alert in the path, as it is told.
async fn as_it_is(asked: &Arc<Asked>) -> Result<Done, Problem> {
    let alert = found(asked)?;
    let last = last(asked).await?;
    Ok(Done::Json(json(&shape(asked, (asked.id, &alert), &last))?))
}

pub(super) async fn add(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    let rule = rule_of(said.log, said.metric, said.template)?.ok_or_else(no_rule)?;
    let alert =
        Alert { channels: said.channels.unwrap_or_default(), is_on: said.on.unwrap_or(true), ..Alert::new(rule) };
    may_watch(asked, &alert.rule)?;
    fits(asked, &alert).await?;
    let made = asked.change(Change::AddAlert { account: asked.account(), alert: alert.clone() }).await?;
    let id = made.id.unwrap_or(0);
    Ok(Done::Made(json(&shape(asked, (id, &alert), &Last::new()))?, format!("/api/v2/alerts/{id}")))
}

pub(super) async fn set(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    let _alone = asked.alone().await?;
    let known = found(asked)?;
    let mut alert = known.clone();
    if let Some(rule) = rule_of(said.log, said.metric, said.template)? {
        alert.rule = rule;
    }
    if let Some(channels) = said.channels {
        alert.channels = channels;
    }
    alert.is_on = said.on.unwrap_or(alert.is_on);
    if alert != known {
        if alert.is_on {
            may_watch(asked, &alert.rule)?;
        }
        fits(asked, &alert).await?;
        asked.change(Change::SetAlert { account: asked.account(), id: asked.id, alert: alert.clone() }).await?;
    }
    as_it_is(asked).await
}

/// Plans that show the Overview of an hour have alerts on lines alone. A rule that is off looks at nothing.
pub(super) fn may_watch(asked: &Asked, rule: &Rule) -> Result<(), Problem> {
    let settings = asked.site().intake.settings();
    match (rule, Gate::of(&settings, &asked.viewer.account).overview_only) {
        (Rule::Minutes(_), true) => Err(Problem::forbidden(
            "the plan of this account has alerts on lines alone: another plan has those on metrics",
        )),
        _ => Ok(()),
    }
}

/// The channels of an alert are there.
async fn fits(asked: &Arc<Asked>, alert: &Alert) -> Result<(), Problem> {
    if alert.channels.is_empty() {
        return Ok(());
    }
    let known = blocking(asked, |asked| Ok(asked.site().directory.channels(&asked.viewer.account)?)).await?;
    match alert.channels.iter().find(|id| !known.iter().any(|channel| channel.id == **id)) {
        Some(id) => Err(Problem::wrong(format!("there is no channel {id}"))),
        None => Ok(()),
    }
}

pub(super) async fn remove(asked: &Asked) -> Result<Done, Problem> {
    asked.changes()?;
    asked.change(Change::RemoveAlert { account: asked.account(), id: asked.id }).await?;
    Ok(Done::Gone)
}

pub(super) async fn mute(asked: &Arc<Asked>, said: Mute) -> Result<Done, Problem> {
    asked.changes()?;
    let now = asked.now();
    let until = match (said.until, said.length) {
        (Some(until), None) => {
            let until: Option<jiff::Timestamp> = until.parse().ok();
            until
                .map(jiff::Timestamp::as_microsecond)
                .ok_or_else(|| Problem::wrong("until is no time as 2026-11-28T12:00:00Z"))?
        }
        (None, Some(length)) => {
            let length = duration(&length).map_err(|why| Problem::wrong(format!("for = \"{length}\": {why}")))?;
            now.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
        }
        _ => return Err(Problem::wrong("say one of until and for: how long it is to be silent")),
    };
    if until <= now {
        return Err(Problem::wrong("until is over already"));
    }
    if until > now.saturating_add(LONGEST_MUTE) {
        return Err(Problem::wrong("an alert is muted for a year at most: turn it off by on = false"));
    }
    muted(asked, Some(until)).await
}

pub(super) async fn unmute(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    muted(asked, None).await
}

async fn muted(asked: &Arc<Asked>, until: Option<i64>) -> Result<Done, Problem> {
    asked.change(Change::MuteAlert { account: asked.account(), id: asked.id, until }).await?;
    as_it_is(asked).await
}

/// What it has told and not cleared is cleared; it may tell again at once.
pub(super) async fn rearm(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    asked.change(Change::ClearAlert { account: asked.account(), id: asked.id }).await?;
    as_it_is(asked).await
}

/// Sends a message that says that it is a test to its channels.
pub(super) async fn test(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    let alert = found(asked)?;
    if alert.channels.is_empty() {
        return Err(Problem::wrong("the alert tells nobody: give it a channel first"));
    }
    let (account, now) = (asked.account(), journal::now().unix_micros());
    let mut told = Told::sample(&account, 0, now);
    told.id = told::id(&account, asked.id, &["test", &now.to_string()]);
    (told.alert, told.name) = (asked.id, alert.rule.name().to_owned());
    told.channels = alert.channels.iter().copied().collect();
    match (&alert.rule, &mut told.facts) {
        (Rule::Lines(rule), Facts::Log(facts)) => {
            facts.query.clone_from(&rule.query);
            facts.frequency = rule.period.clone().unwrap_or_else(|| "1 minute".to_owned());
        }
        (Rule::Minutes(rule), facts) => {
            *facts = Facts::Metric(MetricFacts {
                incident: format!("logdrain-{account}-{}-test", asked.id),
                conditions: rule.when.iter().map(Condition::of).collect(),
                ..MetricFacts::default()
            });
        }
        _ => {}
    }
    tell(asked, told).await
}
