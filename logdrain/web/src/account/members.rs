//! Members of the account: who they are, what each may, and how another one comes in.

use super::fitting::fitting;
use super::form::Form;
use super::sent::{Outcome, Refused, Sent};
use super::shown;
use crate::layout::Frame;
use axum::http::Method;
use logdrain_drain::directory::{Access, Member, Rights};
use maud::{Markup, html};
use serde_json::{Value, json};
use std::sync::Arc;

/// Members that are listed at a time.
const LISTED: usize = 50;
/// Members by groups: with more, some are not shown.
const FEW: usize = 1_000;

/// The rights that a form says.
fn said(form: &Form) -> Value {
    let groups: Vec<u32> = form.all("group").filter_map(|id| id.parse().ok()).collect();
    json!({
        "read_only": form.is_ticked("read_only"),
        "manage_members": form.is_ticked("manage_members"),
        "change_plans": form.is_ticked("change_plans"),
        "purge": form.is_ticked("purge"),
        "groups": if form.text("sees") == Some("some") { json!(groups) } else { Value::Null },
    })
}

pub(super) async fn add(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let email = sent.form.typed("email").to_owned();
    let made = sent.v2(Method::POST, "members", json!({ "email": email, "rights": said(sent.form) })).await?;
    let link = made.get("link").and_then(Value::as_str).unwrap_or_default();
    Ok(Outcome::Told(html! {
        div.card.once role="status" {
            h2 { "Send this link to " (email) }
            p { code { (link) } }
            p.dim { "He sets his password by it: once, within 7 days. It is shown once; whoever opens it first is the member." }
        }
    }))
}

pub(super) async fn save(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let id = sent.number("id")?;
    sent.v2(Method::PATCH, &format!("members/{id}"), json!({ "rights": said(sent.form) })).await?;
    Ok(Outcome::Done("member-saved"))
}

pub(super) async fn remove(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let id = sent.number("id")?;
    sent.v2(Method::DELETE, &format!("members/{id}"), Value::Null).await?;
    Ok(Outcome::Done("member-removed"))
}

pub(super) fn content(frame: &Frame, query: &str) -> Markup {
    let wanted =
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "q").map(|(_, text)| text.to_lowercase());
    let wanted = wanted.unwrap_or_default();
    let mut members = frame.site.directory.members(&frame.viewer.account);
    let all = members.len();
    members.retain(|member| member.email.contains(wanted.as_str()));
    let settings = frame.site.settings();
    let groups: Vec<(u32, &str)> =
        settings.account(&frame.viewer.account).groups.iter().map(|(id, group)| (*id, group.name.as_str())).collect();
    html! {
        section.card {
            h2 { "Invite a member" }
            form method="post" action=(frame.link("/account/members")) {
                (frame.form_token())
                label { "E-mail address" input type="email" name="email" required autocomplete="off"; }
                (rights(&Rights::default(), &groups))
                button.btn.first type="submit" name="do" value="add" { "Make the link" }
            }
        }
        @if all > LISTED || all * groups.len() > FEW {
            form.line method="get" action="/account/members" {
                @if let Some(account) = frame.account() { input type="hidden" name="account" value=(account); }
                label { "Find" input type="search" name="q" value=(wanted); }
                button.btn type="submit" { "Find" }
            }
        }
        @if members.is_empty() { div.card { p { "There is no member" @if !wanted.is_empty() { " like that" } "." } } }
        @let (some, left) = fitting(members.iter().take(LISTED), |member| one(frame, member, &groups));
        (some)
        @let left = left + members.len().saturating_sub(LISTED);
        @if left > 0 { p.dim { "and " (left) " more: find them by a part of their address" } }
    }
}

fn one(frame: &Frame, member: &Arc<Member>, groups: &[(u32, &str)]) -> Markup {
    let may = frame.viewer.may_give(&member.rights);
    html! {
        section.card {
            h2 { (member.email) @if frame.viewer.member() == Some(member.id) { " " span.dim { "(you)" } } }
            @if !member.has_password() { p.warn { "He has not opened his link yet." } }
            form method="post" action=(frame.link("/account/members")) {
                (frame.form_token())
                input type="hidden" name="id" value=(member.id);
                (rights(&member.rights, groups))
                @if may {
                    button.btn type="submit" name="do" value="save" { "Save" } " "
                    button.btn.danger type="submit" name="do" value="remove" { "Remove" }
                } @else { p.dim { "He has rights that you have not: somebody else changes them." } }
            }
        }
    }
}

fn rights(rights: &Rights, groups: &[(u32, &str)]) -> Markup {
    let chosen: &[u32] = match &rights.groups {
        Access::All => &[],
        Access::Some(groups) => groups,
    };
    let sees_some = matches!(rights.groups, Access::Some(_));
    html! {
        fieldset {
            legend { "Rights" }
            @for (name, is_on, said) in [
                ("read_only", rights.read_only, "changes nothing"),
                ("manage_members", rights.manage_members, "manages members"),
                ("change_plans", rights.change_plans, "changes the plan"),
                ("purge", rights.purge, "purges lines"),
            ] { label.tick { input type="checkbox" name=(name) checked[is_on]; (said) } }
        }
        @if !groups.is_empty() || sees_some {
            fieldset {
                legend { "Sees" }
                label.tick { input type="radio" name="sees" value="all" checked[!sees_some]; "all systems" }
                label.tick { input type="radio" name="sees" value="some" checked[sees_some]; "these groups:" }
                @for (id, name) in groups {
                    label.tick { input type="checkbox" name="group" value=(id) checked[chosen.contains(id)]; (shown(name)) }
                }
            }
        }
    }
}
