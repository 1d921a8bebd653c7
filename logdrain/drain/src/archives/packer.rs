//! Packs rows on a thread of its own: whoever reads lines and writes rows does so meanwhile.
//!
//! Reading an hour takes half as long again as packing it. Two threads of low priority take it in the time of the longer one,
//! and neither has more than a few chunks of it in memory.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Time goes for packing; more than this is not worth it for lines.
pub(super) const LEVEL: u32 = 1;
/// Rows that are handed on at a time, and bytes that go to the file at a time.
const CHUNK: usize = 128 << 10;
/// Chunks that wait for the packer: about what a megabyte of lines becomes. Nobody adds to lines in memory while they are
/// read, and so much of them is not kept waiting by a slow disk.
const WAITING: usize = 10;
/// What is written before the disk is asked to have it: one long wait at the end would hold up the journal's commits.
const SYNC_EVERY: usize = 16 << 20;

/// A file that is packed. What is written to it and never finished is lost, which is for who made the file to mend.
pub(super) struct Packer {
    chunk: Vec<u8>,
    /// To the thread, until it ends.
    chunks: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<File>>>,
}

impl Packer {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let (chunks, waiting) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("packer".to_owned()).spawn(move || pack(file, &waiting))?;
        Ok(Self { chunk: Vec::with_capacity(CHUNK), chunks: Some(chunks), thread: Some(thread) })
    }

    /// All that was written is in the file, and on the disk.
    pub(super) fn finish(mut self) -> io::Result<File> {
        self.hand_on()?;
        self.chunks = None;
        self.end()
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let chunk = mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        match &self.chunks {
            Some(chunks) if chunks.send(chunk).is_ok() => Ok(()),
            // It has ended: of an error, which is the one to tell.
            _ => self.end().and_then(|_| Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn end(&mut self) -> io::Result<File> {
        let thread = self.thread.take().ok_or(io::ErrorKind::BrokenPipe)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that packs archives has panicked")))
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() + bytes.len() > CHUNK && !self.chunk.is_empty() {
            self.hand_on()?;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        // The file is removed behind this: nobody is at it any more then.
        self.chunks = None;
        let _ = self.end();
    }
}

fn pack(file: File, chunks: &Receiver<Vec<u8>>) -> io::Result<File> {
    let steady = Steady { file, unsynced: 0 };
    // No name and no time in it: the same lines are the same bytes.
    let mut zip = GzEncoder::new(BufWriter::with_capacity(CHUNK, steady), Compression::new(LEVEL));
    while let Ok(chunk) = chunks.recv() {
        zip.write_all(&chunk)?;
    }
    let file = zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.file;
    file.sync_all()?;
    Ok(file)
}

/// A file that goes to the disk as it is written.
struct Steady {
    file: File,
    unsynced: usize,
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNC_EVERY {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::MultiGzDecoder;
    use std::fs;
    use std::io::Read as _;

    #[test]
    fn what_is_packed_beside_is_what_was_written() {
        let path = std::env::temp_dir().join(format!("logdrain-packer-{}.gz", std::process::id()));
        let mut packer = Packer::new(File::create(&path).unwrap()).unwrap();
        let mut written = Vec::new();
        for line in 0..40_000_u32 {
            let text = format!("{line}\t{:x}\n", line.wrapping_mul(0x9e37_79b9));
            packer.write_all(text.as_bytes()).unwrap();
            written.extend_from_slice(text.as_bytes());
        }
        // Longer than a chunk.
        let long = vec![b'x'; 3 * CHUNK];
        packer.write_all(&long).unwrap();
        written.extend_from_slice(&long);
        packer.finish().unwrap();
        let mut read = Vec::new();
        MultiGzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut read).unwrap();
        assert!(read == written, "{} bytes of {}", read.len(), written.len());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_the_disk_says_is_told() {
        // A device that takes nothing.
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let mut packer = Packer::new(full).unwrap();
        let mut noise = 1_u64;
        let error = loop {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if let Err(error) = packer.write_all(&noise.to_le_bytes()) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }
}
