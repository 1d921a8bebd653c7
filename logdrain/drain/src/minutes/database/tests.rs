//! The same minutes in a PostgreSQL, and what only that has: partitions, owners that are gone, and what all of them take.

use super::super::figures::{What, fill};
use super::super::lasting::{Counting, killed_or_not_it_keeps_the_same, sum, what_is_too_old_goes, write};
use super::super::tests::{Kept, START, asked, owner, series_are_those_of_all_values, settings};
use super::super::{Gather, Keeper, Keeping, Minutes};
use super::{Database, PIECE};
use crate::journal::Members;
use crate::outlets::Owner;
use crate::parts::{Parts, Split};
use crate::sql::Address;
use logdrain_charts::series::{Function, Grouping, Span};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::Postgres;

const HOUR: i64 = 3_600;

/// A database of nodes, and a node on it.
struct House {
    postgres: Postgres,
    minutes: Minutes,
}

fn parts() -> Parts {
    Parts::new(2).unwrap()
}

impl House {
    fn start(name: &str, most_bytes: u64) -> Option<Self> {
        let postgres = Postgres::start()?;
        let address = Address::parse(&postgres.url(), None).unwrap();
        let dir = std::env::temp_dir().join(format!("logdrain-minutes-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        drop(Members::join(&address, &dir, (parts(), Split::ByDrain), Duration::from_secs(2), None).unwrap());
        let _ = std::fs::remove_dir_all(&dir);
        let settings = Arc::new(settings());
        let minutes = Minutes::of_nodes(&address, parts(), Keeping::by(move || settings.clone()), most_bytes);
        Some(Self { postgres, minutes })
    }

    /// What a node has that takes a partition.
    fn own(&self, number: usize, from: u64) -> (Minutes, Gather, Keeper<Database>) {
        let take = "UPDATE logdrain.leases SET epoch = epoch + 1 WHERE p =";
        let epoch = self.postgres.sql(&format!("{take} {number} RETURNING epoch"));
        let epoch = epoch.lines().next().unwrap().parse().unwrap();
        let part = parts().each().nth(number).unwrap();
        self.minutes.own((part, epoch), (from, u64::MAX), Arc::default()).unwrap()
    }

    fn kept(&self, number: usize) -> Kept<Database> {
        let (minutes, gather, keeper) = self.own(number, 0);
        let (open, seq) = (keeper.opened().unwrap(), gather.position());
        Kept { minutes, gather, keeper, open, dir: PathBuf::new(), seq }
    }

    fn number(&self, sql: &str) -> i64 {
        self.postgres.sql(sql).parse().unwrap()
    }

    /// What drains are said to take is what their pieces take.
    fn assert_weighed(&self) {
        let wrong = self.postgres.sql(&format!(
            "SELECT drains.id, bytes, of.sum FROM logdrain_minutes.drains LEFT JOIN (
                SELECT drain, sum(octet_length(content) + {PIECE}) FROM logdrain_minutes.pieces GROUP BY drain) AS of
                ON of.drain = drains.id WHERE bytes <> coalesce(of.sum, 0)"
        ));
        assert_eq!(wrong, "");
        let of_none =
            "SELECT count(*) FROM logdrain_minutes.pieces WHERE drain NOT IN (SELECT id FROM logdrain_minutes.drains)
            OR name NOT IN (SELECT id FROM logdrain_minutes.names)";
        assert_eq!(self.number(of_none), 0);
    }
}

fn paid(kept: &Kept<Database>, account: &str) -> f64 {
    let span = Span { start: START, end: START + 4 * HOUR };
    let asked = asked("paid", Function::Sum, Grouping::Together);
    sum(&kept.minutes.series(account, None, &asked, span, Some(60), 10).unwrap())
}

/// Of `write`: one count in each of so many minutes.
fn counted(minutes: i64) -> f64 {
    (0..minutes).map(|minute| (minute % 7) as f64).sum()
}

#[test]
fn series_of_a_database_are_those_of_all_values() {
    let Some(house) = House::start("oracle", u64::MAX >> 1) else { return };
    series_are_those_of_all_values(house.kept(0), 22);
    house.assert_weighed();
}

#[test]
fn what_is_too_old_goes_from_a_database() {
    let Some(house) = House::start("retention", u64::MAX >> 1) else { return };
    let mut kept = house.kept(1);
    what_is_too_old_goes(&mut kept);
    for table in ["pieces", "names", "drains", "marks"] {
        assert_eq!(house.number(&format!("SELECT count(*) FROM logdrain_minutes.{table}")), 0, "{table}");
    }
}

#[test]
fn minutes_in_a_database_are_the_same_however_often_their_owner_is_killed() {
    let (Some(once), Some(killed)) = (House::start("once", u64::MAX >> 1), House::start("killed", u64::MAX >> 1))
    else {
        return;
    };
    let houses = [&once, &killed];
    killed_or_not_it_keeps_the_same(|of, snapshot| Counting::of(houses[of].own(0, snapshot.0), snapshot));
    houses.iter().for_each(|house| house.assert_weighed());
    let rows = "SELECT count(*) FROM logdrain_minutes.marks";
    assert_eq!(once.number(rows), killed.number(rows));
}

#[test]
fn who_was_stopped_and_wakes_up_writes_nothing_and_whoever_took_over_writes_it_again() {
    let Some(house) = House::start("zombie", u64::MAX >> 1) else { return };
    let mut first = house.kept(0);
    write(&mut first, owner("d.1"), 0..30);
    first.commit(START + HOUR);
    assert_eq!(paid(&first, "default"), counted(30));
    // What it has gathered is on its way when another one takes the partition.
    write(&mut first, owner("d.1"), 60..90);
    assert!(!first.gather.commit(2).unwrap());
    let mut second = house.kept(0);
    assert_eq!(second.gather.position(), 1, "what was written is not written again");
    second.seq = 1;
    let batches: Vec<_> = first.keeper.batches.try_iter().collect();
    assert!(!batches.is_empty() && first.keeper.write(&mut first.open, &batches).is_err());
    assert!(first.open.put_together((START + 9 * HOUR) * 1_000).is_err(), "nor does it put together");
    assert_eq!(first.gather.position(), 1);
    assert_eq!(paid(&second, "default"), counted(30));
    write(&mut second, owner("d.1"), 60..90);
    second.commit(START + 2 * HOUR);
    second.tidy();
    let both: f64 = (0..30).chain(60..90).map(|minute| (minute % 7) as f64).sum();
    assert_eq!((paid(&second, "default"), paid(&first, "default")), (both, both), "any node answers");
    house.assert_weighed();
}

#[test]
fn an_account_in_several_partitions_is_answered_as_one() {
    let Some(house) = House::start("parts", u64::MAX >> 1) else { return };
    let mut all = [house.kept(0), house.kept(1)];
    for (kept, drain) in all.iter_mut().zip(["d.1", "shop/d.2"]) {
        write(kept, owner(drain), 0..90);
        kept.commit(START + 2 * HOUR);
        kept.tidy();
    }
    let [one, other] = &all;
    assert_eq!((paid(one, "default"), paid(other, "default")), (2.0 * counted(90), 2.0 * counted(90)));
    assert_eq!(one.minutes.names("default", None, "a", 10).unwrap(), (vec!["paid".to_owned()], 0));
    let of_one = ["d.1".to_owned()];
    assert_eq!(one.minutes.names("default", Some(&of_one), "", 1).unwrap(), (vec!["paid".to_owned()], 1));
    let nobody = ["d.3".to_owned()];
    assert_eq!(one.minutes.names("default", Some(&nobody), "", 1).unwrap(), (vec![], 0));
    assert!(one.minutes.has("default", Some(&of_one), "took").unwrap());
    assert!(!one.minutes.has("default", Some(&nobody), "took").unwrap());
    assert_eq!(one.minutes.drains("default").unwrap(), ["d.1", "shop/d.2"]);
    let tags = one.minutes.tags("default", None, "took", 10).unwrap();
    assert_eq!((tags.len(), &*tags[0].key, &tags[0].values[..]), (1, "dyno", &["web.1".to_owned()][..]));
    let span = one.minutes.span_of("default").unwrap().unwrap();
    assert_eq!((span.start, span.end), (START, START + 2 * HOUR));
    assert_eq!(one.minutes.span_of("nobody").unwrap(), None);
    // Steps are closed as far as the partition has come that is behind.
    house.postgres.sql(&format!("UPDATE logdrain.part SET ticked = {} + p * 60000000", (START + 600) * 1_000_000));
    let asked = asked("paid", Function::Sum, Grouping::Together);
    let series = other.ask(&asked, Span { start: START, end: START + HOUR }, 60);
    let lateness = i64::try_from(settings().lateness().as_secs()).unwrap();
    assert_eq!(i64::try_from(series.closed).unwrap(), (600 - lateness) / 60);
    house.assert_weighed();
}

#[test]
fn a_removed_account_is_gone_and_begins_anew() {
    let Some(house) = House::start("removed", u64::MAX >> 1) else { return };
    let mut kept = house.kept(0);
    for (account, drain) in [("shop", "marmalade/d.1"), ("blog", "blog/d.2")] {
        write(&mut kept, Owner { account, drain }, 0..70);
        kept.commit(START + 2 * HOUR);
    }
    kept.tidy();
    house.minutes.remove("shop").unwrap();
    assert_eq!((paid(&kept, "shop"), paid(&kept, "blog")), (0.0, counted(70)));
    let named = "SELECT (SELECT count(*) FROM logdrain_minutes.names WHERE account = 'shop')
        + (SELECT count(*) FROM logdrain_minutes.drains WHERE account = 'shop')";
    assert_eq!(house.number(named), 0);
    house.assert_weighed();
    // Whoever writes knows numbers that are gone.
    write(&mut kept, Owner { account: "shop", drain: "marmalade/d.1" }, 120..130);
    kept.commit(START + 3 * HOUR);
    assert_eq!(paid(&kept, "shop"), (120..130).map(|minute| (minute % 7) as f64).sum::<f64>());
    assert_eq!(kept.minutes.drains("shop").unwrap(), ["marmalade/d.1"]);
    house.assert_weighed();
}

#[test]
fn all_partitions_together_take_no_more_than_they_may() {
    const MOST: u64 = 60_000;
    let Some(house) = House::start("limit", MOST) else { return };
    let mut all = [house.kept(0), house.kept(1)];
    for (kept, minutes) in all.iter_mut().zip([10, 300]) {
        for stream in 0..20 {
            let drain = format!("d.{stream}");
            let account = if minutes > 100 { "large" } else { "small" };
            write(kept, Owner { account, drain: &drain }, 0..minutes);
        }
        kept.commit(START + 6 * HOUR);
    }
    let taken = "SELECT sum(bytes) FROM logdrain_minutes.drains";
    assert!(house.number(taken).unsigned_abs() > MOST);
    let small = paid(&all[0], "small");
    all.iter_mut().for_each(Kept::tidy);
    assert!(house.number(taken).unsigned_abs() <= MOST, "{}", house.number(taken));
    assert_eq!(paid(&all[0], "small"), small, "whoever has most lets go");
    house.assert_weighed();
}

#[test]
fn a_piece_of_a_database_that_is_damaged_is_a_gap_and_names_of_any_text_are_taken() {
    let Some(house) = House::start("damaged", u64::MAX >> 1) else { return };
    let mut kept = house.kept(0);
    for hour in 0..3 {
        write(&mut kept, owner("d \\\"{},\0\u{e9}'"), hour * 60..hour * 60 + 60);
        kept.commit(START + (hour + 1) * HOUR + 600);
    }
    kept.tidy();
    assert_eq!(paid(&kept, "default"), counted(180));
    let change = "UPDATE logdrain_minutes.pieces SET content = decode(repeat('00', octet_length(content)), 'hex')
        WHERE level = 0 AND hour =";
    house.postgres.sql(&format!("{change} {}", START / HOUR + 1));
    let lost: f64 = (60..120).map(|minute| (minute % 7) as f64).sum();
    assert_eq!(paid(&kept, "default"), counted(180) - lost);
    // What is put together with it is not lost.
    write(&mut kept, owner("d \\\"{},\0\u{e9}'"), 60..61);
    kept.commit(START + 5 * HOUR);
    kept.tidy();
    assert_eq!(paid(&kept, "default"), counted(180) - lost + 4.0);
}

#[test]
fn while_the_database_is_away_minutes_wait_and_then_rows() {
    let Some(mut house) = House::start("away", u64::MAX >> 1) else { return };
    let mut kept = house.kept(0);
    write(&mut kept, owner("d.1"), 0..10);
    kept.commit(START + HOUR);
    house.postgres.stop();
    write(&mut kept, owner("d.1"), 60..70);
    assert!(!kept.gather.commit(2).unwrap(), "it is not said to be kept");
    let batches: Vec<_> = kept.keeper.batches.try_iter().collect();
    kept.keeper.stop.store(true, std::sync::atomic::Ordering::Release);
    assert!(kept.keeper.write(&mut kept.open, &batches).is_err());
    assert!(
        kept.minutes
            .series(
                "default",
                None,
                &asked("paid", Function::Sum, Grouping::Together),
                Span { start: START, end: START + HOUR },
                None,
                1
            )
            .is_err()
    );
    house.postgres.start_again();
    let began = std::time::Instant::now();
    while kept.keeper.write(&mut kept.open, &batches).is_err() {
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(kept.gather.position(), 2);
    let both: f64 = (0..10).chain(60..70).map(|minute| (minute % 7) as f64).sum();
    assert_eq!(paid(&kept, "default"), both);
    house.assert_weighed();
}

/// What rows take there, beside what they take in a file.
#[test]
fn what_a_row_takes_in_a_database() {
    const METRICS: usize = 20;
    let Some(house) = House::start("bytes", u64::MAX >> 1) else { return };
    let (mut in_file, mut in_database) = (Kept::new("bytes"), house.kept(0));
    let what = [What::Count, What::Sample, What::Whole(10)];
    for (number, what) in what.iter().cycle().take(METRICS).enumerate() {
        fill(&mut in_file, &format!("m{number}"), *what, (30, 60));
        fill(&mut in_database, &format!("m{number}"), *what, (30, 60));
    }
    let size = || house.number("SELECT pg_total_relation_size('logdrain_minutes.pieces')");
    let rows = METRICS * 30 * 60;
    let taken = size();
    house.postgres.sql("VACUUM FULL logdrain_minutes.pieces");
    let in_file =
        in_file.open.db.query_row("SELECT page_count * 8192 FROM pragma_page_count", [], |row| row.get::<_, i64>(0));
    let said = house.number("SELECT sum(bytes) FROM logdrain_minutes.drains");
    let pieces = house.number("SELECT count(*) FROM logdrain_minutes.pieces");
    println!(
        "{rows} rows in {pieces} pieces: a file of {} bytes, tables of {taken}, and of {} after VACUUM FULL; they are said to take {said}",
        in_file.unwrap(),
        size()
    );
}
