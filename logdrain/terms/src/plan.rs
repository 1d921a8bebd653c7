//! Plans: what an account may have, as data. Some ship, by name; any other is a file in TOML or JSON.
//!
//! ```toml
//! name = "ours"
//! streams = 1000               # of the metrics: see heroku_metrics::Plan
//!
//! [logs]                       # of the lines: see LogPlan
//! volume = "250MB"
//! search = "7d"
//! ```

mod file;
mod logs;
mod shipped;

pub use logs::LogPlan;

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What an account may have: of metrics, and of lines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub metrics: heroku_metrics::Plan,
    #[serde(default)]
    pub logs: LogPlan,
}

impl Plan {
    pub fn name(&self) -> &str {
        self.metrics.name()
    }

    /// The shipped plan of this name, in any case.
    pub fn shipped(name: &str) -> Option<Self> {
        shipped::plan(name)
    }

    /// A plan in JSON, as a file says it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn of_json(text: &str) -> Result<Self, String> {
        file::read(text, true)
    }

    /// The names of all that ship.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        shipped::names()
    }
}

/// `--plan NAME|FILE`: a shipped plan, or one of the host's own.
pub fn load(word: &str) -> Result<Plan, Failure> {
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
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    file::read(&text, is_json).map_err(|why| Failure::Config(format!("--plan {word}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gold_and_development_are_what_they_were() {
        for name in ["Gold", "development"] {
            let plan = Plan::shipped(name).unwrap();
            assert_eq!(Some(&plan.metrics), heroku_metrics::Plan::shipped(name).as_ref());
            assert_eq!(plan.logs, LogPlan::default(), "no limit of their own");
        }
        assert_eq!(Plan::shipped("platinum"), None);
    }

    /// The page sizes with 9 streams a dyno.
    #[test]
    fn twenty_five_dynos_by_nine_and_fifty_are_275_and_fit_gold() {
        let gold = Plan::shipped("gold").unwrap();
        let (dynos, by, custom) = (25, 9, 50);
        assert_eq!(dynos * by + custom, 275);
        assert!(gold.metrics.streams().is_some_and(|streams| streams >= 275));
        assert_eq!(
            gold.metrics.estimate(heroku_metrics::Families::NONE, dynos, custom).streams(),
            300,
            "with the ten that its list has"
        );
    }

    #[test]
    fn plans_of_lines_have_their_volume() {
        let volume = |name: &str| Plan::shipped(name).and_then(|plan| plan.logs.volume());
        let megabytes = |count: u64| Some(count << 20);
        for (name, expected) in [
            ("choklad", 10),
            ("fixa", 50),
            ("ludvig", 100),
            ("forsta", 200),
            ("volmar", 500),
            ("liatorp", 1 << 10),
            ("fredrik", 5 << 10),
            ("numerar", 10 << 10),
            ("galant", 10 << 10),
            ("sparsam", 20 << 10),
            ("grundtal", 20 << 10),
        ] {
            assert_eq!(volume(name), megabytes(expected), "{name}");
        }
        assert_eq!(Plan::shipped_names().count(), 13);
        assert!(Plan::shipped_names().all(|name| Plan::shipped(name).is_some_and(|plan| plan.name() == name)));
    }

    #[test]
    fn a_plan_in_the_journal_is_read_again() {
        for name in Plan::shipped_names() {
            let plan = Plan::shipped(name).unwrap();
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "{text}");
        }
        // A store of another day says less.
        let plan: Plan = serde_json::from_str(r#"{"metrics":{"name":"ours","retention_hours":1}}"#).unwrap();
        assert_eq!(plan.metrics.retention(), Some(std::time::Duration::from_secs(3_600)));
        assert_eq!(plan.logs, LogPlan::default());
    }
}
