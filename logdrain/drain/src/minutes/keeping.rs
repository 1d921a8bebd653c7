//! How long minutes are kept.

use super::levels::HOUR;
use crate::settings::Settings;
use crate::settings::account::PLAN_GRACE_MICROS;
use std::fmt;
use std::sync::Arc;

/// How old the levels are, at most, in hours.
pub(super) type Kept = [i64; 3];

/// 8 days, 32 days and a year.
pub(super) const KEPT: Kept = [8 * 24, 32 * 24, 366 * 24];

/// How long minutes are kept, by account.
#[derive(Clone)]
pub struct Keeping(Arc<dyn Fn() -> Arc<Settings> + Send + Sync>);

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeping")
    }
}

impl Keeping {
    pub fn by(settings: impl Fn() -> Arc<Settings> + Send + Sync + 'static) -> Self {
        Self(Arc::new(settings))
    }

    /// Those that hold now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.0()
    }

    /// How many hours the levels of an account are kept; `now` in milliseconds.
    pub(super) fn hours(&self, account: &str, now: i64) -> Kept {
        let settings = self.0();
        let account = settings.account(account);
        let shorter = account.plan.as_ref().and_then(|plan| plan.metrics.retention());
        let grace = PLAN_GRACE_MICROS / 1_000;
        match shorter {
            // What a plan hides is there a week longer, for whoever takes a larger one again.
            Some(shown) if now.saturating_sub(account.plan_since / 1_000) >= grace => {
                let hours = i64::try_from(shown.as_secs().div_ceil(3_600)).unwrap_or(i64::MAX / 2);
                KEPT.map(|kept| kept.min(hours.saturating_add(grace / HOUR)))
            }
            _ => KEPT,
        }
    }
}
