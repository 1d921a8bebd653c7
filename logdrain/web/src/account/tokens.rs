//! Tokens: what programs come in with. One is shown once, when it is made.

use super::sent::{Outcome, Refused, Sent};
use super::shown;
use crate::layout::Frame;
use axum::http::Method;
use logdrain_drain::directory::Token;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::sync::Arc;

/// Tokens that are listed.
const LISTED: usize = 200;

pub(super) async fn add(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let new = json!({ "kind": sent.form.typed("kind"), "name": sent.form.typed("name") });
    let made = sent.v2(Method::POST, "tokens", new).await?;
    let token = made.get("token").and_then(Value::as_str).unwrap_or_default();
    Ok(Outcome::Told(html! {
        div.card.once role="status" {
            h2 { "Your new token" }
            p { code { (token) } }
            p.dim { "It is shown once. Keep it where passwords are kept; whoever has it may what it may." }
        }
    }))
}

pub(super) async fn remove(sent: &Sent<'_>) -> Result<Outcome, Refused> {
    let id = sent.number("id")?;
    sent.v2(Method::DELETE, &format!("tokens/{id}"), Value::Null).await?;
    Ok(Outcome::Done("token-removed"))
}

/// Those that the viewer sees: his own, and with the right to it all.
fn seen(frame: &Frame) -> Vec<Arc<Token>> {
    let own = frame.viewer.member();
    let mut tokens = frame.site.directory.tokens(&frame.viewer.account);
    tokens.retain(|token| frame.viewer.may_manage_members() || own.is_some() && token.member == own);
    tokens
}

pub(super) fn list(frame: &Frame) -> Markup {
    let tokens = seen(frame);
    let may_add = frame.viewer.may_change() && (frame.viewer.member().is_some() || frame.viewer.is_operator());
    let owner = |token: &Token| match token.member {
        None => "the account".to_owned(),
        Some(id) => frame.site.directory.member(id).map_or_else(String::new, |member| member.email.clone()),
    };
    html! {
        section.card {
            h2 { "API tokens" }
            p.dim { "A program sends one as " code { "X-Papertrail-Token" } ". " b { "read" } " reads, " b { "admin" }
                " may what its owner may, " b { "record" } " only sends." }
            @if tokens.is_empty() { p { "There is none yet." } } @else {
                div.scroll tabindex="0" { table {
                    tr { th { "begins with" } th { "name" } th { "kind" } th { "of" } th { span.vh { "remove" } } }
                    @for token in tokens.iter().take(LISTED) {
                        tr {
                            td { code { (token.shown) "…" } }
                            td.t { (shown(&token.name)) }
                            td { (token.kind.name()) }
                            td.t { (owner(token)) }
                            td.n { @if frame.viewer.may_change() {
                                form method="post" action=(frame.link("/account/profile")) { (frame.form_token())
                                    input type="hidden" name="id" value=(token.id);
                                    button.btn.danger type="submit" name="do" value="remove-token"
                                        aria-label={ "Remove the token " (token.shown) } { "Remove" } }
                            } }
                        }
                    }
                } }
                @if tokens.len() > LISTED { p.dim { "and " (tokens.len() - LISTED) " more: " code { "logdrain account token list" } } }
            }
            @if may_add {
                form.line method="post" action=(frame.link("/account/profile")) {
                    (frame.form_token())
                    label { "Name" input type="text" name="name" maxlength="100" placeholder="what it is for" autocomplete="off"; }
                    label { "Kind" select name="kind" { option value="read" { "read" } option value="admin" { "admin" }
                        option value="record" { "record" } } }
                    button.btn type="submit" name="do" value="add-token" { "Make a token" }
                }
            }
        }
    }
}
