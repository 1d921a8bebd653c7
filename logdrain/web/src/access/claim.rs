//! Whose account a request is about, by what came with it: for a node that passes it on to that account's home. Nobody is let in
//! by it, and nothing is told to whoever asks: the home sees for itself who that is.

use super::{Given, Viewer, Way, by_password, is_open, of_session, of_watcher, token_viewer};
use crate::site::Site;
use axum::http::HeaderMap;
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::intake::connections::Peer;

/// What somebody seems to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) account: String,
    /// He may name another one.
    pub(crate) names_others: bool,
}

impl From<Viewer> for Claim {
    fn from(viewer: Viewer) -> Self {
        Self { names_others: viewer.sees_all_accounts(), account: viewer.account }
    }
}

/// `None` for who says nothing, or nothing that anybody here is known by.
pub(crate) async fn claim(site: &Site, peer: &Peer, headers: &HeaderMap, way: Way) -> Option<Claim> {
    if is_open(site) {
        return Some(Claim { account: DEFAULT_ACCOUNT.to_owned(), names_others: true });
    }
    match Given::of(site, headers, way) {
        Given::Nothing => None,
        Given::Session(digest, session, form) => of_session(site, &session, digest, form).map(Claim::from),
        Given::Token(token) => token_viewer(site, &token).map(Claim::from),
        Given::Pair(pair) => of_pair(site, peer, &pair).await,
    }
}

async fn of_pair(site: &Site, peer: &Peer, pair: &[u8]) -> Option<Claim> {
    let (user, password) = std::str::from_utf8(pair).ok()?.split_once(':')?;
    if let Some(viewer) = token_viewer(site, user).or_else(|| token_viewer(site, password)) {
        return Some(viewer.into());
    }
    let access = site.intake.access();
    if access.is_watcher(pair) {
        // Who guesses is not told by being passed on which one was right: he is answered here, as with a wrong one.
        if !site.intake.may_try(peer, pair) {
            return None;
        }
        site.intake.was_good(peer, pair);
        return Some(of_watcher(&access).into());
    }
    if !user.contains('@') || !site.directory.has_members() {
        return None;
    }
    // The password is for the home to check. Who is nobody has a home as well, so that it cannot be told by the time that an
    // answer takes who is somebody.
    let account = match site.directory.members_called(user).as_slice() {
        [] => user.trim().to_lowercase(),
        [only] => only.account.clone(),
        // A member of several accounts means the one whose password it is. A wrong one is counted here, where it was tried.
        _ if !site.intake.may_try(peer, pair) => return None,
        _ => by_password(site, peer, user, password).await.ok()??.account.clone(),
    };
    Some(Claim { account, names_others: false })
}
