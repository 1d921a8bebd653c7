//! A new dashboard: empty, a copy of another one, or from JSON.

use super::board::{self, Gate, Refused};
use super::change;
use super::form::Form;
use super::refused::refused;
use super::viewer;
use crate::access::Viewer;
use crate::layout::{Frame, Tab};
use crate::pages::Built;
use crate::site::Site;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use logdrain_charts::dashboard::{Dashboard, read_json};
use logdrain_drain::intake::connections::Peer;
use maud::{Markup, html};
use std::sync::Arc;

/// Whose a dashboard is: a choice, where there is one.
pub(super) fn whose(viewer: &Viewer, is_own: bool) -> Markup {
    html! {
        @if viewer.may_keep_own() && viewer.may_change() {
            label { "Who sees it"
                select name="whose" {
                    option value="account" selected[!is_own] { "everybody in the account" }
                    option value="own" selected[is_own] { "I alone" }
                }
            }
        } @else if viewer.may_keep_own() {
            input type="hidden" name="whose" value="own";
        } @else {
            input type="hidden" name="whose" value="account";
        }
    }
}

/// The member whose it is to be; `None` is the whole account's.
pub(super) fn chosen(viewer: &Viewer, form: &Form) -> Option<u32> {
    match form.get("whose") {
        Some("own") => viewer.member(),
        _ => None,
    }
}

pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let query = uri.query().unwrap_or_default();
    let copied =
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "copy").map(|(_, value)| value.into_owned());
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "New dashboard");
    site.pages.build(frame, move |frame, _| page(frame, copied.as_deref())).await
}

fn page(frame: &Frame, copied: Option<&str>) -> Built {
    let (site, viewer) = (&frame.site, &frame.viewer);
    let gate = Gate::of(&site.settings(), &viewer.account);
    if gate.overview_only {
        return refused(frame, &gate.why());
    }
    if !viewer.may_change() && !viewer.may_keep_own() {
        return refused(frame, &Refused::forbidden("whoever only reads has no dashboards of his own"));
    }
    let action = frame.link("/dashboards");
    let known = board::visible(&site.directory, viewer, gate);
    let apps = super::seen::apps(site, viewer, 200);
    let content = html! {
        div.card {
            h2 { "Make an empty one" }
            p.dim { "Charts are added on the next page." }
            form.fields method="post" action=(action) { (frame.form_token())
                label { "Title" input name="title" required maxlength="100" autocomplete="off" autofocus[copied.is_none()]; }
                (whose(viewer, false))
                button.btn.primary type="submit" name="do" value="new" { "Make it" }
            }
        }
        div.card {
            h2 { "Copy one" }
            p.dim { "The copy can be changed, and can show another app." }
            form.fields method="post" action=(action) { (frame.form_token())
                label { "Of"
                    select name="from" autofocus[copied.is_some()] {
                        @for (key, name) in &known { option value=(key) selected[copied == Some(key.as_str())] { (name) } }
                    }
                }
                label { "Title of the copy" input name="title" maxlength="100" autocomplete="off" placeholder="as the other one"; }
                label { "App that it shows" input name="app" maxlength="255" list="apps" autocomplete="off" placeholder="as the other one"; }
                datalist id="apps" { @for app in &apps { option value=(app) {} } }
                (whose(viewer, false))
                button.btn.primary type="submit" name="do" value="copy" { "Copy it" }
            }
        }
        div.card {
            h2 { "From JSON" }
            p.dim { "What Export gives of a dashboard, here or on another server." }
            form.fields method="post" action=(action) { (frame.form_token())
                label { "Dashboard as JSON" textarea name="json" rows="6" required spellcheck="false" {} }
                (whose(viewer, false))
                button.btn.primary type="submit" name="do" value="import" { "Import it" }
            }
        }
    };
    frame.page(&content).into()
}

pub(super) async fn make(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let viewer = match viewer(&site, &peer, &method, &uri, &headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let frame = Frame::new(&site, &viewer, &headers, &uri, Tab::Dashboards, "New dashboard");
    let form = Form::read(&site, &viewer, &headers, body).await;
    super::change_on(&site, frame, form, |frame, form| {
        let (directory, viewer) = (&frame.site.directory, &frame.viewer);
        let member = chosen(viewer, form);
        let dashboard = made(&frame.site, viewer, form)?;
        let (id, _) = change::add(directory, viewer, member, dashboard)?;
        Ok(frame.link(&format!("/dashboards/{id}/edit")))
    })
    .await
}

fn made(site: &Site, viewer: &Viewer, form: &Form) -> Result<Dashboard, Refused> {
    let gate = Gate::of(&site.settings(), &viewer.account);
    if gate.overview_only {
        return Err(gate.why());
    }
    let title = form.text("title");
    match form.action() {
        ("new", _) => Ok(Dashboard { title: title.unwrap_or_default(), app: None, charts: Vec::new() }),
        ("copy", _) => {
            let key = form.get("from").unwrap_or_default();
            let found = board::find(&site.directory, &viewer.account, viewer.member(), key)?;
            Ok(copied(found.dashboard, title, form.text("app")))
        }
        ("import", _) => {
            let json = form.get("json").unwrap_or_default();
            read_json(json.as_bytes()).map_err(Refused::wrong)
        }
        _ => Err(Refused::wrong("the form says nothing to do")),
    }
}

/// A copy under another title, of another app.
pub(crate) fn copied(mut dashboard: Dashboard, title: Option<String>, app: Option<String>) -> Dashboard {
    if title.is_none() && app.is_none() {
        dashboard.title = format!("{} (copy)", dashboard.title.chars().take(80).collect::<String>());
    }
    if let (None, Some(app)) = (&title, &app) {
        let short: String = app.chars().take(40).collect();
        dashboard.title = format!("{}, {short}", dashboard.title.chars().take(40).collect::<String>());
    }
    dashboard.title = title.unwrap_or(dashboard.title);
    dashboard.app = app.or(dashboard.app);
    dashboard
}

/// The same dashboard, under another title or of another app where one is given.
pub(crate) fn copied_as(mut dashboard: Dashboard, title: Option<String>, app: Option<String>) -> Dashboard {
    dashboard.title = title.unwrap_or(dashboard.title);
    dashboard.app = app.or(dashboard.app);
    dashboard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_told_from_what_it_was_made_of() {
        let of = || Dashboard { title: "Checkout".to_owned(), app: Some("a".to_owned()), charts: Vec::new() };
        let some = |text: &str| Some(text.to_owned());
        for (title, app, expected) in [
            (None, None, ("Checkout (copy)", "a")),
            (None, some("b"), ("Checkout, b", "b")),
            (some("T"), None, ("T", "a")),
            (some("T"), some("b"), ("T", "b")),
        ] {
            let copy = copied(of(), title, app);
            assert_eq!((copy.title.as_str(), copy.app.as_deref()), (expected.0, Some(expected.1)));
        }
    }
}
