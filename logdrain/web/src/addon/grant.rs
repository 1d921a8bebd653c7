//! The app's name, by the grant that came with the resource. It is asked for behind the answer: Heroku waits for seconds, and
//! a name that does not come costs nobody a line. Who asks has said so before; when he dies, whoever looks after the resource asks.
//!
//! ```text
//! POST id.heroku.com/oauth/token   code, client_secret -> access token, refresh token
//! GET  api.heroku.com/addons/UUID                      -> app.name
//! ```

use super::resources::Resources;
use super::{House, shown, turn};
use axum::http::{HeaderValue, Method, header};
use logdrain_drain::journal::ChangeError;
use logdrain_drain::settings::change::{Change, Misfit};
use logdrain_terms::client::{Ask, Base, Client};
use serde_json::Value;
use std::io;
use std::time::Duration;

/// The longest answer.
const ANSWER: usize = 256 << 10;
/// Tries, and what is between them: a code is good for five minutes.
const PAUSES: [u64; 3] = [0, 5, 15];
const GOOD: i64 = 300;
/// For so many seconds from the beginning of a try nobody else asks.
pub(super) const CLAIM: i64 = 30;

/// Asks for the app's name with a sealed code, and calls it by that.
pub(super) fn exchange(house: House, uuid: String, code: String) {
    tokio::spawn(async move {
        let Some(code) = house.addon.key.unseal(&uuid, &code) else { return };
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            if !claim(&house, &uuid).await {
                return;
            }
            match name(&house, &uuid, &code).await {
                Ok((app, refresh)) => return call(&house, &uuid, &app, refresh).await,
                // Whatever it says, nothing of the code or of a token is in it.
                Err(why) => tracing::warn!(resource = %uuid, why, "Heroku did not say the app's name"),
            }
        }
        let Some(mut turn) = turn(&house).await else { return };
        let Some(resources) = &mut *turn else { return };
        if let Err(error) = resources.change(&uuid, |resource| resource.grant = None) {
            tracing::warn!(resource = %uuid, %error, "that nobody asks for the app's name any more could not be kept");
        }
    });
}

/// Says that this one asks; `false` if there is nothing to ask any more.
async fn claim(house: &House, uuid: &str) -> bool {
    let Some(mut turn) = turn(house).await else { return true };
    let Some(resources) = &mut *turn else { return true };
    let until = house.time() + CLAIM;
    let claimed = resources.change(uuid, |resource| {
        if let Some(grant) = &mut resource.grant {
            grant.until = until;
        }
    });
    match claimed {
        Ok(resource) => resource.is_some_and(|resource| resource.grant.is_some()),
        Err(_) => true,
    }
}

/// Goes on with what another one has left: asks, if the code may be good still and nobody else does.
pub(super) fn take_over(house: &House, resources: &mut Resources, uuid: &str, now: i64) -> io::Result<()> {
    let mut code = None;
    resources.change(uuid, |resource| {
        let is_good = resource.app.is_none() && resource.provisioned + GOOD > now;
        match &mut resource.grant {
            Some(grant) if is_good && grant.until < now && resource.secrets.is_none() => {
                grant.until = now + CLAIM;
                code = Some(grant.code.clone());
            }
            Some(_) if !is_good => resource.grant = None,
            _ => {}
        }
    })?;
    code.into_iter().for_each(|code| exchange(house.clone(), uuid.to_owned(), code));
    Ok(())
}

async fn name(house: &House, uuid: &str, code: &str) -> Result<(String, Option<String>), &'static str> {
    let settings = &house.addon.settings;
    let secret = settings.client_secret.as_deref().unwrap_or_default();
    let client = |base: &str| {
        let base = Base::parse(base).map_err(|_| "its address is none")?;
        Ok::<_, &str>(Client::new(base).map_err(|_| "no certificate can be checked")?.with_patience(Duration::ZERO))
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("client_secret", secret)
        .finish();
    let ask = Ask::new(Method::POST, "/oauth/token").with_body("application/x-www-form-urlencoded", form);
    let answer = client(&settings.identity)?.ask(&ask).await.map_err(|_| "the grant was not taken")?;
    let tokens: Value = answer.json(ANSWER).await.map_err(|_| "what came for the grant is no JSON")?;
    let access = tokens["access_token"].as_str().ok_or("no access token came")?;
    let bearer = HeaderValue::try_from(format!("Bearer {access}")).map_err(|_| "the access token is none")?;
    let ask = Ask::get(format!("/addons/{uuid}"))
        .with_header(header::ACCEPT, HeaderValue::from_static("application/vnd.heroku+json; version=3"));
    let api = client(&settings.api)?.with_secret(header::AUTHORIZATION, bearer);
    let answer = api.ask(&ask).await.map_err(|_| "the add-on could not be asked for")?;
    let addon: Value = answer.json(ANSWER).await.map_err(|_| "what is said of the add-on is no JSON")?;
    let app = shown(addon["app"]["name"].as_str().unwrap_or_default());
    if app.is_empty() {
        return Err("the add-on has no app");
    }
    Ok((app, tokens["refresh_token"].as_str().map(str::to_owned)))
}

/// The app is called so from now on.
pub(super) async fn call(house: &House, uuid: &str, app: &str, refresh: Option<String>) {
    let Some(mut turn) = turn(house).await else { return };
    let Some(resources) = &mut *turn else { return };
    let Ok(Some(known)) = resources.get(uuid) else { return };
    if known.gone.is_some() || (known.app.as_deref() == Some(app) && known.grant.is_none()) {
        return;
    }
    if let Some(drain) = known.drain.as_ref().filter(|_| known.app.as_deref() != Some(app)) {
        let change = Change::App { drain: drain.clone(), app: app.to_owned(), instead: None };
        match house.site.intake.change(change).await {
            Ok(_) => {}
            Err(ChangeError::Unfit(unfit)) if unfit.kind == Misfit::Taken => {}
            Err(_) => {
                tracing::warn!(resource = %uuid, "the app's name could not be kept");
                return;
            }
        }
    }
    let sealed = refresh.and_then(|refresh| resources.seal.seal(uuid, &refresh).ok());
    let called = resources.change(uuid, |resource| {
        if resource.gone.is_none() {
            resource.app = Some(app.to_owned());
            resource.grant = None;
            resource.refresh = sealed.or(resource.refresh.take());
        }
    });
    if let Err(error) = called {
        tracing::warn!(resource = %uuid, %error, "the app's name could not be kept");
    }
}
