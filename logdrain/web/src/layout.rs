//! What surrounds every page: the top bar with the ways to all others, the account, the zone, light or dark; and what a
//! browser may do with it.
//!
//! A page is a [`Frame`] and what stands in it. It works without scripts: each step is a link or a form. What a page says
//! passes maud, which escapes it; log lines pass `LogText`, too. There is no style and no script in a page itself, and the
//! policy lets none run that is not a file of ours.

mod bare;
mod icons;
mod theme;

pub(crate) use bare::{bare, denied, refused};
pub(super) use theme::router;

use super::access::Viewer;
use super::assets::Asset;
use super::gzip;
use super::site::Site;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use form_urlencoded::Serializer;
use icons::Icon;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use theme::Theme;

/// What a browser may do with a page: load our own files, and send its forms to this server.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Accounts that the menu names; others are typed.
const ACCOUNTS: usize = 20;
/// The longest address that one comes back to.
const HERE: usize = 2_048;

/// Where a page belongs, in the top bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    Events,
    Dashboards,
    Explore,
    Alerts,
    Archives,
    Account,
    Status,
}

/// What surrounds a page for whoever asks.
#[derive(Debug)]
pub struct Frame {
    pub site: Arc<Site>,
    pub viewer: Viewer,
    pub tab: Tab,
    /// What the page is called.
    pub title: String,
    /// In which times are shown.
    pub zone: TimeZone,
    theme: Theme,
    is_packed: bool,
    /// The page's own address, to come back to.
    here: String,
    class: &'static str,
    scripts: Vec<Asset>,
    refresh: Option<u32>,
}

impl Frame {
    /// `viewer` looks at the account that the page is about, and `uri` is the page's own.
    pub fn new(
        site: &Arc<Site>,
        viewer: &Viewer,
        headers: &HeaderMap,
        uri: &Uri,
        tab: Tab,
        title: impl Into<String>,
    ) -> Self {
        let here = uri.path_and_query().map_or("/", |path| path.as_str());
        Self {
            site: site.clone(),
            viewer: viewer.clone(),
            tab,
            title: title.into(),
            zone: zone_of(site, viewer),
            theme: Theme::of(headers),
            is_packed: gzip::may_pack(headers),
            here: if here.len() <= HERE { here } else { uri.path() }.to_owned(),
            class: "",
            scripts: Vec::new(),
            refresh: None,
        }
    }

    /// A class for the body.
    pub fn with_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// A module that the page loads.
    pub fn with_script(mut self, script: Asset) -> Self {
        self.scripts.push(script);
        self
    }

    /// The page is loaded again after so many seconds.
    pub fn with_refresh(mut self, seconds: u32) -> Self {
        self.refresh = Some(seconds);
        self
    }

    /// Times are shown in this zone, whatever the profile says.
    pub fn with_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    pub(super) const fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// The account, if links have to name it: the operator may look at any.
    pub fn account(&self) -> Option<&str> {
        Some(self.viewer.account.as_str()).filter(|name| self.viewer.sees_all_accounts() && *name != DEFAULT_ACCOUNT)
    }

    /// An address of ours, for the account that is looked at.
    pub fn link(&self, path: &str) -> String {
        self.link_with(path, &[])
    }

    /// The same with parameters; what they say is encoded.
    pub fn link_with(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut pairs = Serializer::new(String::new());
        pairs.extend_pairs(self.account().map(|name| ("account", name)).into_iter().chain(parameters.iter().copied()));
        let query = pairs.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// What each form that changes something begins with.
    pub fn form_token(&self) -> Markup {
        html! { @if let Some(token) = self.viewer.form_token() { input type="hidden" name="form" value=(token); } }
    }

    /// The whole document. `content` has a `main` with the id `main`.
    pub fn document(&self, content: &Markup) -> Markup {
        self.titled(&self.title, content)
    }

    /// The same for what is called by something that was read while the page was built.
    pub fn titled(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[self.theme.attribute()] {
                (head(title, &self.scripts, self.refresh))
                body class=[(!self.class.is_empty()).then_some(self.class)] {
                    a.skip href="#main" { "Skip to content" }
                    (self.top())
                    (content)
                }
            }
        }
    }

