//! The pipelines' state beside the journal, so that a start reads little of it.
//!
//! ```text
//! file   = "LDSNAP" version:u16 position:u64 time:i64 settings drains:u32 *drain crc:u32     ; little-endian
//! time   = microseconds of the last tick, the smallest number when there was none
//! drain  = key snapshot                       ; the pipeline's own format; `key LF milliseconds` with windows of another length
//! settings, key, snapshot = length:u64 bytes
//! ```
//!
//! A file is written beside, synced and then renamed; the last two are kept. When the newer is damaged, the older and
//! the journal behind it give the same state.

use crate::serve::counting::pipelines::Pipelines;
use crate::serve::journal::LAST_NUMBER;
use heroku_metrics::model::Timestamp;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 6] = b"LDSNAP";
const VERSION: u16 = 1;
const SUFFIX: &str = "snapshot";
const KEPT: usize = 2;
/// No text or state in a file is longer; a length beyond is damage, and nothing is allocated on its word.
const LONGEST: u64 = 1 << 36;

/// Why a snapshot cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// A later program wrote it, in a format that this one does not know.
    Newer(u16),
    /// It is not what was written.
    Damaged(String),
    /// The disk did not give it.
    Unread(io::Error),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => write!(f, "it is of version {version}, this program reads {VERSION}"),
            Self::Damaged(why) => f.write_str(why),
            Self::Unread(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Damaged("it is cut off".to_owned())
        } else {
            Self::Unread(error)
        }
    }
}

/// Puts a damaged snapshot out of the way, so that it is not counted as one of those that are kept.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension("damaged"))
}

/// The snapshots of a store, newest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let position = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(position), Some(SUFFIX)) = (position, path.extension().and_then(|suffix| suffix.to_str())) {
            found.push((position, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Writes a snapshot and forgets the oldest; answers the position that the journal is needed from.
pub(crate) fn write(dir: &Path, pipelines: &mut Pipelines) -> io::Result<u64> {
    let unfinished = dir.join("unfinished");
    let mut out = Summed { inner: BufWriter::new(File::create(&unfinished)?), crc: crc32fast::Hasher::new() };
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&pipelines.position().to_le_bytes())?;
    let time = pipelines.time().map_or(i64::MIN, Timestamp::unix_micros);
    out.write_all(&time.to_le_bytes())?;
    piece(&mut out, &serde_json::to_vec(pipelines.settings())?)?;
    let position = pipelines.position();
    out.write_all(&(pipelines.count() as u32).to_le_bytes())?;
    for (key, pipeline) in pipelines.states() {
        piece(&mut out, key.as_bytes())?;
        piece(&mut out, &pipeline.snapshot(b""))?;
    }
    let crc = out.crc.clone().finalize();
    out.write_all(&crc.to_le_bytes())?;
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, dir.join(format!("{position:020}.{SUFFIX}")))?;
    sync_folder(dir)?;
    let snapshots = list(dir)?;
    for (_, path) in snapshots.iter().skip(KEPT) {
        fs::remove_file(path)?;
    }
    // With one alone, the journal from its beginning is what stands in for it.
    Ok(snapshots.get(KEPT - 1).map_or(0, |(position, _)| *position))
}

/// Reads a snapshot back. All of it is checked before anything is believed.
pub(crate) fn read(path: &Path) -> Result<Pipelines, Unusable> {
    check(path)?;
    let mut file = BufReader::new(File::open(path)?);
    let magic: [u8; 6] = take(&mut file)?;
    let version = u16::from_le_bytes(take(&mut file)?);
    if magic != *MAGIC {
        return Err(Unusable::Damaged("it does not begin like a snapshot".to_owned()));
    }
    if version != VERSION {
        return Err(Unusable::Newer(version));
    }
    let position = u64::from_le_bytes(take(&mut file)?);
    if position > LAST_NUMBER {
        return Err(Unusable::Damaged(format!("its position, {position}, makes no sense")));
    }
    let time = i64::from_le_bytes(take(&mut file)?);
    let time = (time != i64::MIN).then_some(Timestamp::from_unix_micros(time));
    let settings =
        serde_json::from_slice(&take_piece(&mut file)?).map_err(|error| Unusable::Damaged(error.to_string()))?;
    let mut pipelines = Pipelines::at(settings, position, time);
    for _ in 0..u32::from_le_bytes(take(&mut file)?) {
        let key = String::from_utf8(take_piece(&mut file)?).map_err(|error| Unusable::Damaged(error.to_string()))?;
        let state = take_piece(&mut file)?;
        pipelines.restore(&key, &state).map_err(|error| Unusable::Damaged(format!("drain {key:?}: {error}")))?;
    }
    Ok(pipelines)
}

/// Whether a file is as it was written.
pub(crate) fn check(path: &Path) -> Result<(), Unusable> {
    let len = fs::metadata(path)?.len();
    let Some(content) = len.checked_sub(4) else { return Err(Unusable::Damaged("it is cut off".to_owned())) };
    let mut file = BufReader::new(File::open(path)?);
    let mut crc = crc32fast::Hasher::new();
    let mut chunk = vec![0; 256 * 1024];
    let mut left = content;
    while left > 0 {
        let len = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.read_exact(&mut chunk[..len])?;
        crc.update(&chunk[..len]);
        left -= len as u64;
    }
    if u32::from_le_bytes(take(&mut file)?) == crc.finalize() {
        Ok(())
    } else {
        Err(Unusable::Damaged("its checksum does not match".to_owned()))
    }
}

/// Makes a rename outlive a power cut, where folders can be synced.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

struct Summed<W> {
    inner: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(octets)?;
        self.crc.update(&octets[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn piece(out: &mut impl Write, octets: &[u8]) -> io::Result<()> {
    out.write_all(&(octets.len() as u64).to_le_bytes())?;
    out.write_all(octets)
}

fn take<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    file.read_exact(&mut octets)?;
    Ok(octets)
}

fn take_piece(file: &mut impl Read) -> Result<Vec<u8>, Unusable> {
    let len = u64::from_le_bytes(take(file)?);
    if len > LONGEST {
        return Err(Unusable::Damaged("a length in it makes no sense".to_owned()));
    }
    let mut octets = Vec::new();
    file.take(len).read_to_end(&mut octets)?;
    if octets.len() as u64 == len { Ok(octets) } else { Err(Unusable::Damaged("it is cut off".to_owned())) }
}
