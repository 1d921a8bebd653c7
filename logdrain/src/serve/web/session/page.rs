//! The forms, as plain as can be: no script, nothing from elsewhere.

use crate::serve::directory::Member;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

const STYLE: &str = include_str!("style.css");

/// What a browser may do with these pages: show them, and send their forms to this server.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    // It is ASCII; and if it were not, nothing may be done.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

fn page(title: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (title) " – logdrain" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    }
    .into_string()
}

/// The page to sign in by.
pub(super) fn login(form: &str, name: &str, back: &str, why: Option<&str>) -> String {
    let content = html! {
        @if let Some(why) = why { p.bad role="alert" { (why) } }
        form action="/login" method="post" {
            input type="hidden" name="form" value=(form);
            input type="hidden" name="return" value=(back);
            label { "E-mail address" input type="text" name="name" value=(name) autocomplete="username" autocapitalize="off" spellcheck="false" required autofocus; }
            label { "Password" input type="password" name="password" autocomplete="current-password" required; }
            button type="submit" { "Sign in" }
        }
    };
    page("Sign in", &content)
}

/// Who has signed in, and the way out.
pub(super) fn inside(form: &str, who: &str, account: &str, back: &str) -> String {
    let content = html! {
        p { "You are " b { (who) } ", and look at the account " b { (account) } "." }
        p { a href=(back) { "Go on" } }
        form action="/logout" method="post" {
            input type="hidden" name="form" value=(form);
            button type="submit" { "Sign out" }
        }
    };
    page("Signed in", &content)
}

/// The page of a one-time link.
pub(super) fn invited(form: &str, member: &Member, why: Option<&str>) -> String {
    let content = html! {
        p { "You are " b { (member.email) } ", a member of the account " b { (member.account) } ". Choose a password of 12 letters or more." }
        @if let Some(why) = why { p.bad role="alert" { (why) } }
        form method="post" {
            input type="hidden" name="form" value=(form);
            input type="text" name="name" value=(member.email) autocomplete="username" readonly hidden;
            label { "New password" input type="password" name="password" autocomplete="new-password" minlength="12" required autofocus; }
            button type="submit" { "Set it, and sign in" }
        }
    };
    page("Set your password", &content)
}

/// A sentence.
pub(super) fn said(why: &str) -> String {
    page("Sign in", &html! { p role="alert" { (why) } p { a href="/login" { "Sign in" } } })
}
