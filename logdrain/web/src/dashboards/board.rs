//! Which dashboard is asked for, and whether whoever asks may see it.

use crate::access::Viewer;
use axum::http::StatusCode;
use logdrain_charts::dashboard::{Dashboard, read_json, shipped};
use logdrain_drain::directory::{DashboardHead, Directory, DirectoryError};
use logdrain_drain::settings::Settings;

/// A dashboard that is there.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found {
    /// `overview`, `17`.
    pub key: String,
    pub dashboard: Dashboard,
    /// `None` of those that everybody has.
    pub head: Option<DashboardHead>,
}

/// Why something is not shown or not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub why: String,
}

impl Refused {
    pub(crate) fn nothing() -> Self {
        Self { status: StatusCode::NOT_FOUND, why: "there is no such dashboard".to_owned() }
    }

    pub(crate) fn wrong(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why: why.into() }
    }

    pub(crate) fn busy() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, why: "many forms come just now: send it once more".to_owned() }
    }

    pub(crate) fn forbidden(why: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, why: why.into() }
    }
}

impl From<DirectoryError> for Refused {
    fn from(error: DirectoryError) -> Self {
        let (status, why) = match error {
            DirectoryError::Closed(why) => {
                // What it says of files is for the log.
                tracing::warn!(%why, "a dashboard was not read or stored");
                let why = "dashboards cannot be read or changed now: come again".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, why)
            }
            DirectoryError::NotFound(why) => (StatusCode::NOT_FOUND, why),
            DirectoryError::Taken(why) => (StatusCode::CONFLICT, why),
            DirectoryError::Invalid(why) | DirectoryError::TooMany(why) => (StatusCode::BAD_REQUEST, why),
        };
        Self { status, why }
    }
}

/// Finds a dashboard by its key, for a member of an account.
///
/// # Errors
/// When there is none, or none that he sees.
pub(crate) fn find(directory: &Directory, account: &str, member: Option<u32>, key: &str) -> Result<Found, Refused> {
    if let Some(shipped) = shipped().iter().find(|shipped| shipped.name == key) {
        return Ok(Found { key: key.to_owned(), dashboard: shipped.dashboard.clone(), head: None });
    }
    let id = number(key).ok_or_else(Refused::nothing)?;
    let (head, body) = directory.dashboard(account, member, id)?;
    // It was read once, when it was kept.
    let dashboard = read_json(body.as_bytes()).map_err(Refused::wrong)?;
    Ok(Found { key: id.to_string(), dashboard, head: Some(head) })
}

/// `17`, and no other way to write it.
fn number(key: &str) -> Option<u32> {
    let is_number = key.bytes().all(|byte| byte.is_ascii_digit()) && !key.starts_with('0');
    if is_number { key.parse().ok() } else { None }
}

/// Keys and names of all dashboards that a member sees.
pub(super) fn visible(directory: &Directory, viewer: &Viewer, gate: Gate) -> Vec<(String, String)> {
    let shipped = shipped().iter().filter(|shipped| gate.shows(shipped.name));
    let mut all: Vec<_> = shipped.map(|shipped| (shipped.name.to_owned(), shipped.short.to_owned())).collect();
    if !gate.overview_only {
        let kept = directory.dashboards(&viewer.account, viewer.member()).unwrap_or_default();
        all.extend(kept.into_iter().map(|head| (head.id.to_string(), head.title)));
    }
    all
}

/// What a plan lets be seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Gate {
    /// How many seconds.
    pub most: Option<i64>,
    /// Of all dashboards.
    pub overview_only: bool,
}

/// Plans that show no more than this show the Overview alone.
const HOUR: i64 = 3_600;

impl Gate {
    pub(crate) fn of(settings: &Settings, account: &str) -> Self {
        let retention = settings.account(account).plan.as_ref().and_then(|plan| plan.metrics.retention());
        let most = retention.map(|retention| i64::try_from(retention.as_secs()).unwrap_or(i64::MAX).max(60));
        Self { most, overview_only: most.is_some_and(|most| most <= HOUR) }
    }

    pub(crate) fn shows(self, key: &str) -> bool {
        !self.overview_only || key == "overview"
    }

    /// Why one is not shown.
    pub(crate) fn why(self) -> Refused {
        Refused::forbidden("the plan of this account shows the Overview alone: another plan shows all dashboards")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_drain::settings::account::Account;
    use logdrain_terms::plan::Plan;
    use std::sync::Arc;

    #[test]
    fn a_key_is_written_in_one_way() {
        assert_eq!(number("17"), Some(17));
        for key in ["", "017", "+17", "1e3", "99999999999", "overview", "1/2", "٣"] {
            assert_eq!(number(key), None, "{key}");
        }
    }

    #[test]
    fn development_shows_the_overview_of_an_hour() {
        let text = r#"{"window_ms":60000,"lateness_ms":60000,"horizon_ms":3600000,"extended":false,"websockets":true,
            "limits":{"streams":1000,"key_bytes":100000,"window_bytes":4000000},"drains":{}}"#;
        let mut settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(Gate::of(&settings, "shop"), Gate::default());
        for (plan, most, all) in [("development", Some(3_600), false), ("gold", None, true)] {
            let plan = Plan::shipped(plan);
            settings.accounts.insert("shop".to_owned(), Arc::new(Account { plan, ..Account::NONE }));
            let gate = Gate::of(&settings, "shop");
            assert_eq!(
                (gate.most, gate.shows("overview"), gate.shows("dynos"), gate.shows("17")),
                (most, true, all, all)
            );
        }
    }
}
