//! Cookies, which are for sessions alone.

use super::site::Site;
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

/// The cookies that there are.
#[derive(Clone, Copy)]
pub(super) enum Cookie {
    /// Of who has signed in.
    Session,
    /// Of a form before there is a session.
    Form,
}

/// What a cookie is called. Where connections are encrypted, browsers let nobody but this very host set one of this name.
const fn called(cookie: Cookie, is_secure: bool) -> &'static str {
    match (cookie, is_secure) {
        (Cookie::Session, true) => "__Host-logdrain",
        (Cookie::Session, false) => "logdrain",
        (Cookie::Form, true) => "__Host-logdrain-form",
        (Cookie::Form, false) => "logdrain-form",
    }
}

/// The value of a cookie that came.
pub(super) fn of(site: &Site, headers: &HeaderMap, cookie: Cookie) -> Option<String> {
    let name = called(cookie, site.is_secure());
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
}

/// What sets a cookie; an empty value takes it away.
pub(super) fn set(site: &Site, cookie: Cookie, value: &str) -> HeaderValue {
    let is_secure = site.is_secure();
    let (name, secure) = (called(cookie, is_secure), if is_secure { "; Secure" } else { "" });
    let lasting = match (cookie, value.is_empty()) {
        (_, true) => "; Max-Age=0",
        (Cookie::Session, _) => "; Max-Age=2592000",
        (Cookie::Form, _) => "",
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{lasting}");
    // What we make is ASCII; anything else ends what was there.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("logdrain=; Path=/; Max-Age=0"))
}

/// The secret of the session that a browser sends.
pub(super) fn session(site: &Site, headers: &HeaderMap) -> Option<String> {
    of(site, headers, Cookie::Session)
}

/// What a form carries that was made for whoever has this cookie. The cookie cannot be told from it.
pub(super) fn form_token(secret: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"the form of ");
    digest.update(secret);
    digest.finalize().iter().take(20).fold(String::with_capacity(40), |text, byte| format!("{text}{byte:02x}"))
}
