//! The operator's page at `/status`: how the server does, and what came of each drain. It reloads itself, and works without
//! scripts.
//!
//! What is open and what is not stands in the page's address, so that a reload changes nothing of it: `?drain=ID` shows one
//! drain alone, `shut=` names the sections that were closed, `still` stops the reloading.
//!
//! Everything that stands in it may come from a log line, and passes [`plain`] on its way.

mod drain;
mod health;

pub use health::House;

use super::layout::{Frame, Tab};
use super::site::Site;
use crate::access::Viewer;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use logdrain_drain::counting::board::{Board, Drain};
use logdrain_drain::drain_name::DrainName;
use logdrain_terms::escape::Escaped;
use logdrain_terms::number;
use maud::{Markup, Render as _, html};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// With more drains than these, each is on a page of its own.
const TOGETHER: usize = 8;
/// The most that an address says.
const SHUT: usize = 200;
/// Beyond so many bytes no further drain is shown.
const FULL: usize = 500 << 10;
/// Drains that are named, when there are many.
const INDEX: usize = 1_000;
/// Seconds until the page is loaded again.
const RELOAD: u32 = 5;

/// The page as it is now, as its address asks for it.
pub(super) async fn answer(
    site: &Arc<Site>,
    viewer: &Viewer,
    headers: &HeaderMap,
    uri: &Uri,
    (board, house): (Board, Arc<House>),
) -> Response {
    let frame = Frame::new(site, viewer, headers, uri, Tab::Status, "Status");
    let view = View::of(uri.query().unwrap_or_default(), frame.account());
    let frame = if view.is_still { frame } else { frame.with_refresh(RELOAD) };
    site.pages.build(frame, move |frame, _| frame.page(&content(frame, &board, &house, &view))).await
}

fn content(frame: &Frame, board: &Board, house: &House, view: &View) -> Markup {
    let shown = board.copy();
    let drains: Vec<(String, String, &Drain)> =
        shown.drains.iter().map(|(key, drain)| (id_of(key), DrainName::of(key).shown().to_string(), drain)).collect();
    let alone = drains.iter().find(|(id, ..)| view.drain.as_ref() == Some(id));
    let together = drains.len() <= TOGETHER;
    let (turn, said) = if view.is_still { (false, "reload every 5 s") } else { (true, "stop reloading") };
    let mut all = html! {
        p.under { "version " (env!("CARGO_PKG_VERSION")) ", up " (health::span(house.began.elapsed().as_secs()))
            " · " a href=(View { is_still: turn, ..view.clone() }.link()) { (said) } }
        (health::tiles(&frame.site.intake, &shown, house))
        @if drains.is_empty() { div.card { p { "No drain has sent anything yet." } } }
        @if drains.len() > 1 { (index(&drains, view, together)) }
    };
    for (id, name, drain) in &drains {
        match alone {
            Some((only, ..)) if only != id => continue,
            None if !together => break,
            _ => {}
        }
        if all.0.len() > FULL {
            all.0.push_str(&html! { p.card { "The other drains find no room here: choose one above." } }.0);
            break;
        }
        drain::section(id, name, drain, view).render_to(&mut all.0);
    }
    all
}

/// All drains at a glance, each with the way to it.
fn index(drains: &[(String, String, &Drain)], view: &View, together: bool) -> Markup {
    let all = View { drain: None, ..view.clone() };
    let link = |id: &str| match together && view.drain.is_none() {
        true => format!("#{id}"),
        false => View { drain: Some(id.to_owned()), ..view.clone() }.link(),
    };
    html! {
        section.card {
            h2 { "Drains" }
            @if view.drain.is_some() { p { a href=(all.link()) { "all drains" } } }
            div.scroll tabindex="0" { table {
                tr { th { "drain" } th { "last delivery" } th.n { "lines" } th.n { "late" } th.n { "streams" }
                    th.n { "windows open" } th.n { "memory" } }
                @for (id, name, drain) in drains.iter().take(INDEX) {
                    tr {
                        td { a href=(link(id)) { (plain(name)) } }
                        td { (health::ago(drain)) }
                        td.n { (count(drain.ledger.as_ref().map_or(0, |ledger| ledger.total().frames()))) }
                        td.n { (count(health::late(drain).0)) }
                        td.n { (count(drain.streams as u64)) }
                        td.n { (drain.open_windows) }
                        td.n { (number::human(drain.memory as f64, "bytes")) }
                    }
                }
            } }
            @if drains.len() > INDEX { p.dim { "and " (drains.len() - INDEX) " more" } }
        }
    }
}

