//! Files in memory, as a bucket has them: they count what is asked of them, and fail when they are told to.

use log_store::{Files, Listed, ReadAt};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// In which way a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not done.
    Undone,
    /// It is done, and its answer is lost.
    Lost,
    /// It is not done, nor is any call after it.
    Dead,
    /// It is done; its answer is lost, and no call after it is done.
    LostAndDead,
}

/// What was asked, by method.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    pub lists: u64,
    pub opens: u64,
    pub reads: u64,
    pub puts: u64,
    pub removes: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<String, (Arc<[u8]>, Vec<u8>)>,
    calls: Calls,
    number: u64,
    /// Before this call.
    fault: Option<(u64, Fault)>,
    dead: Option<io::ErrorKind>,
    /// Files of these names cannot be opened or read.
    bad: BTreeMap<String, io::ErrorKind>,
    refuses_removal: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Bucket(Arc<Mutex<State>>);

impl Bucket {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The same files, with no faults: what another node would find.
    pub fn copy(&self) -> Arc<Self> {
        let copy = Self::default();
        copy.state().files = self.state().files.clone();
        Arc::new(copy)
    }

    /// One of its files alone.
    pub fn only(&self, name: &str) -> Arc<Self> {
        let copy = self.copy();
        copy.state().files.retain(|other, _| other == name);
        copy
    }

    pub fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub fn bytes(&self, name: &str) -> Arc<[u8]> {
        Arc::clone(&self.state().files[name].0)
    }

    pub fn about(&self, name: &str) -> Vec<u8> {
        self.state().files[name].1.clone()
    }

    pub fn set_about(&self, name: &str, about: Vec<u8>) {
        self.state().files.get_mut(name).unwrap().1 = about;
    }

    pub fn insert(&self, name: &str, bytes: &[u8], about: &[u8]) {
        self.state().files.insert(name.to_owned(), (bytes.into(), about.to_owned()));
    }

    pub fn calls(&self) -> Calls {
        self.state().calls
    }

    /// How many calls there were.
    pub fn number(&self) -> u64 {
        self.state().number
    }

    /// Which call is to fail, counted from 0.
    pub fn fail(&self, at: u64, fault: Fault) {
        self.state().fault = Some((at, fault));
    }

    /// All calls fail so from now on, or none does.
    pub fn away(&self, kind: Option<io::ErrorKind>) {
        self.state().dead = kind;
    }

    pub fn bad(&self, name: &str, kind: Option<io::ErrorKind>) {
        match kind {
            Some(kind) => self.state().bad.insert(name.to_owned(), kind),
            None => self.state().bad.remove(name),
        };
    }

    pub fn refuse_removal(&self, refuses: bool) {
        self.state().refuses_removal = refuses;
    }
}

impl State {
    /// Counts a call, does it if it is to be done, and answers.
    fn call<T>(&mut self, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let number = self.number;
        self.number += 1;
        if let Some(kind) = self.dead {
            return Err(kind.into());
        }
        let (fault, lost) = match self.fault {
            Some((at, fault)) if at == number => (fault, io::ErrorKind::TimedOut),
            _ => return act(self),
        };
        if matches!(fault, Fault::Lost | Fault::LostAndDead) {
            let _ = act(self);
        }
        if matches!(fault, Fault::Dead | Fault::LostAndDead) {
            self.dead = Some(io::ErrorKind::ConnectionRefused);
        }
        Err(lost.into())
    }

    fn good(&self, name: &str) -> io::Result<()> {
        self.bad.get(name).map_or(Ok(()), |&kind| Err(kind.into()))
    }
}

impl Files for Bucket {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let mut state = self.state();
        state.calls.lists += 1;
        state.call(|state| {
            let listed = |(name, (bytes, about)): (&String, &(Arc<[u8]>, Vec<u8>))| {
                Listed::new(name.as_str(), bytes.len() as u64).with_about(about.clone())
            };
            // In no order that a folder has.
            Ok(state.files.iter().rev().map(listed).collect())
        })
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadAt>> {
        let mut state = self.state();
        state.calls.opens += 1;
        state.call(|state| {
            state.good(name)?;
            let (bytes, _) = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
            let bytes = Arc::clone(bytes);
            Ok(Box::new(Opened { bucket: self.clone(), name: name.to_owned(), bytes }) as Box<dyn ReadAt>)
        })
    }

    fn put(&self, name: &str, file: &Path, about: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.calls.puts += 1;
        state.call(|state| {
            let bytes = std::fs::read(file)?;
            // As one that goes into a cache.
            std::fs::remove_file(file)?;
            state.files.insert(name.to_owned(), (bytes.into(), about.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.calls.removes += 1;
        if state.refuses_removal {
            return Err(io::ErrorKind::TimedOut.into());
        }
        state.call(|state| state.files.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into()))
    }
}

#[derive(Debug)]
struct Opened {
    bucket: Bucket,
    name: String,
    bytes: Arc<[u8]>,
}

impl ReadAt for Opened {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.bucket.state();
        state.calls.reads += 1;
        state.call(|state| {
            state.good(&self.name)?;
            let from = self.bytes.get(offset as usize..).unwrap_or_default();
            out.copy_from_slice(from.get(..out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }
}
