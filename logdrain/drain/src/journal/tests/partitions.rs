//! Partitions beside each other: what comes out of them is what one makes of the same deliveries.

use super::*;
use crate::drain_name::{DEFAULT_ACCOUNT, DrainName};
use crate::logs::Copies;
use crate::parts::Parts;
use crate::settings::DrainSettings;
use crate::settings::account::Filter;
use crate::settings::purge::Purge;
use log_store::{AccountReport, EventId, Order, Page, Query, Scope};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

const DRAINS: usize = 13;
const SECONDS: u64 = 260;

/// What follows the writer, and what keeps lines of it.
type Lines = (Option<SyncSender<Arc<Vec<Entry>>>>, Option<logs::Consumer>);

impl Trial {
    pub(super) fn keeper(&mut self) -> Lines {
        let (lines, entries) = mpsc::sync_channel(2);
        let start = logs::Start {
            place: logs::Place::folder(&self.dir),
            keeping: logs::Keeping { retention: Duration::from_secs(1 << 30), limit: 1 << 30, ahead: 64 << 10 },
            copies: Arc::new(NoCopies),
            owed: Owed::new(Outbox::new(&self.dir)),
            settings: settings(),
            reader: self.reading(),
            entries,
        };
        self.lines = logs::Board::default();
        (Some(lines), Some(logs::Consumer::new(start, self.progress.clone(), self.lines.clone(), Arc::default())))
    }

    /// All lines that were kept: the delivery and the index in it, the id, and all else.
    fn lines_kept(&self) -> Vec<(String, u64, String)> {
        let reader = self.lines.reader().unwrap();
        let page = Page::new().with_order(Order::Oldest).with_limit(1 << 20).with_bytes(1 << 30);
        let found = reader.view(&Scope::account(DEFAULT_ACCOUNT)).search(&Query::default(), &page, &mut || true);
        let lines = found.events().iter().map(|event| {
            let event = event.as_event();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let message = text(event.message());
            let (name, _) = message.split_once(": ").unwrap();
            let (severity, facility, from) = (event.severity(), event.facility(), event.source_ip());
            let all = (text(event.system()), text(event.program()), severity, facility, event.generated(), from);
            (name.to_owned(), event.id().get(), format!("{all:?} {message}"))
        });
        lines.collect()
    }

    fn change(&self, change: Change) -> Result<Changed, ChangeError> {
        let (answer, answered) = oneshot::channel();
        self.queue().send(Message::Change { change: Box::new(change), answer: Some(answer) }).unwrap();
        answered.blocking_recv().unwrap()
    }
}

/// A file for rows.
fn rows_to(file: &Path) -> Shared<JsonLines> {
    Shared::new(JsonLines::open(Some(file.to_owned()), Arc::default(), Arc::default()).unwrap())
}

/// All rows that were written, each revision, as they stand there.
fn rows_in(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// The ids of a drain's rows, in order.
fn rows_of<'a>(rows: &'a [String], drain: &str) -> Vec<&'a String> {
    let id = format!("{{\"id\":\"{}/", DrainName::of(drain).shown());
    rows.iter().filter(|row| row.starts_with(&id)).collect()
}

/// Nobody makes copies.
#[derive(Debug)]
struct NoCopies;

