//! What names, texts and lists may be: the bounds of everything that a change can say.

use super::super::account::{Account, Alert, Filter, Group};
use super::super::purge::Purge;
use super::{CHANNELS, Misfit, NAME_BYTES, QUERY_BYTES, SYSTEMS, Unfit, WORDS};

/// Systems that one purge names.
const PURGED_SYSTEMS: usize = 1_000;

pub(super) fn fits_name(name: &str, what: &str) -> Result<(), Unfit> {
    if name.trim().is_empty() {
        return Err(Unfit::new(Misfit::Invalid, format!("{what} is not empty")));
    }
    if name.len() > NAME_BYTES {
        return Err(Unfit::new(Misfit::Invalid, format!("{what} has {NAME_BYTES} bytes at most")));
    }
    if name.chars().any(char::is_control) {
        return Err(Unfit::new(Misfit::Invalid, format!("{what} holds no control characters")));
    }
    Ok(())
}

pub(super) fn fits_text(text: &str, what: &str) -> Result<(), Unfit> {
    if text.len() > QUERY_BYTES {
        return Err(Unfit::new(Misfit::Invalid, format!("{what} has {QUERY_BYTES} bytes at most")));
    }
    Ok(())
}

pub(super) fn fits_filter(filter: &Filter) -> Result<(), Unfit> {
    fits_name(&filter.name, "a filter's name")?;
    if filter.text.is_empty() {
        return Err(Unfit::new(Misfit::Invalid, "a filter without a text would drop every line"));
    }
    fits_text(&filter.text, "a filter's text")
}

pub(super) fn fits_alert(alert: &Alert) -> Result<(), Unfit> {
    fits_name(alert.rule.name(), "an alert's name")?;
    if alert.channels.len() > CHANNELS {
        return Err(Unfit::new(Misfit::TooMany, format!("an alert tells {CHANNELS} channels at most")));
    }
    fits_text(&alert.description, "an alert's description")?;
    fits_text(alert.runbook.as_deref().unwrap_or_default(), "an alert's runbook")?;
    alert.rule.asked().map(drop).map_err(|why| Unfit::new(Misfit::Invalid, why))
}

/// Each line of an account may have to be asked about each word of its alerts, and the lines of all accounts wait meanwhile.
/// What was made when more could be had is there still, and may become less.
pub(super) fn fits_words(account: &Account, alert: &Alert, instead: Option<u32>) -> Result<(), Unfit> {
    let words = |but: Option<u32>| -> usize {
        let all = account.alerts.iter().filter(|(id, _)| Some(**id) != but);
        all.map(|(_, alert)| alert.rule.words()).sum()
    };
    let after = words(instead) + alert.rule.words();
    if after > WORDS.max(words(None)) {
        let why = format!("the alerts of an account look for {WORDS} words at most together, and these are {after}");
        return Err(Unfit::new(Misfit::TooMany, why));
    }
    Ok(())
}

pub(super) fn fits_group(group: &Group) -> Result<(), Unfit> {
    fits_name(&group.name, "a group's name")?;
    fits_text(group.wildcard.as_deref().unwrap_or_default(), "a group's wildcard")?;
    if group.systems.len() > SYSTEMS {
        return Err(Unfit::new(Misfit::TooMany, format!("a group lists {SYSTEMS} systems at most")));
    }
    group.systems.iter().try_for_each(|system| fits_name(system, "a system's name"))
}

pub(super) fn fits_purge(purge: &Purge) -> Result<(), Unfit> {
    fits_text(&purge.query, "a query")?;
    let is_name = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES;
    if purge.systems.len() > PURGED_SYSTEMS || !purge.systems.iter().all(is_name) {
        let why = "a purge names 1000 systems at most, and none is empty or longer than 256 bytes";
        return Err(Unfit::new(Misfit::Invalid, why));
    }
    if purge.from.zip(purge.to).is_some_and(|(from, to)| from >= to) {
        return Err(Unfit::new(Misfit::Invalid, "the time ends before it begins"));
    }
    Ok(())
}
