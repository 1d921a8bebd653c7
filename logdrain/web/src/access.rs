//! Who asks, and what he may.
//!
//! ```text
//! headers -> credentials -> who -> account, rights, kind -> Viewer -> Scope of lines, what may be changed
//! ```
//!
//! Every page and every API asks here, and nowhere else is it decided. A [`Viewer`] is made anew for each request: what was
//! taken from a member, or from the configuration, holds with the next one; what goes on for long asks
//! [`Viewer::still`](Viewer::still) on its way.

mod claim;
mod denied;

pub(crate) use claim::claim;
pub(crate) use denied::Denied;

use super::cookies;
use super::resource;
use super::site::Site;
use axum::http::{HeaderMap, HeaderValue, header};
use log_store::Scope;
use logdrain_drain::directory::{Access as Groups, Digest, Kind, Member, Rights, Session, Token, Whose};
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::http::{is_from_browser, is_loopback};
use logdrain_drain::intake::{Access, basic};
use logdrain_drain::logs;
use logdrain_drain::minutes::MinutesError;
use logdrain_drain::settings::Settings;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// The group of all systems, which every account has without its being made.
pub(crate) const ALL_SYSTEMS: u32 = 1;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Anybody on this machine, while nobody has to sign in.
    Open,
    /// Who has the configuration, or the `[watcher]` credentials.
    Operator,
    Member {
        id: u32,
        email: String,
    },
    /// A program; `member` is whose it is, and `None` if it is the account's own.
    Token {
        id: u32,
        member: Option<u32>,
    },
    /// Who was let in for an account without being a member of it.
    Guest,
}

/// By which way somebody comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Tokens and passwords, and never a cookie.
    ApiV1,
    /// A cookie, too; with it a change needs the form's token in `X-Form-Token`.
    ApiV2 { is_change: bool },
    /// A cookie, or a password that the browser asked for.
    Page,
}

/// Who asks, whose lines, and what he may do with them.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub who: Who,
    /// The account that is looked at.
    pub account: String,
    pub rights: Rights,
    pub kind: Kind,
    source: Source,
}

/// What somebody was let in by.
#[derive(Clone, Debug)]
enum Source {
    Open,
    /// These credentials of the configuration.
    Watcher(Option<[u8; 32]>),
    Token(Digest),
    Session {
        digest: Digest,
        form: String,
    },
    Password(u32),
}

impl Viewer {
    /// The lines that may be seen.
    pub fn scope(&self, settings: &Settings) -> Scope {
        let scope = Scope::account(&self.account);
        if self.kind == Kind::Record {
            return scope.with_systems::<&str>([]);
        }
        match self.groups() {
            None => scope,
            Some(groups) => {
                let account = settings.account(&self.account);
                let groups = groups.iter().filter_map(|group| account.groups.get(group));
                scope.with_systems(groups.flat_map(|group| group.patterns()))
            }
        }
    }

    /// The drains whose minutes may be seen; `None` is all of the account. Who sees one group sees the drains of its systems.
    ///
    /// # Errors
    /// When it cannot be read which drains there are.
    pub fn drains(&self, site: &Site) -> Result<Option<Vec<String>>, MinutesError> {
        if self.sees_all_groups() {
            return Ok(None);
        }
        let settings = site.settings();
        let scope = self.scope(&settings);
        let is_seen = |drain: &String| scope.allows(&self.account, logs::system(&settings, drain).as_bytes());
        Ok(Some(site.minutes.drains(&self.account)?.into_iter().filter(is_seen).collect()))
    }

    /// The groups that are seen; `None` is all systems.
    pub fn groups(&self) -> Option<&[u32]> {
        match &self.rights.groups {
            Groups::Some(groups) if !groups.contains(&ALL_SYSTEMS) => Some(groups),
            _ => None,
        }
    }

    /// Whether a group of the account is one of them.
    pub fn sees_group(&self, group: u32) -> bool {
        self.may_read() && self.groups().is_none_or(|groups| groups.contains(&group))
    }

    pub fn sees_system(&self, settings: &Settings, name: &str) -> bool {
        self.scope(settings).allows(&self.account, name.as_bytes())
    }

