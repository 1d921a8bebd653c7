//! What is known of a resource, as it is kept.

use serde::{Deserialize, Serialize};

/// What was answered is kept so long: Heroku repeats a request for a day.
pub(super) const REPEATED: i64 = 24 * 3_600;
/// Resources that are gone are remembered; beyond so many of all, those that went longest ago are not.
pub(super) const MOST: usize = 50_000;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) plan: String,
    /// Seconds since 1970.
    pub(super) provisioned: i64,
    /// When it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<i64>,
    /// Its account was destroyed: only this is left.
    #[serde(default, skip_serializing_if = "is_no")]
    pub(super) is_destroyed: bool,
    /// What Logplex's token makes of its drain in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) drain: Option<String>,
    /// The app's name, as Heroku said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) app: Option<String>,
    /// Sealed: what was answered, and what the app's name is asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<String>,
    /// Sealed, and there until all of it is made: what it is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secrets: Option<String>,
    /// Until when it is looked whether its account has its plan, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<i64>,
    /// How often another plan was asked for.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub(super) asked: u32,
    /// The plan that was done last, while nobody knows what becomes of those that were asked for since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sure: Option<String>,
    /// The app's name is to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<Grant>,
}

/// What Heroku gave to ask with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    /// Sealed.
    pub(super) code: String,
    /// Until when somebody asks with it, in seconds since 1970.
    pub(super) until: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_no(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_none_yet(count: &u32) -> bool {
    *count == 0
}

impl Resource {
    /// Another plan is asked for: until a time whoever looks sees to it that the account has it.
    pub(super) fn ask(&mut self, plan: &str, until: i64) {
        (self.changed, self.asked) = (Some(until), self.asked.wrapping_add(1));
        let before = std::mem::replace(&mut self.plan, plan.to_owned());
        self.sure.get_or_insert(before);
    }

    /// It could not be done: the plan that was done last holds, unless one was asked for since, of which another node may have said
    /// that it is done. If that one cannot be done, either, it is taken back to the same.
    pub(super) fn take_back(&mut self, asked: u32) {
        if self.asked == asked
            && let Some(sure) = self.sure.take()
        {
            self.plan = sure;
        }
    }

    /// It is done. Another one may have been asked for since, and be done before it: until a time that is looked at.
    pub(super) fn done(&mut self, asked: u32, plan: &str, until: i64) {
        self.changed = Some(until);
        self.sure = self.sure.take().filter(|_| self.asked != asked).map(|_| plan.to_owned());
    }

    /// The account has its plan, and the time until which that is looked at is over.
    pub(super) fn seen(&mut self, until: i64) {
        if self.changed == Some(until) {
            (self.changed, self.sure) = (None, None);
        }
    }

    /// All of it is made, with a plan; another one may have been asked for meanwhile, and be overwritten.
    pub(super) fn made(&mut self, plan: &str, until: i64) {
        self.secrets = None;
        if self.gone.is_none() && self.plan != plan {
            self.changed = Some(until);
        }
    }

    /// It is gone since a time, if it was not before: nothing that Heroku may ask for is left.
    pub(super) fn go(&mut self, time: i64) {
        self.gone.get_or_insert(time);
        (self.answer, self.refresh, self.secrets, self.grant, self.changed) = (None, None, None, None, None);
        self.sure = None;
    }

    /// From when on something is to be done about it.
    pub(super) fn due(&self) -> Option<i64> {
        let is_open = self.changed.is_some() || self.grant.is_some() || self.gone.is_some();
        if self.is_destroyed {
            return None;
        }
        if is_open {
            return Some(0);
        }
        let is_kept = self.answer.is_some() || self.secrets.is_some();
        is_kept.then(|| self.provisioned.saturating_add(REPEATED).saturating_add(1))
    }
}
