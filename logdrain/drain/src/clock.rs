//! One believed clock, for everything that asks what time it is.
//!
//! The wall clock is believed while it agrees with a steady one that runs on in sleep. When it jumps, the steady one
//! carries the believed time on, and the jump is in doubt until something speaks for or against it:
//!
//! ```text
//!                 a jump                    frames agree, or 60 s without a word
//!   Agreed ------------------> Doubted ------------------------------------------> Agreed, by the wall
//!      ^                        |    ^ |
//!      +--- the wall is back ---+    | +--- frames speak against it ---> Refused: the steady clock goes on
//!      +--- the wall is back ----------|------------------------------------+
//!                                    +--- frames are ahead of it -----------+
//! ```
//!
//! Frames carry the time of Logplex's clocks, which have no part in the fault of this machine's. [`Judge`] is a state
//! machine without a clock of its own: the host says what both clocks read and what the newest frames say.

mod source;
mod standing;
mod witness;

#[cfg(any(test, feature = "postgres"))]
pub(crate) use source::steady;
pub use source::{Ahead, Clocks};
#[cfg(feature = "postgres")]
pub(crate) use source::{boot, wall};
pub use standing::Standing;
pub use witness::frame_times;

use heroku_metrics::model::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: i64 = 1_000_000;
/// Both clocks are set right in small steps; those are followed.
const STEP: i64 = 2 * SECOND;
/// A frame is of a time when it lies no further from it.
const NEAR: i64 = 60 * SECOND;
/// With one drain alone speaking, others are waited for.
const ONE_SPEAKS: i64 = 5 * SECOND;
/// Frames against a jump are heard for so long: the first ones may have waited while the machine stood still,
const OBJECTION: i64 = 10 * SECOND;
/// and much longer while the server was down.
const OBJECTION_AT_START: i64 = 30 * SECOND;
/// A jump without witnesses that lasts so long is believed, if it is short.
const LASTING: i64 = 60 * SECOND;
/// A clock deletes nothing before it has been believed for an hour.
const PROBATION: i64 = 3_600 * SECOND;
/// More drains than that are not asked.
const WITNESSES: usize = 1_024;

/// What both clocks say at one moment, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Since 1970.
    pub wall: i64,
    /// Of a clock that nobody sets and that runs on in sleep.
    pub steady: i64,
}

/// Where the journal left off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// The last move of the watermark.
    Tick(i64),
    /// A doubt that nothing ended: what was believed then, and what the wall clock said.
    Doubt { believed: i64, wall: i64 },
}

/// Something to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The wall clock is off by so many microseconds.
    Doubt(i64),
    /// It agrees again.
    Returned,
    /// The jump is believed.
    Believed(i64),
    /// It is not.
    Refused(i64),
}

/// Judges the wall clock.
#[derive(Debug)]
pub struct Judge {
    horizon: i64,
    reading: Reading,
    /// The believed time is the steady clock and this.
    offset: i64,
    stance: Stance,
    /// By the steady clock; `None` is before the start.
    believed_since: Option<i64>,
}

#[derive(Debug)]
enum Stance {
    Agreed,
    Doubted(Case),
    Refused(Case),
}

/// A jump, and who said what of it.
#[derive(Debug)]
struct Case {
    since: i64,
    jump: i64,
    /// How long the server was down is not known: what it believed last is a lower bound and no more.
    is_start: bool,
    witnesses: BTreeMap<String, Side>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    For,
    Against,
    /// Behind what is believed, or between the two.
    Neither,
}

impl Case {
    fn new(since: i64, jump: i64, is_start: bool) -> Self {
        Self { since, jump, is_start, witnesses: BTreeMap::new() }
    }

    fn count(&self, side: Side) -> usize {
        self.witnesses.values().filter(|witness| **witness == side).count()
    }

    /// `Some(true)` when the jump is to be believed, `Some(false)` when it is not.
    fn verdict(&self, now: i64, horizon: i64) -> Option<bool> {
        let age = now.saturating_sub(self.since);
        let (pro, contra) = (self.count(Side::For), self.count(Side::Against));
        let is_short = self.jump.saturating_abs() <= horizon;
        if (pro >= 2 && pro > contra) || (pro == 1 && contra == 0 && age >= ONE_SPEAKS) {
            return Some(true);
        }
        // Time passes while a server is down: an hour of it needs no proof, and frames that waited do not disprove it.
        if self.is_start && self.jump > 0 && is_short {
            return (age >= LASTING).then_some(true);
        }
        let heard = if self.is_start { OBJECTION_AT_START } else { OBJECTION };
        if contra > pro && (contra >= 2 || pro == 0) && age >= heard {
            return Some(false);
        }
        (pro == 0 && contra == 0 && is_short && age >= LASTING).then_some(true)
    }
}

impl Judge {
    /// At the start. With nothing in the journal, or when the operator says so, the wall clock is believed; otherwise when
    /// it is not further ahead of the journal's last word than `grace`.
    pub fn new(
        reading: Reading,
        last: Option<Last>,
        horizon: Duration,
        grace: Duration,
        believe: bool,
    ) -> (Self, Option<News>) {
        let mut judge = Self {
            horizon: micros(horizon),
            reading,
            offset: reading.wall.saturating_sub(reading.steady),
            stance: Stance::Agreed,
            believed_since: Some(reading.steady),
        };
        let Some(last) = last.filter(|_| !believe) else { return (judge, None) };
        let old = match last {
            Last::Tick(time) => time,
            // The same doubt goes on: the time that the server was down is known as far as the wall clock is right.
            Last::Doubt { believed, wall } => believed.saturating_add(reading.wall.saturating_sub(wall).max(0)),
        };
        let jump = reading.wall.saturating_sub(old);
        let grace = if matches!(last, Last::Tick(_)) { micros(grace) } else { STEP };
        if (-STEP..=grace).contains(&jump) {
            judge.believed_since = None;
            return (judge, None);
        }
        judge.offset = old.saturating_sub(reading.steady);
        judge.stance = Stance::Doubted(Case::new(reading.steady, jump, true));
        (judge, Some(News::Doubt(jump)))
    }

