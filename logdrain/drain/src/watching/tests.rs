//! Memory of the rules of all accounts: who finds room, what is said, and that kills change nothing.

use super::{MinuteRules, Owed};
use crate::alerts::file::parse;
use crate::alerts::outbox::{Head, Outbox};
use crate::alerts::standing::{Is, Memory};
use crate::scratch::Scratch;
use crate::settings::account::Alert;
use crate::settings::change::Change;
use crate::settings::{DrainLimits, Settings};
use heroku_metrics::model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn settings(alert_bytes: usize) -> Settings {
    let text = r#"{"window_ms":60000,"lateness_ms":60000,"horizon_ms":3600000,"extended":false,"websockets":true,
        "limits":{"streams":10,"key_bytes":10,"window_bytes":10},"drains":{}}"#;
    let before: Settings = serde_json::from_str(text).unwrap();
    assert_eq!(before.limits.alert_bytes, 256 << 20, "as in a store of before there was a bound");
    Settings { limits: DrainLimits::within(64 << 20).unwrap().with_alerts(alert_bytes), ..before }
}

/// What comes to rules, in its order.
#[derive(Clone, Debug)]
enum Step {
    Add(&'static str, &'static str),
    /// Windows close: of an account, so many streams of a metric with this number.
    Points(&'static str, &'static str, u32, f64),
    Destroy(&'static str),
}

struct House {
    dir: Scratch,
    outbox: Arc<Outbox>,
}

impl House {
    fn new() -> Self {
        let dir = Scratch::new("watching");
        let outbox = Outbox::new(&dir);
        outbox.open().unwrap();
        Self { dir, outbox }
    }

    fn open(&self, alert_bytes: usize) -> MinuteRules {
        let dir: &Path = &self.dir;
        let owed = Owed::new(self.outbox.clone());
        MinuteRules::open(dir, owed, (0, &settings(alert_bytes)), u64::MAX, |_, drain| drain.into())
    }

    fn told(&self, account: &str) -> Vec<Head> {
        told(&self.outbox, account)
    }

    fn whys(&self, account: &str) -> Vec<String> {
        self.told(account).into_iter().map(|head| head.why).collect()
    }
}

/// What an account was told, the oldest first.
fn told(outbox: &Outbox, account: &str) -> Vec<Head> {
    let mut heads = outbox.heads(account, None, 1_000).unwrap();
    heads.reverse();
    heads.iter_mut().for_each(|head| head.deliveries.clear());
    heads
}

/// Lets all of it happen; each step is an event, and a tick is behind it. With a kill, where rules stand is written down behind
/// one step, some more happen, and another program begins there.
fn run(house: &House, steps: &[Step], alert_bytes: usize, kill: Option<usize>) -> MinuteRules {
    let mut rules = house.open(alert_bytes);
    let mut known = settings(alert_bytes);
    if let Some(kill) = kill {
        feed(&mut rules, &mut known, steps.iter().take(kill));
        rules.write().unwrap();
        // What is told behind it is told again, under the same ids.
        feed(&mut rules, &mut settings(alert_bytes), steps.iter().take((kill + 2).min(steps.len())));
        rules = house.open(alert_bytes);
        known = settings(alert_bytes);
    }
    feed(&mut rules, &mut known, steps.iter());
    rules
}

fn feed<'a>(rules: &mut MinuteRules, known: &mut Settings, steps: impl Iterator<Item = &'a Step>) {
    for (number, step) in (1..).zip(steps) {
        let (seq, minute) = (2 * number - 1, i64::try_from(number).unwrap());
        let change = match step {
            Step::Add(account, text) => {
                let alert = Alert::new(parse(text).unwrap().remove(0));
                Some(Change::AddAlert { account: (*account).to_owned(), alert })
            }
            Step::Destroy(account) => Some(Change::Destroy { account: (*account).to_owned(), at: 0, upto: 0 }),
            Step::Points(..) => None,
        };
        if let Some(change) = change {
            // Fed twice, it is there already.
            let _ = known.apply(&change);
            rules.follow(seq, &change, known);
        } else {
            rules.pass(seq, false);
        }
        let window = Window::containing(Timestamp::from_unix_seconds(60 * minute), MINUTE);
        if let Step::Points(account, name, streams, value) = step
            && rules.asks(seq + 1, account)
        {
            for stream in 0..*streams {
                let tags = TagSet::from_iter([("dyno", format!("web.{stream}").as_str())]);
                let stats = Stats::sample(1, *value, *value, *value, *value);
                rules.point(account, "d.1", &DataPoint::new(window, Kind::Sample, name, Unit::NONE, &tags, stats));
            }
        }
        rules.tick(seq + 1, window.end(), window.end());
    }
    rules.keep();
}

const MANY: &str = "[[metric]]\nname = \"many\"\nper_signal = true\n[[metric.when]]\nmetric = \"load\"\nabove = 1\n";
const FEW: &str = "[[metric]]\nname = \"few\"\n[[metric.when]]\nmetric = \"queue\"\nabove = 1\n";
/// Room for some thirty signals.
const SMALL: usize = 128 << 10;

