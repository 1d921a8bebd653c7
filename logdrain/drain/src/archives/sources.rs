//! What archives ask others: plans, the numbers of systems, what was counted while lines came in.

use super::books::Counted;
use crate::directory::{Directory, DirectoryError};
use crate::intake::Intake;
use crate::limits::Archives;
use crate::logs;
use crate::settings::account::PLAN_GRACE_MICROS;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const MICROS_AN_HOUR: i64 = 3_600_000_000;

pub trait Sources: fmt::Debug + Send {
    /// Whether the lines of an account are archived, and for how long each archive is kept.
    fn kept_for(&self, account: &str) -> Option<Duration>;
    /// No archive of an account is let go for its age before this, in microseconds since 1970: its time was made shorter,
    /// and may be given back.
    fn goes_from(&self, account: &str) -> i64;
    /// The number of an account's system; `None` when it is not to be had now.
    fn system(&self, account: &str, system: &[u8]) -> Option<u64>;
    /// What was counted in the hour that begins then, in microseconds since 1970.
    fn counted(&self, account: &str, hour: i64) -> Option<Counted>;
}

/// Those of a server.
#[derive(Debug)]
pub struct Others {
    pub intake: Arc<Intake>,
    pub directory: Arc<Directory>,
    pub logs: logs::Board,
    pub archives: Archives,
}

impl Sources for Others {
    fn kept_for(&self, account: &str) -> Option<Duration> {
        let settings = self.intake.settings();
        let of_plan = settings.account(account).plan.as_ref().and_then(|plan| plan.logs.archive());
        of_plan.or(self.archives.without_plan.then_some(self.archives.kept_for))
    }

    fn goes_from(&self, account: &str) -> i64 {
        self.intake.settings().account(account).plan_since.saturating_add(PLAN_GRACE_MICROS)
    }

    fn system(&self, account: &str, system: &[u8]) -> Option<u64> {
        match self.directory.system_id(account, &String::from_utf8_lossy(system)) {
            Ok(number) => Some(number.into()),
            // There is no room for one more, and will be none soon.
            Err(DirectoryError::TooMany(_)) => Some(0),
            Err(error) => {
                tracing::warn!(account, %error, "a system has no number in an archive");
                None
            }
        }
    }

    fn counted(&self, account: &str, hour: i64) -> Option<Counted> {
        let books = self.logs.hour_books(account, u64::try_from(hour / MICROS_AN_HOUR).ok()?)?;
        Some(Counted {
            events: books.events,
            kept: books.kept,
            filtered: books.filtered.iter().collect(),
            over_volume: books.over_volume,
            unknown: books.unknown,
            no_room: books.no_room,
            unread: books.unread,
        })
    }
}
