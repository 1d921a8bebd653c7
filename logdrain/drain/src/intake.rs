//! Intake: connections, credentials, bodies, and a queue to the journal. Everything here has a bound, and what does not
//! fit is answered with 503 and a time to come again.

mod accepting;
mod body;
mod changes;
pub mod connections;
mod credentials;
mod guesses;
pub mod http;
mod measurements;
mod notices;
mod paced;
mod parameters;
pub mod port;
mod recorded;
mod syslog;
mod tls;
mod tries;

pub use accepting::{Way, accept};
pub use connections::Connections;
pub use credentials::{Access, basic};
pub use measurements::{MEASURED_BODY, Retry};
pub use tls::Tls;

use crate::counters::{Counters, Refused};
use crate::drain_name::port_of;
use crate::journal::{Message, Progress};
use crate::limits::IntakeLimits;
use crate::parts::{Part, Parts, Split};
use crate::settings::Settings;
use changes::Changes;
use guesses::Guesses;
use notices::Notice;
use paced::Paced;
use parameters::Heard;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;

/// What every request needs.
#[derive(Debug)]
pub struct Intake {
    pub limits: IntakeLimits,
    access: RwLock<Arc<Access>>,
    tls: RwLock<Option<Tls>>,
    /// As of the last commit.
    settings: RwLock<Arc<Settings>>,
    /// Who may come in by the configuration; with the drains that accounts have, that is `access`.
    configured: Mutex<Access>,
    /// When drains said what their apps are called.
    heard: Mutex<Heard>,
    /// How fast accounts change their settings.
    changes: Changes,
    /// Memory for bodies, in units of [`UNIT`] bytes.
    budget: Arc<Semaphore>,
    /// Memory for syslog frames of which the end has not come: whoever sends beginnings takes nothing from others.
    frames: Arc<Semaphore>,
    /// The part of it that is for the first unit of each connection: whoever sends long ones keeps no short one out.
    beginnings: Arc<Semaphore>,
    /// Memory for `/metrics` and the page.
    answers: Arc<Semaphore>,
    unzip_queue: Semaphore,
    unzipping: Semaphore,
    guesses: Guesses,
    wrong_credentials: Notice,
    other_path: Notice,
    from_browser: Notice,
    not_accepted: Notice,
    /// There when the store is open.
    queues: RwLock<Option<Queues>>,
    closed: AtomicBool,
    pub progress: Arc<Progress>,
    pub counters: Arc<Counters>,
    pub connections: Arc<Connections>,
    /// The journal has been read to its end.
    pub ready: Arc<AtomicBool>,
}

/// The ways to the partitions of the journal, by their number.
#[derive(Clone, Debug)]
pub struct Queues {
    pub parts: Parts,
    pub split: Split,
    pub all: Arc<[SyncSender<Message>]>,
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the other side has said that nothing more will come.
    fn is_hung_up(&self) -> bool;
}

impl Stream for Paced {
    fn is_hung_up(&self) -> bool {
        Self::is_hung_up(self)
    }
}

impl Stream for TlsStream<Paced> {
    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }
}

/// How often it is looked whether something is to be told.
const LOOK: Duration = Duration::from_secs(5);
/// What the budget is counted in; a body takes whole units.
pub const UNIT: usize = 1_024;

impl Intake {
    /// Intake that takes nothing until it is [opened](Self::open).
    pub fn new(
        limits: IntakeLimits,
        access: Access,
        tls: Option<Tls>,
        settings: Settings,
        progress: Arc<Progress>,
        counters: Arc<Counters>,
        ready: Arc<AtomicBool>,
    ) -> Self {
        let beginnings = limits.connections.min(limits.frames / UNIT / 2);
        Self {
            limits,
            access: RwLock::new(Arc::new(access.clone())),
            configured: Mutex::new(access),
            tls: RwLock::new(tls),
            settings: RwLock::new(Arc::new(settings)),
            heard: Mutex::default(),
            changes: Changes::default(),
            budget: Arc::new(Semaphore::new((limits.bodies - limits.frames) / UNIT)),
            frames: Arc::new(Semaphore::new(limits.frames / UNIT - beginnings)),
            beginnings: Arc::new(Semaphore::new(beginnings)),
            answers: Arc::new(Semaphore::new(limits.answers / UNIT)),
            unzip_queue: Semaphore::new(body::UNZIP_QUEUE),
            unzipping: Semaphore::new(body::UNZIP_TURNS),
            guesses: Guesses::default(),
            wrong_credentials: Notice::new("requests with wrong credentials, or a token that is not theirs"),
            other_path: Notice::new(
                "deliveries to another path than /logs: Logplex drops them; look at the drain's URL",
            ),
            from_browser: Notice::new("requests from pages in a browser, which are not let in without credentials"),
            not_accepted: Notice::new("connections could not be accepted, and one was closed to make room for each"),
            queues: RwLock::new(None),
            closed: AtomicBool::new(false),
            progress,
            counters,
            connections: Arc::new(Connections::new(limits.connections)),
            ready,
        }
    }

    /// Lets deliveries through to the journal.
    pub fn open(&self, queue: SyncSender<Message>) {
        self.open_parts(Queues { parts: Parts::ONE, split: Split::ByDrain, all: Arc::new([queue]) });
    }

