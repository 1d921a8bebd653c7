//! Who asks, as this API needs to know it.

use super::rate::Asker;
use crate::access::{self, Denied, Way, Who};
use crate::site::Site;
use axum::http::HeaderMap;
use log_store::Scope;
use logdrain_drain::intake::connections::Peer;
use std::ops::Deref;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Viewer {
    pub account: Arc<str>,
    asker: Asker,
    scope: Scope,
    of: access::Viewer,
}

impl Viewer {
    pub(super) const fn asker(&self) -> Asker {
        self.asker
    }

    /// Whether a token of this server was checked.
    pub(super) const fn has_token(&self) -> bool {
        matches!(self.of.who, Who::Token { .. })
    }

    /// The lines that may be seen.
    pub(super) fn scope(&self) -> Scope {
        self.scope.clone()
    }
}

/// What may be done.
impl Deref for Viewer {
    type Target = access::Viewer;

    fn deref(&self) -> &access::Viewer {
        &self.of
    }
}

/// A token that is there for sending alone asks for nothing here.
pub(super) async fn viewer(
    site: &Site,
    peer: &Peer,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Viewer, Denied> {
    let mut of = access::viewer(site, peer, headers, Way::ApiV1).await?;
    // Who may look at several accounts names one in the address; all others have their own.
    let named = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(name, _)| name == "account");
    if let Some((_, account)) = named.last().filter(|(_, account)| !account.is_empty() && of.sees_all_accounts()) {
        of.choose(&account)?;
    }
    if !of.may_read() {
        return Err(Denied::Forbidden);
    }
    let asker = match &of.who {
        Who::Token { id, .. } => Asker::of(&("token", id)),
        Who::Member { id, .. } => Asker::of(&("member", id)),
        Who::Operator => Asker::of(&"operator"),
        Who::Open | Who::Guest => Asker::of(&peer.address()),
    };
    let scope = of.scope(&site.settings());
    Ok(Viewer { account: of.account.as_str().into(), asker, scope, of })
}
