//! Rules on lines: asked of each line that the filters let through, whether or not there is volume left for it.

use super::file::Standing;
use super::of_account::{Engine, OfAccount, in_force};
use super::owed::{Owed, Place};
use super::room::Room;
use super::telling;
use crate::alerts::file::{self, Due, OfLines, Rule};
use crate::alerts::standing::{Is, Of, Stand, Stands};
use crate::alerts::told::Line;
use crate::settings::Settings;
use crate::settings::account::Alert;
use crate::settings::change::Change;
use alert_rules::{LogRule, LogRules, Tick, Verdict};
use heroku_metrics::model::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// The lines of a window that are asked for when it is told.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub account: &'a str,
    pub rule: &'a OfLines,
    /// Rising.
    pub ids: &'a [u64],
}

/// The rules on lines of all accounts.
#[derive(Debug)]
pub struct LineRules {
    accounts: BTreeMap<String, OfAccount<Lines>>,
    /// The last event of the journal that they know.
    position: u64,
    /// The last id that an event or a tick had. The journal leaves a step of ids free for each tick.
    last: u64,
    tick: Option<Tick>,
    /// Something was lost since the tick.
    has_lost: bool,
    /// What all of them may remember.
    room: Room,
    owed: Owed,
    place: Place,
    written: u64,
}

#[derive(Debug)]
struct Lines {
    rules: LogRules,
    /// Of daily rules.
    dues: BTreeMap<u64, Due>,
}

impl Engine for Lines {
    fn is_of(rule: &Rule) -> bool {
        matches!(rule, Rule::Lines(_))
    }

    fn put(&mut self, alert: u64, asked: file::Asked) {
        if let file::Asked::Lines(rule, due) = asked {
            // A day that ends at another time is another rule, which begins anew.
            if self.dues.insert(alert, due.clone()).is_some_and(|before| before != due) {
                self.rules.remove(alert);
            }
            self.rules.set(alert, rule);
        }
    }

    fn take_out(&mut self, alert: u64) {
        self.dues.remove(&alert);
        self.rules.remove(alert);
    }
}

impl LineRules {
    /// As they stood when they were written down last. `position` and `settings` are where the one who feeds them begins, and
    /// `head` is where the journal ends.
    pub fn open(store: &Path, mut owed: Owed, (position, settings): (u64, &Settings), head: u64) -> Self {
        let (place, stood) = owed.place(store, "lines", head);
        let mut all = Self {
            accounts: BTreeMap::new(),
            position,
            last: 0,
            tick: None,
            has_lost: false,
            room: Room::of(settings),
            owed,
            place,
            written: 0,
        };
        if let Some((standing, states)) = stood {
            all.restore(standing, &states);
        }
        if all.position < position {
            // Nobody asked them of what is between.
            all.has_lost = !all.accounts.is_empty();
            if all.has_lost {
                tracing::error!(from = all.position, to = position, "rules on lines did not see a part of the journal");
            }
            all.position = position;
            all.room = Room::of(settings);
            settings.accounts.iter().for_each(|(name, account)| all.use_alerts(name, &account.alerts));
            all.accounts.retain(|name, _| settings.accounts.contains_key(name));
        } else if all.accounts.is_empty() && all.position == position {
            settings.accounts.iter().for_each(|(name, account)| all.use_alerts(name, &account.alerts));
        }
        all.written = all.position;
        all.share();
        all.accounts.iter().for_each(|(name, of)| all.owed.standings().say(Of::Lines, name, &of.stands));
        all
    }

