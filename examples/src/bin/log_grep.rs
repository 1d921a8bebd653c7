//! grep with a search language: `cargo run -p examples --bin log_grep FILE QUERY...`
//!
//! Lines are read as `TIME PROGRAM: MESSAGE`, as logs are often shown; a line that is not is a message alone.

use log_query::{Fields, Query};
use std::fs::File;
use std::io::{BufRead, BufReader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let file = words.next().ok_or("usage: log_grep FILE QUERY...")?;
    let parsed = Query::parse(&words.collect::<Vec<_>>().join(" "));
    parsed.notes().iter().for_each(|note| eprintln!("note: {note}"));
    eprintln!("{}", parsed.query().explain());

    for line in BufReader::new(File::open(file)?).split(b'\n') {
        let line = line?;
        let parts = line.iter().position(|byte| *byte == b' ').and_then(|blank| {
            let rest = &line[blank + 1..];
            let colon = rest.windows(2).position(|pair| pair == b": ")?;
            Some((&rest[..colon], &rest[colon + 2..]))
        });
        let (program, message) = parts.unwrap_or((b"", &line));
        if parsed.query().matches(&Fields::new(b"", program, message)) {
            println!("{}", line.escape_ascii());
        }
    }
    Ok(())
}
