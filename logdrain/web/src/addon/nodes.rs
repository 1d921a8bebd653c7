//! Resources where nodes share them: in the directory, which is a database that may take its time.

use super::kept::{MOST, REPEATED, Resource};
use logdrain_drain::directory::{DUE, Directory, DirectoryError, KeptResource, now};
use logdrain_drain::seal::KeyFile;
use std::io;
use tokio::task::block_in_place;

/// What is sealed so that each node sees whether its key is that of the others; no resource is called so.
const KEY: &str = "key";
const SEALED: &str = "what nodes seal with the same key";

fn away(error: DirectoryError) -> io::Error {
    io::Error::other(error.to_string())
}

fn read(text: &str) -> io::Result<Resource> {
    Ok(serde_json::from_str(text)?)
}

fn kept(resource: &Resource) -> io::Result<KeptResource> {
    let Resource { uuid, name, gone, .. } = resource.clone();
    Ok(KeptResource { uuid, name, gone, due: resource.due(), value: serde_json::to_string(resource)? })
}

/// Whether the key is the one with which other nodes seal.
pub(super) fn check(directory: &Directory, seal: &KeyFile) -> io::Result<()> {
    let sealed = seal.seal(KEY, SEALED)?;
    let own = KeptResource { uuid: KEY.to_owned(), value: sealed, ..KeptResource::default() };
    let there = block_in_place(|| directory.keep_resource(&own, (i64::MAX, 0))).map_err(away)?;
    match seal.unseal(KEY, &there) {
        Some(_) => Ok(()),
        None => Err(io::Error::other("key_file is not that of the other nodes: it has to be the same on all of them")),
    }
}

pub(super) fn get(directory: &Directory, uuid: &str) -> io::Result<Option<Resource>> {
    let there = block_in_place(|| directory.resource(uuid)).map_err(away)?;
    there.as_deref().map(read).transpose()
}

pub(super) fn named(directory: &Directory, name: &str) -> io::Result<Option<Resource>> {
    let there = block_in_place(|| directory.resource_named(name)).map_err(away)?;
    there.filter(|_| !name.is_empty()).as_deref().map(read).transpose()
}

/// Some of them, behind those that were looked at last, which `after` is: so those that wait for long hold up no other.
pub(super) fn due(directory: &Directory, time: i64, after: &mut String) -> io::Result<Vec<Resource>> {
    let due = block_in_place(|| directory.resources_due(time, after)).map_err(away)?;
    let is_more = i64::try_from(due.len()).is_ok_and(|count| count >= DUE);
    *after = due.last().filter(|_| is_more).map(|(uuid, _)| uuid.clone()).unwrap_or_default();
    let mut all = Vec::with_capacity(due.len());
    for (uuid, text) in due {
        match read(&text) {
            Ok(resource) => all.push(resource),
            Err(error) => tracing::error!(uuid, %error, "a resource of the add-on cannot be read"),
        }
    }
    Ok(all)
}

pub(super) fn keep(directory: &Directory, resource: &Resource) -> io::Result<Resource> {
    let (new, most) = (kept(resource)?, i64::try_from(MOST).unwrap_or(i64::MAX));
    let there = block_in_place(|| directory.keep_resource(&new, (most, now() - REPEATED))).map_err(away)?;
    read(&there)
}

pub(super) fn change(
    directory: &Directory,
    uuid: &str,
    change: impl FnOnce(&mut Resource),
) -> io::Result<Option<Resource>> {
    let changed = |text: &str| {
        let there = read(text).ok()?;
        let mut resource = there.clone();
        change(&mut resource);
        if resource == there { None } else { kept(&resource).ok() }
    };
    let there = block_in_place(|| directory.change_resource(uuid, changed)).map_err(away)?;
    there.as_deref().map(read).transpose()
}

pub(super) fn use_once(directory: &Directory, tokens: &[String], until: i64, now: i64) -> io::Result<bool> {
    block_in_place(|| directory.note_sign_on(tokens, until, now)).map_err(away)
}
