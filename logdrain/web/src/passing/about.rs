//! Which account a request is about.

use super::paths;
use crate::access;
use crate::site::Site;
use axum::http::request::Parts;
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::settings::account::is_account_name;

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum About {
    Account(String),
    /// No account that anybody could tell: whoever is asked says what there is to say.
    Nobody,
    /// Several at a time.
    Several,
}

/// By its path where that names one, else by who asks.
pub(super) async fn about(site: &Site, peer: &Peer, head: &Parts) -> About {
    let path = head.uri.path();
    let words = path.split('/').skip(1).collect::<Vec<_>>();
    let named = match words.as_slice() {
        ["shared", link, ..] => Some(site.directory.shared(link).await.map(|share| share.account.clone())),
        _ => None,
    };
    if let Some(named) = named {
        return named.map_or(About::Nobody, About::Account);
    }
    let Some(claim) = access::claim(site, peer, &head.headers, paths::way(path)).await else { return About::Nobody };
    if !claim.names_others {
        return About::Account(claim.account);
    }
    let query = head.uri.query().unwrap_or_default();
    let mut named = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, account)| name == "account" && !account.is_empty())
        .map(|(_, account)| account);
    let Some(first) = named.next() else { return About::Account(claim.account) };
    if named.any(|other| other != first) {
        return About::Several;
    }
    // Whoever answers says that it is none.
    About::Account(if is_account_name(&first) { first.into_owned() } else { claim.account })
}
