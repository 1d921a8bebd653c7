//! A pipe that lines come out of as they are written.

use crate::interrupt;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How often time passes on a silent pipe, and how soon a signal is heard.
const TICK: Duration = Duration::from_millis(100);
/// Chunks that wait to be looked at.
const AHEAD: usize = 4;

/// A source read by a thread of its own, so that waiting for it can end. When nothing comes for a while, `read` says
/// [`io::ErrorKind::TimedOut`]; after a signal it gives what is there, and then an error that [`is_end_asked_for`].
pub(crate) struct Live {
    chunks: Receiver<io::Result<Vec<u8>>>,
    held: Vec<u8>,
    taken: usize,
    /// How many chunks may still be taken after a signal: a pipe that never falls silent ends, too.
    left: usize,
}

impl Live {
    /// Opens the source in the thread as well: a named pipe waits for its writer there.
    pub(crate) fn read<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static, chunk: usize) -> Self {
        let (sender, chunks) = mpsc::sync_channel(AHEAD);
        thread::spawn(move || {
            let mut source = match open() {
                Ok(source) => source,
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut octets = vec![0; chunk];
                let read = source.read(&mut octets).map(|len| {
                    octets.truncate(len);
                    octets
                });
                if matches!(&read, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
                    continue;
                }
                let over = !matches!(&read, Ok(octets) if !octets.is_empty());
                if sender.send(read).is_err() || over {
                    return;
                }
            }
        });
        Self { chunks, held: Vec::new(), taken: 0, left: AHEAD + 1 }
    }

    fn next(&mut self) -> io::Result<Vec<u8>> {
        let asked = interrupt::is_asked();
        if asked {
            if self.left == 0 {
                return Err(io::Error::other(Asked));
            }
            self.left -= 1;
        }
        match self.chunks.recv_timeout(TICK) {
            Ok(chunk) => chunk,
            Err(RecvTimeoutError::Timeout) if asked => {
                self.left = 0;
                Err(io::Error::other(Asked))
            }
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(Vec::new()),
        }
    }
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.held.len() {
            self.taken = 0;
            self.held.clear();
            self.held = self.next()?;
        }
        let left = &self.held[self.taken..];
        let len = left.len().min(buffer.len());
        buffer[..len].copy_from_slice(&left[..len]);
        self.taken += len;
        Ok(len)
    }
}

/// A file that is written to while it is read. At its end, for the time being, `read` says [`io::ErrorKind::TimedOut`], as
/// [`Live`] does. A file that was put in its place (a log that was rotated) is read when the old one has ended, from its
/// start; so is one that was cut.
pub(crate) struct Growing {
    path: PathBuf,
    file: File,
    /// How much of the file is read.
    at: u64,
    /// Whether the end was met: the next look waits a little.
    ended: bool,
}

impl Growing {
    pub(crate) fn new(path: &Path, file: File) -> Self {
        Self { path: path.to_owned(), file, at: 0, ended: false }
    }

    /// The file that stands there now, if it is another one, or is shorter than what was read.
    fn successor(&self) -> Option<File> {
        let there = std::fs::metadata(&self.path).ok()?;
        let here = self.file.metadata().ok()?;
        if is_same(&there, &here) && there.len() >= self.at {
            return None;
        }
        File::open(&self.path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

// What a file is cannot be told here; one that is shorter is another.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if interrupt::is_asked() {
            return Err(io::Error::other(Asked));
        }
        if self.ended {
            thread::sleep(TICK);
        }
        let mut len = self.file.read(buffer)?;
        if len == 0
            && self.ended
            && let Some(file) = self.successor()
        {
            // What came between the last look and the change is still to be had.
            len = self.file.read(buffer)?;
            if len == 0 {
                (self.file, self.at) = (file, 0);
                len = self.file.read(buffer)?;
            }
        }
        self.ended = len == 0;
        if self.ended {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.at += len as u64;
        Ok(len)
    }
}

#[derive(Debug)]
struct Asked;

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ended by a signal")
    }
}

impl std::error::Error for Asked {}

/// Whether reading ended because a signal asked for it.
pub(crate) fn is_end_asked_for(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Asked>())
}
