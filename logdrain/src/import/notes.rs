//! What an import says of what it could not carry over as it was.

use super::found::{Object, shown};
use std::collections::BTreeMap;

/// Of one kind of object so many names of keys are told.
const KEYS: usize = 20;

/// One thing that is not as it was, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Note {
    /// `alert`, `chart`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) why: String,
    /// Nothing came of it; else it is there, and different.
    pub(super) is_lost: bool,
}

/// All of them, in the order of the export.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) all: Vec<Note>,
    /// Keys that mean nothing here, by kind, and how often each was there.
    keys: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

impl Notes {
    /// Nothing came of it.
    pub(super) fn lost(&mut self, kind: &'static str, name: &str, why: impl Into<String>) {
        self.all.push(Note { kind, name: shown(name, 100), why: why.into(), is_lost: true });
    }

    /// It is there, and not quite what it was.
    pub(super) fn changed(&mut self, kind: &'static str, name: &str, why: impl Into<String>) {
        self.all.push(Note { kind, name: shown(name, 100), why: why.into(), is_lost: false });
    }

    /// Counts what an object says besides what is known.
    pub(super) fn unknown(&mut self, kind: &'static str, object: &Object, known: &[&str]) {
        for key in object.unknown(known) {
            let keys = self.keys.entry(kind).or_default();
            let key = shown(key, 40);
            if keys.len() < KEYS || keys.contains_key(&key) {
                *keys.entry(key).or_default() += 1;
            }
        }
    }

    /// One sentence for each kind of object that says more than is known.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.keys.iter().map(|(kind, keys)| {
            let keys: Vec<_> = keys.iter().map(|(key, count)| format!("{key} ({count})")).collect();
            format!("{kind}: not used: {}", keys.join(", "))
        })
    }
}
