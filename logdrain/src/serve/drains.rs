//! `logdrain drains`: lists and drops drains, by the door of the running server; without one, on the store itself.

use crate::args::{DrainsAction, DrainsArgs};
use crate::serve::opening::{self, Closed};
use crate::serve::private;
use crate::serve::special;
use heroku_metrics::model::Timestamp;
use logdrain_drain::directory::{Directory, DirectoryError};
use logdrain_drain::event::{Entry, Event};
use logdrain_drain::journal::{self, Kept, Listed, Offer, Old, Partition as _, Store};
use logdrain_drain::operator::{Line, Reply, Request, meant};
use logdrain_drain::people::{Ask, People, Told, What};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use std::path::Path;

pub(crate) fn run(args: &DrainsArgs) -> Result<Status, Failure> {
    let request = match &args.action {
        DrainsAction::List => Request::List,
        DrainsAction::Drop { name } => Request::Drop { drain: name.clone() },
    };
    match request_of(&args.store, &request)? {
        Reply::Drains(drains) => drains.iter().for_each(print),
        Reply::Done(name) => println!("{} has no place any more", Escaped(&name)),
        Reply::Changed(_) | Reply::People(_) => {}
        Reply::Error(why) => return Err(Failure::Config(why)),
    }
    Ok(Status::Done)
}

/// Asks of the members and tokens of an account.
pub(crate) fn people(dir: &Path, account: &str, what: What) -> Result<Told, Failure> {
    let ask = Ask { account: account.to_owned(), what };
    match request_of(dir, &Request::People { ask })? {
        Reply::People(told) => Ok(told),
        Reply::Error(why) => Err(Failure::Config(why)),
        _ => Err(Failure::Config("the server answers something else: is it of another version?".to_owned())),
    }
}

/// Asks the server of this store; without one, it is done on the store itself.
pub(crate) fn request_of(dir: &Path, request: &Request) -> Result<Reply, Failure> {
    if !journal::path(dir).exists() && !journal::elsewhere(dir).exists() {
        return Err(Failure::Config(format!(
            "{}: holds no journal; name the folder that `serve --store` was given",
            dir.display()
        )));
    }
    match ask(dir, request)? {
        Some(reply) => Ok(reply),
        None => alone(dir, request),
    }
}

fn print(line: &Line) {
    let Line { drain, heard, refused_until } = line;
    let state = match (refused_until, heard) {
        (Some(until), _) => format!("lost its place, is refused until {until}"),
        (None, Some(heard)) => format!("heard {heard}"),
        (None, None) => "not heard since the start".to_owned(),
    };
    println!("{}  {}", Escaped(drain), Escaped(&state));
}

/// Asks the running server; `None` when there is none.
#[cfg(unix)]
fn ask(dir: &Path, request: &Request) -> Result<Option<Reply>, Failure> {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;
    /// The longest answer: some thousand drains.
    const ANSWER: u64 = 16 << 20;
    let path = logdrain_drain::operator::path(dir);
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // A path that is too long for a socket has no door; whether there is a server, the lock tells.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(Failure::open(&path, error)),
    };
    let mut speak = || {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = Vec::new();
        (&stream).take(ANSWER).read_to_end(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    };
    let answer: std::io::Result<Reply> = speak();
    answer.map(Some).map_err(|error| {
        Failure::Config(format!("{}: the server does not answer ({error}): try again", path.display()))
    })
}

#[cfg(not(unix))]
fn ask(_: &Path, _: &Request) -> Result<Option<Reply>, Failure> {
    Ok(None)
}

/// Does it without a server: the next start finds the event in its journal.
fn alone(dir: &Path, request: &Request) -> Result<Reply, Failure> {
    let in_store = |error: journal::StoreError| Failure::Config(format!("{}: {error}", dir.display()));
    if let Some(path) = special::found(dir) {
        return Err(Failure::Config(special::words(&path)));
    }
    let _lock = opening::hold(dir).map_err(|closed| match closed {
        Closed::ForNow(why) | Closed::ForGood(why) => Failure::Config(why),
    })?;
    if journal::elsewhere(dir).exists() {
        return Err(Failure::Config(format!(
            "{}: its journal is in PostgreSQL, which its server alone writes: start it first",
            dir.display()
        )));
    }
    if journal::marker(dir).exists() {
        return Err(Failure::Config(format!(
            "{}: a server met damage here; start it first, so that it takes over what can be read",
            dir.display()
        )));
    }
    let mut store = Store::open(dir, usize::MAX, None).map_err(in_store)?;
    let mut drains: Vec<Listed> = store.listed();
    for listed in drains.iter_mut().filter(|listed| listed.refused_until.is_none()) {
        listed.heard = store.last_delivery(&listed.drain).map_err(in_store)?;
    }
    let reply = match request {
        Request::List => Reply::Drains(drains.iter().map(Line::from).collect()),
        Request::Drop { drain } => match meant(drain, &drains) {
            Ok(listed) => {
                let event = Event::Dropped { drain: listed.drain.clone(), time: journal::now() };
                let emitted = store.emitted().map_err(in_store)?;
                let kept = store.append(vec![Offer { key: None, event }], emitted, &mut nothing_old());
                match kept.map_err(in_store)?.first() {
                    Some(Kept::New(_)) => Reply::Done(Line::from(listed).drain),
                    _ => Reply::Error("it has no place".to_owned()),
                }
            }
            Err(why) => Reply::Error(why),
        },
        Request::People { ask } => {
            // What is made here is for its owner alone, as it is where a server makes it.
            private::make_private();
            let people = People { directory: Directory::new(dir), base: None };
            let settings = store.settings();
            let told = people.directory.open().and_then(|()| match &settings {
                Some(settings) => people.answer(ask.clone(), settings),
                None => Err(DirectoryError::Closed("no server has run on this store yet".to_owned())),
            });
            people.directory.close();
            told.map_or_else(|why| Reply::Error(why.to_string()), Reply::People)
        }
        Request::Change { change } => {
            let mut change = change.clone();
            change.is_of(journal::now().unix_micros());
            let emitted = store.emitted().map_err(in_store)?;
            let offer = Offer { key: None, event: Event::Change { change, id: None } };
            match store.append(vec![offer], emitted, &mut nothing_old()).map_err(in_store)?.first() {
                Some(Kept::Changed(Entry { event: Event::Change { id, .. }, .. })) => Reply::Changed(*id),
                Some(Kept::Unfit(unfit)) => Reply::Error(unfit.why.clone()),
                _ => Reply::Error("it was not written".to_owned()),
            }
        }
    };
    store.settle().map_err(in_store)?;
    Ok(reply)
}

fn nothing_old() -> Old {
    Old { behind: 0, before: Timestamp::from_unix_micros(i64::MIN), ids: false, rows: 0, given: 0 }
}
