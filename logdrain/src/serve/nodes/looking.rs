//! The thread that looks at the other nodes: says that this one lives, takes what is free and lets go what is too much.

use super::claiming::{Keeping, decide};
use super::owner::Owner;
use super::tools::Tools;
use crate::serve::front::Shared as Held;
use logdrain_drain::clock::Clocks;
use logdrain_drain::fail_point;
use logdrain_drain::homes::{At, Home, Homes};
use logdrain_drain::journal::{Members, NodeView, Owned, PartView, Progress, Told, View, Waiting};
use logdrain_drain::neighbours::Url;
use logdrain_drain::parts::Part;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
/// Between two looks: what others append is read by then.
const EVERY: Duration = Duration::from_millis(200);
/// What this node cannot write for so long another one may try to.
const FAILING: Duration = Duration::from_secs(10);
/// For so long others may take first what this node could not count or write.
const SHUNNED: Duration = Duration::from_secs(30);
/// The clock of the database is another one when it is off by so many microseconds from one look to the next; its answers may be
/// late by some seconds.
const JUMP: i64 = 10_000_000;
/// What owners need besides a lease to say again that they live,
const SETTLED: Duration = Duration::from_millis(500);
/// and until they have judged the jump they keep what they have.
const JUDGED: Duration = Duration::from_secs(120);
/// How long a node that ends waits for those that count to leave their snapshots.
const LAST_CALL: Duration = Duration::from_secs(10);

pub(super) struct Looking {
    members: Members,
    tools: Tools,
    clocks: Clocks,
    parts: BTreeMap<u8, Of>,
    /// What the server says of itself.
    progress: Arc<Progress>,
    ready: Arc<AtomicBool>,
    /// Who answers for which partition, where requests are passed on.
    homes: Option<(Arc<Homes>, Url)>,
    end: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    /// The database was away, since when.
    away: Option<Instant>,
    /// Another server takes itself for this node.
    is_twin: bool,
    /// What is more than its share.
    keeping: Keeping,
    /// When the clock of the database jumped: all leases are over then, or seem to last, and owners live nevertheless. They know
    /// the time of before, and judge the jump; who takes over has only the new one.
    jumped: Option<Instant>,
}

/// A partition, whoever owns it.
struct Of {
    part: Part,
    owned: Owned,
    told: Told,
    owner: Option<Owner>,
    /// Since when the database takes nothing of it.
    failing: Option<Instant>,
    /// When it could not be counted or written here last, unless it was since.
    shunned: Option<Instant>,
}

impl Looking {
    pub(super) fn new(
        members: Members,
        tools: Tools,
        parts: Vec<(Part, Owned, Told)>,
        held: &Held,
        (end, stop): (Arc<AtomicBool>, Arc<AtomicBool>),
    ) -> Self {
        let parts = parts.into_iter();
        let parts = parts.map(|(part, owned, told)| {
            (part.number(), Of { part, owned, told, owner: None, failing: None, shunned: None })
        });
        let (progress, ready) = (held.progress.clone(), held.ready.clone());
        let clocks = Clocks::told(tools.ahead.clone());
        let (parts, keeping, homes) = (parts.collect(), Keeping::default(), held.homes.clone());
        let away = progress.nodes.remembers.load(Ordering::Acquire).then(Instant::now);
        Self {
            members,
            tools,
            clocks,
            parts,
            progress,
            ready,
            homes,
            end,
            stop,
            away,
            is_twin: false,
            keeping,
            jumped: None,
        }
    }

    /// Until the end.
    ///
    /// # Errors
    /// What another server does with a copy of this one's folder.
    pub(super) fn run(mut self) -> Result<(), String> {
        while !self.end.load(Ordering::Acquire) {
            let asked = Instant::now();
            match self.members.renew(&self.held(), &self.waiting()) {
                Ok(view) => {
                    self.show_homes(&view, asked);
                    let remembered = self.remembers();
                    // What was remembered of the time may be behind.
                    if !remembered && has_jumped(self.clocks.read().wall, view.now) {
                        self.jumped = Some(Instant::now());
                    }
                    self.tools.ahead.tell(view.now);
                    if remembered {
                        tracing::info!(
                            node = self.members.node(),
                            nodes = view.live(),
                            "the other nodes are heard of: this one goes by what the database says"
                        );
                        self.progress.nodes.remembers.store(false, Ordering::Release);
                    }
                    if let Some(away) = self.away.take() {
                        tracing::info!(after_seconds = away.elapsed().as_secs(), "the database answers again");
                    }
                    self.look(&view);
                }
                Err(error) if error.is_taken_over() => {
                    self.is_twin = true;
                    self.leave();
                    return Err(format!(
                        "another server runs with a copy of this one's folder: each needs its own ({error})"
                    ));
                }
                Err(error) if self.remembers() && error.is_final() => {
                    self.leave();
                    return Err(format!(
                        "{error}; what this node took while the database was away waits in the spool of its folder"
                    ));
                }
                Err(error) => {
                    if self.away.is_none() {
                        tracing::error!(%error, "the database does not say who owns what; nothing is counted until it does");
                    }
                    self.away.get_or_insert_with(Instant::now);
                }
            }
            self.tell();
            thread::sleep(EVERY);
        }
        self.leave();
        Ok(())
    }