    /// Lets deliveries through to the journal, each to its partition.
    pub fn open_parts(&self, queues: Queues) {
        *self.queues.write().unwrap_or_else(PoisonError::into_inner) = Some(queues);
    }

    pub fn access(&self) -> Arc<Access> {
        self.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What encrypts connections, where they are encrypted.
    fn tls(&self) -> Option<Tls> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls().is_some()
    }

    pub fn set_tls(&self, tls: Option<Tls>) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    /// What the configuration says from now on of who may come in.
    pub fn set_access(&self, access: Access) {
        let mut configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        *configured = access;
        self.let_in(&mut configured, &self.settings());
    }

    fn let_in(&self, configured: &mut Access, settings: &Settings) {
        let access = configured.with_accounts(settings);
        // Where somebody has credentials, nobody comes in without, also when they are taken away again.
        if !access.is_open() {
            configured.close();
        }
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    /// The settings as of the last commit.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes by these settings, which are on the disk.
    pub fn follow(&self, settings: &Arc<Settings>) {
        let mut configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.settings();
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings.clone();
        let own = |settings: &Settings| {
            let with = settings.accounts.values().filter(|account| !account.drains.is_empty());
            with.map(Arc::as_ptr).collect::<Vec<_>>()
        };
        if own(&before) != own(settings) {
            self.let_in(&mut configured, settings);
        }
    }

    /// The way to the journal for what is of no drain; `None` while it is closed, or has partitions.
    pub fn queue(&self) -> Option<SyncSender<Message>> {
        self.queues().filter(|queues| queues.parts == Parts::ONE)?.all.first().cloned()
    }

    /// The way to the journal for what an account says; `None` while it is closed, or has partitions that hold no whole accounts:
    /// nothing is changed there.
    pub fn queue_of_account(&self, account: &str) -> Option<SyncSender<Message>> {
        let queues = self.queues()?;
        let is_one = queues.parts == Parts::ONE || queues.split == Split::ByAccount;
        queues.all.get(usize::from(queues.parts.of(account).number())).filter(|_| is_one).cloned()
    }

    /// The same, also where partitions hold no whole accounts: that by the account's name.
    fn queue_at(&self, account: &str) -> Option<SyncSender<Message>> {
        let queues = self.queues()?;
        queues.all.get(usize::from(queues.parts.of(account).number())).cloned()
    }

    /// The partition by an account's name.
    pub fn part_of(&self, account: &str) -> Option<Part> {
        Some(self.queues()?.parts.of(account))
    }

    /// The same, for what an account says of one of its drains.
    fn queue_of_settings(&self, drain: &str) -> Option<SyncSender<Message>> {
        let queues = self.queues()?;
        if queues.parts != Parts::ONE && queues.split == Split::ByDrain { None } else { self.queue_of(drain) }
    }

    /// The way to the journal for a drain; `None` while it is closed.
    pub fn queue_of(&self, drain: &str) -> Option<SyncSender<Message>> {
        let queues = self.queues()?;
        let part = match queues.split {
            Split::ByDrain => queues.parts.of(drain),
            Split::ByAccount => {
                let settings = self.settings();
                queues.parts.of(port_of(drain).map_or_else(|| settings.account_of(drain), |(account, _)| account))
            }
        };
        queues.all.get(usize::from(part.number())).cloned()
    }

    /// Whether deliveries are let through.
    pub fn is_open(&self) -> bool {
        self.queues().is_some()
    }

    /// Whether drains may have come of which this server does not know: it goes by what was known before it started.
    pub(crate) fn remembers(&self) -> bool {
        self.progress.nodes.remembers.load(Ordering::Acquire)
    }

    fn queues(&self) -> Option<Queues> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what the configuration says, for all deliveries that are taken from now on.
    ///
    /// # Errors
    /// When the journal takes nothing now. Nothing has changed then.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) -> Result<(), Refused> {
        let mut configuration = self.settings().configuration();
        change(&mut configuration);
        let queues = self.queues().ok_or(Refused::CannotStore)?;
        for queue in queues.all.iter() {
            queue.try_send(Message::Settings(Box::new(configuration.clone()))).map_err(|_| Refused::Queue)?;
        }
        Ok(())
    }

    /// Nothing is taken any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.queues.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Bytes that bodies and frames may still take.
    pub fn free_memory(&self) -> usize {
        let free = [&self.budget, &self.frames, &self.beginnings].map(|memory| memory.available_permits());
        free.iter().sum::<usize>() * UNIT
    }

    /// Counts credentials that were wrong, and tells of them.
    fn refuse_credentials(&self, peer: IpAddr) {
        self.counters.refuse(Refused::Credentials);
        self.wrong_credentials.add(Some(peer), None);
    }

    /// Tells what there is to tell once a minute, for ever.
    pub async fn tell(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            for notice in [&self.wrong_credentials, &self.other_path, &self.from_browser, &self.not_accepted] {
                notice.look();
            }
        }
    }

    /// A share of the memory for answers, for as long as it is held; `None` when there is not so much.
    pub fn lease(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.answers.clone().try_acquire_many_owned(units).ok()
    }

    /// Whether the disk took what came last.
    pub fn is_storing(&self) -> bool {
        self.progress.storing.load(Ordering::Acquire)
    }

    /// Whether deliveries are being counted and kept.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && self.is_storing() && self.is_open() && self.progress.trouble().is_none()
    }
}
