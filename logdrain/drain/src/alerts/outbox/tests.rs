use super::*;
use crate::alerts::told::{Counts, Facts, Line, LogFacts, MetricFacts, Reading, id};
use crate::scratch::Scratch;
use rusqlite::Connection;

/// Where an outbox is: in a folder of its own, or with nodes.
enum Place {
    File(Scratch),
    #[cfg(feature = "postgres")]
    Nodes(Box<shared::Nodes>),
}

impl Place {
    /// As another program opens it.
    fn opened(&self) -> Arc<Outbox> {
        match self {
            Self::File(dir) => opened(dir),
            #[cfg(feature = "postgres")]
            Self::Nodes(nodes) => nodes.opened("one", (OF_ACCOUNT, OF_ALL)),
        }
    }
}

fn opened(dir: &Path) -> Arc<Outbox> {
    let outbox = Outbox::new(dir);
    outbox.open().unwrap();
    outbox
}

fn scratch(name: &str) -> Scratch {
    Scratch::new(&format!("outbox-{name}"))
}

/// In a file, and with nodes if there is a PostgreSQL.
fn on_both(name: &str, test: impl Fn(&Place)) {
    test(&Place::File(scratch(name)));
    #[cfg(feature = "postgres")]
    if let Some(nodes) = shared::Nodes::start(name) {
        test(&Place::Nodes(Box::new(nodes)));
    }
}

fn told(alert: u32, number: u64, channels: &[u32]) -> Told {
    let mut facts = LogFacts { count: 1, min_id: number, max_id: number + 1, ..LogFacts::default() };
    facts.take(Line { message: format!("line {number}"), ..Line::default() }, &mut 0);
    Told {
        id: id("shop", alert, &[&number.to_string()]),
        account: "shop".to_owned(),
        alert,
        name: "errors".to_owned(),
        kind: Kind::Fired,
        at: 1,
        channels: channels.to_vec(),
        is_muted: false,
        description: String::new(),
        runbook: None,
        zone: None,
        why: "1 line in 1 minute".to_owned(),
        facts: Facts::Log(facts),
    }
}

/// What may go next, the oldest first.
fn next(outbox: &Outbox) -> Vec<Sending> {
    let mut waiting = outbox.waiting().unwrap();
    waiting.sort_unstable_by_key(|((_, _, channel), seq)| (*seq, *channel));
    waiting.into_iter().map(|((_, _, channel), seq)| outbox.sending(seq, channel).unwrap().unwrap()).collect()
}

fn numbers(outbox: &Outbox) -> Vec<(u32, u32, u64)> {
    let number = |sending: &Sending| {
        let Facts::Log(facts) = &sending.told.facts else { panic!("of lines") };
        (sending.told.alert, sending.channel, facts.min_id)
    };
    next(outbox).iter().map(number).collect()
}

#[test]
fn a_message_is_kept_once_and_all_of_a_batch_or_none() {
    on_both("once", |place| {
        let outbox = place.opened();
        let all = [told(1, 1, &[5, 6, 5]), told(2, 1, &[5])];
        outbox.keep(&all).unwrap();
        outbox.keep(&all).unwrap();
        assert_eq!(numbers(&outbox), [(1, 5, 1), (1, 6, 1), (2, 5, 1)]);
        assert_eq!(outbox.counts().kept.load(Ordering::Relaxed), 2);
        assert_eq!(outbox.counts().waiting.load(Ordering::Relaxed), 3);
        // Another program with the same file, as after a kill.
        drop(outbox);
        let outbox = place.opened();
        outbox.keep(&all).unwrap();
        assert_eq!(next(&outbox)[0].told.as_ref(), &all[0], "as it was kept");
        assert_eq!(outbox.counts().waiting.load(Ordering::Relaxed), 3);
        outbox.close();
        assert!(outbox.keep(&[told(3, 1, &[5])]).is_err());
    });
}

