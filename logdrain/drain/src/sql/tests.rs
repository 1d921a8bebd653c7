//! Each test runs on a file, and on a PostgreSQL if there is one.

use super::*;

/// A table with a column of each kind.
const TABLE: &str = "CREATE TABLE things (id BIGINT PRIMARY KEY, small SMALLINT, is_so BOOLEAN, amount DOUBLE PRECISION, \
    name TEXT, body BYTEA)";

fn of_file() -> Db {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(TABLE).unwrap();
    Db::of_file(db)
}

#[cfg(feature = "postgres")]
fn of_database() -> Option<(testkit::postgres::Postgres, Db)> {
    let postgres = testkit::postgres::Postgres::start()?;
    postgres.sql(&format!("CREATE SCHEMA somewhere; SET search_path = somewhere; {TABLE}"));
    let db = Db::of_journal(&Address::parse(&postgres.url(), None).unwrap(), "somewhere").unwrap();
    Some((postgres, db))
}

fn on_both(test: impl Fn(&mut Db)) {
    test(&mut of_file());
    #[cfg(feature = "postgres")]
    if let Some((_postgres, mut db)) = of_database() {
        test(&mut db);
    }
}

fn count(db: &mut Db) -> i64 {
    db.step(|step| step.one("SELECT count(*) FROM things", &[], |row| row.get(0))).unwrap().unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    on_both(|db| {
        let insert = "INSERT INTO things (body, id, small, is_so, amount, name) VALUES ($6, $1, $2, $3, $4, $5)";
        let all = "SELECT id, small, is_so, amount, name, body FROM things ORDER BY id";
        let bytes: &[u8] = &[0, 255];
        let rows = db
            .step(|step| {
                assert_eq!(step.execute(insert, values![i64::MAX, 7, true, 0.5, "näme", bytes])?, 1);
                let nothing = [Value::Integer(2), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
                step.execute(insert, &nothing)?;
                type Things = (i64, Option<u8>, Option<bool>, Option<f64>, Option<String>, Option<Vec<u8>>);
                step.rows(all, &[], |row| -> Result<Things, SqlError> {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                })
            })
            .unwrap();
        let first = (i64::MAX, Some(7), Some(true), Some(0.5), Some("näme".to_owned()), Some(bytes.to_vec()));
        assert_eq!(rows, [(2, None, None, None, None, None), first]);
        let sql = "INSERT INTO things (id, name) VALUES ($1, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name \
            RETURNING name";
        let name: Option<String> = db.step(|step| step.one(sql, values![2], |row| row.get(0))).unwrap();
        assert_eq!(name.as_deref(), Some("x"));
        let wrong =
            db.step(|step| step.one("SELECT name FROM things WHERE id = $1", values![2], |row| row.get::<i64>(0)));
        assert!(matches!(wrong, Err(SqlError::Damaged(_))), "{wrong:?}");
        assert_eq!(db.step(|step| step.one(sql, values![3, 4], |row| row.get::<String>(0))).unwrap_err(), words());
    });
}

fn words() -> SqlError {
    SqlError::Words("a statement has other values than it names".to_owned())
}

#[test]
fn a_step_is_all_or_nothing() {
    on_both(|db| {
        let insert = "INSERT INTO things (id) VALUES ($1)";
        let some: Vec<_> = (0..1_000).map(|id| [Value::Integer(id)]).collect();
        let none: Vec<[Value<'_>; 1]> = Vec::new();
        assert_eq!(db.step(|step| step.execute_each(insert, &some)).unwrap(), 1_000);
        assert_eq!(db.step(|step| step.execute_each(insert, &none)).unwrap(), 0);
        // Whoever asks gives up.
        let given_up = db.step(|step| {
            step.execute(insert, values![2_000])?;
            Err::<(), _>(SqlError::Fenced)
        });
        assert_eq!(given_up, Err(SqlError::Fenced));
        // It is refused in the middle.
        let more: Vec<_> = (1_000..2_000).map(|id| [Value::Integer(if id == 1_500 { 1 } else { id })]).collect();
        let refused = db.step(|step| step.execute_each(insert, &more)).unwrap_err();
        assert!(matches!(refused, SqlError::Words(_)), "{refused}");
        let unknown = db.step(|step| step.execute("DELETE FROM nothing", &[])).unwrap_err();
        assert!(matches!(unknown, SqlError::Words(_)), "{unknown}");
        // Whoever asks ends in a panic.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = db.step(|step| {
                step.execute(insert, values![3_000])?;
                assert!(i64::from(step.execute(insert, values![3_001])? == 1) == 0, "as a test wants it");
                Ok::<_, SqlError>(())
            });
        }));
        assert!(ended.is_err());
        assert_eq!(count(db), 1_000);
        db.step(|step| step.execute(insert, values![2_000])).unwrap();
        assert_eq!(count(db), 1_001);
    });
}

