//! The database of the journal, by a thread of its own: whoever asks may be on a thread that must not wait for one.

use super::SqlError;
use super::address::Address;
use super::failure::LinkError;
use super::link::{Link, Open};
use super::row;
use super::value::Value;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

/// Others may wait for what a step has locked: one that says nothing for so long is over.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 1000";
/// Statements on their way at a time.
const AT_A_TIME: usize = 256;
/// A connection that broke before is found out by then; what takes longer is a database that does not answer.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Whoever asks, and the thread that asks the database.
pub(super) struct Database {
    address: Address,
    asks: Sender<Ask>,
    answers: Receiver<Result<Answer, SqlError>>,
    /// Whoever asked last did not wait for the answer.
    is_owed: bool,
}

struct Ask {
    what: What,
    /// It begins a step, or has to be in the one that was begun.
    is_first: bool,
}

enum What {
    Execute(&'static str, Vec<Vec<Held>>),
    Rows(&'static str, Vec<Held>),
    Commit,
    Rollback,
}

#[derive(Default)]
struct Answer {
    changed: u64,
    rows: Vec<Row>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn new(address: &Address, schema: &'static str) -> Result<Self, SqlError> {
        let mut link = Link::new(address)?;
        link.looks_in(schema);
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let place = address.clone();
        thread::Builder::new()
            .name("sql".to_owned())
            .spawn(move || serve(&mut link, &place, &asked, &answer))
            .map_err(|error| SqlError::Away(format!("no thread can be started: {error}")))?;
        Ok(Self { address: address.clone(), asks, answers, is_owed: false })
    }

    /// A step; all of it is to be answered by then, if a time is given.
    pub(super) const fn begin(&mut self, until: Option<Instant>) -> Step<'_> {
        Step { db: self, state: State::New, until }
    }

    fn ask(&mut self, what: What, is_first: bool, until: Option<Instant>) -> Result<Answer, SqlError> {
        let gone = |address: &Address| SqlError::Away(format!("{address}: nobody asks the database any more"));
        let late = |address: &Address| SqlError::Away(format!("{address}: the database does not answer in time"));
        while self.is_owed {
            match (self.answers.try_recv(), until) {
                (Ok(_), _) => self.is_owed = false,
                (Err(TryRecvError::Disconnected), _) => return Err(gone(&self.address)),
                // Whoever has no time to wait does not wait for what another one asked.
                (Err(TryRecvError::Empty), Some(_)) => return Err(late(&self.address)),
                (Err(TryRecvError::Empty), None) => {
                    let _ = self.answers.recv().map_err(|_| gone(&self.address))?;
                    self.is_owed = false;
                }
            }
        }
        self.asks.send(Ask { what, is_first }).map_err(|_| gone(&self.address))?;
        let Some(until) = until else { return self.answers.recv().map_err(|_| gone(&self.address))? };
        match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => Err(gone(&self.address)),
            Err(RecvTimeoutError::Timeout) => {
                self.is_owed = true;
                Err(late(&self.address))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was asked yet: the first statement takes the beginning with it.
    New,
    Begun,
    /// Done, or given up.
    Over,
}

/// A transaction. It is rolled back when it is dropped before its end.
#[derive(Debug)]
pub(super) struct Step<'a> {
    db: &'a mut Database,
    state: State,
    until: Option<Instant>,
}

impl Step<'_> {
    pub(super) fn execute<'v>(&mut self, sql: &'static str, all: &[impl AsRef<[Value<'v>]>]) -> Result<u64, SqlError> {
        let all: Vec<Vec<Held>> = all.iter().map(|values| held(values.as_ref())).collect();
        if all.is_empty() {
            return Ok(0);
        }
        self.ask(What::Execute(sql, all)).map(|answer| answer.changed)
    }

    pub(super) fn rows<T, E: From<SqlError>>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        mut read: impl FnMut(&row::Row<'_>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let rows = self.ask(What::Rows(sql, held(values)))?.rows;
        rows.iter().map(|row| read(&row::Row::of_journal(row))).collect()
    }

    fn ask(&mut self, what: What) -> Result<Answer, SqlError> {
        if self.state == State::Over {
            return Err(SqlError::Words("a statement of this step has failed".to_owned()));
        }
        let is_first = self.state == State::New;
        let answer = self.db.ask(what, is_first, self.until);
        self.state = if answer.is_ok() { State::Begun } else { State::Over };
        answer
    }

    pub(super) fn commit(mut self) -> Result<(), SqlError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::New => Ok(()),
            State::Begun => self.db.ask(What::Commit, false, self.until).map(drop),
            State::Over => Err(SqlError::Words("a statement of this step has failed".to_owned())),
        }
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if self.state == State::Begun {
            // Where that does not come through, the database ends it by itself.
            let _ = self.db.ask(What::Rollback, false, self.until);
        }
    }
}

