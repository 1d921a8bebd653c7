//! Rows as JSON lines, to a file or standard output: those of `logdrain replay --format jsonl`, each with an `"id"`.

use super::{Outlet, Row, RowId, Stopped};
use logdrain_terms::json;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Where rows go that nobody wants.
pub const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
/// Rows are gathered up to here before they are written.
const BUFFER: usize = 256 * 1024;
/// Between two tries to write.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a write may take once the program is to end: a pipe that nobody reads takes for ever.
const LAST_CALL: Duration = Duration::from_secs(2);
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// Rows go out on a thread of their own, so that a write which never ends does not keep the program from ending.
#[derive(Debug)]
pub struct JsonLines {
    buffer: Vec<u8>,
    jobs: SyncSender<Job>,
    done: Receiver<io::Result<Vec<u8>>>,
    /// After a failed sync nobody knows what reached the disk: rows stay owed until the next start writes them again.
    owed: bool,
    /// Nobody reads them: they are not even written down.
    is_nowhere: bool,
    stop: Arc<AtomicBool>,
}

/// What the thread that writes is asked for. Each is answered with an empty buffer, or with what was in the way.
#[derive(Debug)]
enum Job {
    Write(Vec<u8>),
    /// The rest of what could not be written.
    Again,
    /// Makes all of it durable.
    Sync,
}

