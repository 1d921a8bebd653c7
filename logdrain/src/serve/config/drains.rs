//! The drains that the file names: their settings, and who may send as them.

use super::file::Drain;
use super::secrets::password;
use super::{Wrong, account};
use logdrain_drain::drain_name::{self, MEASUREMENTS};
use logdrain_drain::settings::DrainSettings;
use logdrain_terms::plan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What [`Access::new`](logdrain_drain::intake::Access::new) takes of each drain: name, user, password, tokens.
pub(super) type Entry = (String, String, String, Vec<String>);

/// The settings of each drain by its name, and who may send as it.
pub(super) fn of_file(
    all: Vec<Drain>,
    beside: &Path,
    warnings: &mut Vec<String>,
) -> Result<(BTreeMap<String, DrainSettings>, Vec<Entry>), Wrong> {
    let mut settings = BTreeMap::new();
    let mut access: Vec<Entry> = Vec::new();
    let mut tokens = BTreeSet::new();
    for (index, drain) in all.into_iter().enumerate() {
        // A name may be a secret in the wrong place, too: sections are counted instead.
        let section = format!("[[drain]] {}", index + 1);
        if drain.name.is_empty() || drain.name.contains(['/', '\n']) || settings.contains_key(&drain.name) {
            return Err(Wrong(format!("{section}: a drain's name is unique, not empty and has no slash")));
        }
        if drain.name == MEASUREMENTS {
            return Err(Wrong(format!(
                "{section}: no drain is called {MEASUREMENTS}: that is what programs send themselves"
            )));
        }
        let metrics = |word: &str| plan::load(word).map(|plan| plan.metrics);
        let plan = drain.plan.as_deref().map(metrics).transpose().map_err(|_| {
            Wrong(format!(
                "{section}, plan: neither development nor gold, nor a file that holds a plan; \
                 `logdrain top --plan FILE` says what is wrong with one"
            ))
        })?;
        let password = password(drain.password, drain.password_file, beside, &section, warnings)?;
        if let Some(same) = access.iter().position(|(_, user, other, _)| *user == drain.user && *other == password) {
            return Err(Wrong(format!(
                "{section} has the user and the password of [[drain]] {}: nobody could tell their deliveries apart",
                same + 1
            )));
        }
        for token in &drain.tokens {
            if !drain_name::is_token(token) {
                return Err(Wrong(format!("{section}, tokens: a token has 64 bytes at most, no slash and no space")));
            }
            if !tokens.insert(token.clone()) {
                return Err(Wrong(format!(
                    "{section}, tokens: one of them stands there already: a token is of one drain"
                )));
            }
        }
        let named = u32::try_from(drain.tokens.len()).unwrap_or(u32::MAX);
        let places = match drain.max_tokens {
            Some(most) if most == 0 || most < named => {
                return Err(Wrong(format!("{section}, max_tokens: at least one for each token that it names")));
            }
            Some(most) => Some(most),
            None => (named > 1).then_some(named),
        };
        access.push((drain.name.clone(), drain.user, password, drain.tokens));
        let account = account(drain.account, &section)?;
        settings.insert(drain.name, DrainSettings { app: drain.app, plan, places, account });
    }
    Ok((settings, access))
}
