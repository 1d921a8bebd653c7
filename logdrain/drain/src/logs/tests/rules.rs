//! What an account's plan and filters make of its lines, at any position of the journal.

use super::*;
use crate::logs::tally::Tally;
use crate::settings::account::{Account, Filter};
use heroku_metrics::model::Timestamp;
use logdrain_terms::plan::LogPlan;
use logdrain_terms::plan::Plan;

const MIDNIGHT: u64 = 20_526 * 86_400_000;

/// A delivery of one line for each message.
fn said(messages: &[&str], millis: u64) -> Record {
    let line = |message: &&str| format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {message}");
    let body = messages.iter().map(line).flat_map(|line| format!("{} {line}", line.len()).into_bytes()).collect();
    let mut record = Record::new("d.1".into(), Timestamp::from_unix_micros(NOON), Body::new(body, None));
    record.run.base = millis << 20;
    record
}

fn plan(volume: u64, hard_limit: Option<u64>) -> Account {
    let json = serde_json::json!({"volume": volume, "hard_limit": hard_limit});
    let logs: LogPlan = serde_json::from_value(json).unwrap();
    Account { plan: Some(Plan { metrics: heroku_metrics::Plan::new("ours"), logs }), ..Account::NONE }
}

fn filter(text: &str, is_regex: bool) -> Filter {
    Filter { name: text.to_owned(), text: text.to_owned(), is_regex, is_on: true }
}

fn rules(account: Account) -> Rules {
    Rules::of("shop", Some(&Arc::new(account)))
}

fn tally<'a>(keeper: &'a Keeper, account: &str) -> &'a Tally {
    keeper.tallies().of(account).unwrap()
}

fn opened(name: &str) -> (Scratch, Keeper) {
    let dir = scratch(name);
    let keeper = Keeper::open(&Place::folder(&dir), keeping(1 << 30, 1 << 30), start()).unwrap();
    (dir, keeper)
}

/// What an event of `said` counts: the message, `app/web.1`, the system and 24.
fn size(message: &str, system: &str) -> u64 {
    (message.len() + "app/web.1".len() + system.len()) as u64 + 24
}

#[test]
fn an_event_is_kept_while_the_sum_before_it_is_below_the_limit() {
    let (one, other) = (size("0123456789", "db"), size("0123456789", "a-longer-name"));
    // At the limit exactly, one byte before it and one behind it; two systems use the same volume.
    for (limit, kept) in [(one + other, 2), (one + other + 1, 3), (one + other - 1, 2), (one, 1), (1, 1), (0, 0)] {
        let (_dir, mut keeper) = opened("volume");
        let rules = rules(plan(limit, None));
        let record = |n| said(&["0123456789"], MIDNIGHT + n);
        for (position, system) in [(1, "db"), (2, "a-longer-name"), (3, "db"), (4, "a-longer-name")] {
            keep_by(&mut keeper, &rules, "shop", system, position, &record(position));
        }
        assert_eq!(keeper.shown(4).books.kept, kept, "{limit}");
        assert_eq!(keeper.shown(4).books.over_volume, 4 - kept);
        assert_eq!((tally(&keeper, "shop").day.used.events, tally(&keeper, "shop").day.over), (kept, 4 - kept));
        assert_books(&keeper);
    }
}

#[test]
fn at_midnight_of_the_ids_a_new_day_begins() {
    let (_dir, mut keeper) = opened("midnight");
    let rules = rules(plan(100, None));
    let three = ["0123456789"; 3];
    keep_by(&mut keeper, &rules, "shop", "db", 1, &said(&three, MIDNIGHT - 1));
    assert_eq!((keeper.shown(1).books.kept, keeper.shown(1).books.over_volume), (3, 0));
    keep_by(&mut keeper, &rules, "shop", "db", 2, &said(&three, MIDNIGHT - 1 + 1));
    // A delivery of 5,000 lines in the last millisecond of a day: its ids run into the next one.
    let (_dir, mut keeper) = opened("midnight-in-one");
    let record = record(5_000, MIDNIGHT - 1);
    keep_by(&mut keeper, &rules, "shop", "db", 1, &record);
    let tally = tally(&keeper, "shop");
    let before = tally.day_before.as_ref().unwrap();
    assert_eq!((before.number + 1, before.used.events, before.over), (tally.day.number, 2, 4_096 - 2));
    assert_eq!((tally.day.used.events, tally.day.over), (2, 5_000 - 4_096 - 2));
    assert_eq!(tally.day(tally.day.number - 1).unwrap(), &**before);
    let hour = MIDNIGHT / 3_600_000;
    assert_eq!(tally.hour(hour - 1).map(|books| (books.events, books.over_volume)), Some((4_096, 4_094)));
    assert_eq!(tally.hour(hour).map(|books| (books.events, books.kept)), Some((904, 2)));
    assert_books(&keeper);
}

