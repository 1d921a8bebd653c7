//! Notices of plans: nine tenths of a day's volume are used, all of it is, or a drain has no room for more metric streams.
//!
//! ```text
//! usage, quotas -> what is to be said today -> outbox, under an id of that day -> channels that want notices
//! ```
//!
//! Nothing of it is in the journal, and nothing has to be remembered: a message of the same day and kind has the same id, which
//! the outbox keeps once.

use crate::alerts::channel::sending::Sender;
use crate::alerts::outbox::MOST_CHANNELS;
use crate::alerts::told::{Facts, Kind, Told, id};
use crate::counting::board::{Board, Shown};
use crate::directory::Directory;
use crate::drain_name::DrainName;
use crate::journal::Progress;
use crate::logs::{self, Notice, Usage};
use crate::noting::called;
use crate::settings::Settings;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(15);
const DAY: i64 = 86_400_000_000;
/// Notices that are remembered, so that the disk is not asked for each again.
const REMEMBERED: usize = 10_000;

/// What is looked at.
#[derive(Debug)]
pub struct Looks {
    pub sender: Sender,
    pub directory: Arc<Directory>,
    pub logs: logs::Boards,
    pub counting: Board,
    pub progress: Arc<Progress>,
}

/// Looks for as long as the program goes on.
pub async fn look(looks: Looks, settings: impl Fn() -> Arc<Settings> + Send) {
    let mut kept: HashSet<String> = HashSet::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(now) = looks.progress.time.believed().filter(|_| looks.directory.is_open()) else { continue };
        let directory = looks.directory.clone();
        let wanted = tokio::task::spawn_blocking(move || directory.channels_with_notices()).await;
        let Ok(Ok(wanted)) = wanted else { continue };
        let shown = looks.counting.copy();
        let settings = settings();
        let of_account = |(account, channels): (&String, &Vec<u32>)| {
            of(account, channels, (&looks.logs.usage(account, now), &shown, &settings), now)
        };
        let new: Vec<Told> = wanted.iter().flat_map(of_account).filter(|told| !kept.contains(&told.id)).collect();
        if new.is_empty() {
            continue;
        }
        let ids: Vec<String> = new.iter().map(|told| told.id.clone()).collect();
        let outbox = looks.sender.outbox().clone();
        if let Ok(Ok(())) = tokio::task::spawn_blocking(move || outbox.keep(&new)).await {
            if kept.len() >= REMEMBERED {
                kept.clear();
            }
            kept.extend(ids);
        }
    }
}

/// What is to be said of an account today.
fn of(account: &str, channels: &[u32], (usage, shown, settings): (&Usage, &Shown, &Settings), now: i64) -> Vec<Told> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    if let Some(notice) = usage.notice() {
        let percent = usage.percent().unwrap_or_default();
        let (key, why) = match notice {
            Notice::Near => ("near", format!("{percent:.0} % of the plan's volume of today are used")),
            Notice::Full => {
                ("full", "the plan's volume of today is used: lines are kept on up to its hard limit".to_owned())
            }
            Notice::Stopped => (
                "stopped",
                "the plan's volume of today is used: new lines are not kept until midnight (UTC)".to_owned(),
            ),
        };
        said.insert(key.to_owned(), why);
    }
    for (key, drain) in &shown.drains {
        if let Some(limit) = drain.quota_limit
            && drain.quota_used >= u64::from(limit)
            && settings.account_of(key) == account
        {
            let name = DrainName::of(key).shown();
            let why = format!("{name} has the {limit} metric streams that the plan allows: new ones are refused");
            said.insert(format!("streams of {name}"), why);
        }
    }
    let day = called(now.div_euclid(DAY).unsigned_abs());
    let told = said.into_iter().map(|(key, why)| Told {
        id: id(account, 0, &["plan", &day, &key]),
        account: account.to_owned(),
        alert: 0,
        name: "Plan".to_owned(),
        kind: Kind::Notice,
        at: now,
        channels: channels.iter().copied().take(MOST_CHANNELS).collect(),
        is_muted: false,
        description: String::new(),
        runbook: None,
        zone: None,
        why,
        facts: Facts::Nothing,
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::board::Drain;
    use crate::logs::{Day, Limits, Used};

    #[test]
    fn each_is_said_once_a_day_to_the_channels_that_want_it() {
        let settings = crate::logs::tests::settings();
        let usage = |bytes| {
            let mut day = Day::default();
            day.used = Used { bytes, events: 1 };
            Usage { day, limits: Limits { volume: Some(100), hard_limit: None } }
        };
        let drain = |used| Drain { quota_used: used, quota_limit: Some(25), ..Drain::default() };
        let shown = |used| {
            let mut shown = Shown::default();
            shown.drains.insert("shop/d.1".into(), drain(used));
            shown
        };
        let said = |bytes, streams, now| of("default", &[7], (&usage(bytes), &shown(streams), &settings), now);
        assert_eq!(said(89, 24, 0), []);
        let near = said(90, 24, 5);
        assert_eq!((near.len(), near[0].why.as_str()), (1, "90 % of the plan's volume of today are used"));
        assert_eq!((near[0].channels.as_slice(), near[0].kind, near[0].alert), (&[7][..], Kind::Notice, 0));
        assert_eq!(said(95, 24, DAY - 1)[0].id, near[0].id, "the same all day");
        assert_ne!(said(95, 24, DAY)[0].id, near[0].id);
        let both = said(100, 25, 5);
        assert_eq!(both.len(), 2);
        assert!(
            both[0].why.contains("not kept until midnight") && both[1].why.contains("25 metric streams"),
            "{both:?}"
        );
        assert!(both.iter().all(|told| told.id != near[0].id), "one more, and not the same again");
        assert_eq!(of("other", &[7], (&usage(0), &shown(25), &settings), 5), [], "of another account");
    }
}
