//! What has become of each resource, and the sign-ons that were good already: in the store's folder, a file for each resource that
//! is written beside and renamed, so that it is there as a whole or not at all; or in the directory that nodes share.

use super::kept::{MOST, REPEATED, Resource};
use super::nodes;
use logdrain_drain::directory::{Directory, now};
use logdrain_drain::seal::KeyFile;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A sign-on is good once. Within its age there are no more than this.
const SIGN_ONS: usize = 100_000;

#[derive(Debug)]
pub(super) struct Resources {
    pub(super) seal: Arc<KeyFile>,
    place: Place,
    /// Where nodes share them: the last that was looked at, if there are more behind it.
    after: String,
}

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Nodes(Arc<Directory>),
}

/// What there is in a folder.
#[derive(Debug)]
struct Folder {
    dir: PathBuf,
    all: HashMap<String, Resource>,
    used: HashMap<String, i64>,
}

impl Resources {
    /// Reads what there is.
    pub(super) fn open(store: &Path, seal: Arc<KeyFile>) -> io::Result<Self> {
        seal.open()?;
        Ok(Self { seal, place: Place::Folder(Folder::open(store)?), after: String::new() })
    }

    /// Those that nodes share, all with the same key.
    pub(super) fn of_nodes(directory: Arc<Directory>, seal: Arc<KeyFile>) -> io::Result<Self> {
        seal.open()?;
        nodes::check(&directory, &seal)?;
        Ok(Self { seal, place: Place::Nodes(directory), after: String::new() })
    }

    pub(super) fn get(&self, uuid: &str) -> io::Result<Option<Resource>> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.all.get(uuid).cloned()),
            Place::Nodes(directory) => nodes::get(directory, uuid),
        }
    }

    /// One that is there still, by its name.
    pub(super) fn named(&self, name: &str) -> io::Result<Option<Resource>> {
        match &self.place {
            Place::Folder(folder) => {
                let mut found = folder.all.values().filter(|resource| resource.gone.is_none() && resource.name == name);
                Ok(found.next().cloned())
            }
            Place::Nodes(directory) => nodes::named(directory, name),
        }
    }

    /// Those about which something is to be done by this time, in seconds since 1970; of many some, and the next ones the next time.
    pub(super) fn due(&mut self, time: i64) -> io::Result<Vec<Resource>> {
        match &self.place {
            Place::Folder(folder) => {
                let is_due = |resource: &&Resource| resource.due().is_some_and(|due| due <= time);
                Ok(folder.all.values().filter(is_due).cloned().collect())
            }
            Place::Nodes(directory) => nodes::due(directory, time, &mut self.after),
        }
    }

    /// Keeps one that is new. Answers what is there then: another node may have made it.
    pub(super) fn keep(&mut self, resource: Resource) -> io::Result<Resource> {
        match &mut self.place {
            Place::Folder(folder) => {
                folder.put(resource.clone())?;
                Ok(resource)
            }
            Place::Nodes(directory) => nodes::keep(directory, &resource),
        }
    }

    /// Changes one, and answers what it is then; `None` if it is not there.
    pub(super) fn change(&mut self, uuid: &str, change: impl FnOnce(&mut Resource)) -> io::Result<Option<Resource>> {
        match &mut self.place {
            Place::Folder(folder) => {
                let Some(mut resource) = folder.all.get(uuid).cloned() else { return Ok(None) };
                change(&mut resource);
                if folder.all.get(uuid) != Some(&resource) {
                    folder.put(resource.clone())?;
                }
                Ok(Some(resource))
            }
            Place::Nodes(directory) => nodes::change(directory, uuid, change),
        }
    }

    /// Notes sign-ons that were good, before anybody is let in by them. `false` when one was noted before.
    pub(super) fn use_once(&mut self, tokens: &[String], until: i64, now: i64) -> io::Result<bool> {
        match &mut self.place {
            Place::Folder(folder) => folder.use_once(tokens, until, now),
            Place::Nodes(directory) => nodes::use_once(directory, tokens, until, now),
        }
    }
}

impl Folder {
    fn open(store: &Path) -> io::Result<Self> {
        let dir = store.join("addon");
        fs::create_dir_all(&dir)?;
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
        let mut folder = Self { dir, all, used };
        folder.forget(now())?;
        Ok(folder)
    }

    /// Keeps it as it is now.
    fn put(&mut self, resource: Resource) -> io::Result<()> {
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

    fn use_once(&mut self, tokens: &[String], until: i64, now: i64) -> io::Result<bool> {
        let is_used = tokens.first().is_none_or(|token| self.used.contains_key(token));
        if is_used {
            return Ok(false);
        }
        if self.used.len() + tokens.len() > SIGN_ONS {
            self.forget(now)?;
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
