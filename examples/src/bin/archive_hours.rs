//! What is in an archive, by the hour: `cargo run -p examples --bin archive_hours FILE.tsv`, or `-` for what `gzip -cd` gives.
//!
//! For each hour, how many lines came in and which program wrote most of them; below it what was no row, and which rows could not
//! be read.

use log_archive::{Period, ReadErrorKind, Reader};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: archive_hours FILE.tsv")?;
    let input: Box<dyn BufRead> =
        if file == "-" { Box::new(stdin().lock()) } else { Box::new(BufReader::new(File::open(file)?)) };

    let mut hours: BTreeMap<Period, BTreeMap<Vec<u8>, u64>> = BTreeMap::new();
    let mut reader = Reader::new(input);
    loop {
        match reader.read() {
            Ok(Some(row)) => {
                let programs = hours.entry(Period::hour_of(row.received_at())).or_default();
                // A name is copied the first time it comes in an hour.
                match programs.get_mut(row.program()) {
                    Some(count) => *count += 1,
                    None => drop(programs.insert(row.program().to_vec(), 1)),
                }
            }
            Ok(None) => break,
            Err(error) if error.kind() == ReadErrorKind::Input => return Err(error.into()),
            Err(error) => eprintln!("{error}"),
        }
    }
    for (hour, programs) in &hours {
        let lines: u64 = programs.values().sum();
        if let Some((program, count)) = programs.iter().max_by_key(|(_, count)| **count) {
            println!("{}  {lines:>6} lines, {count} of them by {}", hour.file_name(), program.escape_ascii());
        }
    }
    println!("{}", reader.counts());
    Ok(())
}
