//! What days that are over came to, by account, from the logs to the directory; and what is over in the directory itself.
//!
//! Nothing depends on it but numbers that people look at, and they come again: when the directory cannot be written, the
//! next look tries once more.

use crate::directory::{Directory, Used};
use crate::journal::Progress;
use crate::logs;
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(30);
/// Looks from one time that what is over is deleted to the next: an hour.
const APART: u32 = 120;

/// Goes on for as long as the program does.
pub async fn note(logs: logs::Boards, directory: Arc<Directory>, progress: Arc<Progress>) {
    // By account: the day that was noted last, and how many events it had then.
    let mut noted: HashMap<String, (u64, u64)> = HashMap::new();
    let mut until_deleted = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(now) = progress.time.believed() else { continue };
        until_deleted = u32::saturating_sub(until_deleted, 1);
        if until_deleted == 0 && progress.time.may_delete() {
            until_deleted = APART;
            let directory = directory.clone();
            // What cannot be written now is there at the next look.
            let _ = tokio::task::spawn_blocking(move || directory.forget_ended(now.div_euclid(1_000_000))).await;
        }
        for (account, day) in logs.days_over(now) {
            let is = (day.number, day.used.events);
            if noted.get(&account) == Some(&is) {
                continue;
            }
            let (directory, name) = (directory.clone(), account.clone());
            let done =
                tokio::task::spawn_blocking(move || directory.put_usage(&name, &called(day.number), &used(&day)));
            if let Ok(Ok(())) = done.await {
                noted.insert(account, is);
            }
        }
    }
}

fn used(day: &logs::Day) -> Vec<Used> {
    let of = |(system, program, used): (&str, &str, logs::Used)| Used {
        system: system.to_owned(),
        program: program.to_owned(),
        events: used.events,
        bytes: used.bytes,
    };
    let mut all: Vec<Used> = day.largest().into_iter().map(of).collect();
    if day.rest.events > 0 {
        all.push(of(("", "", day.rest)));
    }
    all
}

/// A day as it is written, `YYYY-MM-DD`.
pub fn called(days_since_1970: u64) -> String {
    let days = i64::try_from(days_since_1970).unwrap_or(i64::MAX).min(200_000);
    date(1970, 1, 1).checked_add(days.days()).unwrap_or(Date::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_called_as_people_call_them() {
        assert_eq!((called(0), called(20_526)), ("1970-01-01".to_owned(), "2026-03-14".to_owned()));
        assert_eq!(called(u64::MAX), called(200_000));
    }
}
