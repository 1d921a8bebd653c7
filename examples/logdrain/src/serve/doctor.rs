//! `logdrain doctor`: what a store looks like, and what is wrong with it.

use super::drain_name::DrainName;
use super::event::{Entry, Event};
use super::journal::{JournalReader, Step, StoreError, marker};
use super::{opening, snapshot};
use crate::args::DoctorArgs;
use crate::escape::Escaped;
use crate::failure::{Failure, Status};
use crate::number;
use std::collections::BTreeMap;
use std::path::Path;

/// Damaged events that are named one by one.
const NAMED: usize = 20;

pub(crate) fn run(args: &DoctorArgs) -> Result<Status, Failure> {
    let dir = &args.store;
    let missing = |what: &str| {
        Failure::Config(format!("{}: {what}; name the folder that `serve --store` was given", dir.display()))
    };
    if !dir.is_dir() {
        return Err(missing("is no folder"));
    }
    if !super::journal::path(dir).exists() {
        return Err(missing("holds no journal"));
    }
    println!("store      {}{}", dir.display(), if opening::is_in_use(dir) { ", in use" } else { "" });
    let mut wrong = 0;
    match JournalReader::open(dir) {
        Ok(reader) => wrong += journal(dir, &reader),
        Err(error) => {
            println!("journal    cannot be read: {error}");
            wrong += 1;
        }
    }
    wrong += snapshots(&dir.join("snapshots"));
    if marker(dir).exists() {
        println!(
            "marked     a server met damage: its next start sets the journal aside and takes over what can be read"
        );
        wrong += 1;
    }
    println!("{}", if wrong == 0 { "all is well" } else { "something is wrong, as said above" });
    Ok(if wrong == 0 { Status::Done } else { Status::BadInput })
}

fn journal(dir: &Path, reader: &JournalReader) -> u64 {
    let size = std::fs::metadata(super::journal::path(dir)).map_or(0, |meta| meta.len());
    let mut wrong = 0;
    match (reader.schema(), reader.positions()) {
        (Ok(schema), Ok((position, emitted))) => println!(
            "journal    schema {schema}, {}, {position} events written, rows out up to event {emitted}",
            number::human(size as f64, "bytes")
        ),
        (Err(error), _) | (_, Err(error)) => {
            println!("journal    cannot be read: {error}");
            return 1;
        }
    }
    match reader.check() {
        Ok(found) if found.is_empty() => println!("structure  sound"),
        Ok(found) => {
            wrong += 1;
            found.iter().for_each(|line| println!("structure  {}", Escaped(line)));
        }
        Err(error) => {
            wrong += 1;
            println!("structure  cannot be checked: {error}");
        }
    }
    match events(reader) {
        Ok(damaged) => wrong + damaged,
        Err(error) => {
            println!("events     cannot be read any further: {error}");
            wrong + 1
        }
    }
}

/// Reads every event that is kept; answers how many are damaged.
fn events(reader: &JournalReader) -> Result<u64, StoreError> {
    let mut drains: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut count, mut damaged, mut first, mut last) = (0_u64, 0_u64, None, 0);
    while let Some(seq) = reader.next_after(last)? {
        // A number that is missing between two others was a delivery once.
        if first.is_some() && seq > last + 1 {
            damaged += seq - last - 1;
            println!("events     {} to {} are missing", last + 1, seq - 1);
        }
        first.get_or_insert(seq);
        last = seq;
        count += 1;
        match reader.read(seq)? {
            Step::Event(Entry { event: Event::Delivery(record), .. }) => {
                let (deliveries, octets) = drains.entry(record.drain.to_string()).or_default();
                *deliveries += 1;
                *octets += record.body.bytes().len() as u64;
            }
            Step::Event(_) => {}
            Step::Damaged { seq, why } => {
                damaged += 1;
                if damaged <= NAMED as u64 {
                    println!("events     {seq} is damaged: {}", Escaped(&why));
                }
            }
        }
    }
    match first {
        Some(first) => println!("events     {count} are kept, {first} to {last}, {damaged} damaged or missing"),
        None => println!("events     none is kept"),
    }
    for (drain, (deliveries, octets)) in drains {
        println!(
            "drain      {}: {deliveries} deliveries, {}",
            Escaped(&DrainName::of(&drain).shown().to_string()),
            number::human(octets as f64, "bytes")
        );
    }
    Ok(damaged)
}

fn snapshots(dir: &Path) -> u64 {
    let found = match snapshot::list(dir) {
        Ok(found) => found,
        Err(error) => {
            println!("snapshots  cannot be listed: {error}");
            return 1;
        }
    };
    if found.is_empty() {
        println!("snapshots  none yet");
    }
    let mut wrong = 0;
    for (position, path) in found {
        match snapshot::read(&path) {
            Ok(pipelines) => {
                println!("snapshot   up to event {position}: sound, {} drains", pipelines.drains().len());
            }
            Err(error) => {
                wrong += 1;
                println!("snapshot   up to event {position}: damaged: {error}");
            }
        }
    }
    wrong
}
