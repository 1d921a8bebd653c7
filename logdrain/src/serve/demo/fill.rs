//! The past: deliveries as they would have come, and a tick each minute, in the order of their time.

use crate::demo::{self, APPS, Line, Stamp, Story};
use crate::serve::config::Config;
use heroku_metrics::model::Timestamp;
use logdrain_drain::alerts::templates;
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::event::{Body, Event, Record};
use logdrain_drain::journal::{Offer, Old, Partition as _, Store, StoreError};
use logdrain_drain::settings::account::{Alert, Filter, Group, Search};
use logdrain_drain::settings::change::Change;
use std::collections::BTreeSet;
use std::mem::take;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc;
use std::thread;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60;
/// How much of the past a transaction holds, in minutes.
const AT_ONCE: i64 = 60;
/// How long lines wait for their delivery, in seconds: long ago, and in the last hours, which are looked at line by line.
const LONG_AGO: i64 = 20;
const LATELY: i64 = 4;
/// The templates that its alerts are of; a test finds each of them.
const ALERTS: [&str; 3] = ["h12", "memory", "slow"];
/// So many minutes are lately.
const LATE: i64 = 120;
/// Who delivers: an address of those for documentation.
pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 18));

/// What was filled in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) lines: u64,
    /// The last event of the journal.
    pub(crate) position: u64,
}

/// Writes so many minutes up to this time, in microseconds since 1970.
pub(super) fn fill(config: &Config, story: Story, minutes: i64, until: i64) -> Result<Filled, StoreError> {
    let mut store = Store::open(&config.store, config.limits.drains, config.journal_limit)?;
    // Lines are made by one, written by the other.
    let (offers, made) = mpsc::sync_channel(2);
    thread::scope(|scope| {
        scope.spawn(move || {
            past(config, story, (minutes, until), &mut |hour, lines| offers.send((hour, lines)).is_ok());
        });
        let mut filled = Filled::default();
        for (hour, lines) in made {
            store.append(hour, 0, &mut nothing_old())?;
            filled.lines += lines;
        }
        filled.position = store.position();
        store.settle()?;
        Ok(filled)
    })
}

/// Everything is still needed.
fn nothing_old() -> Old {
    Old { behind: 0, before: Timestamp::from_unix_micros(i64::MIN), ids: false, rows: 0, given: 0 }
}

/// Hands out hour by hour, as long as somebody takes them, with how many lines they hold.
fn past(config: &Config, story: Story, (minutes, until): (i64, i64), out: &mut dyn FnMut(Vec<Offer>, u64) -> bool) {
    let mut hour = beginning(config);
    let mut lines = 0;
    let mut waiting: Vec<(i64, Event)> = Vec::new();
    let mut stamp = Stamp::default();
    let first = story.end() - minutes * MINUTE;
    for number in 0..=minutes {
        let minute = first + number * MINUTE;
        let tick = minute * SECOND + 30_000;
        // What was still on its way when the minute began, and the minute.
        let behind = take_until(&mut waiting, tick);
        hour.extend(behind.into_iter().map(offer));
        hour.push(offer(Event::Tick(Timestamp::from_unix_micros(tick))));
        for app in APPS {
            let all = story.lines(app, minute);
            let all: Vec<_> = all.into_iter().take_while(|line| line.at <= until).collect();
            lines += all.len() as u64;
            let wait = if story.end() - minute > LATE * MINUTE { LONG_AGO } else { LATELY };
            let mut rest = &all[..];
            while let Some(line) = rest.first() {
                let end = (line.at.div_euclid(wait * SECOND) + 1) * wait * SECOND;
                let (now, later) = rest.split_at(rest.partition_point(|line| line.at < end));
                let received = (end + 90_000 + 37_000 * app.name.len() as i64).min(until);
                waiting.push((received, Event::Delivery(delivery(app.token, received, now, &mut stamp))));
                rest = later;
            }
        }
        waiting.sort_by_key(|(received, _)| *received);
        if number % AT_ONCE == AT_ONCE - 1 && !out(take(&mut hour), take(&mut lines)) {
            return;
        }
    }
    hour.extend(take_until(&mut waiting, i64::MAX).into_iter().map(offer));
    out(hour, lines);
}

/// Those that came before this time; they are sorted.
fn take_until(waiting: &mut Vec<(i64, Event)>, time: i64) -> Vec<Event> {
    let count = waiting.partition_point(|(received, _)| *received < time);
    waiting.drain(..count).map(|(_, event)| event).collect()
}

const fn offer(event: Event) -> Offer {
    Offer { key: None, event }
}

/// A delivery with these lines, packed for the disk.
pub(super) fn delivery(token: &str, received: i64, lines: &[Line], stamp: &mut Stamp) -> Record {
    let mut body = Vec::with_capacity(lines.len() * 300);
    for line in lines {
        demo::frame(&mut body, line, stamp);
    }
    let body = Body::new(body, None);
    let received = Timestamp::from_unix_micros(received);
    let mut record =
        Record { peer: Some(PEER), msg_count: Some(lines.len() as u64), ..Record::new(token.into(), received, body) };
    record.body.pack(None);
    record
}

/// What holds from the beginning: the configuration, the names of the apps, and what an account would have said.
fn beginning(config: &Config) -> Vec<Offer> {
    let account = || DEFAULT_ACCOUNT.to_owned();
    let names =
        APPS.iter().map(|app| Change::App { drain: app.token.to_owned(), app: app.name.to_owned(), instead: None });
    let group = |name: &str, systems: &[&str], wildcard: Option<&str>| {
        let systems: BTreeSet<_> = systems.iter().map(|&system| system.to_owned()).collect();
        let group = Group { name: name.to_owned(), systems, wildcard: wildcard.map(ToOwned::to_owned) };
        Change::AddGroup { account: account(), group }
    };
    let search = |name: &str, query: &str| Change::AddSearch {
        account: account(),
        search: Search { name: name.to_owned(), query: query.to_owned(), group: None },
    };
    // Were it on, archives would say of each hour that lines are missing.
    let filter =
        Filter { name: "health checks".to_owned(), text: "path=\"/health\"".to_owned(), is_regex: false, is_on: false };
    let changes = names.chain([
        group("Tea", &["shop", "depot"], None),
        group("Everything public", &[], Some("shop, blog")),
        search("Errors of the router", "program:heroku/router (code=H OR status=5)"),
        search("Memory", "\"Error R14\" OR \"Error R15\""),
        search("Releases", "program:app/api Release"),
        search("Slow database", "severity:error StatementTimeout"),
        Change::AddFilter { account: account(), filter },
    ]);
    // They tell nobody: what they found stands on their pages.
    let alerts = ALERTS.iter().filter_map(|name| {
        let Some(rule) = templates::rule(name) else {
            tracing::error!(name, "there is no template of that name, and the demo lacks its alert");
            return None;
        };
        Some(Change::AddAlert { account: account(), alert: Alert::new(rule) })
    });
    let changes = changes.chain(alerts);
    let settings = Event::Settings(Box::new(config.settings.clone()));
    let changes = changes.map(|change| Event::Change { change: Box::new(change), id: None });
    std::iter::once(settings).chain(changes).map(offer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ServeArgs;

    #[test]
    fn all_alerts_of_the_demo_are_of_templates_that_there_are() {
        let config = Config::from_text(&ServeArgs::default(), "").unwrap();
        let all = beginning(&config);
        let is_alert = |offer: &&Offer| matches!(&offer.event, Event::Change { change, .. } if matches!(**change, Change::AddAlert { .. }));
        assert_eq!(all.iter().filter(is_alert).count(), ALERTS.len());
    }
}