fn crowd() -> Vec<Step> {
    use Step::{Add, Points};
    vec![
        Add("hog", MANY),
        Points("hog", "load", 500, 2.0),
        Add("shop", FEW),
        Points("shop", "queue", 3, 2.0),
        Points("hog", "load", 500, 2.0),
        Points("shop", "queue", 3, 2.0),
        Points("shop", "queue", 3, 0.0),
        Points("hog", "load", 500, 0.0),
        Points("shop", "queue", 6, 2.0),
        Points("hog", "load", 500, 2.0),
        Points("shop", "queue", 6, 2.0),
    ]
}

#[test]
fn one_account_with_many_tags_takes_no_room_of_another() {
    let house = House::new();
    let _rules = run(&house, &crowd(), SMALL, None);
    let standings = house.outbox.standings();
    let Memory { bytes, most_bytes, left_out, rules } = standings.memory();
    assert!(bytes <= most_bytes && most_bytes == SMALL as u64 / 2, "{bytes} of {most_bytes}");
    assert_eq!(rules, 1, "of the account that wants too much");
    assert!(left_out > 400, "{left_out}");
    let shop = standings.get("shop");
    assert!(shop.values().all(|stand| stand.left_out == 0 && stand.is == Is::Firing), "{shop:?}");
    let whys = house.whys("shop");
    assert!(whys[1].contains("2 signals that it asks for are not watched"), "it was told at once: {whys:?}");
    let fired = whys.iter().filter(|why| why.starts_with("fired: ")).count();
    assert_eq!((fired, whys.last().unwrap().starts_with("fired: ")), (2, true), "{whys:?}");
    // The other one is told what it does not see, once, and each of its alerts says so.
    let hog = house.whys("hog");
    assert_eq!(hog.iter().filter(|why| why.contains("(alert_memory)")).count(), 1, "{hog:?}");
    assert!(hog.iter().any(|why| why.contains("cleared, since there is no room to watch it")), "{hog:?}");
    assert!(hog.iter().any(|why| why.contains("there is no room to watch") && why.starts_with("fired: ")), "{hog:?}");
}

#[test]
fn kills_change_nothing_of_what_finds_room() {
    let whole = House::new();
    drop(run(&whole, &crowd(), SMALL, None));
    for kill in 0..crowd().len() {
        let killed = House::new();
        drop(run(&killed, &crowd(), SMALL, Some(kill)));
        for account in ["hog", "shop"] {
            assert_eq!(killed.told(account), whole.told(account), "killed behind step {kill}");
            let standings = |house: &House| house.outbox.standings().get(account);
            assert_eq!(standings(&killed), standings(&whole), "killed behind step {kill}");
        }
    }
}

#[test]
fn room_that_is_given_back_is_taken_again() {
    let house = House::new();
    let mut steps = crowd();
    steps.extend([
        Step::Destroy("shop"),
        Step::Add("late", FEW),
        Step::Points("late", "queue", 500, 0.0),
        Step::Points("hog", "load", 500, 0.0),
        Step::Points("late", "queue", 500, 0.0),
        Step::Destroy("hog"),
        Step::Points("late", "queue", 30, 2.0),
        Step::Points("late", "queue", 30, 2.0),
    ]);
    let _rules = run(&house, &steps, SMALL, None);
    let standings = house.outbox.standings();
    assert!(standings.get("hog").is_empty() && standings.get("shop").is_empty());
    let late = standings.get("late");
    assert!(late.values().all(|stand| stand.is == Is::Firing && stand.left_out == 0), "{late:?}");
    let memory = standings.memory();
    assert!(memory.bytes > memory.most_bytes / 2 && memory.left_out == 0, "{memory:?}");
}

#[test]
fn how_a_rule_stands_is_what_it_is_now_and_since_when() {
    use Step::{Add, Points};
    let house = House::new();
    let mut steps = vec![Add("shop", FEW)];
    let stand = |steps: &[Step]| {
        drop(run(&house, steps, 1 << 20, None));
        let stands = house.outbox.standings().get("shop");
        let [(_, stand)] = stands.iter().collect::<Vec<_>>()[..] else { panic!("{stands:?}") };
        (stand.is, stand.since.map(|since| since / 60_000_000))
    };
    assert_eq!(stand(&steps), (Is::NoData, None), "it never had any");
    steps.push(Points("shop", "queue", 1, 0.0));
    assert_eq!(stand(&steps), (Is::Ok, Some(3)));
    steps.push(Points("shop", "queue", 1, 2.0));
    steps.push(Points("shop", "queue", 1, 2.0));
    assert_eq!(stand(&steps), (Is::Firing, Some(4)));
    steps.push(Points("shop", "queue", 1, 0.0));
    assert_eq!(stand(&steps), (Is::Ok, Some(6)));
    steps.extend(vec![Points("shop", "other", 1, 0.0); 9]);
    assert_eq!(stand(&steps), (Is::Ok, Some(6)), "nine minutes without are none without data");
    steps.push(Points("shop", "other", 1, 0.0));
    assert_eq!(stand(&steps), (Is::NoData, Some(6)), "since its last minute ended");
}

