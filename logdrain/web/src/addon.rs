//! The add-on provider: Heroku's Add-on Partner API v3. Off unless `[addon]` is configured.
//!
//! ```text
//! POST   /heroku/resources         provision: an account, a drain of its own, a token
//! PUT    /heroku/resources/ID      another plan
//! DELETE /heroku/resources/ID      no more of it
//! POST   /sso/login                single sign-on from Heroku's pages
//! GET    /apps/APP/addons/NAME     a link to a page of a resource, by way of Heroku
//! ```
//!
//! What lines depend on (the plan, the drain with its credentials) goes through the journal. What was answered to Heroku, and
//! what has become of a resource, is a file for each in the store's folder `addon`, or in the directory that nodes share. One
//! request after the other: Heroku sends few, and repeats them.
//!
//! Where nodes share the journal, any of them takes any request, and two may take the same one at a time. So what is to be done is
//! kept first, with all secrets, and once for each resource; then it is done, by whoever was asked and whoever is asked again, and
//! comes to the same. What nobody asks for again the home of the account does.

mod grant;
mod kept;
mod nodes;
mod provision;
mod resources;
mod sso;

#[cfg(test)]
mod tests;

use super::resource::account_of;
use super::site::Site;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use kept::{REPEATED, Resource};
use logdrain_drain::directory;
use logdrain_drain::homes::{At, Homes};
use logdrain_drain::intake::connections::Peer;
use logdrain_drain::intake::{Intake, basic};
use logdrain_drain::seal::KeyFile;
use logdrain_drain::settings::change::Change;
use logdrain_drain::settings::digest::Digest;
use logdrain_terms::plan::Plan;
use resources::Resources;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

/// The longest name that is shown.
const NAME: usize = 200;
const LOOK: Duration = Duration::from_secs(10);
const LOOK_AT_LEAST: Duration = Duration::from_millis(500);

/// What the configuration says.
#[derive(Clone, PartialEq, Eq)]
pub struct AddonSettings {
    /// The add-on's slug, and the user of Heroku's requests.
    pub id: String,
    /// Of `id:password`.
    pub credentials: Digest,
    pub sso_salt: String,
    /// For the app's name; without it, it is the resource's.
    pub client_secret: Option<String>,
    /// By the slug that Heroku knows them by.
    pub plans: BTreeMap<String, Plan>,
    /// What config vars begin with.
    pub prefix: String,
    /// Where Heroku is.
    pub api: String,
    pub identity: String,
    pub sso: String,
    /// How long after Heroku removed a resource its account is destroyed.
    pub grace: Duration,
    pub store: PathBuf,
    /// What drains and browsers reach this server by.
    pub base: String,
}

impl fmt::Debug for AddonSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddonSettings").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The provider, as long as the program runs.
#[derive(Debug)]
pub struct Addon {
    settings: AddonSettings,
    /// What secrets are sealed with.
    key: Arc<KeyFile>,
    /// What there is; read when it is asked for first. Whoever holds it has his turn.
    resources: Mutex<Option<Resources>>,
    /// Where nodes share the journal: who looks after which account.
    homes: Option<Arc<Homes>>,
}

/// What requests come with.
#[derive(Clone)]
struct House {
    site: Arc<Site>,
    addon: Arc<Addon>,
}

impl House {
    /// What time it is, in seconds since 1970, as far as is believed: what went by a clock that was years ahead would stay for
    /// years.
    fn time(&self) -> i64 {
        self.site.intake.progress.time.believed().map_or_else(directory::now, |micros| micros.div_euclid(1_000_000))
    }

    /// The clock that sign-ons go by: on nodes the one that all of them go by, so that none forgets one that is good at another.
    fn clock(&self) -> i64 {
        if self.site.intake.progress.nodes.are_there() { self.time() } else { directory::now() }
    }
}

impl Addon {
    /// `homes` are those of the nodes that share the journal, if there are others.
    pub fn new(settings: AddonSettings, key: Arc<KeyFile>, homes: Option<Arc<Homes>>) -> Arc<Self> {
        Arc::new(Self { settings, key, resources: Mutex::new(None), homes })
    }

    /// Whether this server looks after an account.
    fn is_home(&self, account: &str) -> bool {
        self.homes.as_ref().is_none_or(|homes| homes.of(homes.part(account)).at == At::Here)
    }

    /// Goes on with what was begun and is not asked for again, forgets answers that are not asked for any more, and destroys the
    /// accounts of resources that Heroku removed when their grace is over; for ever.
    pub async fn look_after(self: Arc<Self>, site: Arc<Site>) {
        let house = House { site, addon: self };
        let look = LOOK.min(house.addon.settings.grace / 4).max(LOOK_AT_LEAST);
        loop {
            tokio::time::sleep(look).await;
            // What is deleted is deleted by a clock that is believed.
            let time = &house.site.intake.progress.time;
            let Some(now) = time.believed().filter(|_| !time.is_in_doubt()) else { continue };
            let Some(mut turn) = turn(&house).await else { continue };
            let Some(resources) = &mut *turn else { continue };
            let looked = house.look(resources, now / 1_000_000).await;
            if let Err(error) = looked {
                tracing::warn!(%error, "what there is to do about resources of the add-on waits");
            }
        }
    }
}

