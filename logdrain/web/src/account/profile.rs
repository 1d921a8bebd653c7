//! Who somebody is here, in which zone times are shown to him, and his tokens.

use super::sent::{Outcome, Refused, Sent};
use super::tokens;
use crate::access::Who;
use crate::layout::Frame;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// The longest name of a zone.
const ZONE: usize = 64;

pub(super) async fn set_zone(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let Who::Member { id, .. } = sent.viewer.who else {
        return Err((StatusCode::FORBIDDEN, "only a member has a profile".to_owned()));
    };
    if !sent.viewer.may_write() {
        return Err((StatusCode::FORBIDDEN, "who reads only changes nothing".to_owned()));
    }
    let name = sent.form.typed("zone");
    let zone = match name {
        "" | "UTC" => None,
        name => Some(known(name).ok_or_else(|| {
            (StatusCode::UNPROCESSABLE_ENTITY, "there is no such zone: write one as Europe/Paris".to_owned())
        })?),
    };
    let directory = sent.rooms.site.directory.clone();
    let set = tokio::task::spawn_blocking(move || directory.set_zone(id, zone)).await;
    match set {
        Ok(Ok(())) => Ok(Outcome::Done("zone")),
        _ => Err((StatusCode::SERVICE_UNAVAILABLE, "the profile cannot be changed now: come again".to_owned())),
    }
}

/// A zone by its own name.
fn known(name: &str) -> Option<String> {
    let zone = (name.len() <= ZONE).then(|| TimeZone::get(name).ok()).flatten()?;
    zone.iana_name().map(str::to_owned)
}

pub(super) fn content(frame: &Frame) -> Markup {
    let viewer = &frame.viewer;
    let who = match &viewer.who {
        Who::Member { email, .. } => email.as_str(),
        Who::Operator => "the operator of this server",
        Who::Guest => "a guest of the account, let in from outside",
        Who::Open | Who::Token { .. } => "somebody on this machine: nobody has to sign in yet",
    };
    let may = [
        ("read", true),
        ("change settings", viewer.may_change()),
        ("manage members", viewer.may_manage_members()),
        ("change the plan", viewer.may_change_plans()),
        ("purge lines", viewer.may_purge()),
    ];
    let may: Vec<&str> = may.into_iter().filter(|(_, may)| *may).map(|(what, _)| what).collect();
    html! {
        section.card {
            h2 { "You" }
            dl.facts {
                div { dt { "who" } dd { (who) } }
                div { dt { "account" } dd { (viewer.account) } }
                div { dt { "you may" } dd { (may.join(", "))
                    @if viewer.groups().is_some() { " (of some groups alone)" } } }
            }
            @if viewer.form_token().is_some() { p { a href="/login" { "Sign out" } } }
        }
        @if matches!(viewer.who, Who::Member { .. }) { (zone(frame)) }
        (tokens::list(frame))
    }
}

fn zone(frame: &Frame) -> Markup {
    let now = frame.zone.iana_name().unwrap_or("UTC");
    html! {
        section.card {
            h2 { "Time zone" }
            form.line method="post" action=(frame.link("/account/profile")) {
                (frame.form_token())
                label { "Times are shown in" input type="text" name="zone" list="zones" value=(now) maxlength=(ZONE)
                    autocomplete="off" spellcheck="false"; }
                datalist id="zones" { @for name in jiff::tz::db().available() { option value=(name.as_str()) {} } }
                button.btn type="submit" name="do" value="zone" { "Save" }
            }
            p.dim { "Links that you share carry absolute times, whatever zone they are read in." }
        }
    }
}