/// Asks what it is asked to, until nobody does any more.
fn serve(link: &mut Link, address: &Address, asks: &Receiver<Ask>, answers: &Sender<Result<Answer, SqlError>>) {
    for Ask { what, is_first } in asks {
        let began = Instant::now();
        let mut asked = ask(link, address, &what, is_first);
        // A connection that broke while nobody asked anything is found out now. Nothing was done on it.
        if is_first && matches!(asked, Err(Failed::Link(_))) && began.elapsed() < AT_ONCE {
            asked = ask(link, address, &what, is_first);
        }
        if answers.send(asked.map_err(Failed::into_error)).is_err() {
            return;
        }
    }
}

/// Why something was not asked, or not done.
enum Failed {
    /// Nobody answered.
    Link(LinkError),
    /// What the database said, or what was found before it was asked.
    Said(SqlError),
}

impl Failed {
    fn into_error(self) -> SqlError {
        match self {
            Self::Link(error) => error.into(),
            Self::Said(error) => error,
        }
    }
}

impl From<LinkError> for SqlError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Elsewhere(error) => Self::Away(error.why().to_owned()),
            LinkError::TakenOver(_) => Self::Fenced,
        }
    }
}

fn ask(link: &mut Link, address: &Address, what: &What, is_first: bool) -> Result<Answer, Failed> {
    let bytes = match what {
        What::Execute(_, all) => all.iter().flatten().map(Held::bytes).sum(),
        What::Rows(_, values) => values.iter().map(Held::bytes).sum(),
        What::Commit | What::Rollback => 0,
    };
    let asked = link.ask_within(Link::patience(bytes), async |open| {
        if !is_first && !open.is_in_step {
            return Ok(match what {
                What::Rollback => Ok(Answer::default()),
                _ => Err(SqlError::Away(format!("{address}: the connection was lost in the middle of a step"))),
            });
        }
        if is_first && open.is_in_step {
            // Whoever asked it did not come to its end.
            open.client.batch_execute("ROLLBACK").await?;
        }
        open.is_in_step = !matches!(what, What::Commit | What::Rollback);
        match run(open, what, is_first).await {
            Err(Trouble::Sql(error)) if error.as_db_error().is_none() => Err(error),
            Ok(answer) => Ok(Ok(answer)),
            Err(trouble) => {
                // What was locked is free at once.
                if std::mem::take(&mut open.is_in_step) {
                    open.client.batch_execute("ROLLBACK").await?;
                }
                Ok(Err(match trouble {
                    Trouble::Sql(error) => said(address, error.as_db_error()),
                    Trouble::Value(why) => SqlError::Words(why),
                }))
            }
        }
    });
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failed::Said(error)),
        Err(error) => Err(Failed::Link(error)),
    }
}