fn count(number: u64) -> String {
    number::human(number as f64, "")
}

/// What the address of the page asks for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct View {
    /// The account that other pages show; this one is of the whole server.
    account: Option<String>,
    /// One drain alone, by its id.
    drain: Option<String>,
    /// Sections that are closed: a drain's id and a letter.
    shut: BTreeSet<String>,
    is_still: bool,
}

impl View {
    /// Reads the part of an address behind its `?`. What is not understood is passed over.
    fn of(query: &str, account: Option<&str>) -> Self {
        let is_id = |id: &str| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let mut view = Self { account: account.map(str::to_owned), ..Self::default() };
        for part in query.split('&') {
            match part.split_once('=').unwrap_or((part, "")) {
                ("drain", id) if is_id(id) => view.drain = Some(id.to_owned()),
                ("shut", all) => {
                    view.shut = all.split('.').filter(|id| is_id(id)).take(SHUT).map(str::to_owned).collect()
                }
                ("still", _) => view.is_still = true,
                _ => {}
            }
        }
        view
    }

    /// An address within the page, with nothing in it but letters, digits and `?=&.-`.
    fn link(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.account.iter().map(|account| format!("account={account}")));
        parts.extend(self.drain.iter().map(|id| format!("drain={id}")));
        if !self.shut.is_empty() {
            let shut: Vec<&str> = self.shut.iter().map(String::as_str).collect();
            parts.push(format!("shut={}", shut.join(".")));
        }
        parts.extend(self.is_still.then(|| "still".to_owned()));
        format!("?{}", parts.join("&"))
    }

    /// The same with a section turned over.
    fn turned(&self, section: &str) -> Self {
        let mut view = self.clone();
        if !view.shut.remove(section) {
            view.shut.insert(section.to_owned());
        }
        view
    }
}

/// What a drain is called in addresses: nothing of its token can be found from it.
fn id_of(key: &str) -> String {
    let digest = Sha256::digest(format!("page {key}"));
    let mut id = "d".to_owned();
    for byte in digest.iter().take(4) {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// Text without control characters, and others that cannot be seen. maud makes no markup of it.
fn plain(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| Escaped(line).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_stands_in_the_address_and_nothing_else_does() {
        let view = View::of("drain=d0123abcd&shut=0123abcdb.d0123abcb.<script>&still&x=<b>&drain=<i>", Some("shop"));
        assert_eq!(view.drain.as_deref(), Some("d0123abcd"));
        assert_eq!(view.link(), "?account=shop&drain=d0123abcd&shut=0123abcdb.d0123abcb&still");
        let open = view.turned("0123abcdb").turned("d0123abcb");
        assert_eq!(open.link(), "?account=shop&drain=d0123abcd&still");
        assert_eq!(View::of("", None).link(), "?");
        assert!(View::of(&format!("shut={}", "0123abcdb.".repeat(1_000)), None).link().len() < 3_000);
    }

    #[test]
    fn text_is_never_markup() {
        let hostile = "<script>alert('x')</script>\u{1b}[2J\u{202e}\"&\n<b>";
        assert_eq!(
            html! { (plain(hostile)) }.into_string(),
            "&lt;script&gt;alert('x')&lt;/script&gt;\\u{1b}[2J\\u{202e}&quot;&amp;\n&lt;b&gt;"
        );
    }
}