impl Copies for NoCopies {
    fn waits_from(&self, _: &str) -> Option<EventId> {
        None
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn make_room(&self, _: u64, _: &[AccountReport], _: &dyn Fn(&str) -> u64) {}

    fn purge(&self, _: &str, _: &Purge) -> io::Result<u64> {
        Ok(0)
    }
}

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The body of a delivery: counts, measures and router lines, some of them of minutes that are closed, and now and then
/// something that is no frame.
fn body(numbers: &mut Numbers, delivery: u64, now: i64) -> Vec<u8> {
    let mut body = Vec::new();
    for index in 0..=numbers.next(6) {
        let late = if numbers.next(12) == 0 { 150 } else { 0 };
        let (time, value) = (rfc3339(now - late), numbers.next(1_000));
        let line = match numbers.next(4) {
            0 => format!("<190>1 {time} host app web.1 - {delivery}/{index}: count#sold={value} count#n=1"),
            1 => format!(
                "<190>1 {time} host app web.2 - {delivery}/{index}: measure#took={value}ms source=s{}",
                value % 3
            ),
            2 => format!(
                "<158>1 {time} host heroku router - {delivery}/{index}: at=info method=GET path=\"/\" host=a.com \
                 fwd=\"1.2.3.4\" dyno=web.{} connect=1ms service={value}ms status=200 bytes=7",
                value % 2 + 1
            ),
            _ => format!("<13>1 {time} host app worker.1 - {delivery}/{index}: chatter"),
        };
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

/// Those of `parts` partitions, kept in files and in memory by turns; their rows go to one file.
fn partitions(parts: Parts, one: &Trial, out: &Shared<JsonLines>) -> Vec<Trial> {
    let made = parts.each().map(|part| {
        let kept_in = if part.number() % 2 == 1 { KeptIn::Memory(Memory::default()) } else { KeptIn::File };
        let trial = Trial::made(&format!("parts-{}-{}", parts.count(), part.number()), kept_in);
        let (wall, steady) = (one.wall.clone(), one.steady.clone());
        let mut trial = Trial { part, out: Some(out.clone()), wall, steady, ..trial };
        trial.start();
        trial
    });
    made.collect()
}

/// Everybody has seen what time it is.
fn tick(trials: &[Trial]) {
    let heads: Vec<_> = trials.iter().map(|trial| trial.progress.head.load(Ordering::SeqCst)).collect();
    trials[0].pass(1);
    for (trial, head) in trials.iter().zip(heads) {
        while trial.progress.head.load(Ordering::SeqCst) <= head {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn restart(trials: &mut [Trial]) {
    trials.iter_mut().for_each(Trial::stop);
    trials.iter_mut().for_each(Trial::start);
}

#[test]
fn partitions_make_the_rows_and_the_lines_that_one_makes_of_the_same_deliveries() {
    for count in [2, 3, 5] {
        let parts = Parts::new(count).unwrap();
        let mut one = Trial::made(&format!("parts-{count}-one"), KeptIn::File);
        let (file, expected) = (one.dir.join("rows.jsonl"), one.dir.join("expected.jsonl"));
        one.out = Some(rows_to(&expected));
        one.start();
        let mut trials = partitions(parts, &one, &rows_to(&file));
        // The last one is the one that has all.
        trials.push(one);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ u64::from(count));
        let drains: Vec<String> = (0..DRAINS).map(|n| format!("d.{n}")).collect();
        assert_eq!(
            drains.iter().map(|drain| parts.of(drain).number()).collect::<BTreeSet<_>>().len(),
            usize::from(count)
        );
        let mut of_delivery = BTreeMap::new();
        let everywhere = |trials: &[Trial], change: &Change| {
            let made: Vec<_> = trials.iter().map(|trial| trial.change(change.clone()).unwrap().id).collect();
            assert!(made.iter().all(|id| *id == made[0]), "one number for one thing: {made:?}");
        };
        for trial in &trials {
            trial.queue().send(Message::Settings(Box::new(settings()))).unwrap();
        }
        for second in 1..=SECONDS {
            if second % 60 == 0 {
                tick(&trials);
            } else {
                trials[0].pass(1);
            }
            let now = trials[0].wall.load(Ordering::SeqCst).div_euclid(1_000_000);
            for _ in 0..numbers.next(6) {
                let drain = &drains[numbers.next(DRAINS as u64) as usize];
                let delivery = of_delivery.len() as u64;
                let body = body(&mut numbers, delivery, now);
                let key = DeliveryKey(u128::from(delivery).to_le_bytes());
                let own = usize::from(parts.of(drain).number());
                of_delivery.insert(delivery, (drain.clone(), own));
                let is_again = numbers.next(5) == 0;
                for trial in [&trials[own], &trials[trials.len() - 1]] {
                    let offer = || {
                        let body = Body::new(body.clone(), None);
                        let record = Record::new(drain.as_str().into(), Timestamp::from_unix_micros(0), body);
                        trial.deliver(Some(key), Box::new(record))
                    };
                    assert_eq!(offer(), Answer::Kept);
                    if is_again {
                        assert_eq!(offer(), Answer::Duplicate);
                    }
                }
            }
            match second {
                // Settings are in all of them, in one order.
                70 => {
                    let mut named = settings();
                    let called = DrainSettings { app: Some("shop".to_owned()), ..DrainSettings::default() };
                    named.drains.insert("d.4".to_owned(), called);
                    for trial in &trials {
                        trial.queue().send(Message::Settings(Box::new(named.clone()))).unwrap();
                    }
                    let filter = |text: &str| Change::AddFilter {
                        account: DEFAULT_ACCOUNT.to_owned(),
                        filter: Filter { name: text.to_owned(), text: text.to_owned(), is_regex: false, is_on: true },
                    };
                    everywhere(&trials, &filter("no line says this"));
                    everywhere(&trials, &filter("web.2"));
                }
                130 => restart(&mut trials),
                _ => {}
            }
        }
        (0..3).for_each(|_| {
            trials[0].pass(59);
            tick(&trials);
        });
        trials.iter_mut().for_each(Trial::stop);
        let one = trials.pop().unwrap();

        let (mut rows, mut expected) = (rows_in(&file), rows_in(&expected));
        assert!(
            expected.len() > 500 && expected.iter().any(|row| !row.contains("\"revision\":0")),
            "rows come again, too"
        );
        for drain in &drains {
            let theirs = rows_of(&rows, drain);
            assert!(
                theirs.len() > 10 && theirs == rows_of(&expected, drain),
                "{count} partitions: {drain}, in its order"
            );
        }
        rows.sort_unstable();
        expected.sort_unstable();
        assert!(rows == expected, "{count} partitions: {} rows, not {}", rows.len(), expected.len());

        // Lines are equal by delivery and index, and their ids tell where they are.
        let all = one.lines_kept();
        let by_name: BTreeMap<_, _> = all.iter().map(|(name, id, line)| (name, (id >> 20, line))).collect();
        let mut merged = Vec::new();
        for trial in &trials {
            for (name, id, line) in trial.lines_kept() {
                let (delivery, _) = name.split_once('/').unwrap();
                let (_, own) = &of_delivery[&delivery.parse::<u64>().unwrap()];
                assert_eq!((id % 256, trial.part.number()), (*own as u64, *own as u8), "{name}");
                merged.push((id, name, line));
            }
        }
        assert!(all.len() > 500 && !all.iter().any(|(.., line)| line.contains("web.2") && line.contains("\"shop\"")));
        assert_eq!((merged.len(), by_name.len()), (all.len(), all.len()));
        for (id, name, line) in &merged {
            assert_eq!(by_name[name], (id >> 20, line), "{name}");
        }
        // Merged by id, each drain's come in the order in which they came.
        merged.sort_unstable();
        assert!(merged.windows(2).all(|two| two[0].0 < two[1].0), "no id is given twice");
        for drain in &drains {
            let of_drain = |name: &String| {
                let (delivery, index) = name.split_once('/').unwrap();
                let delivery: u64 = delivery.parse().unwrap();
                (of_delivery[&delivery].0 == *drain).then(|| (delivery, index.parse::<u64>().unwrap()))
            };
            let theirs: Vec<_> = merged.iter().filter_map(|(_, name, _)| of_drain(name)).collect();
            assert!(theirs.is_sorted() && theirs.len() > 10, "{drain}");
        }
        for trial in trials.iter().chain([&one]) {
            let _ = std::fs::remove_dir_all(&trial.dir);
        }
    }
}
