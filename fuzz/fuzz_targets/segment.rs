//! A segment that is not as it was written. Cut, or with some bytes changed, it is named by `check`, and no answer holds a line
//! that was not in it or lacks one without saying so. Forged, with checksums that fit, it makes no reader panic or take memory.
#![no_main]

use family_fuzz::Draw;
use family_fuzz::stored::{ACCOUNTS, Folder, Original, resealed};
use libfuzzer_sys::fuzz_target;
use log_query::{Fields, Query};
use log_store::{EventBuf, Options, Order, Page, Patterns, Reader, Scope, check};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

const QUERIES: [&str; 9] = [
    "",
    "zebra crossing",
    "needle -größe",
    "status=503 OR timeout",
    "severity:error",
    "ip:192.0.2.1",
    "program:router",
    "absent-word",
    "na",
];

static PLACE: OnceLock<(Folder, Original)> = OnceLock::new();

fuzz_target!(|input: &[u8]| {
    let (folder, original) = PLACE.get_or_init(|| (Folder::new("segment"), Original::new()));
    let mut draw = Draw::new(input);
    let root = folder.path();
    match draw.below(3) {
        0 => {
            let bytes = damaged(&mut draw, &original.bytes);
            put(root, &original.path, &bytes);
            honest(root, original, bytes != original.bytes);
        }
        1 => {
            let mut bytes = original.bytes.clone();
            // What makes a file sound again is not what is to be found: the places are, and what stands there.
            while !draw.is_empty() {
                let at = draw.short() as u16 as usize % bytes.len();
                bytes[at] = draw.octet();
            }
            forged(root, &original.path, bytes);
        }
        _ => forged(root, &original.path, draw.rest().to_vec()),
    }
});

/// At most three bytes with other bits, which a checksum always tells, or a piece missing, or two pieces swapped.
fn damaged(draw: &mut Draw<'_>, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let place = |draw: &mut Draw<'_>, below: usize| draw.short() as u16 as usize % below.max(1);
    match draw.below(4) {
        0 | 1 => {
            for _ in 0..1 + draw.below(3) {
                let at = place(draw, bytes.len());
                bytes[at] ^= draw.octet();
            }
        }
        2 => bytes.truncate(place(draw, original.len() + 1)),
        _ => {
            let (from, length) = (place(draw, bytes.len()), place(draw, 512));
            bytes.drain(from..(from + length).min(original.len()));
        }
    }
    bytes
}

fn put(root: &Path, path: &Path, bytes: &[u8]) {
    let path = root.join(path);
    let folder = path.parent().expect("a file has a folder");
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder to write to");
    fs::write(path, bytes).expect("a file to write to");
}

fn honest(root: &Path, original: &Original, changed: bool) {
    let checked = check(root).expect("a folder that can be listed");
    assert_eq!(!checked.damage().is_empty(), changed, "{:?}", checked.damage());
    assert!(checked.lines() <= original.events.len() as u64);
    let reader = Reader::open(root, &Options::new()).expect("a folder that can be listed");
    for account in ACCOUNTS {
        let view = reader.view(&Scope::account(account));
        let lines = |query: &Query| -> Vec<&EventBuf> {
            original.events.iter().filter(|event| event.as_event().account() == account && fits(query, event)).collect()
        };
        for text in QUERIES {
            let parsed = Query::parse(text);
            let query = parsed.query();
            let expected = lines(query);
            for order in [Order::Newest, Order::Oldest] {
                let found = view.search(query, &Page::new().with_order(order), &mut || true);
                assert!(found.events().is_sorted_by(|left, right| left.id() < right.id()));
                assert!(found.events().iter().all(|event| expected.contains(&event)), "{text:?}: a line that is none");
                let whole = found.events().len() == expected.len();
                assert!(
                    whole || !found.examined().damage().is_empty(),
                    "{account}, {text:?}: a line less without a word"
                );
            }
            let counts = view.counts(query, &Page::new(), 60_000_000, &mut || true);
            let whole = counts.total() == expected.len() as u64;
            assert!(counts.total() <= expected.len() as u64);
            assert!(
                whole || !counts.examined().damage().is_empty(),
                "{account}, {text:?}: counted less without a word"
            );
        }
    }
}

fn forged(root: &Path, path: &Path, mut bytes: Vec<u8>) {
    let Some(name) = resealed(&mut bytes) else { return };
    put(root, &path.with_file_name(name), &bytes);
    let _ = check(root);
    let reader = Reader::open(root, &Options::new()).expect("a folder that can be listed");
    let _ = reader.accounts();
    for account in ACCOUNTS {
        let view = reader.view(&Scope::account(account));
        for text in QUERIES {
            let parsed = Query::parse(text);
            let query = parsed.query();
            let found = view.search(query, &Page::new(), &mut || true);
            assert!(found.events().is_sorted_by(|left, right| left.id() < right.id()));
            for event in found.events() {
                assert_eq!(event.as_event().account(), account, "a line of somebody else");
                assert!(fits(query, event), "{text:?}: a line that does not fit");
            }
            let _ = view.counts(query, &Page::new(), 60_000_000, &mut || true);
        }
        let mut patterns = Patterns::new();
        let _ = view.patterns(&Query::default(), &Page::new(), &mut patterns, &mut || true);
    }
}

fn fits(query: &Query, event: &EventBuf) -> bool {
    let event = event.as_event();
    let mut fields = Fields::new(event.system(), event.program(), event.message());
    if let Some(severity) = event.severity() {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = event.facility() {
        fields = fields.with_facility(facility);
    }
    if let Some(source) = event.source_ip() {
        fields = fields.with_source_ip(source);
    }
    query.matches(&fields)
}
