//! `--plan NAME|FILE`: a shipped plan, or one of the host's own in TOML or JSON.

use crate::failure::Failure;
use heroku_metrics::Plan;
use std::path::Path;

pub(crate) fn load(word: &str) -> Result<Plan, Failure> {
    if let Some(plan) = Plan::shipped(word) {
        return Ok(plan);
    }
    let path = Path::new(word);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Config(format!(
            "--plan {word}: neither a shipped plan (development, gold) nor a file that can be read ({error}). A plan \
             file is TOML or JSON: name = \"ours\", streams = 1000, counting = \"streams\" or \"tag_sets\", \
             exempt = [\"heroku.router.\"], collects = [prefixes, all when left out]"
        ))
    })?;
    let json = path.extension().is_some_and(|extension| extension == "json");
    let read = if json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    read.map_err(|why| Failure::Config(format!("--plan {word}: {why}")))
}