    fn restore(&mut self, standing: Standing, states: &[Vec<u8>]) {
        let Standing { position, last, tick, accounts, mut stands, alert_bytes, .. } = standing;
        self.room = Room::of_bytes(alert_bytes);
        (self.position, self.last) = (position, last);
        self.tick = tick.map(|(id, time)| Tick::new(id, Timestamp::from_unix_micros(time)));
        let now = self.now();
        for ((name, alerts), state) in accounts.into_iter().zip(states) {
            let mut dues = BTreeMap::new();
            let rules: Vec<(u64, LogRule)> = in_force(&alerts, now)
                .filter_map(|(id, asked)| match asked {
                    file::Asked::Lines(rule, due) => {
                        dues.insert(id, due);
                        Some((id, rule))
                    }
                    file::Asked::Minutes(_) => None,
                })
                .collect();
            match LogRules::restore(state, rules) {
                Ok(rules) => {
                    let stands = stands.remove(&name).unwrap_or_default();
                    self.accounts.insert(name, OfAccount::with(Lines { rules, dues }, alerts, stands, now));
                }
                Err(error) => {
                    tracing::error!(account = name, %error, "where its rules on lines stood cannot be read: they begin anew");
                    self.has_lost = true;
                    self.use_alerts(&name, &alerts);
                }
            }
        }
    }

    /// What windows of each account record.
    fn share(&mut self) {
        let (records, cache) = (self.room.records(self.accounts.len()), self.room.lines_cache(self.accounts.len()));
        for of in self.accounts.values_mut() {
            of.engine.rules.set_most_records(records);
            of.engine.rules.set_cache(cache);
        }
    }

    /// The configuration has changed.
    pub fn configure(&mut self, seq: u64, settings: &Settings) {
        if self.is_new(seq) {
            (self.position, self.room) = (seq, Room::of(settings));
            self.share();
        }
    }

    fn now(&self) -> i64 {
        self.tick.map_or(i64::MIN, |tick| tick.time().unix_micros())
    }

    /// Whether an event of the journal is new to them.
    const fn is_new(&self, seq: u64) -> bool {
        seq > self.position
    }

    /// Whether whoever feeds them has to wait: what they told cannot be kept.
    pub fn must_wait(&mut self) -> bool {
        self.owed.must_wait()
    }

    /// The rules that lines of an account in this event are for; `None` when there are none, and mostly there are none.
    pub fn of(&mut self, seq: u64, account: &str) -> Option<&mut LogRules> {
        if self.accounts.is_empty() || !self.is_new(seq) {
            return None;
        }
        self.accounts.get_mut(account).map(|of| &mut of.engine.rules)
    }

    /// All lines of a delivery are in, up to this id.
    pub fn delivered(&mut self, seq: u64, last: u64) {
        if self.is_new(seq) {
            (self.position, self.last) = (seq, self.last.max(last));
        }
    }

    /// An event that is nothing to them, or that cannot be read: then what was in it is not known.
    pub fn pass(&mut self, seq: u64, is_lost: bool) {
        if self.is_new(seq) {
            self.position = seq;
            self.has_lost |= is_lost;
        }
    }

    /// The settings have changed.
    pub fn follow(&mut self, seq: u64, change: &Change, settings: &Settings) {
        if !self.is_new(seq) {
            return;
        }
        self.position = seq;
        let Some(account) = change.account() else { return };
        if matches!(change, Change::Destroy { .. }) {
            self.accounts.remove(account);
            self.owed.forget(account);
            self.owed.standings().say(Of::Lines, account, &Stands::new());
            self.share();
            return;
        }
        self.use_alerts(account, &settings.account(account).alerts);
        self.share();
    }

    fn use_alerts(&mut self, account: &str, alerts: &BTreeMap<u32, Alert>) {
        let now = self.now();
        if !OfAccount::<Lines>::has_any(alerts) {
            self.accounts.remove(account);
            self.owed.standings().say(Of::Lines, account, &Stands::new());
            return;
        }
        let (tick, last) = (self.tick.unwrap_or(Tick::new(0, Timestamp::from_unix_micros(0))), self.last);
        let of = self.accounts.entry(account.to_owned()).or_insert_with(|| {
            let mut rules = LogRules::new(tick);
            // What came since the tick is behind them: the first window is not a full one.
            rules.unknown(last, tick.time(), tick.time());
            OfAccount::new(Lines { rules, dues: BTreeMap::new() })
        });
        of.follow(alerts, now);
        of.stand(now, |engine, id, before| stands(engine, u64::from(id), before));
        self.owed.standings().say(Of::Lines, account, &of.stands);
    }

