//! What a search reads, in blocks: the figure that its time follows, and that is the same on every machine.

mod kit;

use kit::Folder;
use log_query::Query;
use log_store::{Event, EventId, Options, Page, Scope, Store};
use testkit::traffic::Traffic;

/// Bytes of raw traffic; 0.79 of them are messages.
fn bytes() -> usize {
    if kit::long() { 400 << 20 } else { 40 << 20 }
}

struct Line<'a> {
    app: &'a [u8],
    proc: &'a [u8],
    message: &'a [u8],
}

/// Frames as they are generated: `LEN <PRI>1 TIME HOST APP PROCID MSGID MESSAGE`.
fn lines(mut body: &[u8]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    while !body.is_empty() {
        let space = body.iter().position(|&byte| byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&body[..space]).unwrap().parse().unwrap();
        let frame = &body[space + 1..space + 1 + length];
        body = &body[space + 1 + length..];
        let mut parts = frame.splitn(7, |&byte| byte == b' ');
        let (app, proc) = (parts.nth(3).unwrap(), parts.next().unwrap());
        let message = parts.nth(1).unwrap();
        lines.push(Line { app, proc, message: message.strip_suffix(b"\n").unwrap_or(message) });
    }
    lines
}

struct Asked {
    found: Vec<u64>,
    read: u64,
    blocks: u64,
}

fn ask(store: &Store, text: &str, limit: usize) -> Asked {
    let query = Query::parse(text);
    let page = Page::new().with_limit(limit).with_bytes(usize::MAX);
    let found = store.reader().view(&Scope::account("shop")).search(query.query(), &page, &mut || true);
    let examined = found.examined();
    assert!(examined.damage().is_empty());
    Asked {
        found: found.events().iter().map(|event| event.id().get()).collect(),
        read: examined.blocks_read(),
        blocks: examined.blocks(),
    }
}

#[test]
fn a_search_reads_little_more_than_what_it_finds() {
    let haystack = Traffic::new(7).bytes(bytes()).generate();
    let lines = lines(haystack.body());
    let folder = Folder::new("gates");
    let mut store = Store::open(folder.path(), Options::new().with_seal_bytes(16 << 20)).unwrap();
    let mut id = EventId::at(1_700_000_000_000_000);
    let mut message = Vec::new();
    let (mut request, mut events) = (String::new(), 0);
    for (n, line) in lines.iter().enumerate() {
        // 500 lines a second, as ids of a delivery: 256 apart.
        id = if n % 50 == 0 { EventId::at(id.unix_micros() + 100_000) } else { id.next() };
        message.clear();
        message.extend_from_slice(line.message);
        match n {
            _ if n == lines.len() / 3 => message.extend_from_slice(b" Zebra Crossing"),
            _ if n % 1_000 == 999 => message.extend_from_slice(b" tag-of-thousand"),
            _ if n % 10 == 9 => message.extend_from_slice(b" tag-of-ten"),
            _ => {}
        }
        if n > lines.len() / 2
            && request.is_empty()
            && let Some(at) = message.windows(11).position(|window| window == b"request_id=")
        {
            request = String::from_utf8(message[at + 11..at + 47].to_vec()).unwrap();
        }
        let program = [line.app, b"/", line.proc].concat();
        let event = Event::new(id, "shop", &message).with_system(b"shop").with_program(&program).with_severity(6);
        store.append(&event).unwrap();
        events += 1;
        while store.seal_due(id.unix_micros()).unwrap() {}
    }
    store.flush().unwrap();
    store.publish(id);
    let all = ask(&store, "zz", usize::MAX).blocks;
    println!("{events} lines in {all} blocks, {} bytes of {}", store.bytes(), haystack.body().len());
    assert!(all > 100);

    // Absent: words of 8 letters and more, and whole request ids.
    for absent in [
        "OutOfMemory",
        "segmentation",
        "\"connection refused\"",
        "deadlocked",
        "8601b555-6a83-4c12-8269-97c8e32cdb22",
        "0b9d3f5e-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
        "absent1 absent2",
        "OutOfMemory OR segmentation",
    ] {
        let asked = ask(&store, absent, 100);
        assert!(asked.found.is_empty(), "{absent}");
        println!("{absent}: {} blocks of {}", asked.read, asked.blocks);
        assert!(asked.read * 100 <= all, "{absent}: {} of {all}", asked.read);
    }
    // Unique: the block that holds it, and one of a hundred.
    for unique in [
        "\"zebra crossing\"",
        "ZEBRA",
        request.as_str(),
        "OutOfMemory OR \"zebra crossing\"",
        "router \"zebra crossing\" OR zebra",
    ] {
        let asked = ask(&store, unique, 100);
        assert_eq!(asked.found.len(), 1, "{unique}");
        println!("{unique}: {} blocks of {}", asked.read, asked.blocks);
        assert!(asked.read <= 1 + all / 100, "{unique}: {} of {all}", asked.read);
    }
    // The newest 100 of what is common.
    let asked = ask(&store, "tag-of-ten", 100);
    assert_eq!(asked.found.len(), 100);
    println!("1 of 10: {} blocks", asked.read);
    assert!(asked.read <= 3, "{}", asked.read);
    // And of 1 line in 1,000: hardly more than the blocks that hold those 100.
    let asked = ask(&store, "tag-of-thousand", 100);
    let mut holding: Vec<u64> = asked.found.clone();
    holding.dedup_by_key(|id| block_of(&store, *id));
    println!("1 of 1,000: {} blocks, {} hold them", asked.read, holding.len());
    assert_eq!(asked.found.len(), 100);
    assert!(asked.read * 10 <= holding.len() as u64 * 11, "{} for {}", asked.read, holding.len());

    // A minute's count reads nothing, and what senders decide no text.
    let view = store.reader().view(&Scope::account("shop"));
    let counts = view.counts(&Query::default(), &Page::new(), 60_000_000, &mut || true);
    assert_eq!((counts.total(), counts.examined().blocks_read()), (events, 0));
    let counts = view.counts(Query::parse("severity:info").query(), &Page::new(), 60_000_000, &mut || true);
    assert_eq!((counts.total(), counts.examined().blocks_read()), (events, 0));
    // What excludes an absent word excludes nothing, without a look.
    let counts = view.counts(Query::parse("-segmentation").query(), &Page::new(), 60_000_000, &mut || true);
    assert_eq!(counts.total(), events);
    assert!(counts.examined().blocks_read() * 100 <= all);
}

/// Which block an event lies in, by how many blocks a search up to it passes.
fn block_of(store: &Store, id: u64) -> u64 {
    let page = Page::new().with_before(EventId::new(id + 1)).with_limit(usize::MAX).with_bytes(usize::MAX);
    let query = Query::parse("absent-from-all");
    let view = store.reader().view(&Scope::account("shop"));
    view.search(query.query(), &page, &mut || true).examined().blocks()
}
