//! Keeps the lines of a file, such as nginx's or what `journalctl` prints, and finds them again: `keep_lines FILE [QUERY]`.
//!
//! A service would keep its store open, append what comes, and seal by the clock; this one flushes at the end.

use log_store::{Event, EventId, Options, Page, Patterns, Query, Scope, Store};
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: keep_lines FILE [QUERY]")?;
    let query = Query::parse(&arguments.next().unwrap_or_default());
    let folder = std::env::temp_dir().join(format!("keep-lines-{}", std::process::id()));

    let mut store = Store::open(&folder, Options::new())?;
    // Ids are times and rise: the next one, or the time if that is later.
    let mut id = EventId::at(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as i64);
    for line in std::fs::read(&file)?.split(|&byte| byte == b'\n') {
        id = id.next();
        store.append(&Event::new(id, "default", line).with_program(file.as_bytes()))?;
    }
    store.publish(id);
    store.flush()?;

    let view = store.reader().view(&Scope::account("default"));
    let found = view.search(query.query(), &Page::new().with_limit(10), &mut || true);
    for event in found.events() {
        println!("{}", String::from_utf8_lossy(event.as_event().message()));
    }
    let mut patterns = Patterns::new();
    view.patterns(query.query(), &Page::new(), &mut patterns, &mut || true);
    for pattern in patterns.top(3) {
        println!("{} x {}", pattern.count(), String::from_utf8_lossy(pattern.text()));
    }
    drop(store);
    Ok(std::fs::remove_dir_all(&folder)?)
}