#[test]
fn beyond_the_volume_lines_are_kept_up_to_a_hard_limit() {
    let (_dir, mut keeper) = opened("hard-limit");
    let size = size("0123456789", "db");
    let account = plan(2 * size, Some(4 * size));
    let rules = rules(account);
    keep_by(&mut keeper, &rules, "shop", "db", 1, &said(&["0123456789"; 9], MIDNIGHT));
    assert_eq!((keeper.shown(1).books.kept, keeper.shown(1).books.over_volume), (4, 5));
    use crate::logs::tally::Notice;
    let notice = |bytes| Notice::of(bytes, rules.limits);
    assert_eq!(notice(0), None);
    assert_eq!(notice(2 * size * 9 / 10 + 1), Some(Notice::Near));
    assert_eq!((notice(2 * size), notice(4 * size - 1)), (Some(Notice::Full), Some(Notice::Full)));
    assert_eq!(notice(4 * size), Some(Notice::Stopped));
}

#[test]
fn the_first_filter_that_matches_counts_and_nothing_of_it_is_used() {
    let (_dir, mut keeper) = opened("filters");
    let mut account = plan(1 << 20, None);
    account.filters = [
        (1_000, filter("status=200", false)),
        (1_001, filter("^app/web\\.1: .*status=[23]\\d\\d", true)),
        (1_002, Filter { is_on: false, ..filter("status=500", false) }),
        (1_003, filter("a(b", true)),
    ]
    .into();
    let rules = rules(account);
    let lines = ["status=200", "x status=301", "STATUS=200", "status=500", "app/web.1"];
    keep_by(&mut keeper, &rules, "shop", "db", 1, &said(&lines, MIDNIGHT));
    let tally = tally(&keeper, "shop");
    assert_eq!((tally.filtered.of(1_000), tally.filtered.of(1_001), tally.filtered.total()), (1, 1, 2));
    assert_eq!(tally.day.filtered, tally.filtered);
    assert_eq!((keeper.shown(1).books.filtered, keeper.shown(1).books.kept), (2, 3));
    assert_eq!(tally.day.used.bytes, lines[2..].iter().map(|line| size(line, "db")).sum::<u64>());
    assert_books(&keeper);
}

#[test]
fn of_programs_the_largest_are_named_and_the_sum_is_right() {
    let (_dir, mut keeper) = opened("named");
    for position in 1..=900_u64 {
        // One of them is large, and comes late.
        let (system, lines) = if position > 450 { ("large".to_owned(), 3) } else { (format!("s{position}"), 1) };
        keep_by(&mut keeper, &Rules::default(), "shop", &system, position, &record(lines, MIDNIGHT + position));
    }
    let day = &tally(&keeper, "shop").day;
    let named: u64 = day.largest().iter().map(|(.., used)| used.events).sum();
    assert_eq!(named + day.rest.events, day.used.events);
    assert_eq!(day.used.events, 450 + 450 * 3);
    assert!(day.largest().len() <= 256 && day.largest()[0].0 == "large");
}

/// Whatever is lost with the process is counted again from where a start begins, and comes out the same.
#[test]
fn counts_from_the_state_on_are_those_of_a_run_without_an_end() {
    let dir = scratch("again");
    let ahead = 10_000;
    let account = |step: u64| {
        let mut account = plan(40_000 + step * 500, None);
        if step % 2 == 1 {
            account.filters.insert(1_000, filter("line 3", false));
        }
        account
    };
    let feed = |keeper: &mut Keeper, position: u64| {
        let millis = MIDNIGHT - 100 + position;
        if position.is_multiple_of(4) {
            keep_by(keeper, &rules(account(0)), "quiet", "db", position, &record(1, millis));
        } else {
            keep_by(keeper, &rules(account(position / 40)), "shop", "db", position, &record(10, millis));
        }
    };
    let mut whole = Keeper::open(&Place::folder(&dir.join("whole")), keeping(1 << 30, ahead), start()).unwrap();
    let mut state = start();
    let mut position = 1;
    let mut ends = [47, 90, 143, 205].into_iter();
    while position <= 220 {
        let end = ends.next().unwrap_or(220);
        let mut keeper =
            Keeper::open(&Place::folder(&dir.join("cut")), keeping(1 << 30, ahead), state.clone()).unwrap();
        let from = state.position + 1;
        let written = state.clone();
        for position in from..=end {
            feed(&mut keeper, position);
            while keeper.seal(None, false).unwrap() {}
            let now = keeper.safe(position, &Arc::new(settings())).clone();
            // What is written lags behind.
            if position % 7 == 0 {
                state = serde_json::from_str(&serde_json::to_string(&now).unwrap()).unwrap();
            }
            assert!(state.position >= written.position);
        }
        assert!(keeper.shown(end).files > 0);
        assert_books(&keeper);
        if end == 220 {
            for position in 1..=220 {
                feed(&mut whole, position);
            }
            assert_eq!(keeper.tallies(), whole.tallies());
            assert_eq!(keeper.shown(0).books, whole.shown(0).books);
        }
        position = end + 1;
    }
    assert!(state.position > 100 && whole.shown(0).books.filtered > 0 && whole.shown(0).books.over_volume > 0);
}