    /// Whether nobody was heard of yet in this life.
    fn remembers(&self) -> bool {
        self.progress.nodes.remembers.load(Ordering::Acquire)
    }

    /// What this node has: each partition, and since which epoch.
    fn held(&self) -> Vec<(Part, i64)> {
        self.parts.values().filter_map(|of| Some((of.part, of.owner.as_ref()?.epoch))).collect()
    }

    /// What waits here that the journal does not have.
    fn waiting(&self) -> Waiting {
        let safe = self.parts.values().map(|of| of.told.safe()).collect();
        Waiting { safe, spooled: self.progress.spooled.deliveries.load(Ordering::Acquire) }
    }

    /// Shows who answers for which partition. The lease was given behind `asked`.
    fn show_homes(&self, view: &View, asked: Instant) {
        let Some((shown, _)) = &self.homes else { return };
        let homes = view.parts.iter().map(|of| home(of, &view.nodes, self.members.node()));
        let sure = asked.checked_add(self.tools.cluster.lease).unwrap_or(asked);
        shown.tell(homes.collect(), sure);
    }

    fn look(&mut self, view: &View) {
        for of in &view.parts {
            let Some(own) = self.parts.get(&of.part.number()) else { continue };
            own.told.see(of.version);
            if let Some(owner) = &own.owner {
                owner.progress.head.fetch_max(of.head, Ordering::AcqRel);
            }
        }
        self.settle();
        let nodes = &self.progress.nodes;
        nodes.live.store(view.live() as u64, Ordering::Relaxed);
        self.progress.head.store(view.parts.iter().map(|of| of.head).sum(), Ordering::Release);
        self.progress.emitted.store(view.parts.iter().map(|of| of.emitted).sum(), Ordering::Release);
        if self.stop.load(Ordering::Acquire) {
            return;
        }
        let held: BTreeMap<u8, i64> = self.held().iter().map(|(part, epoch)| (part.number(), *epoch)).collect();
        let is_shunned = |of: &&Of| of.shunned.is_some_and(|at| at.elapsed() < SHUNNED);
        let shunned = self.parts.values().filter(is_shunned).map(|of| of.part.number()).collect();
        let mut decision = decide(view, self.members.node(), &held, &shunned);
        let settled = self.tools.cluster.lease.saturating_add(SETTLED);
        if self.jumped.is_some_and(|at| at.elapsed() < settled) {
            decision.claim.clear();
        }
        if self.jumped.is_some_and(|at| at.elapsed() < JUDGED) {
            decision.let_go = None;
        }
        for number in decision.lost {
            self.lose(number);
        }
        for of in view.parts.iter().filter(|of| decision.claim.contains(&of.part.number())) {
            let Some(Of { owned, owner: owner @ None, shunned, .. }) = self.parts.get_mut(&of.part.number()) else {
                continue;
            };
            // Where another one was faster, or the database does not say it, it is asked again with the next look.
            let Ok(Some(epoch)) = self.members.claim(of) else { continue };
            fail_point("claim");
            match Owner::start(of.part, epoch, &self.tools, owned, shunned.is_some()) {
                Ok(started) => {
                    if decision.is_beyond {
                        self.keeping.note(Instant::now());
                    }
                    *owner = Some(started);
                    self.progress.nodes.taken.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => tracing::error!(%error, "no thread could be started to count a partition"),
            }
        }
        for of in self.parts.values_mut() {
            let is_failing = of.told.is_failing();
            of.failing = if is_failing { of.failing.or_else(|| Some(Instant::now())) } else { None };
            if let Some(owner) = &mut of.owner
                && !owner.is_leaving
                && of.failing.is_some_and(|since| since.elapsed() >= FAILING)
            {
                tracing::warn!(partition = of.part.number(), "cannot be written here: another node may try");
                owner.leave(&of.owned);
                (of.failing, of.shunned) = (None, Some(Instant::now()));
            }
        }
        let is_leaving = self.parts.values().any(|of| of.owner.as_ref().is_some_and(|owner| owner.is_leaving));
        if let Some(Of { part, owned, owner: Some(owner), .. }) = decision
            .let_go
            .filter(|_| !is_leaving && self.keeping.is_over(Instant::now()))
            .and_then(|number| self.parts.get_mut(&number))
        {
            tracing::info!(partition = part.number(), "this node lets the partition go: another one has less");
            owner.leave(owned);
        }
    }

    /// Another node has it.
    fn lose(&mut self, number: u8) {
        let Some(Of { part, owned, owner: Some(owner), .. }) = self.parts.get_mut(&number) else { return };
        if !owner.is_leaving {
            tracing::warn!(partition = part.number(), "another node counts the partition now");
            self.progress.nodes.lost.fetch_add(1, Ordering::Relaxed);
            owner.stop(owned);
        }
    }

    /// Lets go what is not counted here any more.
    fn settle(&mut self) {
        for of in self.parts.values_mut() {
            if of.owner.as_ref().is_some_and(|owner| of.owned.is_lost(owner.epoch) && !owner.is_leaving) {
                self.progress.nodes.lost.fetch_add(1, Ordering::Relaxed);
                if let Some(owner) = &mut of.owner {
                    owner.stop(&of.owned);
                }
            }
            if of.owner.as_ref().is_some_and(|owner| !owner.is_leaving && owner.ready.load(Ordering::Acquire)) {
                of.shunned = None;
            }
            let Some(owner) = of.owner.take_if(|owner| owner.has_ended()) else { continue };
            of.owned.end(owner.epoch);
            let epoch = owner.epoch;
            // One that has counted was stopped by what passes, such as a database that went.
            let is_unfit = !owner.is_leaving && !owner.ready.load(Ordering::Acquire);
            if let Err(why) = owner.join() {
                tracing::error!(partition = of.part.number(), %why, "the partition is not counted here any more");
                if is_unfit {
                    of.shunned = Some(Instant::now());
                }
            }
            self.tools.board.of(of.part).clear();
            // When that fails, the lease ends by itself.
            let _ = self.members.release(of.part, epoch);
        }
    }

    /// Says how this node does.
    fn tell(&self) {
        let now = self.clocks.read();
        let believed = heroku_metrics::model::Timestamp::from_unix_micros(now.wall);
        self.progress.time.tell(believed, now.steady, now.wall, false);
        self.tools.minutes.tell(believed);
        let owners = || self.parts.values().filter_map(|of| of.owner.as_ref());
        let held = |of: &Of| Some((of.part, of.owner.as_ref().filter(|owner| !owner.is_leaving)?.epoch));
        self.tools.outbox.own(self.parts.values().filter_map(held));
        self.progress.nodes.owned.store(owners().filter(|owner| !owner.is_leaving).count() as u64, Ordering::Relaxed);
        if let Some(of) = self.parts.values().next() {
            of.told.cut_off(self.away.is_some());
        }
        self.progress.nodes.away.store(self.away.is_some(), Ordering::Release);
        if owners().all(|owner| owner.progress.trouble().is_none()) {
            self.progress.time.moved(believed);
        }
        if owners().all(|owner| owner.ready.load(Ordering::Acquire)) && self.away.is_none() {
            self.ready.store(true, Ordering::Release);
        }
    }

    /// Waits until all that count have left their snapshots, and lets everything go.
    fn leave(&mut self) {
        let began = Instant::now();
        for of in self.parts.values_mut() {
            if let Some(owner) = &mut of.owner {
                owner.leave(&of.owned);
            }
        }
        while self.parts.values().any(|of| of.owner.is_some()) && began.elapsed() < LAST_CALL {
            self.settle();
            let _ = self.members.renew(&self.held(), &self.waiting());
            thread::sleep(Duration::from_millis(20));
        }
        if !self.is_twin {
            let _ = self.members.leave();
        }
    }
}

/// Who answers for a partition, as `own` sees it.
fn home(of: &PartView, nodes: &[NodeView], own: &str) -> Home {
    let url = || nodes.iter().find(|node| node.node == of.owner).map(|node| node.url.as_str());
    let at = match url().filter(|url| !url.is_empty()) {
        _ if of.free.is_some() => At::Nowhere,
        _ if of.owner == own => At::Here,
        Some(url) => At::There(url.into()),
        None => At::Nowhere,
    };
    Home { epoch: of.epoch, at }
}

/// Whether a clock is not the one any more that it was, by what it should say and what it says.
const fn has_jumped(expected: i64, said: i64) -> bool {
    said.saturating_sub(expected).saturating_abs() > JUMP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_late_is_no_jump() {
        assert!(!has_jumped(100_000_000, 100_000_000) && !has_jumped(100_000_000, 95_000_000));
        assert!(has_jumped(100_000_000, 3_700_000_000) && has_jumped(3_700_000_000, 100_000_000));
    }
}