enum Trouble {
    Sql(Error),
    Value(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

async fn run(open: &mut Open, what: &What, is_first: bool) -> Result<Answer, Trouble> {
    let (sql, all) = match what {
        What::Commit => return Ok(open.client.batch_execute("COMMIT").await.map(|()| Answer::default())?),
        What::Rollback => return Ok(open.client.batch_execute("ROLLBACK").await.map(|()| Answer::default())?),
        What::Execute(sql, all) => (*sql, all.as_slice()),
        What::Rows(sql, values) => (*sql, std::slice::from_ref(values)),
    };
    let statement = open.statement(sql).await?;
    let client = &open.client;
    let begin = async { if is_first { client.batch_execute(BEGIN).await } else { Ok(()) } };
    if let (What::Rows(..), [values]) = (what, all) {
        let bound = bound(&statement, values)?;
        let values = borrowed(&bound);
        let ((), rows) = tokio::try_join!(biased; begin, client.query(&statement, &values))?;
        return Ok(Answer { rows, changed: 0 });
    }
    let mut changed = 0_u64;
    begin.await?;
    for some in all.chunks(AT_A_TIME) {
        let bound = some.iter().map(|values| bound(&statement, values)).collect::<Result<Vec<_>, _>>()?;
        changed = changed.saturating_add(together(client, &statement, &bound).await?);
    }
    Ok(Answer { changed, rows: Vec::new() })
}

type Bound<'a> = Vec<Box<dyn ToSql + Sync + 'a>>;

/// Sends all of them before the first one is answered.
async fn together(client: &Client, statement: &Statement, all: &[Bound<'_>]) -> Result<u64, Error> {
    let one = async |bound: &Bound<'_>| client.execute(statement, &borrowed(bound)).await;
    let mut waiting: Vec<_> = all.iter().map(|bound| Box::pin(one(bound))).collect();
    let mut changed = 0_u64;
    // Each is sent when it is looked at first, and they are answered in that order.
    poll_fn(|context| {
        let mut failed = None;
        waiting.retain_mut(|one| match one.as_mut().poll(context) {
            _ if failed.is_some() => false,
            Poll::Pending => true,
            Poll::Ready(Ok(more)) => {
                changed = changed.saturating_add(more);
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if waiting.is_empty() => Poll::Ready(Ok(changed)),
            None => Poll::Pending,
        }
    })
    .await
}

fn borrowed<'b>(bound: &'b Bound<'_>) -> Vec<&'b (dyn ToSql + Sync)> {
    bound.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

/// A value on its way to the thread.
#[derive(Debug)]
enum Held {
    Null,
    Integer(i64),
    Real(f64),
    Bool(bool),
    Text(String),
    Blob(Vec<u8>),
}

impl Held {
    const fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            _ => 8,
        }
    }
}

fn held(values: &[Value<'_>]) -> Vec<Held> {
    let one = |value: &Value<'_>| match *value {
        Value::Null => Held::Null,
        Value::Integer(number) => Held::Integer(number),
        Value::Real(number) => Held::Real(number),
        Value::Bool(is) => Held::Bool(is),
        Value::Text(text) => Held::Text(text.to_owned()),
        Value::Blob(bytes) => Held::Blob(bytes.to_owned()),
    };
    values.iter().map(one).collect()
}

/// The values as the database takes them in these places: a number is as wide as the column.
fn bound<'a>(statement: &Statement, values: &'a [Held]) -> Result<Bound<'a>, Trouble> {
    let types = statement.params();
    if types.len() != values.len() {
        return Err(Trouble::Value("a statement has other values than it names".to_owned()));
    }
    let one = |(ty, value): (&Type, &'a Held)| -> Option<Box<dyn ToSql + Sync + 'a>> {
        let number = match *value {
            Held::Integer(number) => Some(number),
            Held::Bool(is) => Some(i64::from(is)),
            _ => None,
        };
        let is_null = matches!(value, Held::Null);
        Some(match *ty {
            _ if !is_null && number.is_none() => match value {
                Held::Real(real) => Box::new(real),
                Held::Text(text) => Box::new(text),
                Held::Blob(bytes) => Box::new(bytes),
                _ => return None,
            },
            Type::BOOL => Box::new(number.map(|number| number != 0)),
            Type::INT2 => Box::new(number.map(i16::try_from).transpose().ok()?),
            Type::INT4 => Box::new(number.map(i32::try_from).transpose().ok()?),
            Type::INT8 => Box::new(number),
            _ if !is_null => return None,
            Type::FLOAT8 => Box::new(None::<f64>),
            Type::BYTEA => Box::new(None::<&[u8]>),
            _ => Box::new(None::<&str>),
        })
    };
    let wrong = |ty: &Type| Trouble::Value(format!("a value of a statement is no {ty}"));
    types.iter().zip(values).map(|(ty, value)| one((ty, value)).ok_or_else(|| wrong(ty))).collect()
}

/// What the database says, in words.
fn said(address: &Address, error: Option<&DbError>) -> SqlError {
    let Some(error) = error else { return SqlError::Away(format!("{address}: the database did not answer")) };
    let (code, why) = (error.code(), format!("{address}: {}", error.message()));
    // Whoever comes again may find it otherwise: connections, resources, a standby, locks, a shutdown, its disk.
    let is_away = ["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.code().starts_with(class));
    match *code {
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => SqlError::Damaged(why),
        _ if is_away => SqlError::Away(why),
        _ => SqlError::Words(why),
    }
}