    pub fn follow(&mut self, horizon: Duration) {
        self.horizon = micros(horizon);
    }

    /// How far back a window is revised: a jump that is no longer is a short one.
    #[cfg(feature = "postgres")]
    pub(crate) fn horizon(&self) -> Duration {
        Duration::from_micros(self.horizon.unsigned_abs())
    }

    /// What time it is, as far as is believed.
    pub fn believed(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.reading.steady.saturating_add(self.offset))
    }

    /// What the wall clock said last.
    pub const fn wall(&self) -> i64 {
        self.reading.wall
    }

    /// How far the wall clock is ahead of what is believed, in microseconds.
    fn off(&self) -> i64 {
        self.reading.wall.saturating_sub(self.reading.steady.saturating_add(self.offset))
    }

    /// Whether the wall clock is not believed now.
    pub const fn is_in_doubt(&self) -> bool {
        !matches!(self.stance, Stance::Agreed)
    }

    /// Whether the right time may be ahead of what is believed: deliveries wait for the outcome then.
    pub const fn holds(&self) -> bool {
        matches!(&self.stance, Stance::Doubted(case) if case.jump > 0 || case.is_start)
    }

    /// Whether something may be deleted because of its age.
    pub fn may_delete(&self) -> bool {
        !matches!(self.stance, Stance::Doubted(_))
            && self.believed_since.is_none_or(|since| self.reading.steady.saturating_sub(since) >= PROBATION)
    }

    /// Takes in what the clocks say now.
    pub fn look(&mut self, reading: Reading) -> Option<News> {
        self.reading = reading;
        let off = self.off();
        let is_back = off.saturating_abs() <= STEP;
        match &self.stance {
            Stance::Agreed if is_back => {
                self.offset = self.offset.saturating_add(off);
                None
            }
            Stance::Agreed => self.doubt(off, false),
            Stance::Doubted(_) | Stance::Refused(_) if is_back => {
                self.end(Stance::Agreed);
                self.offset = self.offset.saturating_add(off);
                Some(News::Returned)
            }
            Stance::Doubted(case) | Stance::Refused(case) if off.saturating_sub(case.jump).saturating_abs() > STEP => {
                let is_start = case.is_start && matches!(self.stance, Stance::Doubted(_));
                self.doubt(off, is_start)
            }
            Stance::Doubted(_) | Stance::Refused(_) => None,
        }
    }

    fn doubt(&mut self, jump: i64, is_start: bool) -> Option<News> {
        self.stance = Stance::Doubted(Case::new(self.reading.steady, jump, is_start));
        Some(News::Doubt(jump))
    }

    fn end(&mut self, stance: Stance) {
        self.stance = stance;
        self.believed_since = Some(self.reading.steady);
    }

    /// Hears the times of a delivery's frames, while there is something to decide. `who` is one sender, however many
    /// drains he has.
    pub fn hear(&mut self, who: &str, times: impl Iterator<Item = i64>) -> Option<News> {
        let (wall, old) = (self.reading.wall, self.reading.steady.saturating_add(self.offset));
        let (Stance::Doubted(case) | Stance::Refused(case)) = &mut self.stance else { return None };
        // A line from the far future is a fault of its own and says nothing.
        let latest = wall.max(old).saturating_add(NEAR);
        let newest = times.filter(|time| *time <= latest).max()?;
        let (from_wall, from_old) = (newest.abs_diff(wall), newest.abs_diff(old));
        let near = NEAR.unsigned_abs();
        let side = if from_wall < from_old && from_wall <= near {
            Side::For
        } else if from_old <= near {
            Side::Against
        } else {
            Side::Neither
        };
        if let Some(said) = case.witnesses.get_mut(who) {
            *said = side;
        } else if case.witnesses.len() < WITNESSES {
            case.witnesses.insert(who.to_owned(), side);
        }
        let jump = case.jump;
        // Somebody is ahead of the steady clock after all: what he sends must not be refused because of that.
        if newest <= old.saturating_add(NEAR) || !matches!(self.stance, Stance::Refused(_)) {
            return None;
        }
        if let Stance::Refused(case) = std::mem::replace(&mut self.stance, Stance::Agreed) {
            self.stance = Stance::Doubted(Case { since: self.reading.steady, is_start: false, ..case });
        }
        Some(News::Doubt(jump))
    }

    /// Decides, if there is something to decide and to decide it by.
    pub fn decide(&mut self) -> Option<News> {
        let Stance::Doubted(case) = &self.stance else { return None };
        let jump = case.jump;
        if case.verdict(self.reading.steady, self.horizon)? {
            self.end(Stance::Agreed);
            self.offset = self.offset.saturating_add(self.off());
            Some(News::Believed(jump))
        } else {
            let Stance::Doubted(case) = std::mem::replace(&mut self.stance, Stance::Agreed) else { return None };
            self.end(Stance::Refused(case));
            Some(News::Refused(jump))
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