    /// What shows all lines of an account in one (archives, usage, patterns) is for those who see all of them.
    pub fn sees_all_groups(&self) -> bool {
        self.may_read() && self.groups().is_none()
    }

    /// Lines, settings, members.
    pub fn may_read(&self) -> bool {
        self.kind != Kind::Record
    }

    /// Measurements of programs: what a token of a recorder is for.
    pub fn may_record(&self) -> bool {
        self.kind != Kind::Read && !self.rights.read_only
    }

    /// Systems, groups, filters and what else decides who sees what. Who sees some groups alone changes none of it: he could
    /// give himself more.
    pub fn may_change(&self) -> bool {
        self.may_write() && self.groups().is_none()
    }

    /// Saved searches of a group that he sees; `None` is of all systems.
    pub fn may_save_search(&self, group: Option<u32>) -> bool {
        self.may_write() && self.sees_group(group.unwrap_or(ALL_SYSTEMS))
    }

    /// Dashboards that nobody but he sees.
    pub fn may_keep_own(&self) -> bool {
        self.may_write() && self.member().is_some()
    }

    /// His own settings, such as the time zone.
    pub fn may_write(&self) -> bool {
        self.kind == Kind::Admin && !self.rights.read_only
    }

    pub fn may_manage_members(&self) -> bool {
        self.may_change() && self.rights.manage_members
    }

    /// Whether these rights may be given to a member, or taken from one who has them: nobody gives what he has not.
    pub fn may_give(&self, rights: &Rights) -> bool {
        let own = &self.rights;
        self.may_manage_members() && (own.change_plans || !rights.change_plans) && (own.purge || !rights.purge)
    }

    /// Nobody orders for himself what Heroku is paid for.
    pub fn may_change_plans(&self) -> bool {
        self.may_change() && self.rights.change_plans && (self.is_operator() || !resource::is_of_one(&self.account))
    }

    pub fn may_purge(&self) -> bool {
        self.may_change() && self.rights.purge
    }

    /// Whose part of what all accounts share he takes; the operator has one of his own, whichever account he looks at.
    pub fn counts_as(&self) -> &str {
        if self.is_operator() { "" } else { &self.account }
    }

    pub const fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator)
    }

    /// Whether every account may be looked at.
    pub const fn sees_all_accounts(&self) -> bool {
        matches!(self.who, Who::Operator | Who::Open)
    }

    /// The member who asks, or whose token does.
    pub const fn member(&self) -> Option<u32> {
        match self.who {
            Who::Member { id, .. } | Who::Token { member: Some(id), .. } => Some(id),
            _ => None,
        }
    }

    /// Looks at another account, as the operator may. Naming one's own is fine for everybody.
    pub fn choose(&mut self, account: &str) -> Result<(), Denied> {
        if self.account == account {
            return Ok(());
        }
        if !self.sees_all_accounts() {
            return Err(Denied::OtherAccount);
        }
        account.clone_into(&mut self.account);
        Ok(())
    }

    /// What forms of this session carry; `None` for who comes without a cookie, and needs none.
    pub fn form_token(&self) -> Option<&str> {
        match &self.source {
            Source::Session { form, .. } => Some(form),
            _ => None,
        }
    }

    /// Whether a form that came was one of ours, made for this session.
    pub fn is_form(&self, token: Option<&str>) -> bool {
        match self.form_token() {
            Some(own) => own.as_bytes().ct_eq(token.unwrap_or_default().as_bytes()).into(),
            None => true,
        }
    }

    /// Whether he would still be let in, with the same rights: a look into memory.
    pub fn still(&self, site: &Site) -> bool {
        let Site { directory, intake, .. } = site;
        let now = match &self.source {
            Source::Open => return is_open(site),
            Source::Watcher(mark) => return *mark == intake.access().watcher_mark(),
            Source::Token(digest) => directory.token_of(digest).and_then(|token| of_token(site, &token, *digest)),
            Source::Session { digest, form } => {
                directory.session_of(digest).and_then(|session| of_session(site, &session, *digest, form.clone()))
            }
            Source::Password(id) => directory.member(*id).map(|member| of_member(&member)),
        };
        now.is_some_and(|now| {
            now.rights == self.rights
                && now.kind == self.kind
                && (now.account == self.account || now.sees_all_accounts())
        })
    }
}

