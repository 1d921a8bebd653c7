//! What the file says of the add-on provider.

use super::Wrong;
use super::file::Addon as Section;
use super::secrets::{located, secret};
use logdrain_drain::settings::digest::Digest;
use logdrain_terms::plan::{self, Plan};
use logdrain_web::addon::AddonSettings;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long lines stay of a resource that Heroku removed, when the file does not say.
const GRACE: Duration = Duration::from_secs(24 * 3_600);

/// Checks the section. `url` is what drains and browsers reach this server by.
pub(super) fn of_file(
    section: Option<Section>,
    url: Option<&str>,
    store: &Path,
    beside: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<AddonSettings>, Wrong> {
    let Some(section) = section else { return Ok(None) };
    let Some(base) = url else {
        return Err(Wrong::new(
            "[addon]: url is missing in the file: Heroku's drains and browsers have to find this server",
        ));
    };
    if !is_slug(&section.id) {
        return Err(Wrong::new("[addon], id: the add-on's slug, of a-z, 0-9 and -"));
    }
    let mut take = |key: &str, text, file| secret(key, text, file, beside, "[addon]", warnings);
    let password = take("password", section.password, section.password_file)?;
    let sso_salt = take("sso_salt", section.sso_salt, section.sso_salt_file)?;
    let client_secret = match (section.client_secret, section.client_secret_file) {
        (None, None) => None,
        (text, file) => Some(take("client_secret", text, file)?),
    };
    let plans = plans(&section.plans, beside)?;
    let prefix = section.config_vars_prefix.unwrap_or_else(|| section.id.to_ascii_uppercase().replace('-', "_"));
    let is_var = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(is_var) {
        return Err(Wrong::new("[addon], config_vars_prefix: of A-Z, 0-9 and _"));
    }
    let address = |key: &str, given: Option<String>, usual: &str| {
        let given = given.unwrap_or_else(|| usual.to_owned());
        let is_one = given.starts_with("https://") || given.starts_with("http://127.0.0.1:");
        let is_text = given.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one && is_text {
            Ok(given.trim_end_matches('/').to_owned())
        } else {
            Err(Wrong(format!("[addon], {key}: expected https://HOST")))
        }
    };
    Ok(Some(AddonSettings {
        credentials: Digest::of(format!("{}:{password}", section.id)),
        id: section.id,
        sso_salt,
        client_secret,
        plans,
        prefix,
        api: address("api", section.api, "https://api.heroku.com")?,
        identity: address("identity", section.identity, "https://id.heroku.com")?,
        sso: address("sso", section.sso, "https://addons-sso.heroku.com")?,
        grace: section.deprovision_grace.map_or(GRACE, |span| span.0),
        store: store.to_owned(),
        base: base.to_owned(),
    }))
}

/// Plans by their slugs: those that ship by their names, others by the name in their file.
fn plans(words: &[String], beside: &Path) -> Result<BTreeMap<String, Plan>, Wrong> {
    let mut plans = BTreeMap::new();
    for (index, word) in words.iter().enumerate() {
        let wrong = |why: &str| Wrong(format!("[addon], plans, number {}: {why}", index + 1));
        let (slug, plan) = match Plan::shipped(word) {
            Some(plan) => (word.to_ascii_lowercase(), plan),
            None => {
                let path = located(beside, Path::new(word));
                let plan = plan::load(&path.to_string_lossy())
                    .map_err(|_| wrong("neither a plan that ships nor a plan's file"))?;
                (plan.name().to_ascii_lowercase(), plan)
            }
        };
        if !is_slug(&slug) || plans.insert(slug, plan).is_some() {
            return Err(wrong("its name is of a-z, 0-9 and -, and of no other plan"));
        }
    }
    if plans.is_empty() {
        return Err(Wrong::new("[addon], plans: name one at least"));
    }
    Ok(plans)
}

fn is_slug(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use crate::args::ServeArgs;

    #[test]
    fn a_provider_is_whole_or_is_refused_and_no_secret_is_shown() {
        let load = |text: &str| Config::from_text(&ServeArgs::default(), text).map_err(|error| error.to_string());
        let whole = "url = \"https://logs.example.com\"\n[addon]\nid = \"papertrail\"\npassword = \"s3cret-and-long\"\n\
                     sso_salt = \"s3cret-and-salty\"\nclient_secret = \"s3cret-of-client\"\nplans = [\"gold\", \"development\"]\n";
        let config = load(whole).unwrap();
        let addon = config.addon.as_ref().unwrap();
        assert_eq!((addon.prefix.as_str(), addon.plans.len()), ("PAPERTRAIL", 2));
        assert!(!config.access.is_open(), "nobody sends without credentials where there is an add-on");
        assert!(!format!("{config:?}").contains("s3cret"));
        for (from, to, said) in [
            ("url = \"https://logs.example.com\"", "", "url is missing"),
            ("id = \"papertrail\"", "id = \"s3cret slug\"", "[addon], id"),
            ("password = \"s3cret-and-long\"\n", "", "give one of password and password_file"),
            ("sso_salt = \"s3cret-and-salty\"\n", "", "give one of sso_salt and sso_salt_file"),
            ("plans = [\"gold\", \"development\"]", "plans = []", "name one at least"),
            ("plans = [\"gold\", \"development\"]", "plans = [\"s3cret\"]", "[addon], plans, number 1"),
            ("plans = [\"gold\", \"development\"]", "plans = [\"gold\", \"Gold\"]", "[addon], plans, number 2"),
            (
                "id = \"papertrail\"",
                "id = \"papertrail\"\nconfig_vars_prefix = \"s3cret\"",
                "config_vars_prefix: of A-Z",
            ),
            ("id = \"papertrail\"", "id = \"papertrail\"\napi = \"http://s3cret.example\"", "[addon], api: expected"),
        ] {
            assert!(whole.contains(from));
            let error = load(&whole.replace(from, to)).err().unwrap_or_default();
            assert!(error.contains(said) && !error.contains("s3cret"), "{to}: {error}");
        }
    }
}
