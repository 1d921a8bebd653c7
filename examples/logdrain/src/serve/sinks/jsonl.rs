//! Rows as JSON lines, to a file or standard output: those of `logdrain replay --format jsonl`, each with an `"id"`.

use super::{Row, RowId, RowSink, Stopped};
use crate::json;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Rows are gathered up to here before they are written.
const BUFFER: usize = 256 * 1024;
/// Between two tries to write.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct JsonLines {
    out: Out,
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    written: usize,
    /// After a failed sync nobody knows what reached the disk: rows stay owed until the next start writes them again.
    owed: bool,
    /// Told by a signal: the file was moved away.
    reopen: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Out {
    Stdout(io::Stdout),
    File { file: File, path: PathBuf },
}

impl JsonLines {
    /// To a file, behind what is there, or to standard output.
    pub(crate) fn open(path: Option<PathBuf>, reopen: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> io::Result<Self> {
        let out = match path {
            Some(path) => Out::File { file: append_to(&path)?, path },
            None => Out::Stdout(io::stdout()),
        };
        Ok(Self { out, buffer: Vec::with_capacity(BUFFER), written: 0, owed: false, reopen, stop })
    }

    /// Writes what is gathered, and tries again until it is written or the program ends.
    fn drain(&mut self) -> Result<(), Stopped> {
        while self.written < self.buffer.len() {
            let rest = &self.buffer[self.written..];
            let written = match &mut self.out {
                Out::Stdout(out) => out.write(rest),
                Out::File { file, .. } => file.write(rest),
            };
            match written {
                Ok(0) => self.wait(&io::ErrorKind::WriteZero.into())?,
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.wait(&error)?,
            }
        }
        self.buffer.clear();
        self.written = 0;
        Ok(())
    }

    fn wait(&self, error: &io::Error) -> Result<(), Stopped> {
        tracing::error!(%error, "rows cannot be written; deliveries are still taken, and their rows will follow");
        // Nobody will ever read them: the program ends, and the next one writes them.
        if error.kind() == io::ErrorKind::BrokenPipe || self.stop.load(Ordering::Acquire) {
            return Err(Stopped);
        }
        std::thread::sleep(AGAIN);
        Ok(())
    }
}

impl RowSink for JsonLines {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        self.buffer.extend_from_slice(ROW);
        // Neither can fail: text and numbers, into memory.
        let _ = json::write(&mut self.buffer, &RowId(*row));
        let middle = self.buffer.len();
        let _ = json::write(&mut self.buffer, row.point);
        if let Some(brace) = self.buffer.get_mut(middle) {
            *brace = b',';
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.drain() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        self.drain()?;
        let synced = match &mut self.out {
            Out::Stdout(out) => out.flush(),
            Out::File { file, .. } => file.sync_data(),
        };
        if let Err(error) = synced {
            tracing::error!(%error, "rows may not have reached the disk; the next start writes them again");
            self.owed = true;
        }
        if self.reopen.swap(false, Ordering::AcqRel)
            && let Out::File { file, path } = &mut self.out
        {
            match append_to(path) {
                Ok(new) => *file = new,
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "cannot be opened anew; the old file is used on")
                }
            }
        }
        Ok(!self.owed)
    }
}

/// What every row begins with.
const ROW: &[u8] = b"{\"id\":";

/// Opens a file behind its last whole line. A row that broke off will be written again, and is taken back; anything else
/// is somebody's, and gets the line end that it lacks.
fn append_to(path: &PathBuf) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(file);
    }
    let mut end = meta.len();
    let mut chunk = vec![0; 64 * 1024];
    while end > 0 {
        let from = end.saturating_sub(chunk.len() as u64);
        let len = (end - from) as usize;
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut chunk[..len])?;
        if let Some(place) = chunk[..len].iter().rposition(|octet| *octet == b'\n') {
            end = from + place as u64 + 1;
            break;
        }
        end = from;
    }
    if end < meta.len() {
        let mut tail = vec![0; ROW.len().min((meta.len() - end) as usize)];
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(&mut tail)?;
        if ROW.starts_with(&tail) { file.set_len(end)? } else { file.write_all(b"\n")? }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heroku_metrics::model::{DataPointBuf, TagSet, Timestamp};
    use heroku_metrics::{Pipeline, PipelineConfig};

    fn points() -> Vec<DataPointBuf> {
        crate::serve::sinks::tests::points(&["measure#q=200ms tag#a=\"x\"", "measure#q=300ms tag#a=y", "count#n=1"])
    }

    fn open(path: &std::path::Path) -> JsonLines {
        JsonLines::open(Some(path.to_owned()), Arc::default(), Arc::default()).unwrap()
    }

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("logdrain-jsonl-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn rows_are_those_of_replay_with_an_id_in_front() {
        let dir = scratch("rows");
        let mut out = open(&dir.join("rows"));
        let points = points();
        for point in &points {
            out.write(&Row { drain: "sh\"op/d.1", point: &point.as_point() }).unwrap();
        }
        assert!(out.commit().unwrap());
        let text = std::fs::read_to_string(dir.join("rows")).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for (line, point) in text.lines().zip(&points) {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let id = row["id"].as_str().unwrap();
            assert!(id.starts_with("sh\"op/drain-400e474b/1773480360+60/0/"), "{id}");
            assert!(ids.insert(id.to_owned()));
            let behind = line.find(",\"window\"").unwrap();
            assert_eq!(format!("{{{}", &line[behind + 1..]), serde_json::to_string(&point).unwrap());
        }
        assert_eq!(ids.len(), points.len());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn an_id_tells_streams_apart_that_print_alike() {
        let time = Timestamp::from_unix_seconds(0);
        let id = |name: &str, tags: &[(&str, &str)]| {
            let tags = TagSet::from_iter(tags.iter().copied());
            let observation =
                heroku_metrics::model::Observation::count(name, heroku_metrics::model::Value::plain(1.0), &tags, time);
            let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
            let _ = pipeline.observe(&observation);
            let mut points: Vec<DataPointBuf> = Vec::new();
            pipeline.finish(&mut points).unwrap();
            RowId(Row { drain: "d", point: &points[0].as_point() }).to_string()
        };
        let ids = [id("a", &[]), id("a", &[("b", "c")]), id("a", &[("bc", "")]), id("ab", &[("c", "")])];
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn a_line_that_broke_off_is_taken_back() {
        let dir = scratch("torn");
        for (there, left) in [
            ("", ""),
            ("{\"id\":1}\n", "{\"id\":1}\n"),
            ("{\"id\":1}\n{\"id\":\"d", "{\"id\":1}\n"),
            ("{\"i", ""),
            ("somebody's notes", "somebody's notes\n"),
        ] {
            let path = dir.join("rows");
            std::fs::write(&path, there).unwrap();
            drop(open(&path));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
        let path = dir.join("long");
        std::fs::write(&path, format!("{{}}\n{{\"id\":{}", "x".repeat(200_000))).unwrap();
        drop(open(&path));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