/// Whether a member of an account may change its settings.
pub(crate) fn may_change_as(site: &Site, account: &str, member: u32) -> bool {
    site.directory.member(member).is_some_and(|member| member.account == account && of_member(&member).may_change())
}

/// Somebody who comes by a shared link. He may do nothing; what the link shows is read for its maker.
pub(crate) fn of_link(account: &str) -> Viewer {
    Viewer {
        who: Who::Guest,
        account: account.to_owned(),
        rights: Rights { read_only: true, ..Rights::default() },
        kind: Kind::Record,
        source: Source::Open,
    }
}

fn of_member(member: &Member) -> Viewer {
    Viewer {
        who: Who::Member { id: member.id, email: member.email.clone() },
        account: member.account.clone(),
        rights: member.rights.clone(),
        kind: Kind::Admin,
        source: Source::Password(member.id),
    }
}

fn of_token(site: &Site, token: &Token, digest: Digest) -> Option<Viewer> {
    let rights = match token.member {
        // It is no more than its member, whatever became of him.
        Some(member) => site.directory.member(member)?.rights.clone(),
        None => Rights::all(),
    };
    Some(Viewer {
        who: Who::Token { id: token.id, member: token.member },
        account: token.account.clone(),
        rights,
        kind: token.kind,
        source: Source::Token(digest),
    })
}

fn of_session(site: &Site, session: &Session, digest: Digest, form: String) -> Option<Viewer> {
    let (who, account, rights) = match &session.whose {
        Whose::Member(id) => {
            let member = site.directory.member(*id)?;
            (Who::Member { id: *id, email: member.email.clone() }, member.account.clone(), member.rights.clone())
        }
        Whose::Account { read_only } => {
            let rights = if *read_only { Rights { read_only: true, ..Rights::default() } } else { Rights::all() };
            (Who::Guest, session.account.clone(), rights)
        }
        Whose::Operator(mark) => {
            let now = site.intake.access().watcher_mark()?;
            if *mark != Digest::of(now) {
                return None;
            }
            (Who::Operator, session.account.clone(), Rights::all())
        }
    };
    Some(Viewer { who, account, rights, kind: Kind::Admin, source: Source::Session { digest, form } })
}

fn of_watcher(access: &Access) -> Viewer {
    let source = Source::Watcher(access.watcher_mark());
    Viewer { who: Who::Operator, account: DEFAULT_ACCOUNT.to_owned(), rights: Rights::all(), kind: Kind::Admin, source }
}

/// What came with a request.
enum Given {
    Nothing,
    Token(String),
    Pair(Vec<u8>),
    Session(Digest, Session, String),
}

impl Given {
    fn of(site: &Site, headers: &HeaderMap, way: Way) -> Self {
        let cookie = || {
            let secret = cookies::session(site, headers)?;
            let (digest, session) = site.directory.session(&secret)?;
            Some(Self::Session(digest, session, cookies::form_token(&secret)))
        };
        let other = || {
            if way != Way::Page
                && let Some(token) = headers.get("x-papertrail-token")
            {
                return Some(Self::Token(String::from_utf8_lossy(token.as_bytes()).trim().to_owned()));
            }
            let value = headers.get(header::AUTHORIZATION)?.as_bytes();
            match value.split_at_checked(7) {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
                    Some(Self::Token(String::from_utf8_lossy(token).trim().to_owned()))
                }
                _ => Some(Self::Pair(basic(value).unwrap_or_default())),
            }
        };
        match way {
            Way::ApiV1 => other(),
            Way::ApiV2 { .. } => other().or_else(cookie),
            Way::Page => cookie().or_else(other),
        }
        .unwrap_or(Self::Nothing)
    }
}

