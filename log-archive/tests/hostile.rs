//! Archives that are meant to do harm: no panic, bounded memory, linear time, and an end.

use log_archive::{ReadErrorKind, Reader, Row, Writer};
use std::alloc::System;
use std::error::Error;
use std::io::{self, BufReader, Read, Write};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HEAD: &[u8] = b"1\t2026-11-28T22:14:58Z\t2026-11-28T22:14:59Z\t1\ta\tb\tc\td\te\t";

/// This many bytes of one kind, then a row.
fn long(byte: u8, count: u64) -> impl io::BufRead {
    BufReader::with_capacity(1 << 16, io::repeat(byte).take(count).chain(&b"\n"[..]).chain(HEAD).chain(&b"after\n"[..]))
}

/// The tests of this file run one behind the other: they look at all memory of the program.
#[test]
fn one_by_one() {
    a_gigabyte_without_an_end();
    nothing_is_allocated_for_a_row();
    long_lines();
    repeated_pieces_are_linear();
    an_input_that_fails();
    an_output_that_fails();
}

fn a_gigabyte_without_an_end() {
    for (byte, count) in
        [(b'x', 1 << 30), (b'\t', 1 << 26), (b'\r', 1 << 26), (b' ', 1 << 26), (0, 1 << 26), (0xff, 1 << 26)]
    {
        let region = Region::new(ALLOCATOR);
        let mut reader = Reader::new(long(byte, count));
        let error = reader.read().unwrap_err();
        assert_eq!((error.kind(), error.row(), error.column()), (ReadErrorKind::RowTooLong, 1, None));
        assert_eq!(reader.read().unwrap().map(|row| row.message().to_vec()), Some(b"after".to_vec()));
        assert_eq!(reader.read().unwrap(), None);
        assert_eq!(reader.counts().bytes(), count + 1 + HEAD.len() as u64 + 6);
        assert!(!reader.counts().is_cut());
        // A buffer that doubles has had half of it, a quarter and so on before.
        let used = region.change().bytes_allocated + region.change().bytes_reallocated.unsigned_abs();
        assert!(used < 5 << 20, "{used} bytes for {byte}");
    }
    let mut endless = Reader::new(BufReader::new(io::repeat(b'x').take(1 << 22)));
    assert_eq!(endless.read().unwrap_err().kind(), ReadErrorKind::RowTooLong);
    assert_eq!(endless.read().unwrap(), None);
    assert_eq!(endless.counts().to_string(), "0 rows; left out: 1 refused; the last line has no end");
}

fn nothing_is_allocated_for_a_row() {
    let archive = [HEAD, b"message\n"].concat().repeat(1_000);
    let mut reader = Reader::new(&archive[..]);
    let mut writer = Writer::new(io::sink());
    let mut one = |reader: &mut Reader<&[u8]>| {
        let row = reader.read().expect("a good row").expect("one more");
        writer.write(&row).expect("a sink takes all");
    };
    one(&mut reader);
    let region = Region::new(ALLOCATOR);
    (1..1_000).for_each(|_| one(&mut reader));
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}

fn long_lines() {
    let mut message = b"\0\xff\xc3\x28\"\\".repeat(64 << 8);
    message.truncate(64 << 10);
    let mut writer = Writer::new(Vec::new());
    for _ in 0..3 {
        writer.write(&Row::new(1, 0, &message).with_program(&message).with_source_name(&message)).expect("memory");
    }
    let archive = writer.into_inner();
    let mut reader = Reader::new(&archive[..]);
    while let Some(row) = reader.read().expect("good rows") {
        assert!(row.message() == message && row.program() == message && row.source_name() == message);
        assert!(format!("{row:?}").len() > message.len());
    }
    assert_eq!(reader.counts().rows(), 3);
    // A limit of the caller's, to the byte, with any end of line.
    let line = [HEAD, b"message"].concat();
    for end in [&b""[..], b"\n", b"\r\n"] {
        for mark in [&b""[..], b"\xef\xbb\xbf"] {
            let archive = [mark, &line, end].concat();
            let read = |most: usize| {
                Reader::new(&archive[..])
                    .with_max_row_len(most)
                    .read()
                    .map(|row| row.is_some())
                    .map_err(|error| error.kind())
            };
            assert_eq!(read(line.len()), Ok(true));
            assert_eq!(read(line.len() - 1), Err(ReadErrorKind::RowTooLong));
            assert_eq!(read(0), Err(ReadErrorKind::RowTooLong));
            assert_eq!(read(usize::MAX), Ok(true));
        }
    }
}

/// What is quadratic would take minutes.
fn repeated_pieces_are_linear() {
    for piece in [
        &b"\t"[..],
        b"\n",
        b"\r",
        b"\r\n",
        b"1",
        b"1\t",
        b"\xef\xbb\xbf",
        b"id\t",
        b"9\t\n",
        b" ",
        b"2026-11-28T22:14:58.",
        HEAD,
    ] {
        for front in [&b""[..], HEAD, b"1\t2026-11-28T22:14:58."] {
            let archive = [front, &piece.repeat((4 << 20) / piece.len())].concat();
            let from = Instant::now();
            let mut reader = Reader::new(&archive[..]).with_max_row_len(8 << 20);
            let mut errors = 0;
            loop {
                match reader.read() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => errors += 1,
                }
            }
            assert_eq!((reader.counts().bytes(), reader.counts().refused()), (archive.len() as u64, errors));
            assert!(from.elapsed() < Duration::from_secs(10), "{}", piece.escape_ascii());
        }
    }
}

/// Gives some bytes, then an error each time it is asked.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "gzip ends early"))
        } else {
            self.0.read(buffer)
        }
    }
}

fn an_input_that_fails() {
    let archive = b"1\t2026-11-28T22:14:58Z\t2026-11-28T22:14:59Z\t1\ta\tb\tc\td\te\tf\n2\t2026-11-28T22:14:58Z\t2026-11-28T22:14:59Z\t1\ta\tb\tc\td\te\tpart of";
    let mut reader = Reader::new(BufReader::new(Broken(archive)));
    assert!(reader.read().unwrap().is_some());
    let error = reader.read().unwrap_err();
    assert_eq!((error.kind(), error.row(), error.column()), (ReadErrorKind::Input, 2, None));
    assert_eq!(error.to_string(), "the archive cannot be read on in row 2: gzip ends early");
    assert_eq!(
        error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind),
        Some(io::ErrorKind::UnexpectedEof)
    );
    // A loop over all rows that goes on behind errors comes to an end.
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(reader.counts().rows(), 1);

    let mut reader = Reader::new(BufReader::new(Broken(archive))).with_max_row_len(64);
    assert!(reader.read().unwrap().is_some());
    assert_eq!(reader.read().unwrap_err().kind(), ReadErrorKind::Input);
    let mut reader = Reader::new(BufReader::new(Broken(archive))).with_max_row_len(8);
    assert_eq!(reader.read().unwrap_err().kind(), ReadErrorKind::RowTooLong);
    assert_eq!(reader.read().unwrap_err().kind(), ReadErrorKind::Input);
    assert_eq!(reader.read().unwrap(), None);
}

/// Takes this many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn an_output_that_fails() {
    let mut writer = Writer::new(Full(100));
    let row = Row::new(1, 0, b"message");
    writer.write(&row).unwrap();
    let bytes = writer.bytes();
    assert_eq!(writer.write(&row).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((writer.rows(), writer.bytes()), (1, bytes));
    writer.flush().unwrap();
}
