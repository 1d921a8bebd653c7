//! Lines that are purged: what is left of a delivery without them, and how the thread that keeps lines takes them out.

use super::consumer::Consumer;
use super::lines::{ERASED, Line, Lines, What};
use super::senders::Senders;
use crate::drain_name::DrainName;
use crate::event::{Body, Layout, Record};
use crate::settings::Settings;
use crate::settings::purge::Purge;
use log_query::Fields;
use std::net::IpAddr;
use std::sync::Arc;

/// The body of a delivery without the lines that a purge of an account found, each of which keeps its number; `None` if
/// there are none.
pub fn erase(settings: &Settings, account: &str, purge: &Purge, record: &Record) -> Option<Vec<u8>> {
    if record.layout == Layout::Measured {
        // They are no lines, and have no ids: that they came before is told by their place in the journal.
        let is_there = purge.is_all && settings.is_of(&record.drain, account) == Some(true);
        return is_there.then(Vec::new).filter(|left| left != record.body.bytes());
    }
    let (run, ids) = (record.run, purge.ids());
    if !run.is_given() || ids.start.get() > run.last() || ids.end.get() <= run.base {
        return None;
    }
    if purge.is_all {
        // Without a look at the lines; what is of a drain that nobody names any more is given back with its time.
        let is_there = run.last() < ids.end.get() && settings.is_of(&record.drain, account) == Some(true);
        return is_there.then(|| erased(run.events)).filter(|left| left != record.body.bytes());
    }
    // Whose a drain was that nobody names any more is not known: what is found there goes, whoever it was of. This is the
    // copy that nobody needs.
    let is_named = settings.drain(DrainName::of(&record.drain).configured()).is_some();
    let is_known = is_named || !record.drain.contains('/') || !record.layout.is_counted();
    let settings = Arc::new(settings.clone());
    let sender = Senders::new(settings.clone()).of(&record.drain);
    if is_known && *sender.account != *account {
        return None;
    }
    let (scope, query) = (purge.scope(account), purge.parsed());
    let is_found = |line: &Line<'_>, program: &[u8], peer: Option<IpAddr>| {
        let from = line.host.map(|host| sender.of_line(host, peer, &settings));
        let system = from.as_ref().unwrap_or(&sender).system.as_bytes();
        let mut fields = Fields::new(system, program, line.message);
        fields = line.severity.into_iter().fold(fields, Fields::with_severity);
        fields = line.facility.into_iter().fold(fields, Fields::with_facility);
        fields = peer.into_iter().fold(fields, Fields::with_source_ip);
        ids.contains(&line.id) && (!is_known || scope.allows(account, system)) && query.matches(&fields)
    };
    let (left, found) = without(record, is_found);
    if found == 0 {
        return None;
    }
    if record.layout.frames(&left).count() as u64 == run.events {
        let body = Body::new(left, None);
        let Record { received, msg_count, peer, layout, run, .. } = *record;
        let again = Record { drain: record.drain.clone(), received, msg_count, peer, layout, run, body };
        let (left, found) = without(&again, is_found);
        if found == 0 {
            return Some(left);
        }
    }
    // Between broken frames nothing can be told apart for sure: all of this delivery goes.
    Some(erased(run.events))
}

fn erased(lines: u64) -> Vec<u8> {
    let mut left = Vec::new();
    (0..lines).for_each(|_| frame(ERASED, &mut left));
    left
}

/// The body without what is found, and how many lines that is.
fn without(record: &Record, is_found: impl Fn(&Line<'_>, &[u8], Option<IpAddr>) -> bool) -> (Vec<u8>, u64) {
    let body = record.body.bytes();
    let mut pieces = record.layout.frames(body);
    let (mut lines, mut program) = (Lines::of(record), Vec::new());
    let (mut left, mut found) = (Vec::with_capacity(body.len()), 0);
    while let (Some(line), Some(piece)) = (lines.next(&mut program), pieces.next()) {
        if line.what != What::Purged && is_found(&line, &program, record.peer) {
            frame(ERASED, &mut left);
            found += 1;
            continue;
        }
        match piece {
            Ok(raw) => frame(raw.bytes(), &mut left),
            Err(error) => {
                let start = usize::try_from(error.start()).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(error.skipped()).unwrap_or(usize::MAX));
                left.extend_from_slice(body.get(start..end.min(body.len())).unwrap_or_default());
            }
        }
    }
    (left, found)
}

fn frame(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(format!("{} ", bytes.len()).as_bytes());
    to.extend_from_slice(bytes);
}