#[derive(Debug)]
struct Target {
    out: Out,
    rows: Vec<u8>,
    /// How much of the rows is written.
    written: usize,
    /// Told by a signal: the file was moved away.
    reopen: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Out {
    Stdout(io::Stdout),
    /// What stands behind `since` was written since the last commit, and `is_new` says whether anything was.
    File {
        file: File,
        path: PathBuf,
        since: u64,
        is_new: bool,
    },
}

impl JsonLines {
    /// To a file, behind what is there, or to standard output.
    pub fn open(path: Option<PathBuf>, reopen: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> io::Result<Self> {
        let is_nowhere = path.as_deref() == Some(Path::new(NOWHERE));
        let out = match path {
            Some(path) => {
                let file = append_to(&path)?;
                Out::File { since: file.metadata()?.len(), file, path, is_new: false }
            }
            None => Out::Stdout(io::stdout()),
        };
        let (jobs, asked) = sync_channel(1);
        let (answer, done) = sync_channel(1);
        let mut target = Target { out, rows: Vec::new(), written: 0, reopen };
        std::thread::Builder::new().name("rows".to_owned()).spawn(move || {
            while let Ok(job) = asked.recv() {
                if answer.send(target.work(job)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { buffer: Vec::with_capacity(BUFFER), jobs, done, owed: false, is_nowhere, stop })
    }

    /// Writes what is gathered, and tries again until it is written or the program ends.
    fn drain(&mut self) -> Result<(), Stopped> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut job = Job::Write(std::mem::take(&mut self.buffer));
        loop {
            match self.ask(job)? {
                Ok(empty) => {
                    self.buffer = empty;
                    return Ok(());
                }
                Err(error) => self.wait(&error)?,
            }
            job = Job::Again;
        }
    }

    /// Waits for the thread that writes, but not for ever when the program is to end.
    fn ask(&self, job: Job) -> Result<io::Result<Vec<u8>>, Stopped> {
        self.jobs.send(job).map_err(|_| Stopped)?;
        let mut ending: Option<Instant> = None;
        loop {
            match self.done.recv_timeout(LOOK_AROUND) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
                Err(RecvTimeoutError::Timeout) if self.stop.load(Ordering::Acquire) => {
                    if ending.get_or_insert_with(Instant::now).elapsed() > LAST_CALL {
                        tracing::error!("nobody reads the rows; the next start writes those that are owed");
                        return Err(Stopped);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
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

impl Outlet for JsonLines {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        if self.is_nowhere {
            return Ok(());
        }
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
        if let Err(error) = self.ask(Job::Sync)? {
            tracing::error!(%error, "rows may not have reached the disk; the next start writes them again");
            self.owed = true;
        }
        Ok(!self.owed)
    }
}

impl Target {
    fn work(&mut self, job: Job) -> io::Result<Vec<u8>> {
        match job {
            Job::Write(rows) => {
                self.rows = rows;
                self.written = 0;
                self.push()?;
            }
            Job::Again => self.push()?,
            Job::Sync => {
                self.follow()?;
                match &mut self.out {
                    Out::Stdout(out) => out.flush()?,
                    // Most ticks close no window: a disk that is slow would hold up a journal that is read again for nothing.
                    Out::File { is_new: false, .. } => {}
                    Out::File { file, since, is_new, .. } => {
                        let meta = file.metadata()?;
                        // A pipe or `/dev/null` has no disk, and refuses to be synced.
                        if meta.is_file() {
                            file.sync_data()?;
                        }
                        *since = meta.len();
                        *is_new = false;
                    }
                }
            }
        }
        let mut empty = std::mem::take(&mut self.rows);
        empty.clear();
        Ok(empty)
    }

    fn push(&mut self) -> io::Result<()> {
        // A row that is half written ends in the file that it began in.
        if self.written == 0 {
            self.follow()?;
        }
        while let Some(rest) = self.rows.get(self.written..).filter(|rest| !rest.is_empty()) {
            let written = match &mut self.out {
                Out::Stdout(out) => out.write(rest),
                Out::File { file, is_new, .. } => {
                    *is_new = true;
                    file.write(rest)
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens the file anew when its path leads to another one, or to none: it was moved away or deleted. Rows since the
    /// last commit are written again there. Who moved the old file may have read it to its end by then, and nobody reads
    /// one that is deleted.
    fn follow(&mut self) -> io::Result<()> {
        let is_asked = self.reopen.swap(false, Ordering::AcqRel);
        let Out::File { file, path, since, is_new } = &mut self.out else { return Ok(()) };
        let is_there = fs::metadata(&*path).is_ok_and(|there| file.metadata().is_ok_and(|own| is_same(&there, &own)));
        if is_there && !is_asked {
            return Ok(());
        }
        let mut new = match append_to(path) {
            Ok(new) => new,
            Err(error) if is_there => {
                tracing::error!(%error, path = %path.display(), "cannot be opened anew; the old file is used on");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (own, there) = (file.metadata()?, new.metadata()?);
        if !is_same(&there, &own) {
            if own.is_file() {
                file.seek(SeekFrom::Start(*since))?;
                *is_new |= io::copy(file, &mut new)? > 0;
            }
            // Of what was copied, the part that another commit will not need is not known apart.
            *since = there.len();
            *file = new;
        }
        Ok(())
    }
}

/// Whether two are one file.
#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file that is open cannot be moved away there.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// What every row begins with.
pub(super) const ROW: &[u8] = b"{\"id\":";

/// Opens a file behind its last whole line. A row that broke off will be written again, and is taken back; anything else
/// is somebody's, and gets the line end that it lacks.
fn append_to(path: &Path) -> io::Result<File> {
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
        if let Some(index) = chunk[..len].iter().rposition(|byte| *byte == b'\n') {
            end = from + index as u64 + 1;
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
        crate::outlets::tests::points(&["measure#q=200ms tag#a=\"x\"", "measure#q=300ms tag#a=y", "count#n=1"])
    }

    fn open(path: &std::path::Path) -> JsonLines {
        JsonLines::open(Some(path.to_owned()), Arc::default(), Arc::default()).unwrap()
    }

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("logdrain-jsonl-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Rows that nobody wants must not hold the journal.
    #[test]
    #[cfg(unix)]
    fn what_is_no_file_has_nothing_to_sync() {
        let mut out = open(std::path::Path::new("/dev/null"));
        out.write(&Row { drain: "shop", point: &points()[0].as_point() }).unwrap();
        assert!(out.commit().unwrap());
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
            let _ = pipeline.aggregator_mut().observe(&observation);
            let mut points: Vec<DataPointBuf> = Vec::new();
            pipeline.finish(&mut points).unwrap();
            RowId(Row { drain: "d", point: &points[0].as_point() }).to_string()
        };
        let ids = [id("a", &[]), id("a", &[("b", "c")]), id("a", &[("bc", "")]), id("ab", &[("c", "")])];
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }

    #[test]
    #[cfg(unix)]
    fn rows_follow_their_path_when_the_file_is_moved_or_deleted() {
        let dir = scratch("moved");
        let (path, old) = (dir.join("rows"), dir.join("rows.1"));
        let points = points();
        let write = |out: &mut JsonLines, point: usize| {
            out.write(&Row { drain: "d.1", point: &points[point].as_point() }).unwrap();
        };
        let names = |path: &Path| -> Vec<String> {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].to_string())
                .collect()
        };
        let mut out = open(&path);
        write(&mut out, 0);
        assert!(out.commit().unwrap());
        let first = names(&path);
        // Moved between two commits: the next row is in the new file, without a signal.
        std::fs::rename(&path, &old).unwrap();
        write(&mut out, 1);
        assert!(out.commit().unwrap());
        assert_eq!((names(&old), names(&path).len()), (first, 1));
        let second = names(&path);
        // Deleted inside a commit: what it wrote is written again.
        write(&mut out, 0);
        out.drain().unwrap();
        std::fs::remove_file(&path).unwrap();
        write(&mut out, 2);
        assert!(out.commit().unwrap());
        assert_eq!(names(&path).len(), 2);
        assert!(!names(&path).contains(&second[0]), "what was committed before is not");
        // Moved behind the last write, before the commit: in both files.
        write(&mut out, 1);
        out.drain().unwrap();
        std::fs::rename(&path, &old).unwrap();
        assert!(out.commit().unwrap());
        assert_eq!((names(&old).len(), names(&path)), (3, second));
        // Also when there is nothing to be written.
        std::fs::rename(&path, &old).unwrap();
        assert!(out.commit().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        std::fs::remove_dir_all(dir).unwrap();
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
