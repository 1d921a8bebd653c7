//! Dashboards that are made, changed and removed: by forms and by `/api/v2`, under the same rights.

use super::board::Refused;
use crate::access::Viewer;
use logdrain_charts::dashboard::{Dashboard, bounded};
use logdrain_drain::directory::{DashboardHead, Directory};

/// Whether somebody may change a dashboard: one of the account's, or his own.
pub(crate) fn may_change(viewer: &Viewer, member: Option<u32>) -> bool {
    match member {
        None => viewer.may_change(),
        Some(member) => viewer.may_keep_own() && viewer.member() == Some(member),
    }
}

fn check(viewer: &Viewer, member: Option<u32>) -> Result<(), Refused> {
    match may_change(viewer, member) {
        true => Ok(()),
        false if member.is_none() => {
            Err(Refused::forbidden("dashboards of the whole account are changed by who may change its settings"))
        }
        false => Err(Refused::forbidden("this member or token has not the right to do that")),
    }
}

/// What is written to the file.
fn written(dashboard: Dashboard) -> Result<(Dashboard, String), Refused> {
    let dashboard = bounded(dashboard).map_err(Refused::wrong)?;
    let body = serde_json::to_string(&dashboard).map_err(|error| Refused::wrong(error.to_string()))?;
    Ok((dashboard, body))
}

/// Keeps a new dashboard, for the whole account or for one of its members.
///
/// # Errors
/// When it may not be, or not by whoever asks.
pub(crate) fn add(
    directory: &Directory,
    viewer: &Viewer,
    member: Option<u32>,
    dashboard: Dashboard,
) -> Result<(u32, Dashboard), Refused> {
    check(viewer, member)?;
    let (dashboard, body) = written(dashboard)?;
    let id = directory.add_dashboard(&viewer.account, member, &dashboard.title, &body)?;
    Ok((id, dashboard))
}

/// Puts a dashboard in place of the one that was read; `member` is whose it is from now on.
///
/// # Errors
/// When it may not be, not by whoever asks, or when somebody else has changed it.
pub(crate) fn set(
    directory: &Directory,
    viewer: &Viewer,
    head: &DashboardHead,
    member: Option<u32>,
    dashboard: Dashboard,
) -> Result<(DashboardHead, Dashboard), Refused> {
    check(viewer, head.member)?;
    if member != head.member {
        check(viewer, member)?;
    }
    let (dashboard, body) = written(dashboard)?;
    let head = DashboardHead { member, title: dashboard.title.clone(), ..head.clone() };
    let version = directory.set_dashboard(&viewer.account, &head, &dashboard.title, &body)?;
    Ok((DashboardHead { version, ..head }, dashboard))
}

/// Removes one, and the links that share it.
///
/// # Errors
/// When it is not there, or not for whoever asks.
pub(crate) fn remove(directory: &Directory, viewer: &Viewer, head: &DashboardHead) -> Result<(), Refused> {
    check(viewer, head.member)?;
    Ok(directory.remove_dashboard(&viewer.account, head.id)?)
}