#[test]
fn messages_of_one_alert_to_one_channel_go_in_their_order() {
    on_both("order", |place| {
        let outbox = place.opened();
        outbox.keep(&[told(1, 1, &[5, 6]), told(1, 2, &[5, 6]), told(2, 3, &[5])]).unwrap();
        let first = next(&outbox).remove(0);
        outbox.later(&first, "answers 503").unwrap();
        assert_eq!(numbers(&outbox), [(1, 5, 1), (1, 6, 1), (2, 5, 3)], "what fails holds back those behind it");
        outbox.sent(&first).unwrap();
        assert_eq!(numbers(&outbox), [(1, 6, 1), (1, 5, 2), (2, 5, 3)]);
        outbox.refused(&next(&outbox)[0], "answers 404").unwrap();
        assert_eq!(numbers(&outbox), [(1, 5, 2), (1, 6, 2), (2, 5, 3)]);
        assert_eq!(outbox.sending(first.seq, first.channel).unwrap(), None, "it does not wait any more");
        // Marked twice, as by a program that was killed in between: once is enough.
        outbox.sent(&first).unwrap();
        let heads = outbox.heads("shop", Some(1), 10).unwrap();
        let states =
            |head: &Head| head.deliveries.iter().map(|one| (one.channel, one.state, one.tries)).collect::<Vec<_>>();
        assert_eq!(states(&heads[1]), [(5, State::Sent, 2), (6, State::Refused, 1)]);
        assert_eq!(heads[1].deliveries[1].said, "answers 404");
        assert_eq!(states(&heads[0]), [(5, State::Waiting, 0), (6, State::Waiting, 0)]);
        assert_eq!(outbox.heads("shop", None, 10).unwrap().len(), 3);
        assert_eq!(outbox.heads("other", None, 10).unwrap(), []);
    });
}

#[test]
fn a_muted_message_is_kept_and_not_sent() {
    on_both("muted", |place| {
        let outbox = place.opened();
        outbox.keep(&[Told { is_muted: true, ..told(1, 1, &[5]) }]).unwrap();
        assert_eq!(numbers(&outbox), []);
        let head = outbox.heads("shop", Some(1), 10).unwrap().remove(0);
        assert!(head.is_muted && head.is_whole && head.deliveries.is_empty());
        assert_eq!(outbox.told("shop", &head.id).unwrap().map(|told| told.alert), Some(1));
        assert_eq!(outbox.told("other", &head.id).unwrap(), None, "of another account");
    });
}

#[test]
fn the_last_messages_of_an_alert_are_held_and_all_ids_remembered() {
    on_both("history", |place| {
        let outbox = place.opened();
        let all: Vec<Told> = (0..80).map(|number| told(1, number, &[])).collect();
        outbox.keep(&all).unwrap();
        outbox.keep(&[told(2, 1, &[])]).unwrap();
        assert_eq!(outbox.heads("shop", Some(1), 1_000).unwrap().len() as i64, HISTORY);
        assert_eq!(outbox.heads("shop", Some(2), 1_000).unwrap().len(), 1);
        assert_eq!(outbox.told("shop", &all[0].id).unwrap(), None);
        assert!(outbox.told("shop", &all[79].id).unwrap().is_some());
        outbox.keep(&all).unwrap();
        assert_eq!(outbox.counts().kept.load(Ordering::Relaxed), 81, "no id is kept again");
        // What waits is held as long as it waits.
        let waiting: Vec<Told> = (100..180).map(|number| told(3, number, &[5])).collect();
        outbox.keep(&waiting).unwrap();
        assert_eq!(outbox.heads("shop", Some(3), 1_000).unwrap().len(), 80);
    });
}

/// A message that cannot be packed.
fn large(alert: u32, number: u64, channels: &[u32]) -> Told {
    let mut random = testkit::random::Random::new(number);
    let message: String = (0..2_000_000).map(|_| char::from(33 + random.below(90) as u8)).collect();
    let line = Line { message, ..Line::default() };
    let facts = LogFacts { count: 1, lines: vec![line], ..LogFacts::default() };
    Told { facts: Facts::Log(facts), ..told(alert, number, channels) }
}

