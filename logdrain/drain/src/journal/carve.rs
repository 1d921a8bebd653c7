//! Reads the pages of a damaged SQLite file one by one, whatever has become of its head and of the way to them.
//!
//! A row lies on a leaf page, its longer part on a chain of further pages. Each event of ours has a checksum, so that
//! what is found is believed event by event. Pages in the write-ahead file stand for those of the same number.
//!
//! ```text
//! leaf page   = type(0x0d) free:u16 cells:u16 content:u16 fragments:u8 *pointer:u16 ... *cell   ; page 1: at byte 100
//! cell        = payload:varint rowid:varint local [next:u32]
//! index page  = type(0x0a or 0x02) ...        ; cell = [child:u32] payload:varint local [next:u32]
//! payload     = head:varint *serial:varint *value
//! overflow    = next:u32 content
//! frame       = page:u32 commit:u32 salt:u64 crc:u64 content     ; in the write-ahead file, behind 32 bytes of head
//! ```
//!
//! Source: <https://www.sqlite.org/fileformat2.html>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// No payload of ours is longer: a body has a limit, and nothing is allocated on the word of damage.
const LONGEST: u64 = 1 << 30;
const FRAME_HEAD: u64 = 24;
const WAL_HEAD: u64 = 32;

/// A value of a record.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Null,
    Integer(i64),
    /// A number with a fraction: we write none.
    Other,
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// Something that was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A row of a table, under its number.
    Row(i64, Vec<Value>),
    /// An entry of an index, or of a table without numbers.
    Entry(Vec<Value>),
}

/// The file and its write-ahead file, page by page.
#[derive(Debug)]
pub(super) struct Pages {
    main: File,
    len: u64,
    size: usize,
    wal: Option<File>,
    /// Where the newest content of a page lies in the write-ahead file.
    newer: HashMap<u32, u64>,
    last: u32,
}

/// The size of our pages. A commit of few short deliveries writes some dozen pages whole, most of them for ids that lie all
/// over their index, so that small ones are fewer bytes; a body of 100 kB is packed into a chain of five.
pub(super) const OURS: usize = 4_096;
/// What it was before.
const FORMER: usize = 16_384;

/// The page sizes to try: ours, of now and of before, and what the file says, and then the others.
pub(super) fn sizes(path: &Path) -> (Vec<usize>, Vec<usize>) {
    let mut head = [0; 18];
    let said = File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok();
    let said = said.map(|()| usize::from(u16::from_be_bytes([head[16], head[17]])));
    let said = said.map(|size| if size == 1 { 65_536 } else { size });
    let all = [65_536, 32_768, FORMER, 8_192, OURS, 2_048, 1_024, 512];
    all.into_iter().partition(|size| [OURS, FORMER].contains(size) || Some(*size) == said)
}

impl Pages {
    pub(super) fn open(path: &Path, wal: &Path, size: usize) -> io::Result<Self> {
        let main = File::open(path)?;
        let len = main.metadata()?.len();
        let mut pages = Self { main, len, size, wal: None, newer: HashMap::new(), last: 0 };
        if let Ok(mut file) = File::open(wal) {
            pages.newer = frames(&mut file, size).unwrap_or_default();
            pages.wal = Some(file);
        }
        let in_main = u32::try_from(len.div_ceil(size as u64)).unwrap_or(u32::MAX);
        pages.last = pages.newer.keys().copied().max().unwrap_or(0).max(in_main);
        Ok(pages)
    }

    /// A page; what the file lacks of its end is zeros.
    fn read(&mut self, number: u32) -> io::Result<Option<Vec<u8>>> {
        let mut page = vec![0; self.size];
        if let (Some(at), Some(wal)) = (self.newer.get(&number), &mut self.wal) {
            wal.seek(SeekFrom::Start(*at))?;
            wal.read_exact(&mut page)?;
            return Ok(Some(page));
        }
        let Some(at) = u64::from(number).checked_sub(1).map(|before| before * self.size as u64) else {
            return Ok(None);
        };
        let Some(left) = self.len.checked_sub(at).filter(|left| *left > 0) else { return Ok(None) };
        let there = self.size.min(usize::try_from(left).unwrap_or(self.size));
        self.main.seek(SeekFrom::Start(at))?;
        self.main.read_exact(&mut page[..there])?;
        Ok(Some(page))
    }