    /// A document for somebody who was sent a link: without ways to other pages.
    pub fn alone(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[self.theme.attribute()] {
                (head(title, &self.scripts, None))
                body { (content) }
            }
        }
    }

    /// A page of cards and tables, with its title above.
    pub fn page(&self, content: &Markup) -> Markup {
        self.document(&html! { main.page id="main" { h1 { (self.title) } (content) } })
    }

    fn top(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" aria-label="logdrain" { (Icon::Brand) span { "logdrain" } }
                nav aria-label="Main" {
                    @for (tab, name, path) in self.tabs() {
                        a href=(self.link(path)) aria-current=[(tab == self.tab).then_some("page")] { (name) }
                    }
                }
                span.sp {}
                (self.accounts())
                (self.zone())
                (self.theme.switch(&self.here))
                @if self.viewer.form_token().is_some() {
                    form.out action="/logout" method="post" { (self.form_token())
                        button.btn.ghost type="submit" { "Sign out" } }
                }
            }
        }
    }

    /// What there is to see for him.
    fn tabs(&self) -> Vec<(Tab, &'static str, &'static str)> {
        let viewer = &self.viewer;
        let all = [
            (viewer.may_read(), Tab::Events, "Events", "/events"),
            (viewer.may_read(), Tab::Dashboards, "Dashboards", "/dashboards/overview"),
            (viewer.may_read(), Tab::Explore, "Explore", "/explore"),
            (viewer.sees_all_groups(), Tab::Alerts, "Alerts", "/alerts"),
            (viewer.sees_all_groups(), Tab::Archives, "Archives", "/archives"),
            (viewer.sees_all_accounts(), Tab::Status, "Status", "/status"),
            (viewer.may_read(), Tab::Account, "Account", "/account"),
        ];
        all.into_iter()
            .filter(|(may, tab, ..)| *may && self.has(*tab))
            .map(|(_, tab, name, path)| (tab, name, path))
            .collect()
    }

    /// Whether there is such a page here: nodes of several have not all.
    pub fn has(&self, tab: Tab) -> bool {
        let nodes = &self.site.intake.progress.nodes;
        match tab {
            _ if !nodes.are_there() => true,
            Tab::Events | Tab::Alerts | Tab::Archives => nodes.keeps_lines.load(Ordering::Relaxed),
            _ => true,
        }
    }

    /// Whose lines these are, and others to look at.
    fn accounts(&self) -> Markup {
        if !self.viewer.sees_all_accounts() {
            return html! { span.tz.whose title="The account that you look at" { (self.viewer.account) } };
        }
        let settings = self.site.settings();
        let named = settings.accounts.keys().map(String::as_str).filter(|name| *name != DEFAULT_ACCOUNT);
        let names: Vec<&str> = std::iter::once(DEFAULT_ACCOUNT).chain(named).collect();
        // One account alone is no choice.
        if names.len() == 1 && self.account().is_none() {
            return html! {};
        }
        let path = self.here.split('?').next().unwrap_or("/");
        let to = |name: &str| match name {
            DEFAULT_ACCOUNT => path.to_owned(),
            name => Serializer::for_suffix(format!("{path}?"), path.len() + 1).append_pair("account", name).finish(),
        };
        html! {
            details.menu.whose {
                summary title="The account that you look at" { (self.viewer.account) " ▾" }
                ul {
                    @for name in names.iter().take(ACCOUNTS) {
                        li { a href=(to(name)) aria-current=[(*name == self.viewer.account).then_some("true")] { (name) } }
                    }
                    @if names.len() > ACCOUNTS {
                        li { form method="get" action=(path) {
                            label { "Another of " (names.len()) input name="account" autocomplete="off" spellcheck="false"; } } }
                    }
                }
            }
        }
    }

    fn zone(&self) -> Markup {
        let offset = self.zone.to_offset(Timestamp::now());
        let (name, title) = match self.zone.iana_name() {
            None | Some("UTC") => {
                ("UTC".to_owned(), "Times are shown in UTC. Your profile can name another zone.".to_owned())
            }
            Some(name) => {
                let city = name.rsplit('/').next().unwrap_or(name).replace('_', " ");
                let offset = offset_text(offset.seconds());
                (
                    format!("{city}, {offset}"),
                    format!("Times are shown in {name}, {offset}. Your profile can name another zone."),
                )
            }
        };
        html! { span.tz title=(title) { (name) } }
    }
}

/// `UTC+2`, `UTC-3:30`.
fn offset_text(seconds: i32) -> String {
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    match (seconds / 3_600, seconds / 60 % 60) {
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// The zone of a member's profile.
fn zone_of(site: &Site, viewer: &Viewer) -> TimeZone {
    let member = viewer.member().and_then(|id| site.directory.member(id));
    let name = member.and_then(|member| member.zone.clone());
    name.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC)
}

fn head(title: &str, scripts: &[Asset], refresh: Option<u32>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width,initial-scale=1,viewport-fit=cover";
            meta name="color-scheme" content="light dark";
            @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
            title { (title) " · logdrain" }
            link rel="icon" href=(Asset::Icon.path()) type="image/svg+xml";
            link rel="stylesheet" href=(Asset::Style.path());
            @for script in scripts { script type="module" src=(script.path()) {} }
        }
    }
}

/// Headers of every page. Nothing keeps one: it is for whoever asked, now.
pub(crate) fn headers() -> [(HeaderName, HeaderValue); 6] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept-encoding, cookie")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_read_as_people_write_them() {
        assert_eq!([7_200, 0, -12_600, 20_700].map(offset_text), ["UTC+2", "UTC+0", "UTC-3:30", "UTC+5:45"]);
    }

    #[test]
    fn nothing_runs_or_is_applied_that_is_not_a_file_of_ours() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http") && !POLICY.contains("data:"));
        assert!(POLICY.starts_with("default-src 'none'") && POLICY.contains("require-trusted-types-for 'script'"));
    }
}