impl Consumer {
    /// Takes lines out for good. `false` when the disk does not let it: then it is tried again. `seq` is the purge's number
    /// in the journal, and everything before it is in. Whoever calls this writes the state behind it before anything else is
    /// in memory: a start begins there, and the journal may erase what was before it.
    pub(super) fn purge(&mut self, seq: u64, account: &str, purge: &Purge) -> bool {
        if purge.is_done || !self.may_purge() {
            return purge.is_done;
        }
        let copies = self.copies.clone();
        let Some(keeper) = &mut self.keeper else { return false };
        let outcome = keeper.count_purge(seq, account, purge);
        match outcome {
            // What is counted is on the disk before anything goes, so that the books are right whenever it is broken off.
            Ok(true) if !self.write_state_now() => return false,
            Ok(_) => {}
            Err(error) => {
                self.note_disk(error.to_string());
                return false;
            }
        }
        let Some(keeper) = &mut self.keeper else { return false };
        match keeper.purge(account, purge) {
            Ok(events) => tracing::warn!(account, events, "lines were purged"),
            Err(error) => {
                self.note_disk(error.to_string());
                return false;
            }
        }
        if purge.is_all {
            keeper.forget(account);
            self.heard.retain(|(of, _), _| **of != *account);
            self.board.forget(account);
        }
        match copies.purge(account, purge) {
            Ok(0) => {}
            Ok(rows) => tracing::warn!(account, rows, "lines were purged from archives"),
            Err(error) => {
                self.note_disk(format!("archives cannot be written again for a purge: {error}"));
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Run;
    use crate::settings::change::tests::settings;
    use heroku_metrics::model::Timestamp;

    fn record(body: &[u8]) -> Record {
        let mut record = Record::new("d.1".into(), Timestamp::from_unix_micros(7), Body::new(body.to_vec(), None));
        record.run = Run { base: 1_000 << 20, ..record.run };
        record
    }

    fn framed(lines: &[&str]) -> Vec<u8> {
        lines.iter().flat_map(|line| format!("{} {line}", line.len()).into_bytes()).collect()
    }

    fn purge(query: &str) -> Purge {
        Purge { query: query.to_owned(), upto: u64::MAX >> 1, ..Purge::default() }
    }

    #[test]
    fn measurements_go_with_their_account_and_with_no_purge_of_lines() {
        let body = br#"{"name":"card","value":4111}"#;
        let measured = Record { layout: Layout::Measured, drain: "measurements/shop".into(), ..record(body) };
        // Their run has no ids, and begins behind all that were given.
        let all = Purge::of_all(measured.run.base - 1);
        assert_eq!(erase(&settings(), "shop", &all, &measured), Some(Vec::new()));
        assert_eq!(erase(&settings(), "blog", &all, &measured), None, "of another account");
        assert_eq!(erase(&settings(), "shop", &purge(""), &measured), None, "they are no lines");
        let gone = Record { body: Body::new(Vec::new(), None), ..measured };
        assert_eq!(erase(&settings(), "shop", &all, &gone), None, "once is enough");
    }

    #[test]
    fn what_is_left_of_a_delivery_has_its_numbers_and_none_of_the_text() {
        let a = "<190>1 2026-03-14T09:26:53Z host app web.1 - card 4111";
        let b = "<190>1 2026-03-14T09:26:53Z host app web.2 - plain\n";
        let erased = std::str::from_utf8(ERASED).unwrap();
        for (body, left) in [
            (framed(&[a, b]), Some(framed(&[erased, b]))),
            (framed(&[b, a, a, b]), Some(framed(&[b, erased, erased, b]))),
            (framed(&[b]), None),
            // A frame is not believed when what stands behind it is none: with that it is one stretch that was not read.
            ([framed(&[b]), b"oops 4111".to_vec(), framed(&[b])].concat(), Some(framed(&[erased, b]))),
            (
                [framed(&[b]), b"oops".to_vec(), framed(&[a])].concat(),
                Some([framed(&[b]), b"oops".to_vec(), framed(&[erased])].concat()),
            ),
        ] {
            let record = record(&body);
            let found = erase(&settings(), "default", &purge("4111"), &record);
            assert_eq!(found, left, "{}", String::from_utf8_lossy(&body));
            if let Some(left) = found {
                assert_eq!(Layout::Counted.frames(&left).count() as u64, record.run.events);
            }
        }
        // Of another account, behind the purge, before or behind its time, of another system.
        let record = record(&framed(&[a]));
        let (of_other, found) = (erase(&settings(), "shop", &purge("4111"), &record), purge("4111"));
        assert_eq!(of_other, None);
        for miss in [
            Purge { upto: record.run.base - 1, ..found.clone() },
            Purge { from: Some(1_001_000), ..found.clone() },
            Purge { to: Some(1_000_000), ..found.clone() },
            Purge { systems: vec!["web-*".to_owned()], ..found.clone() },
        ] {
            assert_eq!(erase(&settings(), "default", &miss, &record), None, "{miss:?}");
        }
        let hit = Purge { from: Some(1_000_000), to: Some(1_001_000), systems: vec!["drain-*".to_owned()], ..found };
        assert!(erase(&settings(), "default", &hit, &record).is_some());
        // A drain that nobody names any more.
        let gone = Record { drain: "old/d.1".into(), ..record };
        assert!(erase(&settings(), "shop", &purge("4111"), &gone).is_some());
    }
}
