//! Who asks. A small stand-in, until members and tokens are known.

use super::rate::Asker;
use crate::serve::counters::Refused;
use crate::serve::intake::Intake;
use crate::serve::intake::connections::Peer;
use crate::serve::intake::http::may_read;
use axum::http::HeaderMap;
use log_store::Scope;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) account: Arc<str>,
    asker: Asker,
}

impl Viewer {
    pub(super) const fn asker(&self) -> Asker {
        self.asker
    }

    pub(super) const fn has_token(&self) -> bool {
        false
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::account(&self.account)
    }
}

pub(super) async fn viewer(intake: &Intake, peer: &Peer, headers: &HeaderMap) -> Result<Viewer, Refused> {
    may_read(intake, peer, headers).await?;
    let is_open = intake.access().is_readable();
    let is_page = ["origin", "sec-fetch-site"].iter().any(|name| headers.contains_key(*name));
    if is_open && (is_page || !peer.is_local()) {
        intake.counters.refuse(Refused::Browser);
        return Err(Refused::Browser);
    }
    Ok(Viewer { account: "default".into(), asker: Asker::of(&peer.address()) })
}