#[test]
fn all_accounts_together_take_no_more_than_their_room_and_what_was_sent_goes_first() {
    let dir = scratch("together");
    let outbox = Outbox::with_room(&dir, (OF_ACCOUNT, 12 << 20));
    outbox.open().unwrap();
    let of = |account: &str, number: u64, channels: &[u32]| Told {
        account: account.to_owned(),
        id: format!("{account}-{number}"),
        ..large(1, number, channels)
    };
    for number in 0..5 {
        outbox.keep(&[of("blog", number, &[])]).unwrap();
    }
    let whole = |account: &str| outbox.heads(account, None, 100).unwrap().iter().filter(|head| head.is_whole).count();
    assert_eq!(whole("blog"), 5);
    // In one transaction, as a tick has them.
    let waiting: Vec<Told> = (0..9).map(|number| of("shop", number, &[5])).collect();
    outbox.keep(&waiting).unwrap();
    let no_room = outbox.counts().no_room.load(Ordering::Relaxed) as usize;
    assert_eq!((whole("blog"), whole("shop") + no_room), (0, 9));
    assert!((1..5).contains(&no_room), "{no_room}");
    assert_eq!(outbox.counts().waiting.load(Ordering::Relaxed) as usize, 9 - no_room);
    assert!(std::fs::metadata(file::path(&dir)).unwrap().len() <= 13 << 20);
}

#[test]
fn what_finds_no_room_is_counted_and_said_and_what_was_sent_makes_room() {
    on_both("room", |place| {
        let outbox = place.opened();
        // Sent, so to say: it goes to nobody.
        outbox.keep(&[large(1, 1, &[])]).unwrap();
        let each = outbox.step(|step| Ok(step.one("SELECT bytes FROM told", &[], |row| row.get::<i64>(0))?));
        let each = each.unwrap().unwrap();
        let most = OF_ACCOUNT / each;
        for number in 0..most {
            outbox.keep(&[large(2, 10 + number as u64, &[5])]).unwrap();
        }
        assert_eq!(outbox.counts().no_room.load(Ordering::Relaxed), 0);
        assert!(!outbox.heads("shop", Some(1), 1).unwrap()[0].is_whole, "it made room");
        outbox.keep(&[large(3, 1_000, &[5, 6])]).unwrap();
        assert_eq!(outbox.counts().no_room.load(Ordering::Relaxed), 1);
        let head = outbox.heads("shop", Some(3), 1).unwrap().remove(0);
        assert!(
            head.deliveries.iter().all(|one| one.state == State::Refused && one.said.contains("no room")),
            "{head:?}"
        );
        // Another account has its own.
        let other = Told { account: "blog".to_owned(), id: "x".to_owned(), ..large(1, 1, &[5]) };
        outbox.keep(&[other]).unwrap();
        assert_eq!(outbox.counts().no_room.load(Ordering::Relaxed), 1);
        outbox.end_account("shop").unwrap();
        assert_eq!(outbox.counts().waiting.load(Ordering::Relaxed), 1);
        assert_eq!(outbox.heads("shop", None, 10).unwrap(), []);
    });
}

