//! Stores of log lines for the targets: a folder in memory, a small file of three accounts, and checksums made right again.

use log_store::{Event, EventBuf, EventId, Options, Store};
use std::fs;
use std::path::{Path, PathBuf};

/// The accounts that events are of.
pub const ACCOUNTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A folder of this process, in memory where there is such a thing. Dropping it removes it; what a static holds stays.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(format!("log-store-fuzz-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder to write to");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its one segment.
    pub fn segment(&self) -> Option<PathBuf> {
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "seg") {
                    return Some(path);
                }
            }
        }
        None
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file as the store writes it, and what it holds.
#[derive(Debug)]
pub struct Original {
    /// The file, below the store's folder.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its events, by id.
    pub events: Vec<EventBuf>,
}

impl Original {
    /// Some dozen lines of three accounts in one file: a block each, with colours, capitals, addresses and empty lines.
    pub fn new() -> Self {
        let folder = Folder::new("original");
        let mut store = Store::open(folder.path(), Options::new()).expect("an empty folder");
        let mut events = Vec::new();
        let mut id = EventId::at(1_700_000_000_000_000);
        for n in 0..36_u64 {
            let message = match n % 6 {
                0 => format!("at=info method=GET path=\"/cart/{n}\" status=200"),
                1 => String::new(),
                2 => "\u{1b}[31mTimeout\u{1b}[0m after zebra crossing".to_owned(),
                3 => format!("at=error code=H12 status=503 id={:08x}", n * 0x9e37_79b9),
                4 => format!("Größe {n}: needle"),
                _ => "NEEDLE in capitals".to_owned(),
            };
            let mut event = Event::new(id, ACCOUNTS[n as usize % 3], message.as_bytes())
                .with_system(if n % 5 == 0 { b"db" } else { b"web-1" })
                .with_program(if n % 4 == 0 { b"heroku/router" } else { b"app/web.1" })
                .with_generated(id.unix_micros() - n as i64 * 1_000)
                .with_severity((n % 9) as u8)
                .with_facility(16);
            if n % 3 == 0 {
                event = event.with_source_ip([192, 0, 2, (n % 2) as u8].into());
            }
            store.append(&event).expect("an event with a rising id");
            events.push(event.to_event_buf());
            id = if n % 10 == 9 { EventId::at(id.unix_micros() + 70_000_000) } else { id.next() };
        }
        store.flush().expect("room for a small file");
        drop(store);
        let path = folder.segment().expect("the file of the flush");
        let bytes = fs::read(&path).expect("the file of the flush");
        let path = path.strip_prefix(folder.path()).expect("a file below its folder").to_owned();
        Self { path, bytes, events }
    }
}

impl Default for Original {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the checksums right again that stand in a segment's footer, and the footer's own: without them no change of an index
/// would ever be read. The name that the file must have; `None` if there is no footer to be found.
pub fn resealed(bytes: &mut [u8]) -> Option<String> {
    let number = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let tail = bytes.len().checked_sub(16)?;
    let length = u32::from_le_bytes(*bytes.get(tail..)?.first_chunk()?) as usize;
    let footer = tail.checked_sub(length)?;
    // Dictionary, index and list of trigrams, one behind the other, but for the pages of trigrams before the list.
    let mut start = number(bytes, footer + 16)?;
    for (at, between) in [(24, None), (36, None), (48, Some(60))] {
        if let Some(between) = between {
            start = start.checked_add(number(bytes, footer + between)?)?;
        }
        let end = start.checked_add(number(bytes, footer + at)?)?;
        let part = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        let crc = crc32fast::hash(bytes.get(part)?);
        bytes.get_mut(footer + at + 8..footer + at + 12)?.copy_from_slice(&crc.to_le_bytes());
        start = end;
    }
    let crc = crc32fast::hash(bytes.get(footer..tail + 4)?);
    bytes.get_mut(tail + 4..tail + 8)?.copy_from_slice(&crc.to_le_bytes());
    Some(format!("{:016x}-{:016x}.seg", number(bytes, footer)?, number(bytes, footer + 8)?))
}