    /// Hands on everything that lies on leaf pages and in indexes. A page that the disk does not give is passed over.
    pub(super) fn each<E>(&mut self, mut take: impl FnMut(Found) -> Result<(), E>) -> Result<(), E> {
        for number in 1..=self.last {
            let Ok(Some(page)) = self.read(number) else { continue };
            let head = if number == 1 { 100 } else { 0 };
            let Some(cells) = cells(&page, head) else { continue };
            for cell in cells {
                if let Some(found) = self.cell(&page, page[head], cell) {
                    take(found)?;
                }
            }
        }
        Ok(())
    }

    fn cell(&mut self, page: &[u8], kind: u8, at: usize) -> Option<Found> {
        let rest = page.get(at..)?;
        let rest = if kind == INDEX_INNER { rest.get(4..)? } else { rest };
        let (payload, used) = varint(rest)?;
        let rest = &rest[used..];
        if payload > LONGEST {
            return None;
        }
        if kind == TABLE_LEAF {
            let (rowid, used) = varint(rest)?;
            let most = self.size - 35;
            let payload = self.payload(&rest[used..], usize::try_from(payload).ok()?, most)?;
            return Some(Found::Row(rowid as i64, record(&payload)?));
        }
        let most = (self.size - 12) * 64 / 255 - 23;
        let payload = self.payload(rest, usize::try_from(payload).ok()?, most)?;
        Some(Found::Entry(record(&payload)?))
    }

    /// The payload, put together of what lies here and of the chain behind it.
    fn payload(&mut self, local: &[u8], len: usize, most: usize) -> Option<Vec<u8>> {
        if len <= most {
            return local.get(..len).map(<[u8]>::to_vec);
        }
        let least = (self.size - 12) * 32 / 255 - 23;
        let here = least + (len - least) % (self.size - 4);
        let here = if here <= most { here } else { least };
        let mut payload = local.get(..here)?.to_vec();
        let mut next = u32_at(local, here)?;
        while payload.len() < len {
            let page = self.read(next).ok()??;
            next = u32_at(&page, 0)?;
            let part = (len - payload.len()).min(self.size - 4);
            payload.extend_from_slice(&page[4..4 + part]);
        }
        Some(payload)
    }
}

const TABLE_LEAF: u8 = 0x0d;
const INDEX_LEAF: u8 = 0x0a;
const INDEX_INNER: u8 = 0x02;

/// Where the cells of a page begin, when it is one with cells that hold something.
fn cells(page: &[u8], head: usize) -> Option<Vec<usize>> {
    let kind = *page.get(head)?;
    let pointers = head
        + match kind {
            TABLE_LEAF | INDEX_LEAF => 8,
            INDEX_INNER => 12,
            _ => return None,
        };
    let count = usize::from(u16_at(page, head + 3)?);
    let pointers = page.get(pointers..)?;
    let pairs = pointers.chunks_exact(2).take(count);
    Some(pairs.map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]]))).collect())
}

/// Where the pages in a write-ahead file lie: up to the last commit, as far as they are of its last use.
fn frames(wal: &mut File, size: usize) -> io::Result<HashMap<u32, u64>> {
    let mut head = [0; WAL_HEAD as usize];
    wal.read_exact(&mut head)?;
    let salt: [u8; 8] = [head[16], head[17], head[18], head[19], head[20], head[21], head[22], head[23]];
    let (mut newer, mut pending) = (HashMap::new(), Vec::new());
    let mut at = WAL_HEAD;
    loop {
        let mut frame = [0; FRAME_HEAD as usize];
        wal.seek(SeekFrom::Start(at))?;
        if wal.read_exact(&mut frame).is_err() || frame[8..16] != salt {
            return Ok(newer);
        }
        let number = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        pending.push((number, at + FRAME_HEAD));
        if frame[4..8] != [0; 4] {
            newer.extend(pending.drain(..));
        }
        at += FRAME_HEAD + size as u64;
    }
}

