//! Groups of systems, and saved searches. The fields of the forms have the names that `/api/v1` knows.

use super::fitting::fitting;
use super::sent::{Outcome, Refused, Sent};
use super::shown;
use crate::access::ALL_SYSTEMS;
use crate::events::LogText;
use crate::layout::Frame;
use crate::v1::Method;
use axum::http::StatusCode;
use logdrain_drain::settings::account::{Group, Search};
use maud::{Markup, html};

/// Systems of a group that are listed.
const LISTED: usize = 200;
/// Groups that each search has beside it; with more of them it is changed on a page of its own.
const BESIDE: usize = 50;
/// The most bytes of a query that are shown.
const QUERY: usize = 1_000;

pub(super) async fn act(sent: &Sent<'_>, what: &str) -> Result<Outcome, Refused> {
    let of = |kind: &str| sent.number("id").map(|id| format!("/{kind}/{id}"));
    let (method, path, done) = match what {
        "add-group" => (Method::Create, "/groups".to_owned(), "group-added"),
        "save-group" => (Method::Change, of("groups")?, "group-saved"),
        "remove-group" => (Method::Remove, of("groups")?, "group-removed"),
        "add-search" => (Method::Create, "/searches".to_owned(), "search-added"),
        "save-search" => (Method::Change, of("searches")?, "search-saved"),
        "remove-search" => (Method::Remove, of("searches")?, "search-removed"),
        _ => return Err((StatusCode::BAD_REQUEST, "there is no such form".to_owned())),
    };
    sent.v1(method, &path).await?;
    Ok(Outcome::Done(done))
}

pub(super) fn content(frame: &Frame) -> Markup {
    let settings = frame.site.settings();
    let account = settings.account(&frame.viewer.account);
    let groups: Vec<(u32, &Group)> =
        account.groups.iter().filter(|(id, _)| frame.viewer.sees_group(**id)).map(|(id, group)| (*id, group)).collect();
    let sees = |search: &Search| search.group.is_none_or(|group| frame.viewer.sees_group(group));
    let searches: Vec<(u32, &Search)> =
        account.searches.iter().filter(|(_, search)| sees(search)).map(|(id, search)| (*id, search)).collect();
    html! {
        h2.head { "Saved searches" }
        @if searches.is_empty() { div.card { p { "There is none yet." } } }
        @let (some, left) = fitting(&searches, |(id, search)| search_form(frame, *id, search, &groups));
        (some)
        @if left > 0 { p.dim { "and " (left) " more: " code { "GET /api/v1/searches.json" } } }
        @if frame.viewer.may_save_search(None) || groups.iter().any(|(id, _)| frame.viewer.may_save_search(Some(*id))) {
            section.card { h3 { "Save a search" } form method="post" action=(frame.link("/account/searches")) {
                (frame.form_token()) (search_fields(&Search::default(), &groups))
                button.btn.first type="submit" name="do" value="add-search" { "Save" } } }
        }
        h2.head id="groups" { "Groups" }
        @if groups.is_empty() { div.card { p { "There is none but that of all systems." } } }
        @let (some, left) = fitting(&groups, |(id, group)| group_form(frame, *id, group));
        (some)
        @if left > 0 { p.dim { "and " (left) " more: " code { "GET /api/v1/groups.json" } } }
        @if frame.viewer.may_change() {
            section.card { h3 { "Make a group" } form method="post" action=(frame.link("/account/searches")) {
                (frame.form_token()) (group_fields(&Group::default()))
                button.btn.first type="submit" name="do" value="add-group" { "Make it" } } }
        }
    }
}

fn search_form(frame: &Frame, id: u32, search: &Search, groups: &[(u32, &Group)]) -> Markup {
    html! {
        section.card {
            h3 { a href=(frame.link_with("/events", &[("search", &id.to_string())])) { (shown(&search.name)) } }
            p { code { (LogText::plain(search.query.as_bytes(), QUERY)) } }
            @if !frame.viewer.may_save_search(search.group) {
            } @else if groups.len() > BESIDE {
                p { a href=(frame.link(&format!("/searches/{id}/edit"))) { "Change" } }
            } @else {
                details { summary { "Change" }
                    form method="post" action=(frame.link("/account/searches")) {
                        (frame.form_token())
                        input type="hidden" name="id" value=(id);
                        (search_fields(search, groups))
                        button.btn type="submit" name="do" value="save-search" { "Save" } " "
                        button.btn.danger type="submit" name="do" value="remove-search" { "Remove" }
                    }
                }
            }
        }
    }
}

fn search_fields(search: &Search, groups: &[(u32, &Group)]) -> Markup {
    html! {
        label { "Name" input type="text" name="search[name]" value=(search.name) required maxlength="100" autocomplete="off"; }
        label { "Query" input type="text" name="search[query]" value=(search.query) autocomplete="off" spellcheck="false"; }
        label { "In" select name="search[group_id]" {
            option value=(ALL_SYSTEMS) selected[search.group.is_none()] { "all systems" }
            @for (id, group) in groups { option value=(id) selected[search.group == Some(*id)] { (shown(&group.name)) } }
        } }
    }
}

fn group_form(frame: &Frame, id: u32, group: &Group) -> Markup {
    html! {
        section.card id={ "g" (id) } {
            h3 { a href=(frame.link_with("/events", &[("group", &id.to_string())])) { (shown(&group.name)) } }
            p { @if let Some(wildcard) = &group.wildcard { code { (shown(wildcard)) } " " }
                @for system in group.systems.iter().take(LISTED) { span.chip { (LogText::plain(system.as_bytes(), 200)) } " " }
                @if group.wildcard.is_none() && group.systems.is_empty() { span.dim { "no system" } } }
            @if frame.viewer.may_change() {
                details { summary { "Change" }
                    form method="post" action=(frame.link("/account/searches")) {
                        (frame.form_token())
                        input type="hidden" name="id" value=(id);
                        (group_fields(group))
                        button.btn type="submit" name="do" value="save-group" { "Save" } " "
                        button.btn.danger type="submit" name="do" value="remove-group" { "Remove" }
                    }
                }
            }
        }
    }
}

fn group_fields(group: &Group) -> Markup {
    html! {
        label { "Name" input type="text" name="group[name]" value=(group.name) required maxlength="100" autocomplete="off"; }
        label { "Systems whose names fit" input type="text" name="group[system_wildcard]" value=(group.wildcard.as_deref().unwrap_or_default())
            placeholder="web-*, db" autocomplete="off" spellcheck="false"; }
    }
}
