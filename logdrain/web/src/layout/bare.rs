//! Pages for whoever has not come in, and for what is not there: the mark, a title and what to do.

use super::icons::Icon;
use super::theme::Theme;
use super::{head, headers};
use crate::access::Denied;
use crate::site::Site;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use form_urlencoded::Serializer;
use maud::{DOCTYPE, Markup, html};

/// A page without ways to others but the one home.
pub(crate) fn bare(asked: &HeaderMap, title: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[Theme::of(asked).attribute()] {
            (head(title, &[], None))
            body {
                header.top { a.brand href="/" aria-label="logdrain" { (Icon::Brand) span { "logdrain" } } }
                main.narrow id="main" { h1 { (title) } (content) }
            }
        }
    }
    .into_string()
}

/// Whether somebody looks with a browser, and not a program that wants a word.
pub(super) fn is_read_by_people(method: &Method, asked: &HeaderMap) -> bool {
    let accepts = asked.get(header::ACCEPT).map(|accept| accept.as_bytes()).unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD | Method::POST) && accepts.windows(9).any(|part| part == b"text/html")
}

/// Why there is nothing to see, to people as a page with ways on, to programs as a line.
pub(crate) fn refused(method: &Method, asked: &HeaderMap, status: StatusCode, title: &str, why: &str) -> Response {
    if !is_read_by_people(method, asked) {
        return (status, format!("{why}\n")).into_response();
    }
    let content = html! {
        div.card {
            p { (why) }
            p { a href="/" { "Go to what you may see" } " · " a href="/login" { "Sign in" } }
        }
    };
    (status, headers(), bare(asked, title, &content)).into_response()
}

/// Why somebody is not let in, as a page: whoever can sign in is asked to, and comes back to where he wanted.
pub(crate) fn denied(why: Denied, site: &Site, method: &Method, uri: &Uri, asked: &HeaderMap) -> Response {
    if !is_read_by_people(method, asked) {
        return why.text();
    }
    match why {
        Denied::Missing if *method == Method::GET && site.directory.has_members() => {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            let to = Serializer::for_suffix("/login?".to_owned(), 7).append_pair("return", path).finish();
            (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::CACHE_CONTROL, "no-store".to_owned())])
                .into_response()
        }
        // The browser asks for a password then.
        Denied::Missing | Denied::Wrong | Denied::Guessing | Denied::Host | Denied::Closed | Denied::Busy => why.text(),
        _ => refused(method, asked, why.status(), "Not for you", &sentence(why.why())),
    }
}

/// A reason, as a sentence.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
