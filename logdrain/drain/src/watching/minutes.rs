//! Rules on minutes: asked of each point of a window as it closes, and again when it is revised.

use super::file::Standing;
use super::of_account::{Engine, OfAccount, in_force};
use super::owed::{Owed, Place};
use super::room::Room;
use super::telling;
use crate::alerts::file::{Asked, Rule};
use crate::alerts::standing::{Is, Of, Stand, Stands};
use crate::drain_name::DrainName;
use crate::settings::Settings;
use crate::settings::account::Alert;
use crate::settings::change::Change;
use alert_rules::{MetricAlert, MetricRule, MetricRules, Tick, Verdict, fair_share};
use heroku_metrics::model::{DataPoint, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// A rule that hears nothing for so long, in microseconds, has no data.
const NO_DATA_AFTER: i64 = 600_000_000;
/// That a rule does not see all is told again after so long, in microseconds.
const LEFT_OUT_AGAIN: i64 = 86_400_000_000;

/// What people call a drain.
type Named = fn(&Settings, &str) -> Arc<str>;

/// The rules on minutes of all accounts.
#[derive(Debug)]
pub struct MinuteRules {
    accounts: BTreeMap<String, OfAccount<MetricRules>>,
    /// The last event of the journal that they know.
    position: u64,
    /// All that they told up to here is kept.
    kept: u64,
    /// The time of the last tick.
    time: Option<Timestamp>,
    window_ms: u64,
    /// Something was lost since the tick.
    has_lost: bool,
    /// What all of them may remember,
    room: Room,
    /// what their signals take of it,
    held: u64,
    /// and whether it was too little with the last tick.
    is_short: bool,
    /// What drains are called, under the settings that hold.
    names: HashMap<Arc<str>, Arc<str>>,
    named: Named,
    owed: Owed,
    place: Place,
    written: u64,
}

impl Engine for MetricRules {
    fn is_of(rule: &Rule) -> bool {
        matches!(rule, Rule::Minutes(_))
    }

    fn put(&mut self, alert: u64, asked: Asked) {
        if let Asked::Minutes(rule) = asked {
            self.set(alert, rule);
        }
    }

    fn take_out(&mut self, alert: u64) {
        self.remove(alert);
    }
}

impl MinuteRules {
    /// As they stood when they were written down last. `position` and `settings` are where the one who feeds them begins, and
    /// `head` is where the journal ends; `named` says what people call a drain.
    pub fn open(store: &Path, mut owed: Owed, (position, settings): (u64, &Settings), head: u64, named: Named) -> Self {
        let (place, stood) = owed.place(store, "minutes", head);
        let mut all = Self {
            accounts: BTreeMap::new(),
            position,
            kept: position,
            time: None,
            window_ms: settings.window_ms,
            has_lost: false,
            room: Room::of(settings),
            held: 0,
            is_short: false,
            names: HashMap::new(),
            named,
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
                tracing::error!(
                    from = all.position,
                    to = position,
                    "rules on minutes did not see a part of the journal"
                );
            }
            all.position = position;
            all.room = Room::of(settings);
            if all.window_ms == settings.window_ms {
                all.accounts.retain(|name, _| settings.accounts.contains_key(name));
            } else {
                all.accounts.clear();
                all.window_ms = settings.window_ms;
            }
        }
        if all.position == position {
            settings.accounts.iter().for_each(|(name, account)| all.use_alerts(name, &account.alerts));
        }
        (all.written, all.kept) = (all.position, all.position);
        all.count();
        all.accounts.iter().for_each(|(name, of)| all.owed.standings().say(Of::Minutes, name, &of.stands));
        all
    }

    fn restore(&mut self, standing: Standing, states: &[Vec<u8>]) {
        let Standing { position, tick, window_ms, accounts, mut gone, mut stands, .. } = standing;
        (self.room, self.is_short) = (Room::of_bytes(standing.alert_bytes), standing.is_short);
        (self.position, self.window_ms) = (position, window_ms);
        self.time = tick.map(|(_, time)| Timestamp::from_unix_micros(time));
        let now = self.now();
        for ((name, alerts), state) in accounts.into_iter().zip(states) {
            let rules: Vec<(u64, MetricRule)> = in_force(&alerts, now)
                .filter_map(|(id, asked)| match asked {
                    Asked::Minutes(rule) => Some((id, rule)),
                    Asked::Lines(..) => None,
                })
                .collect();
            match MetricRules::restore(self.step(), state, rules) {
                Ok(rules) => {
                    let stands = stands.remove(&name).unwrap_or_default();
                    let mut of = OfAccount::with(rules, alerts, stands, now);
                    of.gone = gone.remove(&name).unwrap_or_default();
                    self.accounts.insert(name, of);
                }
                Err(error) => {
                    tracing::error!(account = name, %error, "where its rules on minutes stood cannot be read: they begin anew");
                    self.has_lost = true;
                    self.use_alerts(&name, &alerts);
                }
            }
        }
    }

    const fn step(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.window_ms)
    }

    fn now(&self) -> i64 {
        self.time.map_or(i64::MIN, Timestamp::unix_micros)
    }

    const fn is_new(&self, seq: u64) -> bool {
        seq > self.position
    }

    /// Whether whoever feeds them has to wait: what they told cannot be kept.
    pub fn must_wait(&mut self) -> bool {
        self.owed.must_wait()
    }

    /// Names the drains whose windows close with an event.
    pub fn begin<'a>(&mut self, seq: u64, settings: &Settings, drains: impl Iterator<Item = &'a Arc<str>>) {
        if self.accounts.is_empty() || !self.is_new(seq) {
            return;
        }
        for drain in drains {
            if !self.names.contains_key(drain) {
                self.names.insert(drain.clone(), (self.named)(settings, drain));
            }
        }
    }

    /// Whether points of an account in this event are asked for; mostly none are.
    pub fn asks(&self, seq: u64, account: &str) -> bool {
        !self.accounts.is_empty() && self.is_new(seq) && self.accounts.contains_key(account)
    }

    /// A point of a window that closed, or was revised.
    pub fn point(&mut self, account: &str, drain: &str, point: &DataPoint<'_>) {
        let window = point.window();
        // Windows of another length are of before the settings changed.
        if window.end().since(window.start()) != self.step() {
            return;
        }
        let Some(of) = self.accounts.get_mut(account) else { return };
        let before = of.engine.bytes();
        of.engine.set_free(self.room.signals().saturating_sub(self.held));
        match self.names.get(drain) {
            Some(name) => of.engine.point(name, point),
            None => of.engine.point(&DrainName::of(drain).shown().to_string(), point),
        }
        self.held += of.engine.bytes().saturating_sub(before);
    }

    /// What all of them take, and what each may spend to be faster.
    fn count(&mut self) {
        self.held = self.accounts.values().map(|of| of.engine.bytes()).sum();
        let cache = self.room.signals_cache(self.accounts.len());
        self.accounts.values_mut().for_each(|of| of.engine.set_cache(cache));
        self.owed.take(self.held, self.room.signals());
    }

    /// If there is too little room for all, it is shared. Answers what was told and cannot be watched any more.
    fn share(&mut self) -> Vec<(String, MetricAlert)> {
        let wanted = self.accounts.values().map(|of| of.engine.bytes().saturating_add(of.engine.wanted()));
        let share = fair_share(wanted, self.room.signals());
        if share.is_none() && !self.is_short {
            return Vec::new();
        }
        self.is_short = share.is_some();
        let mut over = Vec::new();
        for (name, of) in &mut self.accounts {
            let alerts = of.engine.limit(share.unwrap_or(u64::MAX));
            over.extend(alerts.into_iter().map(|alert| (name.clone(), alert)));
        }
        over
    }

    /// How the rules of an account stand. Tells of those that do not see all, now and then.
    fn stand(name: &str, of: &mut OfAccount<MetricRules>, now: i64, owed: &mut Owed) {
        of.stand(now, |engine, id, before| stands(engine, u64::from(id), before, now));
        for (id, stand) in &mut of.stands {
            let was_told = stand.left_out_told.is_some_and(|told| now.saturating_sub(told) < LEFT_OUT_AGAIN);
            if stand.left_out > 0
                && !was_told
                && let Some(alert) = of.alerts.get(id)
            {
                stand.left_out_told = Some(now);
                owed.add(telling::left_out(name, (*id, alert), stand.left_out, now));
            }
        }
        owed.standings().say(Of::Minutes, name, &of.stands);
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
        self.names.clear();
        if !self.is_new(seq) {
            return;
        }
        self.position = seq;
        let Some(account) = change.account() else { return };
        match change {
            Change::Destroy { .. } => {
                self.accounts.remove(account);
                self.owed.forget(account);
                self.owed.standings().say(Of::Minutes, account, &Stands::new());
            }
            Change::ClearAlert { id, .. } => {
                if let Some(of) = self.accounts.get_mut(account) {
                    of.engine.clear(u64::from(*id));
                }
            }
            _ => self.use_alerts(account, &settings.account(account).alerts),
        }
        self.count();
    }

    /// The configuration has changed. With windows of another length all rules begin anew, and what they told is cleared.
    pub fn configure(&mut self, seq: u64, settings: &Settings) {
        self.names.clear();
        if !self.is_new(seq) {
            return;
        }
        self.position = seq;
        self.room = Room::of(settings);
        if settings.window_ms == self.window_ms {
            self.count();
            return;
        }
        self.window_ms = settings.window_ms;
        let (now, step) = (self.now(), self.step());
        for (name, of) in &mut self.accounts {
            let mut before = std::mem::replace(&mut of.engine, MetricRules::new(step));
            let alerts = std::mem::take(&mut of.alerts);
            alerts.keys().for_each(|id| before.take_out(u64::from(*id)));
            let tick = Tick::new(seq, Timestamp::from_unix_micros(now));
            for found in before.tick(tick, tick.time()).into_iter().filter_map(Verdict::alert) {
                let id = u32::try_from(found.rule()).unwrap_or(u32::MAX);
                if let Some(alert) = alerts.get(&id).or_else(|| of.gone.get(&id)) {
                    self.owed.add(telling::minutes(name, (id, alert), &found));
                }
            }
            of.follow(&alerts, now);
        }
        self.count();
    }

    fn use_alerts(&mut self, account: &str, alerts: &BTreeMap<u32, Alert>) {
        // One that has none any more stays until the next tick has told what is cleared by that.
        if !self.accounts.contains_key(account) {
            if !OfAccount::<MetricRules>::has_any(alerts) {
                return;
            }
            let of = OfAccount::new(MetricRules::new(self.step()));
            self.accounts.insert(account.to_owned(), of);
        }
        let now = self.now();
        if let Some(of) = self.accounts.get_mut(account) {
            of.follow(alerts, now);
            of.stand(now, |engine, id, before| stands(engine, u64::from(id), before, now));
            self.owed.standings().say(Of::Minutes, account, &of.stands);
        }
    }

    /// Nobody took deliveries from `from` to `until`.
    pub fn not_taken(&mut self, seq: u64, from: Timestamp, until: Timestamp) {
        if self.is_new(seq) {
            self.position = seq;
            self.accounts.values_mut().for_each(|of| of.engine.unknown(from, until));
        }
    }

    /// Time goes on, and all points of windows that end before `closed` are there.
    pub fn tick(&mut self, seq: u64, time: Timestamp, closed: Timestamp) {
        if !self.is_new(seq) {
            return;
        }
        self.position = seq;
        let before = self.time.filter(|_| std::mem::take(&mut self.has_lost));
        self.time = Some(time);
        for (name, of) in &mut self.accounts {
            if let Some(before) = before {
                of.engine.unknown(before, time);
            }
            for verdict in of.engine.tick(Tick::new(seq, time), closed) {
                let told = match verdict {
                    Verdict::Alert(found) => {
                        let id = u32::try_from(found.rule()).unwrap_or(u32::MAX);
                        let alert = of.alerts.get(&id).or_else(|| of.gone.get(&id));
                        alert.map(|alert| telling::minutes(name, (id, alert), &found))
                    }
                    Verdict::Unknown(unknown) => telling::unknown(name, &of.alerts, &unknown),
                    _ => None,
                };
                told.into_iter().for_each(|told| self.owed.add(told));
            }
            of.gone.clear();
            of.wake(time.unix_micros());
        }
        for (name, found) in self.share() {
            let Some(of) = self.accounts.get(&name) else { continue };
            let id = u32::try_from(found.rule()).unwrap_or(u32::MAX);
            if let Some(alert) = of.alerts.get(&id) {
                self.owed.add(telling::minutes(&name, (id, alert), &found));
            }
        }
        for (name, of) in &mut self.accounts {
            Self::stand(name, of, time.unix_micros(), &mut self.owed);
        }
        self.accounts.retain(|_, of| of.count() > 0);
        self.count();
    }

    /// Keeps what they told, and waits for the disk; answers up to where all of it is kept.
    pub fn keep(&mut self) -> u64 {
        if self.owed.keep() {
            self.kept = self.position;
        }
        self.kept
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
        let of_all = |get: fn(&OfAccount<MetricRules>) -> &BTreeMap<u32, Alert>| {
            self.accounts.iter().map(|(name, of)| (name.clone(), get(of).clone())).collect()
        };
        let standing = Standing {
            position: self.position,
            tick: self.time.map(|time| (0, time.unix_micros())),
            window_ms: self.window_ms,
            accounts: of_all(|of| &of.alerts),
            gone: of_all(|of| &of.gone),
            stands: self.accounts.iter().map(|(name, of)| (name.clone(), of.stands.clone())).collect(),
            alert_bytes: self.room.bytes(),
            is_short: self.is_short,
            ..Standing::default()
        };
        let states: Vec<Vec<u8>> = self.accounts.values().map(|of| of.engine.state()).collect();
        self.place.write(standing, &states).map_err(|error| format!("where rules on minutes stand: {error}"))?;
        self.written = self.position;
        Ok(())
    }
}

/// How a rule stands that stood so before.
fn stands(engine: &MetricRules, rule: u64, before: Stand, now: i64) -> Stand {
    let heard = engine.heard(rule).map(Timestamp::unix_micros);
    let is = match heard {
        _ if engine.is_firing(rule) => Is::Firing,
        Some(heard) if now.saturating_sub(heard) < NO_DATA_AFTER => Is::Ok,
        _ => Is::NoData,
    };
    let since = match is {
        Is::NoData => heard,
        _ if is == before.is => before.since,
        _ => Some(now),
    };
    let left_out = match engine.left_out(rule) {
        // Nobody came who could have found none.
        0 if heard == before.heard => before.left_out,
        signals => signals,
    };
    Stand { is, since, heard, left_out, ..before }
}
