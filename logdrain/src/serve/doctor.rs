//! `logdrain doctor`: what a store looks like, and what is wrong with it.

use crate::args::DoctorArgs;
use crate::serve::special;
use logdrain_drain::alerts::outbox;
use logdrain_drain::counting::snapshot::{self, Unusable};
use logdrain_drain::drain_name::DrainName;
use logdrain_drain::event::{Entry, Event};
use logdrain_drain::journal::{
    self, APPLICATION, Events as _, JournalReader, Named, SCHEMA, Snapshots as _, Step, StoreError, marker,
};
use logdrain_drain::logs;
use logdrain_drain::minutes;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::number;
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
    if let Some(path) = special::found(dir) {
        return Err(Failure::Config(special::words(&path)));
    }
    let is_elsewhere = journal::elsewhere(dir).exists();
    if !is_elsewhere && !journal::path(dir).exists() {
        return Err(missing("holds no journal"));
    }
    println!("store      {}{}", dir.display(), if journal::is_held(dir) { ", in use" } else { "" });
    let mut wrong = 0;
    let newest = snapshots(&dir.join("snapshots"), &mut wrong);
    if is_elsewhere {
        println!("journal    is in PostgreSQL, and is not looked at here: the database checks its own pages");
    } else if std::fs::metadata(journal::path(dir)).is_ok_and(|file| file.len() == 0) {
        println!("journal    is empty, and so it was not left: the next start sets it aside and begins a new one");
        wrong += 1;
    } else {
        match JournalReader::open(dir) {
            Ok(reader) => wrong += of_journal(dir, &reader, newest),
            Err(error) => {
                println!("journal    cannot be read: {error}");
                wrong += 1;
            }
        }
    }
    wrong += logs::check(dir, &mut |line| println!("{}", Escaped(line)));
    wrong += minutes::check(dir, &mut |line| println!("{}", Escaped(line)));
    wrong += outbox::check(dir, &mut |line| println!("{}", Escaped(line)));
    if marker(dir).exists() {
        println!(
            "marked     a server met damage: its next start sets the journal aside and takes over what can be read"
        );
        wrong += 1;
    }
    println!("{}", if wrong == 0 { "all is well" } else { "something is wrong, as said above" });
    Ok(if wrong == 0 { Status::Done } else { Status::BadInput })
}

/// Counts what is wrong with the journal, beside a snapshot of this event.
fn of_journal(dir: &Path, reader: &JournalReader, snapshot: u64) -> u64 {
    let size = std::fs::metadata(journal::path(dir)).map_or(0, |meta| meta.len());
    let mut wrong = 0;
    let (schema, application) = match (reader.schema(), reader.application()) {
        (Ok(schema), Ok(application)) => (schema, application),
        (Err(error), _) | (_, Err(error)) => {
            println!("journal    cannot be read: {error}");
            return 1;
        }
    };
    if application != APPLICATION {
        println!("journal    is a database of something else: the server refuses it");
        return 1;
    }
    if schema > SCHEMA {
        println!(
            "journal    was written by a later version (schema {schema}, this one knows {SCHEMA}): this one refuses it"
        );
        return 1;
    }
    let position = match reader.standing() {
        Ok((position, emitted, faults)) => {
            println!(
                "journal    schema {schema}, {}, {position} events written, rows out up to event {emitted}",
                number::human(size as f64, "bytes")
            );
            for fault in &faults {
                println!("journal    {fault}: the next start reckons it again from the events");
            }
            wrong += faults.len() as u64;
            position
        }
        Err(error) => {
            println!("journal    cannot be read: {error}");
            return 1;
        }
    };
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
    if snapshot > position {
        println!("journal    ends at event {position}, and a snapshot is of event {snapshot}: it has lost its end");
        wrong += 1;
    }
    match events(reader) {
        Ok((damaged, kept)) => {
            wrong += damaged;
            // A few numbers at most are behind the last event: those were said to be there.
            let (first, last) = kept.unwrap_or((position + 1, position));
            if first > snapshot + 1 {
                println!(
                    "events     {} to {} are in no snapshot, and are kept no more: their minutes are incomplete",
                    snapshot + 1,
                    first - 1
                );
                wrong += 1;
            }
            if kept.is_some() && last < position && snapshot < position {
                println!("events     {} to {position} are missing", last + 1);
                wrong += 1;
            }
        }
        Err(error) => {
            println!("events     cannot be read any further: {error}");
            wrong += 1;
        }
    }
    wrong
}

/// Reads every event that is kept; answers how many are damaged, and the first and the last.
fn events(reader: &JournalReader) -> Result<(u64, Option<(u64, u64)>), StoreError> {
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
            Step::Event(_) | Step::Missing => {}
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
    Ok((damaged, first.map(|first| (first, last))))
}

/// Reads the snapshots; answers the position of the newest that is sound.
fn snapshots(dir: &Path, wrong: &mut u64) -> u64 {
    let snapshots = Named::in_folder(dir);
    let found = match snapshots.positions() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            println!("snapshots  cannot be listed: {error}");
            *wrong += 1;
            return 0;
        }
    };
    if found.is_empty() {
        println!("snapshots  none yet");
    }
    let mut newest = 0;
    for position in found {
        match snapshot::read(&snapshots, position) {
            Ok(pipelines) => {
                println!("snapshot   up to event {position}: sound, {} drains", pipelines.drains().len());
                newest = newest.max(pipelines.position());
            }
            Err(error @ Unusable::Newer(_)) => {
                *wrong += 1;
                println!("snapshot   up to event {position}: {error}, and refuses the store");
            }
            Err(error) => {
                *wrong += 1;
                println!("snapshot   up to event {position}: damaged: {error}");
            }
        }
    }
    newest
}
