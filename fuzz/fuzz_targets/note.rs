//! A note of a file that is not as it was written. Damaged, it changes no answer: the file is opened instead. Forged, with a checksum
//! that fits, it gives no line that is not in the file, none to somebody else, and none twice; what is merged and purged over it loses
//! no line without a word, and nothing panics or takes memory.
#![no_main]

use family_fuzz::Draw;
use family_fuzz::stored::{ACCOUNTS, Folder, Original};
use libfuzzer_sys::fuzz_target;
use log_query::Query;
use log_store::{EventBuf, EventId, Files, Listed, Options, Page, ReadAt, Scope, Store};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Held = BTreeMap<String, (Arc<[u8]>, Vec<u8>)>;

#[derive(Debug, Default)]
struct Memory(Mutex<Held>);

impl Memory {
    fn held<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let listed = |(name, (bytes, about)): (&String, &(Arc<[u8]>, Vec<u8>))| {
            Listed::new(name.as_str(), bytes.len() as u64).with_about(about.as_slice())
        };
        Ok(self.held(|held| held.iter().map(listed).collect()))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadAt>> {
        let bytes = self.held(|held| held.get(name).map(|(bytes, _)| Arc::clone(bytes)));
        Ok(Box::new(Bytes(bytes.ok_or(io::ErrorKind::NotFound)?)))
    }

    fn put(&self, name: &str, file: &Path, about: &[u8]) -> io::Result<()> {
        let bytes = std::fs::read(file)?;
        self.held(|held| held.insert(name.to_owned(), (bytes.into(), about.to_owned())));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.held(|held| held.remove(name));
        Ok(())
    }
}

#[derive(Debug)]
struct Bytes(Arc<[u8]>);

impl ReadAt for Bytes {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let from = self.0.get(offset as usize..).unwrap_or_default();
        out.copy_from_slice(from.get(..out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

struct Place {
    folder: Folder,
    original: Original,
    name: String,
    note: Vec<u8>,
}

impl Place {
    /// A file and the note that a store puts with it.
    fn new() -> Self {
        let (folder, original) = (Folder::new("note"), Original::new());
        let files = Arc::new(Memory::default());
        let mut store = Store::open_with(folder.path(), Options::new(), files.clone()).expect("an empty place");
        for event in &original.events {
            store.append(&event.as_event()).expect("an event with a rising id");
        }
        store.flush().expect("room for a small file");
        drop(store);
        let put = files.held(|held| held.pop_first()).expect("the file of the flush");
        let (name, (bytes, note)) = put;
        assert!(*bytes == original.bytes[..], "the same bytes as in a folder");
        Self { folder, original, name, note }
    }
}

static PLACE: OnceLock<Place> = OnceLock::new();

fuzz_target!(|input: &[u8]| {
    let place = PLACE.get_or_init(Place::new);
    let mut draw = Draw::new(input);
    let way = draw.below(3);
    let mut note = place.note.clone();
    if way == 2 {
        note = draw.rest().to_vec();
    }
    while way < 2 && !draw.is_empty() {
        let at = draw.short() as u16 as usize % note.len();
        note[at] = draw.octet();
    }
    if way > 0 {
        reseal(&mut note);
    }
    let changed = note != place.note;
    let files = Arc::new(Memory::default());
    let held = (Arc::from(&place.original.bytes[..]), note.clone());
    files.held(|files| files.insert(place.name.clone(), held));
    let mut store =
        Store::open_with(place.folder.path(), Options::new(), files.clone()).expect("files that can be listed");
    store.publish(EventId::MAX);
    assert!(store.damage().is_empty(), "the file is whole");
    assert_eq!(store.bytes(), place.original.bytes.len() as u64);
    // Without its checksum a note says nothing: three bytes may be changed so that the checksum fits, but for four billion tries.
    let whole = way == 0 || !changed;
    answers(&store, &place.original.events, whole);
    while store.merge_due(i64::MAX / 4).expect("files that can be read") {}
    let capitals = Query::parse("\"NEEDLE in capitals\"");
    let purged = store.purge(&Scope::account("gamma"), capitals.query(), EventId::MIN..EventId::MAX);
    let purged = purged.expect("files that can be written");
    drop(store);
    // What the files themselves say: all lines but those that were purged.
    files.held(|files| files.values_mut().for_each(|(_, note)| note.clear()));
    let mut store = Store::open_with(place.folder.path(), Options::new(), files).expect("files that can be listed");
    store.publish(EventId::MAX);
    let mut left = place.original.events.clone();
    if purged.events() > 0 {
        left.retain(|event| event.as_event().message() != b"NEEDLE in capitals");
        assert_eq!(left.len() as u64 + purged.events(), place.original.events.len() as u64);
    }
    assert!(purged.events() > 0 || !whole, "a purge that finds nothing");
    answers(&store, &left, true);
});

fn answers(store: &Store, events: &[EventBuf], whole: bool) {
    for account in ACCOUNTS {
        let view = store.reader().view(&Scope::account(account));
        let found = view.search(&Query::default(), &Page::new(), &mut || true);
        let expected: Vec<&EventBuf> = events.iter().filter(|event| event.as_event().account() == account).collect();
        assert!(found.events().is_sorted_by(|left, right| left.id() < right.id()));
        assert!(found.events().iter().all(|event| expected.contains(&event)), "{account}: a line that is none");
        if whole {
            assert!(found.examined().damage().is_empty(), "{:?}", found.examined().damage());
            assert_eq!(found.events().len(), expected.len(), "{account}: a line less");
        }
        let _ = view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true);
    }
    let _ = store.accounts();
}

/// Makes a note's checksum right.
fn reseal(note: &mut [u8]) {
    if let Some((bytes, crc)) = note.split_last_chunk_mut::<4>() {
        *crc = crc32fast::hash(bytes).to_le_bytes();
    }
}
