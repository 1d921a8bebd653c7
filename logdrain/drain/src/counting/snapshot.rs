//! The pipelines' state beside the journal, so that a start reads little of it.
//!
//! ```text
//! file   = "LDSNAP" version:u16 position:u64 time:i64 settings drains:u32 *drain [mark:u32] crc:u32     ; little-endian
//! time   = microseconds of the last tick, the smallest number when there was none
//! mark   = of the event at this position (`Entry::mark`); none when it could not be read, or an older program wrote the file
//! drain  = key snapshot                       ; the pipeline's own format; `key LF milliseconds` with windows of another length
//! settings, key, snapshot = length:u64 bytes
//! ```
//!
//! A file is there whole or not at all, and the last two are kept. When the newer is damaged, the older and the journal behind
//! it give the same state.

use crate::counting::pipelines::Pipelines;
use crate::journal::{Events, LAST_NUMBER, Snapshots, Step, StoreError};
use heroku_metrics::model::Timestamp;
use std::fmt;
use std::io::{self, BufReader, BufWriter, Read, Write};

const MAGIC: &[u8; 6] = b"LDSNAP";
const VERSION: u16 = 1;
/// No text or state in a file is longer; a length beyond is damage, and nothing is allocated on its word.
const LONGEST: u64 = 1 << 36;

/// Why a snapshot cannot be used.
#[derive(Debug)]
pub enum Unusable {
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

/// Writes a snapshot and forgets the oldest; answers the position that the journal is needed from.
pub fn write(snapshots: &dyn Snapshots, pipelines: &mut Pipelines) -> io::Result<u64> {
    snapshots.put(pipelines.position(), &mut |out| {
        let mut out = Summed { inner: BufWriter::new(out), crc: crc32fast::Hasher::new() };
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&pipelines.position().to_le_bytes())?;
        let time = pipelines.time().map_or(i64::MIN, Timestamp::unix_micros);
        out.write_all(&time.to_le_bytes())?;
        piece(&mut out, &serde_json::to_vec(pipelines.settings())?)?;
        out.write_all(&(pipelines.count() as u32).to_le_bytes())?;
        for (key, pipeline) in pipelines.states() {
            piece(&mut out, key.as_bytes())?;
            piece(&mut out, &pipeline.snapshot(b""))?;
        }
        if let Some(mark) = pipelines.mark() {
            out.write_all(&mark.to_le_bytes())?;
        }
        let crc = out.crc.clone().finalize();
        out.write_all(&crc.to_le_bytes())?;
        out.flush()
    })
}

/// Reads a snapshot back. All of it is checked before anything is believed.
pub fn read(snapshots: &dyn Snapshots, position: u64) -> Result<Pipelines, Unusable> {
    check(snapshots, position)?;
    let mut file = BufReader::new(snapshots.get(position)?.1);
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
    let mut rest = Vec::new();
    file.take(8).read_to_end(&mut rest)?;
    let mark = rest.first_chunk().filter(|_| rest.len() == 8).map(|mark| u32::from_le_bytes(*mark));
    pipelines.set_mark(mark);
    Ok(pipelines)
}

/// Whether the journal has the event that these end with. One that was put back, and went on, has another one under that number:
/// what is in them is not what was counted up to there.
///
/// # Errors
/// When the journal cannot be read now.
pub fn is_of(pipelines: &Pipelines, journal: &dyn Events) -> Result<bool, StoreError> {
    let Some(mark) = pipelines.mark() else { return Ok(true) };
    // Where it has none, nothing could be taken for something else.
    Ok(if let Step::Event(entry) = journal.read(pipelines.position())? { entry.mark() == mark } else { true })
}

/// Whether a snapshot is as it was written.
pub fn check(snapshots: &dyn Snapshots, position: u64) -> Result<(), Unusable> {
    let (len, mut file) = snapshots.get(position)?;
    let Some(content) = len.checked_sub(4) else { return Err(Unusable::Damaged("it is cut off".to_owned())) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Entry, Event, Record};
    use crate::journal::{Folder, Named};
    use crate::settings::change::tests::settings;
    use std::sync::Arc;

    /// A journal of deliveries that were received at these times.
    #[derive(Debug)]
    struct Received(Vec<i64>);

    impl Events for Received {
        fn read(&self, seq: u64) -> Result<Step, StoreError> {
            let Some(at) = usize::try_from(seq).unwrap().checked_sub(1).and_then(|index| self.0.get(index)) else {
                return Ok(Step::Missing);
            };
            let record = Record::new("d.1".into(), Timestamp::from_unix_micros(*at), Body::new(Vec::new(), None));
            Ok(Step::Event(Entry { seq, event: Event::Delivery(record) }))
        }

        fn next_after(&self, _: u64) -> Result<Option<u64>, StoreError> {
            unreachable!("nobody asks")
        }

        fn next_time_after(&self, _: u64) -> Result<Option<u64>, StoreError> {
            unreachable!("nobody asks")
        }

        fn last_time_before(&self, _: u64) -> Result<Option<u64>, StoreError> {
            unreachable!("nobody asks")
        }
    }

    #[test]
    fn a_snapshot_is_of_the_journal_that_has_its_last_event() {
        let dir = std::env::temp_dir().join(format!("logdrain-marked-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let snapshots = Named::new(Arc::new(Folder::new(&dir)));
        let journal = Received(vec![10, 20, 30]);
        let mut pipelines = Pipelines::new(settings());
        pipelines.pass_over(2);
        let Step::Event(second) = journal.read(2).unwrap() else { unreachable!("it is there") };
        pipelines.set_mark(Some(second.mark()));
        write(&snapshots, &mut pipelines).unwrap();
        let read_back = read(&snapshots, 2).unwrap();
        assert_eq!((read_back.position(), read_back.mark()), (2, Some(second.mark())));
        let is_of = |times: &[i64]| is_of(&read_back, &Received(times.to_vec())).unwrap();
        assert!(is_of(&[10, 20, 30]) && is_of(&[10, 20, 40, 50]), "what came then is another matter");
        assert!(!is_of(&[10, 40, 50]), "it was put back, and has gone on");
        assert!(is_of(&[10]), "there is nothing that is not in it");
        // It could not be read, or an older program wrote it.
        pipelines.pass_over(3);
        write(&snapshots, &mut pipelines).unwrap();
        let unmarked = read(&snapshots, 3).unwrap();
        assert_eq!(unmarked.mark(), None);
        assert!(super::is_of(&unmarked, &Received(vec![1, 2, 3])).unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