    /// Nobody took deliveries from `from` to `until`.
    pub fn not_taken(&mut self, seq: u64, from: Timestamp, until: Timestamp) {
        if self.is_new(seq) {
            self.position = seq;
            self.last += 1;
            self.accounts.values_mut().for_each(|of| of.engine.rules.unknown(self.last, from, until));
        }
    }

    /// Time goes on. `find` gives the lines of a window that is told.
    pub fn tick(&mut self, seq: u64, time: Timestamp, find: impl Fn(Asked<'_>) -> Vec<Line>) {
        if !self.is_new(seq) {
            return;
        }
        self.position = seq;
        let before = self.tick.filter(|_| std::mem::take(&mut self.has_lost));
        let (lost, tick) = (self.last + 1, Tick::new(self.last + 2, time));
        (self.last, self.tick) = (tick.id(), Some(tick));
        for (name, of) in &mut self.accounts {
            let Lines { rules, dues } = &mut of.engine;
            if let Some(before) = before {
                rules.unknown(lost, before.time(), time);
            }
            let next_day =
                |rule, from: Timestamp| dues.get(&rule).and_then(|due| due.next(from)).unwrap_or(Timestamp::MIN);
            let mut fired = Vec::new();
            for verdict in rules.tick_with(tick, next_day) {
                let told = match verdict {
                    Verdict::Alert(found) => {
                        let id = u32::try_from(found.rule()).unwrap_or(u32::MAX);
                        let Some(alert) = of.alerts.get(&id) else { continue };
                        let lines = match &alert.rule {
                            Rule::Lines(rule) if !found.ids().is_empty() && self.owed.has_room() => {
                                find(Asked { account: name, rule, ids: found.ids() })
                            }
                            _ => Vec::new(),
                        };
                        fired.push((id, found.ended_at().unix_micros()));
                        Some(telling::lines(name, (id, alert), &found, lines))
                    }
                    Verdict::Unknown(unknown) => telling::unknown(name, &of.alerts, &unknown),
                    _ => None,
                };
                told.into_iter().for_each(|told| self.owed.add(told));
            }
            of.gone.clear();
            of.wake(time.unix_micros());
            for (id, ended) in fired {
                let stand = of.stands.entry(id).or_default();
                if stand.is != Is::Firing {
                    (stand.is, stand.since) = (Is::Firing, Some(ended));
                }
                stand.told = Some(ended);
            }
            of.stand(time.unix_micros(), |engine, id, before| stands(engine, u64::from(id), before));
            self.owed.standings().say(Of::Lines, name, &of.stands);
        }
    }

    /// Keeps what they told, and waits for the disk; what it does not take waits.
    pub fn keep(&mut self) {
        self.owed.keep();
    }

    /// What they told is kept, and where they stand is written down, if they do not stand there already: then whoever feeds
    /// them may begin anywhere up to here.
    ///
    /// # Errors
    /// In words, when the disk does not let it.
    pub fn write(&mut self) -> Result<(), String> {
        if !self.owed.keep() {
            return Err("what rules told cannot be kept".to_owned());
        }
        if self.written == self.position {
            return Ok(());
        }
        let standing = Standing {
            position: self.position,
            last: self.last,
            tick: self.tick.map(|tick| (tick.id(), tick.time().unix_micros())),
            accounts: self.accounts.iter().map(|(name, of)| (name.clone(), of.alerts.clone())).collect(),
            stands: self.accounts.iter().map(|(name, of)| (name.clone(), of.stands.clone())).collect(),
            alert_bytes: self.room.bytes(),
            ..Standing::default()
        };
        let states: Vec<Vec<u8>> = self.accounts.values().map(|of| of.engine.rules.state()).collect();
        self.place.write(standing, &states).map_err(|error| format!("where rules on lines stand: {error}"))?;
        self.written = self.position;
        Ok(())
    }
}

/// How a rule stands that stood so before: it fires as long as its last window did.
fn stands(engine: &Lines, rule: u64, before: Stand) -> Stand {
    let began = engine.rules.window_start(rule).map(Timestamp::unix_micros);
    if before.is == Is::Firing && before.told != began { Stand { since: began, ..Stand::default() } } else { before }
}