#[cfg(feature = "postgres")]
mod database {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_connection_that_broke_meanwhile_costs_nothing_and_one_that_breaks_in_a_step_costs_that() {
        let Some((mut postgres, mut db)) = of_database() else { return };
        let insert = "INSERT INTO things (id) VALUES ($1)";
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE application_name = 'logdrain' AND pid <> pg_backend_pid()";
        db.step(|step| step.execute(insert, values![1])).unwrap();
        assert_eq!(postgres.sql(others), "1");
        db.step(|step| step.execute(insert, values![2])).unwrap();
        let lost = db.step(|step| {
            step.execute(insert, values![3])?;
            assert_eq!(postgres.sql(others), "1");
            step.execute(insert, values![4])
        });
        assert!(matches!(lost, Err(SqlError::Away(_))), "{lost:?}");
        let lost = db.step(|step| {
            step.execute(insert, values![5])?;
            assert_eq!(postgres.sql(others), "1");
            Ok::<_, SqlError>(())
        });
        assert!(matches!(lost, Err(SqlError::Away(_))), "{lost:?}");
        assert_eq!(count(&mut db), 2);
        postgres.stop();
        let away = db.step(|step| step.execute(insert, values![6])).unwrap_err();
        assert!(matches!(&away, SqlError::Away(why) if !why.contains(testkit::postgres::PASSWORD)), "{away}");
        postgres.start_again();
        let began = Instant::now();
        while db.step(|step| step.execute(insert, values![6])).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30));
        }
        assert_eq!(count(&mut db), 3);
    }

    #[test]
    fn it_may_be_asked_on_a_thread_that_must_not_wait() {
        let Some((_postgres, mut db)) = of_database() else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { assert_eq!(count(&mut db), 0) });
        runtime.block_on(async { drop(db) });
    }

    #[test]
    fn who_writes_for_a_partition_is_its_owner_until_he_is_done() {
        use crate::journal::{Members, Waiting};
        use crate::parts::{Parts, Split};
        let Some((postgres, _)) = of_database() else { return };
        let address = Address::parse(&postgres.url(), None).unwrap();
        let node = |name: &str| {
            let dir = std::env::temp_dir().join(format!("logdrain-sql-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(&dir).unwrap();
            let parts = (Parts::new(2).unwrap(), Split::ByDrain);
            Members::join(&address, &dir, parts, Duration::from_secs(1), None).unwrap()
        };
        let (mut one, mut other) = (node("one"), node("other"));
        let view = one.renew(&[], &Waiting::default()).unwrap();
        let part = view.parts[1].part;
        let epoch = one.claim(&view.parts[1]).unwrap().unwrap();
        let mut db = Db::of_journal(&address, "logdrain").unwrap();
        let taken = std::thread::scope(|scope| {
            let mut taking = None;
            let done = db.step(|step| {
                step.owns(part, epoch)?;
                // It says that it lives meanwhile, and is not held up.
                let began = Instant::now();
                one.renew(&[(part, epoch)], &Waiting::default()).unwrap();
                assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
                one.release(part, epoch).unwrap();
                let free = other.renew(&[], &Waiting::default()).unwrap().parts[1].clone();
                let other = &mut other;
                taking = Some(scope.spawn(move || {
                    let taken = other.claim(&free).unwrap();
                    (taken, Instant::now())
                }));
                while postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "0" {
                    step.owns(part, epoch)?;
                }
                Ok::<_, SqlError>(())
            });
            let ended = Instant::now();
            done.unwrap();
            let (taken, at) = taking.unwrap().join().unwrap();
            assert!(at + Duration::from_millis(100) > ended);
            taken
        });
        assert_eq!(taken, Some(epoch + 1));
        assert_eq!(db.step(|step| step.owns(part, epoch)), Err(SqlError::Fenced));
        db.step(|step| step.owns(part, epoch + 1)).unwrap();
    }

    #[test]
    fn an_answer_that_comes_too_late_is_nobodys_and_nothing_of_its_step_is_done() {
        let Some((_postgres, mut db)) = of_database() else { return };
        let slow = |step: &mut Step<'_>| {
            step.execute("INSERT INTO things (id, small) VALUES ($1, 0)", values![1])?;
            step.one("SELECT 7 FROM pg_sleep(1)", &[], |row| row.get::<i64>(0))
        };
        let late = db.step_within(Duration::from_millis(200), slow);
        assert!(matches!(late, Err(SqlError::Away(_))), "{late:?}");
        // Whoever has no time does not wait for it either; others do, and get their own answer.
        let behind =
            db.step_within(Duration::from_millis(200), |step| step.one("SELECT 8", &[], |row| row.get::<i64>(0)));
        assert!(matches!(behind, Err(SqlError::Away(_))), "{behind:?}");
        assert_eq!(db.step(|step| step.one("SELECT 9", &[], |row| row.get::<i64>(0))), Ok(Some(9)));
        assert_eq!(count(&mut db), 0);
        assert_eq!(db.step_within(Duration::from_secs(60), slow), Ok(Some(7)));
        assert_eq!(count(&mut db), 1);
    }

    #[test]
    fn a_step_that_says_nothing_holds_others_up_for_a_second() {
        let Some((postgres, mut db)) = of_database() else { return };
        let mut other = Db::of_journal(&Address::parse(&postgres.url(), None).unwrap(), "somewhere").unwrap();
        db.step(|step| step.execute("INSERT INTO things (id, small) VALUES ($1, 0)", values![1])).unwrap();
        let update = "UPDATE things SET small = small + 1";
        let silent = db.step(|step| {
            step.execute(update, &[])?;
            let began = Instant::now();
            other.step(|step| step.execute(update, &[]))?;
            assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
            Ok::<_, SqlError>(())
        });
        assert!(matches!(silent, Err(SqlError::Away(_))), "{silent:?}");
        let small = "SELECT small FROM things";
        assert_eq!(db.step(|step| step.one(small, &[], |row| row.get::<i64>(0))).unwrap(), Some(1));
    }
}
