//! `logdrain account purge`: by the door of the running server; without one, on the store
//! itself, and the next start does the rest.

use crate::args::account::PurgeArgs;
use crate::serve::drains::request_of;
use jiff::ZonedDateTime;
use log_store::{EventId, Options, Page, Reader};
use logdrain_drain::operator::{Reply, Request};
use logdrain_drain::settings::account::is_account_name;
use logdrain_drain::settings::change::Change;
use logdrain_drain::settings::purge::Purge;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::times::{self, Side};
use std::path::Path;

pub(crate) fn run(dir: &Path, asked: &PurgeArgs) -> Result<Status, Failure> {
    let PurgeArgs { name: account, query, systems, from, to, dry_run } = asked;
    let wrong = |why: &str| Failure::Config(why.to_owned());
    if !is_account_name(account) {
        return Err(wrong("an account's name is 1 to 63 of a-z, 0-9 and -"));
    }
    if query.is_empty() && systems.is_empty() && from.is_none() && to.is_none() {
        return Err(wrong("say which lines: --query, --system, --from or --to"));
    }
    let time = |text: &Option<String>, side| text.as_deref().map(|text| micros(text, side)).transpose();
    let (from, to) = (time(from, Side::Earliest)?, time(to, Side::Latest)?);
    let purge = Purge { systems: systems.clone(), query: query.clone(), from, to, ..Purge::default() };
    let lines = count(dir, account, &purge)?;
    if *dry_run {
        println!(
            "{lines} lines of {account} in files would go, their copies in archives, and those that are in no file yet"
        );
        return Ok(Status::Done);
    }
    let change = Box::new(Change::Purge { account: account.clone(), purge, at: 0 });
    match request_of(dir, &Request::Change { change })? {
        Reply::Error(why) => return Err(Failure::Config(why)),
        _ => println!(
            "{lines} lines of {account} in files go now, with all copies: within minutes there is nothing left of them"
        ),
    }
    let aside = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in aside.filter(|name| name.to_string_lossy().starts_with("journal.damaged-")) {
        println!("{} was set aside, may hold some, and is removed in 24 hours", Escaped(&name.to_string_lossy()));
    }
    println!("Rows of minutes stay, and so does what left this machine.");
    Ok(Status::Done)
}

fn micros(text: &str, side: Side) -> Result<i64, Failure> {
    let instant =
        times::parse(text, &ZonedDateTime::now(), side).map_err(|error| Failure::Config(format!("{text}: {error}")))?;
    Ok(instant.unix_micros)
}

/// How many lines there are in files, beside a running server.
pub(super) fn count(dir: &Path, account: &str, purge: &Purge) -> Result<u64, Failure> {
    let logs = dir.join("logs");
    if !logs.exists() {
        return Ok(0);
    }
    let reader = Reader::open(&logs, &Options::new())
        .map_err(|error| Failure::Config(format!("{}: the lines cannot be read: {error}", dir.display())))?;
    let ids = Purge { upto: u64::MAX >> 1, ..purge.clone() }.ids();
    let page = Page::new().with_before(ids.end);
    let page = match ids.start.get().checked_sub(1) {
        Some(after) => page.with_after(EventId::new(after)),
        None => page,
    };
    Ok(reader.view(&purge.scope(account)).counts(&purge.parsed(), &page, 3_600_000_000, &mut || true).total())
}
