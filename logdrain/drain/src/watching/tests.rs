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
        let mut heads = self.outbox.heads(account, None, 1_000).unwrap();
        heads.reverse();
        heads.iter_mut().for_each(|head| head.deliveries.clear());
        heads
    }

    fn whys(&self, account: &str) -> Vec<String> {
        self.told(account).into_iter().map(|head| head.why).collect()
    }
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