/// A node that has the partition is stopped behind one step, and wakes up when another one has gone on for a while.
#[cfg(feature = "postgres")]
#[test]
fn takeovers_change_nothing_of_what_is_told() {
    use super::States;
    use crate::alerts::outbox::tests::shared::Nodes;
    use crate::alerts::standing::Of;
    let Some(nodes) = Nodes::start("takeovers") else { return };
    let whole = House::new();
    drop(run(&whole, &crowd(), SMALL, None));
    let states = States::new(nodes.database());
    let room = (crate::alerts::outbox::OF_ACCOUNT, crate::alerts::outbox::OF_ALL);
    let open = |outbox: &Arc<Outbox>| {
        // All accounts of these tests are in one partition.
        let owed = Owed::of(outbox.clone(), states.clone(), nodes.teller("shop"), Of::Minutes).unwrap();
        MinuteRules::open(Path::new("/nowhere"), owed, (0, &settings(SMALL)), 0, |_, drain| drain.into())
    };
    for stop in 0..crowd().len() {
        nodes.postgres.sql("TRUNCATE logdrain.told, logdrain.deliveries, logdrain.held, logdrain.rules");
        nodes.end_leases();
        let one = nodes.opened("one", room);
        let mut asleep = open(&one);
        feed(&mut asleep, &mut settings(SMALL), crowd().iter().take(stop));
        asleep.write().unwrap();
        // What it tells now is told again, under the same ids, by the one who takes over.
        feed(&mut asleep, &mut settings(SMALL), crowd().iter().take(stop + 1));
        nodes.end_leases();
        let two = nodes.opened("two", room);
        let mut rules = open(&two);
        feed(&mut rules, &mut settings(SMALL), crowd().iter().take(stop + 2));
        rules.write().unwrap();
        // It wakes up, and knows nothing of it.
        feed(&mut asleep, &mut settings(SMALL), crowd().iter());
        asleep.write().unwrap_err();
        feed(&mut rules, &mut settings(SMALL), crowd().iter());
        for account in ["hog", "shop"] {
            assert_eq!(told(&two, account), whole.told(account), "stopped behind step {stop}");
            let standings = (two.standings().get(account), whole.outbox.standings().get(account));
            assert_eq!(standings.0, standings.1, "stopped behind step {stop}");
        }
        // What stands there is the new owner's.
        nodes.end_leases();
        let three = nodes.opened("three", room);
        let mut last = open(&three);
        feed(&mut last, &mut settings(SMALL), crowd().iter());
        assert_eq!(told(&three, "hog"), whole.told("hog"), "stopped behind step {stop}");
    }
}

/// Many pieces, and nothing of the one before is left in a shorter one.
#[cfg(feature = "postgres")]
#[test]
fn where_rules_stand_is_read_as_it_was_written_and_damage_is_no_state() {
    use super::States;
    use super::file::Standing;
    use crate::alerts::outbox::tests::shared::Nodes;
    use crate::alerts::standing::Of;
    let Some(nodes) = Nodes::start("states") else { return };
    let room = (crate::alerts::outbox::OF_ACCOUNT, crate::alerts::outbox::OF_ALL);
    let _one = nodes.opened("one", room);
    let states = States::new(nodes.database());
    let teller = nodes.teller("shop");
    let standing = |position| Standing {
        position,
        accounts: [("shop".to_owned(), std::collections::BTreeMap::new())].into(),
        ..Standing::default()
    };
    let read = |of| states.read(teller.part, of).unwrap().map(|(standing, states)| (standing.position, states));
    assert_eq!(read(Of::Lines), None);
    let mut random = testkit::random::Random::new(7);
    let large: Vec<u8> = (0..1_000_000).map(|_| random.below(256) as u8).collect();
    states.write(teller, Of::Lines, standing(5), std::slice::from_ref(&large)).unwrap();
    states.write(teller, Of::Minutes, standing(6), &[b"six".to_vec()]).unwrap();
    assert_eq!(read(Of::Lines), Some((5, vec![large])));
    assert_eq!(read(Of::Minutes), Some((6, vec![b"six".to_vec()])));
    assert_eq!(nodes.postgres.sql("SELECT count(*) FROM logdrain.rules WHERE kind = 'lines'"), "4");
    states.write(teller, Of::Lines, standing(7), &[b"seven".to_vec()]).unwrap();
    assert_eq!(read(Of::Lines), Some((7, vec![b"seven".to_vec()])));
    nodes.postgres.sql("UPDATE logdrain.rules SET body = substring(body FROM 2) WHERE kind = 'lines'");
    assert_eq!(read(Of::Lines), None);
    nodes.end_leases();
    let _two = nodes.opened("two", room);
    let error = states.write(teller, Of::Minutes, standing(8), &[b"eight".to_vec()]).unwrap_err();
    assert!(error.to_string().contains("another node"), "{error}");
    assert_eq!(read(Of::Minutes), Some((6, vec![b"six".to_vec()])));
}
