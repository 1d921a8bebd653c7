//! The app's name, by the grant that came with the resource. It is asked for behind the answer: Heroku waits for seconds, and
//! a name that does not come costs nobody a line.
//!
//! ```text
//! POST id.heroku.com/oauth/token   code, client_secret -> access token, refresh token
//! GET  api.heroku.com/addons/UUID                      -> app.name
//! ```

use super::resources::Resource;
use super::{House, shown, turn};
use axum::http::{HeaderValue, Method, header};
use logdrain_drain::settings::change::Change;
use logdrain_terms::client::{Ask, Base, Client};
use serde_json::Value;
use std::time::Duration;

/// The longest answer.
const ANSWER: usize = 256 << 10;
/// Tries, and what is between them: a code is good for five minutes.
const PAUSES: [u64; 3] = [0, 5, 30];

/// Asks for the app's name, and calls it by that.
pub(super) fn exchange(house: House, uuid: String, code: String) {
    if house.addon.settings.client_secret.is_none() {
        return;
    }
    tokio::spawn(async move {
        for pause in PAUSES {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            match name(&house, &uuid, &code).await {
                Ok((app, refresh)) => return call(&house, &uuid, &app, refresh).await,
                // Whatever it says, nothing of the code or of a token is in it.
                Err(why) => tracing::warn!(resource = %uuid, why, "Heroku did not say the app's name"),
            }
        }
    });
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
    let Some(known) = resources.get(uuid).filter(|known| known.gone.is_none()).cloned() else { return };
    if known.app.as_deref() == Some(app) {
        return;
    }
    if let Some(drain) = &known.drain {
        let change = Change::App { drain: drain.clone(), app: app.to_owned(), instead: None };
        if house.site.intake.change(change).await.is_err() {
            tracing::warn!(resource = %uuid, "the app's name could not be kept");
            return;
        }
    }
    let sealed = refresh.and_then(|refresh| resources.seal.seal(uuid, &refresh).ok()).or(known.refresh.clone());
    if let Err(error) = resources.put(Resource { app: Some(app.to_owned()), refresh: sealed, ..known }) {
        tracing::warn!(resource = %uuid, %error, "the app's name could not be kept");
    }
}
