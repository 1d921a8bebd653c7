//! One connection for one thread: made when it is needed, given up when it does not answer.

use super::address::Address;
use super::failure::{Elsewhere, LinkError};
use super::tls::Tls;
use logdrain_terms::client::certificate_trouble;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};

/// A statement that takes longer is ended by the database,
const STATEMENT: Duration = Duration::from_secs(3);
/// and one that is not answered is given up: whether it was done is asked then.
const ANSWER: Duration = Duration::from_secs(4);
/// What is large may take longer: so many bytes a second come through, at least.
const BYTES_A_SECOND: usize = 1 << 20;
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_millis(200);

/// The partition of a journal that one server has.
const PARTITION: i32 = 0;

/// Said by our functions: another node writes to the partition.
const TAKEN_OVER: &str = "LD001";

/// Said by the client when the database refuses to be spoken to in TLS.
const NO_TLS: &str = "server does not support TLS";

/// A connection of one thread.
pub(crate) struct Link {
    runtime: Runtime,
    address: Address,
    tls: Tls,
    open: Option<Open>,
    /// The last try to connect, when it failed.
    failed: Option<(Instant, Elsewhere)>,
    /// The node that writes by it.
    node: Option<String>,
    /// Where tables are looked for that are named without a schema.
    schema: Option<&'static str>,
}

/// A connection that is there.
pub(crate) struct Open {
    pub(crate) client: Client,
    /// A transaction was begun by it that has not ended.
    pub(crate) is_in_step: bool,
    statements: HashMap<&'static str, Statement>,
}

impl Open {
    /// A statement, prepared once.
    pub(crate) async fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        match self.statements.entry(sql) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(free) => Ok(free.insert(self.client.prepare(sql).await?).clone()),
        }
    }
}

impl Link {
    pub(crate) fn new(address: &Address) -> Result<Self, LinkError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| LinkError::elsewhere(format!("no connection can be made: {error}")))?;
        Ok(Self {
            runtime,
            tls: address.tls()?,
            address: address.clone(),
            open: None,
            failed: None,
            node: None,
            schema: None,
        })
    }

    /// Whose it is: nobody else is that node, whatever epoch the database tells of it.
    pub(crate) fn is_of(&mut self, node: &str) {
        self.node = Some(node.to_owned());
    }

    /// Tables that are named without a schema are those of this one.
    pub(crate) const fn looks_in(&mut self, schema: &'static str) {
        self.schema = Some(schema);
    }

    /// How long so many bytes may take to be answered.
    pub(crate) fn patience(bytes: usize) -> Duration {
        let millis = bytes.saturating_mul(1_000) / BYTES_A_SECOND;
        ANSWER.saturating_add(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    /// Asks something of the database. When it fails nobody knows whether what it was to write is there.
    pub(crate) fn ask<T>(&mut self, what: impl AsyncFnOnce(&mut Open) -> Result<T, Error>) -> Result<T, LinkError> {
        self.ask_within(ANSWER, what)
    }

    /// The same, of what may take its time. A database that is gone is told from one that works by the system.
    pub(crate) fn ask_within<T>(
        &mut self,
        patience: Duration,
        what: impl AsyncFnOnce(&mut Open) -> Result<T, Error>,
    ) -> Result<T, LinkError> {
        if let Some((tried, error)) = &self.failed
            && tried.elapsed() < AGAIN
        {
            return Err(LinkError::Elsewhere(error.clone()));
        }
        let Self { runtime, address, tls, open, failed, node, schema } = self;
        runtime.block_on(async {
            let mut now = match open.take().filter(|open| !open.client.is_closed()) {
                Some(open) => open,
                None => match connect(address, tls, *schema).await {
                    Ok(open) => open,
                    Err(error) => {
                        *failed = Some((Instant::now(), error.clone()));
                        return Err(LinkError::Elsewhere(error));
                    }
                },
            };
            *failed = None;
            match timeout(patience, what(&mut now)).await {
                Ok(outcome) => {
                    let is_older = match &outcome {
                        Err(error) if is_taken_over(error) => is_held_by(&now, node.as_deref()).await,
                        _ => false,
                    };
                    // Whoever is told that it is over knows before it is asked again.
                    if !now.client.is_closed() {
                        *open = Some(now);
                    }
                    outcome.map_err(|error| if is_older { older(address) } else { of(address, &error) })
                }
                Err(_) => Err(LinkError::elsewhere(format!("{address}: the database does not answer"))),
            }
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).field("is_open", &self.open.is_some()).finish()
    }
}

async fn connect(address: &Address, tls: &Tls, schema: Option<&str>) -> Result<Open, Elsewhere> {
    let made = async {
        let (client, connection) = address.config().connect(tls.clone()).await?;
        // It is driven whenever something is asked.
        tokio::spawn(async move { drop(connection.await) });
        // Whoever is gone without a word is not waited for there for hours. What the database remarks, such as that a step which
        // failed is over, would be a line of the log with each try.
        let settings = format!(
            "SET statement_timeout = {0}; SET idle_in_transaction_session_timeout = {0}; SET lock_timeout = {0};
             SET client_min_messages = error;
             SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            STATEMENT.as_millis()
        );
        client.batch_execute(&settings).await?;
        if let Some(schema) = schema {
            client.batch_execute(&format!("SET search_path = {schema}")).await?;
        }
        Ok(Open { client, is_in_step: false, statements: HashMap::new() })
    };
    match timeout(ANSWER, made).await {
        Ok(Ok(open)) => Ok(open),
        Ok(Err(error)) => Err(described(address, &error)),
        Err(_) => Err(Elsewhere::new(format!("{address}: the database does not answer"))),
    }
}

fn is_taken_over(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| said.code().code() == TAKEN_OVER)
}

/// Whether it is this very node that has the partition, at another epoch than it knows.
async fn is_held_by(now: &Open, node: Option<&str>) -> bool {
    let sql = "SELECT owner FROM logdrain.part WHERE p = $1";
    let asked = timeout(ANSWER, now.client.query_one(sql, &[&PARTITION])).await;
    let owner = asked.ok().and_then(Result::ok).and_then(|row| row.try_get::<_, String>(0).ok());
    owner.is_some() && owner.as_deref() == node
}

/// Whoever writes asks where it stands then.
fn older(address: &Address) -> LinkError {
    LinkError::elsewhere(format!("{address}: the database is an older one than it was"))
}

fn of(address: &Address, error: &Error) -> LinkError {
    match error.as_db_error() {
        Some(said) if said.code().code() == TAKEN_OVER => LinkError::TakenOver(said.message().to_owned()),
        _ => LinkError::Elsewhere(described(address, error)),
    }
}

/// What happened, in words that hold no password.
fn described(address: &Address, error: &Error) -> Elsewhere {
    let Some(said) = error.as_db_error() else {
        let mut text = format!("{address}: {error}");
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let more = error.to_string();
            if let Some(why) = error.downcast_ref().and_then(certificate_trouble) {
                return Elsewhere::for_good(format!("{address}: {why}"));
            }
            if more == NO_TLS {
                return Elsewhere::for_good(format!(
                    "{address}: the database does not speak TLS: set ssl = on there, or have password and deliveries go \
                     in the clear with sslmode=disable in journal"
                ));
            }
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        return Elsewhere::new(text);
    };
    let code = said.code();
    let text = format!("{address}: {}", said.message());
    let is_final = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ]
    .contains(code);
    let mut error = Elsewhere::new(text);
    (error.is_final, error.is_full) = (is_final, *code == SqlState::DISK_FULL);
    error
}