/// Seven bits a byte, the first ones first; the ninth byte has eight.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn record(payload: &[u8]) -> Option<Vec<Value>> {
    let (head, mut at) = varint(payload)?;
    let head = usize::try_from(head).ok().filter(|head| *head <= payload.len())?;
    let mut rest = &payload[head..];
    let mut values = Vec::new();
    while at < head {
        let (serial, used) = varint(&payload[at..head])?;
        at += used;
        let len = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            text_or_blob => (text_or_blob - 12) / 2,
        };
        let len = usize::try_from(len).ok().filter(|len| *len <= rest.len())?;
        let (value, behind) = rest.split_at(len);
        rest = behind;
        values.push(match serial {
            0 => Value::Null,
            1..=6 => Value::Integer(integer(value)),
            7 => Value::Other,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            odd if odd % 2 == 1 => Value::Text(value.to_vec()),
            _ => Value::Blob(value.to_vec()),
        });
    }
    Some(values)
}

/// Big-endian, with a sign.
fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// What SQLite wrote is what is read, in every page size, with long payloads, in the file and the one beside it.
    #[test]
    fn pages_are_read_as_sqlite_wrote_them() {
        let dir = std::env::temp_dir().join(format!("logdrain-carve-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        for size in [512, 1_024, 4_096, 16_384, 65_536] {
            let path = dir.join(format!("{size}.db"));
            let db = Connection::open(&path).unwrap();
            db.pragma_update(None, "page_size", size as i64).unwrap();
            let _: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).unwrap();
            db.execute_batch(
                "CREATE TABLE t (n INTEGER PRIMARY KEY, a, b, c); CREATE TABLE u (k PRIMARY KEY, v) WITHOUT ROWID",
            )
            .unwrap();
            let body = |n: i64| vec![n as u8; usize::try_from(n * n * 7 % 200_000).unwrap()];
            let numbers = [0, 1, -1, 127, 128, -129, 1 << 20, -(1 << 40), i64::MAX, i64::MIN];
            for n in 1..=200_i64 {
                if n == 100 {
                    let _: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
                }
                let number = numbers[n as usize % numbers.len()];
                db.execute("INSERT INTO t VALUES (?1, ?2, ?3, ?4)", (n * 1_000, number, format!("é{n}"), body(n)))
                    .unwrap();
                db.execute("INSERT INTO u VALUES (?1, ?2)", (format!("key{n}").into_bytes(), n)).unwrap();
            }
            let wal = dir.join(format!("{size}.db-wal"));
            assert!(sizes(&path).0.contains(&size));
            let mut pages = Pages::open(&path, &wal, size).unwrap();
            let (mut rows, mut entries) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
            let taken: Result<(), ()> = pages.each(|found| {
                match found {
                    Found::Row(n, values) if values.len() == 4 => drop(rows.insert(n, values)),
                    Found::Entry(values) => {
                        if let [Value::Blob(key), Value::Integer(n)] = &values[..] {
                            entries.insert((key.clone(), *n));
                        }
                    }
                    Found::Row(..) => {}
                }
                Ok(())
            });
            taken.unwrap();
            assert_eq!((rows.len(), entries.len()), (200, 200), "{size}");
            for n in 1..=200_i64 {
                let number = Value::Integer(numbers[n as usize % numbers.len()]);
                let expected = [Value::Null, number, Value::Text(format!("é{n}").into_bytes()), Value::Blob(body(n))];
                assert_eq!(rows[&(n * 1_000)], expected, "{size}: {n}");
                assert!(entries.contains(&(format!("key{n}").into_bytes(), n)));
            }
        }
        let _ = std::fs::remove_dir_all(&dir);
    }

    #[test]
    fn garbage_is_read_to_its_end() {
        let dir = std::env::temp_dir().join(format!("logdrain-garbage-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("garbage.db");
        let mut seed = 7_u32;
        for kind in [TABLE_LEAF, INDEX_LEAF, INDEX_INNER] {
            let mut bytes: Vec<u8> = (0..40_000)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            (0..bytes.len()).step_by(512).for_each(|at| bytes[at] = kind);
            std::fs::write(&path, &bytes).unwrap();
            for size in sizes(&path).1 {
                let taken: Result<(), ()> = Pages::open(&path, &path, size).unwrap().each(|_| Ok(()));
                taken.unwrap();
            }
        }
        let _ = std::fs::remove_dir_all(&dir);
    }
}