/// Who asks.
///
/// # Errors
/// Why he is not let in. Wrong credentials are answered later and later.
pub(crate) async fn viewer(site: &Site, peer: &Peer, headers: &HeaderMap, way: Way) -> Result<Viewer, Denied> {
    let access = site.intake.access();
    if is_open(site) {
        return open(site, peer, headers, way);
    }
    let mut given = Given::of(site, headers, way);
    // He may have signed in on another node just now.
    let has_cookie = || way != Way::ApiV1 && cookies::session(site, headers).is_some();
    if matches!(given, Given::Nothing) && has_cookie() && site.directory.look().await {
        given = Given::of(site, headers, way);
    }
    let found = match given {
        Given::Nothing => {
            // A browser asks without any at first: that is no guess.
            site.intake.has_none(peer);
            Err(Denied::Missing)
        }
        Given::Session(digest, session, form) => {
            if way != Way::Page && (!is_same_origin(site, headers) || is_elsewhere(headers)) {
                site.intake.refuse_browser(peer);
                return Err(Denied::Elsewhere);
            }
            let viewer = of_session(site, &session, digest, form).ok_or(Denied::Missing)?;
            if way == (Way::ApiV2 { is_change: true }) {
                let token = headers.get("x-form-token").and_then(|token| token.to_str().ok());
                if !viewer.is_form(Some(token.unwrap_or_default())) {
                    return Err(Denied::Form);
                }
            }
            peer.was_good();
            Ok(viewer)
        }
        Given::Token(token) => by_token(site, peer, &token).await,
        Given::Pair(pair) => by_pair(site, peer, access, &pair).await,
    };
    found.and_then(|viewer| {
        // A page of another server may ask with what the browser knows, and reads nothing; it takes places.
        if way == Way::Page && is_elsewhere(headers) {
            site.intake.refuse_browser(peer);
            return Err(Denied::Elsewhere);
        }
        Ok(viewer)
    })
}

/// Who has signed in in this browser; nobody is let in by it.
pub(crate) fn signed_in(site: &Site, headers: &HeaderMap) -> Option<Viewer> {
    let secret = cookies::session(site, headers)?;
    let (digest, session) = site.directory.session(&secret)?;
    of_session(site, &session, digest, cookies::form_token(&secret))
}

/// Whether nobody has to sign in.
pub(crate) fn is_open(site: &Site) -> bool {
    site.intake.access().is_readable() && !site.directory.asks()
}

/// Where nobody has to sign in: this machine, by one of its own names.
fn open(site: &Site, peer: &Peer, headers: &HeaderMap, way: Way) -> Result<Viewer, Denied> {
    if !site.open_reading {
        // A page elsewhere can have its name lead here, and read what the browser's owner may read.
        if peer.is_local() && !is_loopback(headers.get(header::HOST)) {
            site.intake.refuse_browser(peer);
            return Err(Denied::Host);
        }
        if !peer.is_local() {
            site.intake.has_none(peer);
            return Err(Denied::NotHere);
        }
    }
    if is_elsewhere(headers) || (way != Way::Page && !is_same_origin(site, headers)) {
        site.intake.refuse_browser(peer);
        return Err(Denied::Elsewhere);
    }
    peer.was_good();
    // A page elsewhere cannot send a header of this name unasked.
    let is_tool = headers.contains_key("x-papertrail-token") || !is_from_browser(headers);
    let may_change = is_tool || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let rights = Rights { read_only: !may_change || site.open_reading, ..Rights::default() };
    let account = DEFAULT_ACCOUNT.to_owned();
    Ok(Viewer { who: Who::Open, account, rights, kind: Kind::Admin, source: Source::Open })
}

async fn by_token(site: &Site, peer: &Peer, token: &str) -> Result<Viewer, Denied> {
    let intake = &site.intake;
    // First: nobody finds one of 2^160 by trying, however fast, and who has one gets in, whoever tries from his address.
    let found = match token_viewer(site, token) {
        // Another node may have given it just now.
        None if site.directory.look().await => token_viewer(site, token),
        found => found,
    };
    if let Some(viewer) = found {
        intake.was_good(peer, token.as_bytes());
        return Ok(viewer);
    }
    if !intake.may_try(peer, token.as_bytes()) {
        return Err(Denied::Guessing);
    }
    wrong(site, peer, None).await
}