impl House {
    async fn look(&self, resources: &mut Resources, now: i64) -> io::Result<()> {
        for resource in resources.due(now)? {
            if self.addon.is_home(&account_of(&resource.uuid)) {
                self.look_at(resources, resource, now).await?;
            }
        }
        Ok(())
    }

    async fn look_at(&self, resources: &mut Resources, resource: Resource, now: i64) -> io::Result<()> {
        let uuid = &resource.uuid;
        if let Some(gone) = resource.gone {
            if provision::is_open(self, uuid) && provision::clean(self, uuid).await.is_err() {
                return Ok(());
            }
            let grace = i64::try_from(self.addon.settings.grace.as_secs()).unwrap_or(i64::MAX);
            return if gone <= now.saturating_sub(grace) { self.destroy(resources, uuid).await } else { Ok(()) };
        }
        if resource.provisioned.saturating_add(REPEATED) < now {
            resources.change(uuid, |resource| match resource.secrets {
                // It was never told of.
                Some(_) => resource.go(now),
                None => resource.answer = None,
            })?;
        }
        if let (Some(until), Some(plan)) = (resource.changed, self.addon.settings.plans.get(&resource.plan))
            && provision::has_plan(self, uuid, plan).await.is_ok()
            && until < now
        {
            resources.change(uuid, |now| now.seen(until))?;
        }
        if resource.grant.is_some() {
            grant::take_over(self, resources, uuid, now)?;
        }
        Ok(())
    }

    async fn destroy(&self, resources: &mut Resources, uuid: &str) -> io::Result<()> {
        match self.site.intake.change(Change::Destroy { account: account_of(uuid), at: 0, upto: 0 }).await {
            Ok(_) => resources.change(uuid, |resource| resource.is_destroyed = true).map(drop),
            Err(error) => {
                tracing::warn!(resource = %uuid, ?error, "its account stays for now");
                Ok(())
            }
        }
    }
}

pub(super) fn router(site: &Arc<Site>, addon: Option<Arc<Addon>>) -> Router<Arc<Intake>> {
    let Some(addon) = addon else { return Router::new() };
    let house = House { site: site.clone(), addon };
    Router::new()
        .route("/heroku/resources", post(provision::provision))
        .route("/heroku/resources/{id}", put(provision::upgrade).delete(provision::deprovision))
        .route("/sso/login", post(sso::login))
        .route("/apps/{app}/addons/{name}", get(sso::link))
        .with_state(house)
}

/// Whoever holds what there is has his turn; `None` while the store is not open.
async fn turn(house: &House) -> Option<MutexGuard<'_, Option<Resources>>> {
    let Addon { settings, key, resources, .. } = &*house.addon;
    let mut guard = resources.lock().await;
    if guard.is_none() {
        if !house.site.intake.is_open() {
            return None;
        }
        let (store, key, directory) = (settings.store.clone(), key.clone(), house.site.directory.clone());
        let are_nodes = house.site.intake.progress.nodes.are_there();
        let opened = spawn_blocking(move || match are_nodes {
            true => Resources::of_nodes(directory, key),
            false => Resources::open(&store, key),
        });
        let opened = opened.await.ok()?;
        match opened {
            Ok(opened) => *guard = Some(opened),
            Err(error) => {
                tracing::error!(%error, "the add-on's resources or its key_file cannot be read");
                return None;
            }
        }
    }
    Some(guard)
}

/// What of a name may be shown.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(NAME).collect::<String>().trim().to_owned()
}

/// Whether it is Heroku who asks. Nothing is looked up before this is known.
async fn is_heroku(house: &House, peer: &Peer, headers: &HeaderMap) -> Result<(), Response> {
    let intake = &house.site.intake;
    let given = headers.get(header::AUTHORIZATION).and_then(|value| basic(value.as_bytes())).unwrap_or_default();
    if !intake.may_try(peer, &given) {
        let again = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return Err((again, said(StatusCode::TOO_MANY_REQUESTS, "Too many wrong credentials.")).into_response());
    }
    let digest = Digest::of(&given);
    if digest.0.ct_eq(&house.addon.settings.credentials.0).into() {
        intake.was_good(peer, &given);
        return Ok(());
    }
    intake.was_wrong(peer, Some(b"/heroku/resources")).await;
    let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"add-on\""))];
    Err((challenge, said(StatusCode::UNAUTHORIZED, "Wrong credentials.")).into_response())
}

/// An answer with a sentence, which whoever uses Heroku is shown. Only sentences that are written here are.
fn said(status: StatusCode, message: &str) -> Response {
    bytes(status, json!({ "message": message }).to_string())
}

fn bytes(status: StatusCode, body: String) -> Response {
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, kind, body).into_response()
}

/// Something here does not work now: Heroku asks again.
fn later() -> Response {
    let again = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    (again, said(StatusCode::SERVICE_UNAVAILABLE, "The service cannot do this now. Please try again in a minute."))
        .into_response()
}
