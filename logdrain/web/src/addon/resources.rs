//! What has become of each resource: a file each, written beside and renamed, so that it is there as a whole or not at all.
//! And the sign-ons that were good already.

use logdrain_drain::directory::now;
use logdrain_drain::seal::KeyFile;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was answered is kept so long: Heroku repeats a request for a day.
pub(super) const REPEATED: i64 = 24 * 3_600;
/// Resources that are gone are remembered; beyond so many of all, those that went longest ago are not.
const MOST: usize = 50_000;
/// A sign-on is good once. Within its age there are no more than this.
const SIGN_ONS: usize = 100_000;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) plan: String,
    /// Seconds since 1970.
    pub(super) provisioned: i64,
    /// When it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<i64>,
    /// Its account was destroyed: only this is left.
    #[serde(default, skip_serializing_if = "is_no")]
    pub(super) is_destroyed: bool,
    /// What Logplex's token makes of its drain in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) drain: Option<String>,
    /// The app's name, as Heroku said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) app: Option<String>,
    /// Sealed: what was answered, and what the app's name is asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_no(value: &bool) -> bool {
    !*value
}

#[derive(Debug)]
pub(super) struct Resources {
    dir: PathBuf,
    pub(super) seal: Arc<KeyFile>,
    all: HashMap<String, Resource>,
    used: HashMap<String, i64>,
}

impl Resources {
    /// Reads what there is.
    pub(super) fn open(store: &Path, seal: Arc<KeyFile>) -> io::Result<Self> {
        let dir = store.join("addon");
        fs::create_dir_all(&dir)?;
        seal.open()?;
        let (mut all, mut used) = (HashMap::new(), HashMap::new());
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match serde_json::from_slice::<Resource>(&fs::read(&path)?) {
                    Ok(resource) => drop(all.insert(resource.uuid.clone(), resource)),
                    Err(error) => {
                        tracing::error!(path = %path.display(), %error, "a resource of the add-on cannot be read")
                    }
                }
            }
        }
        let text = fs::read_to_string(dir.join("sign-ons")).unwrap_or_default();
        for line in text.lines() {
            if let Some((until, token)) =
                line.split_once(' ').and_then(|(until, token)| Some((until.parse().ok()?, token)))
            {
                used.insert(token.to_owned(), until);
            }
        }
        let mut resources = Self { dir, seal, all, used };
        resources.forget(now())?;
        Ok(resources)
    }

    pub(super) fn get(&self, uuid: &str) -> Option<&Resource> {
        self.all.get(uuid)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Resource> {
        self.all.values().find(|resource| resource.gone.is_none() && resource.name == name)
    }

    /// Those that went by this time, in seconds since 1970, and whose accounts are there still.
    pub(super) fn removed_before(&self, time: i64) -> Vec<Resource> {
        let is_due = |resource: &&Resource| !resource.is_destroyed && resource.gone.is_some_and(|gone| gone <= time);
        self.all.values().filter(is_due).cloned().collect()
    }

    /// Keeps it as it is now.
    pub(super) fn put(&mut self, resource: Resource) -> io::Result<()> {
        if self.all.len() >= MOST && !self.all.contains_key(&resource.uuid) {
            let oldest = self.all.values().filter(|resource| resource.gone.is_some_and(|gone| gone + REPEATED < now()));
            let oldest = oldest.min_by_key(|resource| resource.gone).map(|resource| resource.uuid.clone());
            let oldest = oldest.ok_or_else(|| io::Error::other("there are too many resources"))?;
            fs::remove_file(self.dir.join(format!("{oldest}.json")))?;
            self.all.remove(&oldest);
        }
        let text = serde_json::to_string(&resource)?;
        self.write(&format!("{}.json", resource.uuid), &text)?;
        self.all.insert(resource.uuid.clone(), resource);
        Ok(())
    }

    /// Answers are not kept longer than they are asked for.
    pub(super) fn tidy(&mut self, now: i64) -> io::Result<()> {
        let is_due = |resource: &&Resource| resource.answer.is_some() && resource.provisioned + REPEATED < now;
        let due: Vec<_> = self.all.values().filter(is_due).cloned().collect();
        for resource in due {
            self.put(Resource { answer: None, ..resource })?;
        }
        Ok(())
    }

    /// Notes sign-ons that were good, before anybody is let in by them. `false` when one was noted before.
    pub(super) fn use_once(&mut self, tokens: &[String], until: i64) -> io::Result<bool> {
        let is_used = tokens.first().is_none_or(|token| self.used.contains_key(token));
        if is_used {
            return Ok(false);
        }
        if self.used.len() + tokens.len() > SIGN_ONS {
            self.forget(now())?;
            if self.used.len() + tokens.len() > SIGN_ONS {
                return Err(io::Error::other("there are too many sign-ons"));
            }
        }
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("sign-ons"))?;
        let lines: String = tokens.iter().map(|token| format!("{until} {token}\n")).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
        self.used.extend(tokens.iter().map(|token| (token.clone(), until)));
        Ok(true)
    }

    /// Sign-ons that are too old to be good again.
    fn forget(&mut self, now: i64) -> io::Result<()> {
        let before = self.used.len();
        self.used.retain(|_, until| *until >= now);
        if self.used.len() == before {
            return Ok(());
        }
        let lines: HashSet<_> = self.used.iter().map(|(token, until)| format!("{until} {token}\n")).collect();
        self.write("sign-ons", &lines.into_iter().collect::<String>())
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let beside = self.dir.join(format!("{name}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, self.dir.join(name))?;
        #[cfg(unix)]
        File::open(&self.dir)?.sync_all()?;
        Ok(())
    }
}
