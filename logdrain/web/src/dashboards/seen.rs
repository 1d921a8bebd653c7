//! What of the kept minutes somebody sees: the drains whose systems he sees, their metrics and their apps.

use crate::access::Viewer;
use crate::site::Site;
use logdrain_charts::series::{Asked, Series, Span};
use logdrain_drain::minutes::MinutesError;
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Metrics that tell which apps there are.
const TELL_APPS: [&str; 3] = ["heroku.router.http.requests", "heroku.dyno.load.load1", "heroku.postgres.db.size"];

/// The drains that somebody sees; `None` is all of them. Where that cannot be told, there are none.
fn drains(site: &Site, viewer: &Viewer) -> Option<Vec<String>> {
    viewer.drains(site).unwrap_or_else(|_| Some(Vec::new()))
}

/// The way to the kept minutes for whoever looks.
pub(crate) fn of(
    site: &Site,
    viewer: &Viewer,
) -> impl Fn(&Asked, Span, Option<u32>, usize) -> Result<Series, String> + use<> {
    asking(site, &viewer.account, drains(site, viewer))
}

/// The same for all of an account.
pub(super) fn all_of(
    site: &Site,
    account: &str,
) -> impl Fn(&Asked, Span, Option<u32>, usize) -> Result<Series, String> + use<> {
    asking(site, account, None)
}

fn asking(
    site: &Site,
    account: &str,
    drains: Option<Vec<String>>,
) -> impl Fn(&Asked, Span, Option<u32>, usize) -> Result<Series, String> + use<> {
    let (minutes, account) = (site.minutes.clone(), account.to_owned());
    let unread = OnceCell::new();
    move |asked: &Asked, span: Span, step: Option<u32>, most: usize| {
        // What cannot be read for one chart is not tried for the next: each may take its time to say so.
        if let Some(why) = unread.get() {
            return Err(String::clone(why));
        }
        let series = minutes.series(&account, drains.as_deref(), asked, span, step, most);
        if let Err(why @ MinutesError::Unread(_)) = &series {
            let _ = unread.set(why.to_string());
        }
        series.map_err(|error| error.to_string())
    }
}

/// The apps that there are to choose from, by name.
pub(super) fn apps(site: &Site, viewer: &Viewer, most: usize) -> Vec<String> {
    let drains = drains(site, viewer);
    let mut apps = BTreeSet::new();
    for name in TELL_APPS {
        let Ok(tags) = site.minutes.tags(&viewer.account, drains.as_deref(), name, most) else { break };
        apps.extend(tags.into_iter().filter(|tag| tag.key == "app_name").flat_map(|tag| tag.values));
    }
    apps.into_iter().filter(|app| !app.is_empty()).take(most).collect()
}

/// The names of metrics that there are to choose from.
pub(super) fn metrics(site: &Site, viewer: &Viewer, most: usize) -> Vec<String> {
    let drains = drains(site, viewer);
    site.minutes.names(&viewer.account, drains.as_deref(), "", most).map(|(names, _)| names).unwrap_or_default()
}