#[test]
fn marks_are_few_however_small_the_deliveries() {
    let (_dir, mut keeper) = opened("marks");
    for position in 1..=5_000 {
        keep(&mut keeper, "shop", position, &record(1, MIDNIGHT + position * 61_000));
    }
    assert!(keeper.marks() <= 33);
    let half = record(1, MIDNIGHT + 2_500 * 61_000).run.last();
    while keeper.seal_before(half).unwrap() {}
    let position = keeper.safe(5_000, &Arc::new(settings())).position;
    assert!(position >= 2_000, "{position}");
    assert_eq!(keeper.safe(5_000, &Arc::new(settings())).books.kept, position);
}

#[test]
fn a_shorter_plan_hides_at_once_and_deletes_a_week_later() {
    const DAY: i64 = 86_400_000_000;
    let shipped = |name: &str| Plan::shipped(name);
    let server = Duration::from_secs(3 * 86_400);
    let days = |account: &Account, now: i64| retention::kept_for(account, now, server).as_secs() / 86_400;
    let mut account = Account::NONE;
    assert_eq!((days(&account, NOON), retention::floor(&account, NOON)), (3, log_store::EventId::MIN));
    account.take_plan(shipped("volmar"), NOON);
    assert_eq!(days(&account, NOON), 14);
    // Two weeks become two days: what is between is hidden, and there for a week.
    let then = NOON + 30 * DAY;
    account.take_plan(shipped("choklad"), then);
    assert_eq!(retention::floor(&account, then), log_store::EventId::at(then - 2 * DAY));
    assert_eq!((days(&account, then), days(&account, then + 7 * DAY - 1), days(&account, then + 7 * DAY)), (14, 14, 2));
    // Given back within the week, nothing was lost; and by way of a third plan neither.
    let mut back = account.clone();
    back.take_plan(shipped("fixa"), then + DAY);
    assert_eq!(
        (days(&back, then + 2 * DAY), retention::floor(&back, then + DAY)),
        (14, log_store::EventId::at(then - 6 * DAY))
    );
    back.take_plan(shipped("volmar"), then + 6 * DAY);
    assert_eq!((days(&back, then + 6 * DAY), days(&back, then + 90 * DAY)), (14, 14));
    // Without a plan it is the server's.
    account.take_plan(None, then + 100 * DAY);
    assert_eq!(
        (days(&account, then + 100 * DAY), retention::floor(&account, then + 100 * DAY)),
        (3, log_store::EventId::MIN)
    );
    let text = serde_json::to_string(&account).unwrap();
    assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), account);
}

#[test]
fn lines_go_by_the_plan_of_their_account() {
    let (_dir, mut keeper) = opened("by-plan");
    let mut all = settings();
    let mut account = Account::NONE;
    account.take_plan(Plan::shipped("choklad"), 0);
    all.accounts.insert("shop".to_owned(), Arc::new(account));
    let hour = 3_600_000_000_i64;
    let millis = NOON as u64 / 1_000;
    for (position, account) in [(1, "shop"), (2, "default")] {
        keep(&mut keeper, account, position, &record(10, millis + position));
        seal_all(&mut keeper);
    }
    // The server keeps an hour, this plan two days.
    assert!(keeper.let_go(Some(NOON + 2 * hour), &all));
    let accounts = keeper.reader().accounts().unwrap();
    let left = accounts.iter().filter(|account| account.events() > 0).map(|account| account.name());
    let left: Vec<_> = left.collect();
    assert_eq!(left, ["shop"]);
    assert!(keeper.let_go(Some(NOON + 49 * hour), &all));
    assert_eq!(keeper.shown(0).there, 0);
    assert_books(&keeper);
}

#[test]
fn what_a_plan_lets_be_seen_no_more_is_hidden_and_comes_back() {
    let (_dir, mut keeper) = opened("hidden");
    let mut all = settings();
    let millis = NOON as u64 / 1_000;
    for (position, hours) in [(1, 0), (2, 40), (3, 90)] {
        keep(&mut keeper, "shop", position, &record(10, millis + hours * 3_600_000));
    }
    seal_all(&mut keeper);
    let now = NOON + 100 * 3_600_000_000;
    let seen = |keeper: &Keeper, scope: &Scope| {
        keeper.reader().view(scope).search(&Query::default(), &Page::new(), &mut || true).events().len()
    };
    let scope = Scope::account("shop");
    let mut account = Account::NONE;
    for (plan, expected) in [(None, 30), (Some("choklad"), 10), (Some("volmar"), 30), (Some("choklad"), 10), (None, 30)]
    {
        account.take_plan(plan.and_then(Plan::shipped), now);
        all.accounts.insert("shop".to_owned(), Arc::new(account.clone()));
        keeper.hide(now, &all);
        assert_eq!((seen(&keeper, &scope), seen(&keeper, &scope.clone().with_hidden())), (expected, 30), "{plan:?}");
    }
}

/// A state of a program that knew no accounts.
#[test]
fn an_older_state_is_read() {
    let mut value = serde_json::to_value(start()).unwrap();
    assert!(value.get("tallies").is_none(), "and one without accounts is as it was");
    value["books"] = serde_json::json!({"events": 3, "kept": 2, "no_room": 1});
    let state: State = serde_json::from_value(value).unwrap();
    assert_eq!((state.books.kept, state.books.filtered), (2, 0));
}
