//! What a store may cost, whatever comes: `Options::max_memory`, held by an allocator that counts, and a number of files.

mod kit;

use kit::Folder;
use log_query::Query;
use log_store::{Event, EventId, Options, Page, Scope, Store};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::random::Random;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
/// One test at a time: the allocator counts all of them.
static ONE: Mutex<()> = Mutex::new(());

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn small() -> Options {
    Options::new().with_head_bytes(24 << 20).with_cache_bytes(4 << 20)
}

/// Lines that are hard to keep: each kind is an attack on one list.
fn attack(kind: u64, random: &mut Random, n: u64, buffer: &mut Vec<u8>) -> (String, String, String) {
    buffer.clear();
    let account = if kind == 0 { format!("a{}", n % 1_000) } else { "one".to_owned() };
    let (mut system, mut program) = ("web".to_owned(), "app".to_owned());
    match kind {
        // A thousand accounts of short lines.
        0 => buffer.extend_from_slice(b"a line of an account"),
        // Ten thousand systems and programs with long names.
        1 => {
            system = format!("{:0>250}", random.below(10_000));
            program = format!("{:0>250}", random.below(10_000));
        }
        // Lines of 64 KiB that do not compress.
        2 => buffer.extend((0..8_192).flat_map(|_| random.bits().to_le_bytes())),
        // Empty lines.
        3 => {}
        // Each line alone in a second, with a source of its own.
        _ => buffer.extend_from_slice(format!("{:x}", random.bits()).as_bytes()),
    }
    (account, system, program)
}

#[test]
fn memory_is_bounded_whatever_is_appended() {
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for kind in 0..5 {
        let folder = Folder::new("memory");
        let (options, before) = (small(), held());
        let most = options.max_memory();
        let mut store = Store::open(folder.path(), options).unwrap();
        let mut random = Random::new(kind);
        let mut id = EventId::at(1_700_000_000_000_000);
        let mut buffer = Vec::new();
        let count = match kind {
            2 => 1_500,
            _ if kit::long() => 3_000_000,
            _ => 150_000,
        };
        // Files are written within one call: another thread looks at what they take meanwhile.
        let (peak, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let watcher = std::thread::spawn({
            let (peak, done) = (Arc::clone(&peak), Arc::clone(&done));
            move || {
                while !done.load(Ordering::Relaxed) {
                    peak.fetch_max(held().saturating_sub(before), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        });
        for n in 0..count {
            id = if kind == 4 { EventId::at(id.unix_micros() + 1_000_000) } else { id.next() };
            let (account, system, program) = attack(kind, &mut random, n, &mut buffer);
            let event = Event::new(id, &account, &buffer)
                .with_system(system.as_bytes())
                .with_program(program.as_bytes())
                .with_source_ip(std::net::IpAddr::from((random.bits() as u128).to_be_bytes()));
            store.append(&event).unwrap();
        }
        store.publish(id);
        while store.merge_due(id.unix_micros() + 7_200_000_000).unwrap() {}
        store.flush().unwrap();
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
        let peak = peak.load(Ordering::Relaxed);
        println!("attack {kind}: {peak} of {most} bytes, {} files", store.files());
        assert!(peak <= most, "attack {kind}: {peak} bytes of {most}");
        // Hostile queries find nothing, in time and memory.
        let reader = store.reader();
        for text in
            ["(".repeat(8_000), "-".repeat(8_000), "\"".repeat(8_000), "a OR ".repeat(1_600), "-(a OR ".repeat(900)]
        {
            let query = Query::parse(&text);
            let mut left = 40;
            let before = held();
            let page = Page::new().with_limit(10);
            let found = reader.view(&Scope::account("one")).search(query.query(), &page, &mut || {
                left -= 1;
                left > 0
            });
            drop(found);
            assert!(held().saturating_sub(before) <= 40 << 20);
        }
    }
}

/// A thousand accounts of a line a second beside a loud one: few files, and what each sees is its own.
#[test]
fn a_thousand_quiet_accounts_beside_a_loud_one_make_few_files() {
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = Folder::new("accounts");
    let mut store = Store::open(folder.path(), small()).unwrap();
    let names: Vec<String> = (0..1_000).map(|n| format!("quiet-{n}")).collect();
    let start = 1_700_000_000_000_000;
    let (seconds, loud) = if kit::long() { (300, 50_000) } else { (60, 2_000) };
    let line = b"at=info method=GET path=/ host=shop.example.com status=200 bytes=512";
    let mut last = EventId::MIN;
    for second in 0..seconds {
        let mut id = EventId::at(start + second * 1_000_000);
        let mut behind = 0;
        for n in 0..loud {
            id = id.next();
            store.append(&Event::new(id, "loud", line).with_program(b"heroku/router")).unwrap();
            while behind * loud < n * 1_000 {
                id = id.next();
                store.append(&Event::new(id, &names[behind as usize], line)).unwrap();
                behind += 1;
            }
        }
        last = id;
        store.publish(id);
        // As a host does whose journal has come to its end: everything that holds it back.
        if second % 10 == 9 {
            while store.seal_older(id).unwrap() {}
        }
        while store.seal_due(id.unix_micros()).unwrap() {}
        while store.merge_due(id.unix_micros()).unwrap() {}
        assert!(store.files() <= 512, "{}", store.files());
    }
    while store.merge_due(last.unix_micros() + 7_200_000_000).unwrap() {}
    println!("{} files, {} bytes", store.files(), store.bytes());
    assert!(store.files() <= 64, "{}", store.files());
    drop(store);
    let store = Store::open(folder.path(), small()).unwrap();
    for name in names.iter().step_by(97) {
        let found = store.reader().view(&Scope::account(name)).search(&Query::default(), &Page::new(), &mut || true);
        assert!(found.events().len() as i64 >= seconds - 1, "{name}: {}", found.events().len());
        assert!(found.events().iter().all(|event| event.as_event().account() == name));
    }
}
