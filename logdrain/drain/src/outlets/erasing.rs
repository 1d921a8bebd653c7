//! Rows of an account that is destroyed, in the file that rows are appended to.
//!
//! Whoever reads that file knows how far he has read, and may have it open. So it keeps its length and its place: each of the
//! rows is written over where it stands, by an object that says nothing, and spaces up to its line end.
//!
//! ```text
//! {"id":"shop.drain/drain-0f3a52c1/1773480360+60/0/70012b...","name":...}
//! {}
//! ```

use super::jsonl::ROW;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What stands where a row was.
const NOTHING: &[u8] = b"{}";
/// As much of a line is looked at: a row's id ends within it.
const START: usize = 4 << 10;
/// What is read at a time, and written over at once.
const CHUNK: usize = 64 << 10;

/// Erases the rows of those drains, by what they are called outside and by when their window begins, in seconds since 1970, and
/// waits until the disk has it. Answers how many there were. What is being appended meanwhile is not looked at, and what is no file has nothing to be erased.
///
/// # Errors
/// Those of the disk. Doing it again goes on with what is left.
pub fn erase(path: &Path, is_of: &dyn Fn(&str, i64) -> bool) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(0),
    }
    let mut over = OpenOptions::new().write(true).open(path)?;
    let mut lines = BufReader::with_capacity(CHUNK, File::open(path)?);
    let (mut at, mut erased, mut start) = (0, 0, Vec::with_capacity(START));
    while let Some(len) = line(&mut lines, &mut start)? {
        if row_of(&start).is_some_and(|(drain, begins)| is_of(&drain, begins)) {
            blank(&mut over, at, len)?;
            erased += 1;
        }
        at += len + 1;
    }
    if erased > 0 {
        over.sync_data()?;
    }
    Ok(erased)
}

/// Reads a line: how long it is, without its end. None when there is no whole one any more.
fn line(lines: &mut impl BufRead, start: &mut Vec<u8>) -> io::Result<Option<u64>> {
    start.clear();
    let mut len = 0;
    loop {
        let bytes = lines.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        // Lines may be somebody else's, and as long as they like.
        start.extend(part.iter().take(START - start.len()));
        len += part.len() as u64;
        let used = part.len() + usize::from(end.is_some());
        lines.consume(used);
        if end.is_some() {
            return Ok(Some(len));
        }
    }
}

/// The beginning goes last and at once: until then it is a row that would be found again.
fn blank(file: &mut File, at: u64, len: u64) -> io::Result<()> {
    let first = len.min(CHUNK as u64);
    file.seek(SeekFrom::Start(at + first))?;
    io::copy(&mut io::repeat(b' ').take(len - first), file)?;
    let mut text = NOTHING.to_vec();
    text.resize(first as usize, b' ');
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&text)
}

/// The drain that a row's id names, all before the last three slashes, and when its window begins.
fn row_of(line: &[u8]) -> Option<(String, i64)> {
    let mut ids = serde_json::Deserializer::from_slice(line.strip_prefix(ROW)?).into_iter::<String>();
    let id = ids.next()?.ok()?;
    let mut parts = id.rsplitn(4, '/').skip(2);
    let begins = parts.next()?.split('+').next()?.parse().unwrap_or(i64::MIN);
    Some((parts.next()?.to_owned(), begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_drain_are_written_over_and_others_stay_where_they_are() {
        let path = std::env::temp_dir().join(format!("logdrain-erasing-{}", std::process::id()));
        let row = |drain: &str, more: &str| format!("{{\"id\":\"{drain}/60+60/0/a1b2\",\"name\":\"n{more}\"}}");
        let long = "x".repeat(3 * CHUNK);
        let lines = [
            row("shop.drain/drain-1", ""),
            row("shop/drain-1", ""),
            "somebody's own".to_owned(),
            row("sh\\\"op/drain-1", ""),
            String::new(),
            row("shop.drain/drain-1", &long),
            row("shop.drain", ""),
            "{\"id\":7}".to_owned(),
            format!("{{\"id\":\"{long}"),
            row("shop.drain/drain-2", &long),
        ];
        // The last one is being written.
        let text = format!("{}\n{}", lines.join("\n"), row("shop.drain/drain-1", ""));
        fs::write(&path, &text).unwrap();
        let wanted = ["shop.drain/drain-1", "shop.drain", "sh\"op/drain-1"];
        // Of windows that begin later nothing goes.
        assert_eq!(erase(&path, &|drain, begins| begins < 60 && wanted.contains(&drain)).unwrap(), 0);
        assert_eq!(erase(&path, &|drain, begins| begins < 61 && wanted.contains(&drain)).unwrap(), 4);
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(after.len(), text.len());
        for (index, (before, after)) in text.lines().zip(after.lines()).enumerate() {
            match [0, 3, 5, 6].contains(&index) {
                true => assert!(after.trim_end() == "{}" && after.len() == before.len(), "{index}"),
                false => assert!(after == before, "{index}"),
            }
        }
        assert_eq!(erase(&path, &|drain, _| wanted.contains(&drain)).unwrap(), 0, "once");
        fs::remove_file(&path).unwrap();
        assert_eq!(erase(&path, &|_, _| true).unwrap(), 0, "no file");
    }
}