fn token_viewer(site: &Site, token: &str) -> Option<Viewer> {
    let (digest, token) = site.directory.token(token)?;
    of_token(site, &token, digest)
}

/// `user:password`: of who watches, a token in either place, or a member's.
async fn by_pair(site: &Site, peer: &Peer, access: Arc<Access>, pair: &[u8]) -> Result<Viewer, Denied> {
    let intake = &site.intake;
    let text = std::str::from_utf8(pair).ok().and_then(|pair| pair.split_once(':'));
    let by_token =
        || text.and_then(|(user, password)| token_viewer(site, user).or_else(|| token_viewer(site, password)));
    // The one of a member is looked for again with his password.
    let by_token = match by_token() {
        None if !text.is_some_and(|(user, _)| user.contains('@')) && site.directory.look().await => by_token(),
        found => found,
    };
    if let Some(viewer) = by_token {
        intake.was_good(peer, pair);
        return Ok(viewer);
    }
    if !intake.may_try(peer, pair) {
        return Err(Denied::Guessing);
    }
    if access.is_watcher(pair) {
        intake.was_good(peer, pair);
        return Ok(of_watcher(&access));
    }
    let Some((user, password)) = text else { return wrong(site, peer, None).await };
    match by_password(site, peer, user, password).await? {
        Some(member) => {
            intake.was_good(peer, pair);
            Ok(of_member(&member))
        }
        None => wrong(site, peer, Some(user)).await,
    }
}

/// The member of a name and password. Whoever was wrong again and again waits before the work is done.
pub(crate) async fn by_password(
    site: &Site,
    peer: &Peer,
    name: &str,
    password: &str,
) -> Result<Option<Arc<Member>>, Denied> {
    if !name.contains('@') || !(site.directory.has_members() || site.directory.look().await) {
        return Ok(None);
    }
    let email = name.rsplit_once('/').map_or(name, |(_, email)| email).to_owned();
    if let Some(member) = site.directory.remembered(name, password) {
        return Ok(Some(member));
    }
    tokio::time::sleep(site.intake.pause(peer, format!("{name}:{password}").as_bytes())).await;
    let before = site.directory.members_called(&email);
    let check = || {
        let (directory, name, password) = (site.directory.clone(), name.to_owned(), password.to_owned());
        site.checks.run(move || directory.check_password(&name, &password))
    };
    let checked = check().await.ok_or(Denied::Busy)?;
    // Another node may know another password of his.
    if checked.is_none() && site.directory.look().await && site.directory.members_called(&email) != before {
        return check().await.ok_or(Denied::Busy);
    }
    Ok(checked)
}

/// Wrong credentials, or ones that nobody can judge while the directory is closed.
pub(crate) async fn wrong<T>(site: &Site, peer: &Peer, account: Option<&str>) -> Result<T, Denied> {
    let account = account.map(str::to_lowercase);
    site.intake.was_wrong(peer, account.as_deref().map(str::as_bytes)).await;
    Err(if site.directory.is_open() { Denied::Wrong } else { Denied::Closed })
}

/// For the operator alone: what is told of the whole server. Where nobody has to sign in, that is anybody on this machine.
pub(crate) async fn operator(site: &Site, peer: &Peer, headers: &HeaderMap) -> Result<Viewer, Denied> {
    let viewer = viewer(site, peer, headers, Way::Page).await?;
    if viewer.sees_all_accounts() { Ok(viewer) } else { Err(Denied::NotOperator) }
}

/// Whether a page of another server asks, and not somebody who follows a link on it.
fn is_elsewhere(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
    let is_link = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    (says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site")) && !is_link
}

/// Whether the page that asks, if one does, is of this server: by the name that it was asked for under, or by its own, which
/// something in front may not hand on.
pub(crate) fn is_same_origin(site: &Site, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let origin = origin.as_bytes();
    if site.base.as_ref().is_some_and(|base| base.as_bytes() == origin) {
        return true;
    }
    let name = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
    name.is_some() && name == host
}
