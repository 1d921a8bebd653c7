//! How lines are read beyond the defaults: the switches of the command line, the keys of the configuration, the fields of
//! the journal's settings.

use clap::{Args as ClapArgs, ValueEnum};
use heroku_metrics as hm;
use heroku_metrics::ExtractorConfig;
use serde::{Deserialize, Serialize};

/// A field that is missing, as in a store of an older program, has its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    pub families: Families,
    pub dyno_identity: DynoIdentity,
    pub one_off: bool,
    pub custom_from: CustomFrom,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            families: Families::default(),
            dyno_identity: DynoIdentity::default(),
            one_off: true,
            custom_from: CustomFrom::default(),
        }
    }
}

/// A set of names, `["dyno.state", "release"]`; one that is not known is an error, for it would change what is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<&'static str>")]
pub struct Families(hm::Families);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynoIdentity {
    /// heroku.1234.uuid, as on the line
    #[default]
    Instance,
    /// web.1
    Logical,
    /// web
    Type,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomFrom {
    /// APP-NAME app, which is what Heroku writes
    #[default]
    App,
    /// Every APP-NAME but heroku: tokens of log-shuttle, other senders
    Any,
}

impl TryFrom<Vec<String>> for Families {
    type Error = &'static str;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        names.iter().try_fold(Self::default(), |set, name| Ok(Self(set.0.with(family(name)?))))
    }
}

impl From<Families> for Vec<&'static str> {
    fn from(families: Families) -> Self {
        families.0.names().collect()
    }
}

/// Does not repeat the name: what stands in the configuration may be a secret.
pub const NO_FAMILY: &str =
    "expected a list of dyno.state, dyno.exit, release, dyno.errors, dyno.mem.share, dyno.mem.process, or all";

fn family(name: &str) -> Result<hm::Families, &'static str> {
    hm::Families::named(name).ok_or(NO_FAMILY)
}

/// The switches.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct ReadingArgs {
    /// Collect these families too, each of which takes streams: dyno.state, dyno.exit, release, dyno.errors,
    /// dyno.mem.share, dyno.mem.process, or all
    #[arg(long, value_parser = family, value_delimiter = ',', value_name = "NAME,...")]
    families: Vec<hm::Families>,
    /// What the dyno tag holds: the instance, its logical name, or the type, in which all dynos of a type meet
    /// [default: instance]
    #[arg(long, value_enum, value_name = "WHAT")]
    dyno_identity: Option<DynoIdentity>,
    /// Leave native lines of one-off dynos out: run.1234, release.1234, scheduler.1234
    #[arg(long)]
    no_one_off: bool,
    /// Whose custom metrics are read [default: app]
    #[arg(long, value_enum, value_name = "WHOSE")]
    custom_from: Option<CustomFrom>,
}

impl ReadingArgs {
    /// What is said here over what `file` says.
    pub fn over(&self, file: Reading) -> Reading {
        let families = self.families.iter().fold(hm::Families::NONE, |set, family| set.with(*family));
        Reading {
            families: if families == hm::Families::NONE { file.families } else { Families(families) },
            dyno_identity: self.dyno_identity.unwrap_or(file.dyno_identity),
            one_off: file.one_off && !self.no_one_off,
            custom_from: self.custom_from.unwrap_or(file.custom_from),
        }
    }
}

impl Reading {
    pub fn apply(self, config: ExtractorConfig) -> ExtractorConfig {
        let identity = match self.dyno_identity {
            DynoIdentity::Instance => hm::DynoIdentity::Instance,
            DynoIdentity::Logical => hm::DynoIdentity::Logical,
            DynoIdentity::Type => hm::DynoIdentity::Type,
        };
        let from = match self.custom_from {
            CustomFrom::App => hm::CustomFrom::App,
            CustomFrom::Any => hm::CustomFrom::AnyApp,
        };
        config
            .with_families(self.families.0)
            .with_dyno_identity(identity)
            .with_one_off_dynos(self.one_off)
            .with_custom_from(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = Reading {
            families: Families(hm::Families::RELEASE),
            dyno_identity: DynoIdentity::Type,
            one_off: false,
            custom_from: CustomFrom::Any,
        };
        assert_eq!(ReadingArgs::default().over(file), file);
        let args = ReadingArgs {
            families: vec![hm::Families::DYNO_STATE, hm::Families::DYNO_EXIT],
            dyno_identity: Some(DynoIdentity::Logical),
            no_one_off: false,
            custom_from: Some(CustomFrom::App),
        };
        let both = args.over(file);
        assert_eq!(Vec::from(both.families), ["dyno.state", "dyno.exit"]);
        assert_eq!((both.dyno_identity, both.one_off), (DynoIdentity::Logical, false));
        assert_eq!(both.custom_from, CustomFrom::App);
    }

    #[test]
    fn what_is_missing_has_its_default_and_what_is_unknown_is_refused() {
        assert_eq!(serde_json::from_str::<Reading>("{}").unwrap(), Reading::default());
        let all = Reading { families: Families(hm::Families::ALL), one_off: false, ..Reading::default() };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), all);
        let error = serde_json::from_str::<Reading>(r#"{"families":["dyno.moods"]}"#).unwrap_err().to_string();
        assert!(error.contains(NO_FAMILY), "{error}");
        let known: Vec<_> = hm::Families::ALL.names().collect();
        assert_eq!(NO_FAMILY, format!("expected a list of {}, or all", known.join(", ")));
        assert!(serde_json::from_str::<Reading>(r#"{"dyno_identity":"soul"}"#).is_err());
    }
}
