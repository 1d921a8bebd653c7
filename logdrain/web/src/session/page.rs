//! The forms, which need no script.

use crate::layout::bare;
use axum::http::HeaderMap;
use logdrain_drain::directory::{Member, Recipient};
use maud::html;

/// The page to sign in by.
pub(super) fn login(asked: &HeaderMap, form: &str, (name, back): (&str, &str), why: Option<&str>) -> String {
    let content = html! {
        form.card action="/login" method="post" {
            @if let Some(why) = why { p.bad role="alert" { (why) } }
            input type="hidden" name="form" value=(form);
            input type="hidden" name="return" value=(back);
            label { "E-mail address" input type="text" name="name" value=(name) autocomplete="username" autocapitalize="off" spellcheck="false" required autofocus; }
            label { "Password" input type="password" name="password" autocomplete="current-password" required; }
            button.btn.first type="submit" { "Sign in" }
        }
        p.dim { "No password yet? Whoever looks after the account sends a link for one." }
    };
    bare(asked, "Sign in", &content)
}

/// Who has signed in, and the way out.
pub(super) fn inside(asked: &HeaderMap, form: &str, (who, account): (&str, &str), back: &str) -> String {
    let content = html! {
        form.card action="/logout" method="post" {
            p { "You are " b { (who) } ", and look at the account " b { (account) } "." }
            p { a href=(back) { "Go on" } }
            input type="hidden" name="form" value=(form);
            button.btn type="submit" { "Sign out" }
        }
    };
    bare(asked, "Signed in", &content)
}

/// The page of a one-time link.
pub(super) fn invited(asked: &HeaderMap, form: &str, member: &Member, why: Option<&str>) -> String {
    let content = html! {
        form.card method="post" {
            p { "You are " b { (member.email) } ", a member of the account " b { (member.account) } ". Choose a password of 12 letters or more." }
            @if let Some(why) = why { p.bad role="alert" { (why) } }
            input type="hidden" name="form" value=(form);
            input type="text" name="name" value=(member.email) autocomplete="username" readonly hidden;
            label { "New password" input type="password" name="password" autocomplete="new-password" minlength="12" required autofocus; }
            button.btn.first type="submit" { "Set it, and sign in" }
        }
    };
    bare(asked, "Set your password", &content)
}

/// The page of a link by which somebody says that he wants mail.
pub(super) fn recipient(asked: &HeaderMap, form: &str, recipient: &Recipient) -> String {
    let content = html! {
        form.card method="post" {
            p { "Alerts of the account " b { (recipient.account) } " are to be sent to " b { (recipient.address) } ". If you do not want them, close this page." }
            input type="hidden" name="form" value=(form);
            button.btn.first type="submit" { "I want them" }
        }
    };
    bare(asked, "Alerts by mail", &content)
}

/// The page of a link by which somebody says that he wants no more mail.
pub(super) fn leaving(asked: &HeaderMap, account: &str, address: &str) -> String {
    let content = html! {
        form.card method="post" {
            p { "Alerts of the account " b { (account) } " are sent to " b { (address) } "." }
            button.btn.first type="submit" { "Send me no more" }
        }
    };
    bare(asked, "Alerts by mail", &content)
}

/// A sentence.
pub(super) fn said(asked: &HeaderMap, why: &str) -> String {
    let content = html! { div.card { p role="alert" { (why) } p { a href="/login" { "Sign in" } } } };
    bare(asked, "Sign in", &content)
}