#[test]
fn a_message_that_is_too_long_is_kept_shorter() {
    on_both("long", |place| {
        let outbox = place.opened();
        let line = Line { message: "x".repeat(1_000), ..Line::default() };
        let counts = |system: usize| Counts {
            system: format!("web-{system}"),
            counts: (0..600).map(|second| (1_795_270_500 + second, 1)).collect(),
        };
        let lines = LogFacts { count: 30_000, lines: vec![line; 20_000], ..LogFacts::default() };
        let series = LogFacts { count: 600_000, counts: Some((0..2_000).map(counts).collect()), ..LogFacts::default() };
        let reading = Reading { why: "x".repeat(10_000), ..Reading::default() };
        let readings = MetricFacts { readings: vec![reading; 1_000], more: 5, ..MetricFacts::default() };
        let all = [Facts::Log(lines), Facts::Log(series), Facts::Metric(readings)];
        for (alert, facts) in (1..).zip(all) {
            outbox.keep(&[Told { facts, ..told(alert, 1, &[5]) }]).unwrap();
        }
        let sendings = next(&outbox);
        let Facts::Log(facts) = &sendings[0].told.facts else { panic!("of lines") };
        assert!((400..600).contains(&facts.lines.len()) && facts.more() == 30_000 - facts.lines.len() as u64);
        let Facts::Log(facts) = &sendings[1].told.facts else { panic!("of counts") };
        let counts = facts.counts.as_ref().unwrap();
        let sum: u64 = counts.iter().flat_map(|one| &one.counts).map(|(_, count)| count).sum();
        assert_eq!((counts.len(), sum), (1_000, 600_000), "by hours, and none is lost of those systems");
        let Facts::Metric(facts) = &sendings[2].told.facts else { panic!("of metrics") };
        assert_eq!((facts.readings.len(), facts.more), (100, 905));
    });
}

#[test]
fn purged_lines_go_out_of_messages_and_how_many_there_were_stays() {
    on_both("purged", |place| {
        let outbox = place.opened();
        let other = Told { account: "blog".to_owned(), id: "other".to_owned(), ..told(1, 7, &[5]) };
        outbox.keep(&[told(1, 7, &[5]), told(1, 8, &[5]), other]).unwrap();
        assert_eq!(outbox.purge("shop", &|line| line.message == "line 7").unwrap(), 1);
        let facts = |account: &str, id: &str| match outbox.told(account, id).unwrap().unwrap().facts {
            Facts::Log(facts) => (facts.count, facts.lines.len()),
            _ => panic!("of lines"),
        };
        assert_eq!(facts("shop", &told(1, 7, &[]).id), (1, 0));
        assert_eq!(facts("shop", &told(1, 8, &[]).id), (1, 1));
        assert_eq!(facts("blog", "other"), (1, 1));
        assert_eq!(outbox.purge("shop", &|line| line.message == "line 7").unwrap(), 0);
    });
}

#[test]
fn an_empty_file_is_damage_that_is_said_and_set_aside() {
    let dir = scratch("empty");
    let outbox = opened(&dir);
    outbox.keep(&[told(1, 1, &[5])]).unwrap();
    drop(outbox);
    let said = || {
        let mut said = Vec::new();
        (file::check(&dir, &mut |line| said.push(line.to_owned())), said.concat())
    };
    assert_eq!(said().0, 0, "{}", said().1);
    std::fs::write(file::path(&dir), "").unwrap();
    let (wrong, words) = said();
    assert!(wrong == 1 && words.contains("outbox.db is damaged: it is empty"), "{words}");
    let outbox = opened(&dir);
    outbox.keep(&[told(1, 2, &[5])]).unwrap();
    let names = std::fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.file_name());
    assert!(names.map(|name| name.to_string_lossy().into_owned()).any(|name| name.starts_with("outbox.damaged-")));
}

#[test]
fn a_damaged_file_is_set_aside_and_one_of_somebody_else_is_not() {
    let dir = scratch("damaged");
    std::fs::write(file::path(&dir), [0x17; 5_000]).unwrap();
    let outbox = opened(&dir);
    outbox.keep(&[told(1, 1, &[5])]).unwrap();
    let aside = std::fs::read_dir(&dir)
        .unwrap()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("outbox.damaged-"));
    assert!(aside);
    drop(outbox);
    let db = Connection::open(file::path(&dir)).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    assert!(Outbox::new(&dir).open().unwrap_err().to_string().contains("newer"));
    db.pragma_update(None, "application_id", 7).unwrap();
    assert!(Outbox::new(&dir).open().unwrap_err().to_string().contains("no file of ours"));
}

#[cfg(feature = "postgres")]
pub(crate) mod shared;
