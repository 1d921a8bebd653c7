//! What others speak to: listeners, intake and pages, as tasks of the runtime; and what they and the threads behind them both hold.

use crate::args::ServeArgs;
use crate::serve::config::Config;
use crate::serve::listening::{Listening, Socket};
use crate::serve::notify;
use crate::serve::reload::Running;
use logdrain_drain::alerts::channel::sending::Sender as Alerts;
use logdrain_drain::alerts::channel::{Links, Mailer};
use logdrain_drain::alerts::outbox::Outbox;
use logdrain_drain::archives;
use logdrain_drain::counters::Counters;
use logdrain_drain::counting::Board;
use logdrain_drain::directory::Directory;
use logdrain_drain::door::Outbound;
use logdrain_drain::homes::Homes;
use logdrain_drain::intake::{self, Intake, Way};
use logdrain_drain::journal::Progress;
use logdrain_drain::limits::IntakeLimits;
use logdrain_drain::logs;
use logdrain_drain::minutes::{Keeping, Minutes};
use logdrain_drain::neighbours::{Neighbours, Url};
use logdrain_drain::noting;
use logdrain_drain::plan_notices;
use logdrain_drain::seal::KeyFile;
use logdrain_terms::failure::Failure;
use logdrain_web::addon::Addon;
use logdrain_web::{Answers, Events, House, Passing, Site};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task;

/// Deliveries that wait for the next commit.
pub(super) const QUEUE: usize = 4_096;
/// Commits that wait for the pipelines in memory; more of them wait on the disk.
pub(super) const COMMITS_AHEAD: usize = 2;
/// Beyond the time of an answer, for connections that do not end.
const LAST_CALL: Duration = Duration::from_secs(1);
/// Between two tries to open the store.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Why it is time to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Asked,
    ThreadEnded,
}

/// What front and back both hold.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) progress: Arc<Progress>,
    pub(super) counters: Arc<Counters>,
    /// The journal has been read to its end.
    pub(super) ready: Arc<AtomicBool>,
    pub(super) board: Board,
    /// What there is to see of the lines.
    pub(super) logs: logs::Boards,
    /// And of their archives.
    pub(super) archives: archives::Boards,
    /// Rows that cannot go out are waited for no more.
    pub(super) stop: Arc<AtomicBool>,
    /// The rows' file is to be opened again.
    pub(super) reopen: Arc<AtomicBool>,
    /// Where nodes pass requests on: who is home of what, and how this one is reached.
    pub(super) homes: Option<(Arc<Homes>, Url)>,
}

impl Shared {
    pub(super) fn new(config: &Config) -> Self {
        let parts = config.cluster.as_ref().map(|cluster| cluster.parts);
        Self {
            progress: Arc::default(),
            counters: Arc::default(),
            ready: Arc::default(),
            board: Board::default(),
            logs: parts.map_or_else(logs::Boards::default, logs::Boards::new),
            archives: parts.map_or_else(|| archives::Boards::of_store(&config.store), archives::Boards::new),
            stop: Arc::default(),
            reopen: Arc::default(),
            homes: None,
        }
    }
}

/// What others speak to: tasks of the runtime.
pub(super) struct Front {
    pub(super) runtime: Runtime,
    pub(super) intake: Arc<Intake>,
    pub(super) directory: Arc<Directory>,
    pub(super) minutes: Minutes,
    /// Alerts on their way.
    pub(super) outbox: Arc<Outbox>,
    /// What links begin with: as configured, or this machine's own address.
    pub(super) base: Option<String>,
    /// Tells the listeners to end.
    close: watch::Sender<bool>,
    listeners: Vec<task::JoinHandle<()>>,
    answer_within: Duration,
}

impl Front {
    pub(super) fn start(
        args: &ServeArgs,
        text: String,
        config: &Arc<Config>,
        connections: usize,
        listening: Listening,
        shared: &Shared,
        ending: &Sender<Ending>,
    ) -> Self {
        let Listening { runtime, http, syslog, listen, syslog_listen, ports } = listening;
        let intake = Arc::new(Intake::new(
            IntakeLimits { connections, ..config.limits },
            config.access.clone(),
            config.tls.clone(),
            config.settings.clone(),
            shared.progress.clone(),
            shared.counters.clone(),
            shared.ready.clone(),
        ));
        let settings = intake.clone();
        let minutes = minutes(config, Keeping::by(move || settings.settings()));
        let outbox = Outbox::new(&config.store);
        let house = House {
            minutes: minutes.clone(),
            store: config.store.clone(),
            journal_limit: config.journal_limit,
            max_memory: config.max_memory(),
            logs: shared.logs.clone(),
            logs_limit: config.keeping.limit,
            archives: shared.archives.clone(),
            outbox: outbox.clone(),
            began: Instant::now(),
        };
        let (close, closing) = watch::channel(false);
        let answers = Answers::new(shared.board.clone(), house, config.metrics);
        let directory = match config.cluster {
            Some(_) => Directory::of_nodes(&config.store),
            None => Directory::new(&config.store),
        };
        let key = Arc::new(KeyFile::new(config.key_file.clone()));
        let outbound = Outbound::new(config.outbound.clone());
        let own = || {
            let scheme = if config.tls.is_some() { "https" } else { "http" };
            listen.ip().is_loopback().then(|| format!("{scheme}://{listen}"))
        };
        let base = config.url.clone().or_else(own);
        let mailer = config.smtp.clone().and_then(|smtp| Mailer::new(smtp).ok());
        let links = Links(base.clone().unwrap_or_default());
        let alerts = Alerts::new(outbox.clone(), directory.clone(), key.clone(), outbound.clone(), mailer, links);
        runtime.spawn(alerts.clone().run());
        let uploads = archives::Uploads::new(shared.archives.clone(), directory.clone(), key.clone(), outbound);
        runtime.spawn(uploads.clone().run());
        let looks = plan_notices::Looks {
            sender: alerts.clone(),
            directory: directory.clone(),
            logs: shared.logs.clone(),
            counting: shared.board.clone(),
            progress: shared.progress.clone(),
        };
        let settings = intake.clone();
        runtime.spawn(plan_notices::look(looks, move || settings.settings()));
        let site = Site::new(
            intake.clone(),
            directory.clone(),
            (shared.board.clone(), shared.logs.clone(), shared.archives.clone(), minutes.clone()),
            (uploads, alerts),
            config.url.clone(),
            config.open_reading,
            config.v1,
        );
        if let Some(listen) = syslog_listen {
            site.listens(listen.port(), "syslog drains");
        }
        let events = Events::new(closing.clone(), site.searches.clone(), shared.logs.clone());
        let addon = config
            .addon
            .clone()
            .map(|addon| Addon::new(addon, key, shared.homes.as_ref().map(|(homes, _)| homes.clone())));
        if let Some(addon) = addon.clone() {
            runtime.spawn(addon.look_after(site.clone()));
        }
        let secret = config.cluster.as_ref().and_then(|cluster| cluster.secret.as_ref());
        let passing = shared.homes.clone().zip(secret).map(|((homes, url), secret)| {
            Passing::new(site.clone(), homes, Neighbours::new(&url, secret), connections, closing.clone())
        });
        let router = logdrain_web::router(&site, addon, answers, events, passing);
        let accept = |listener, way| runtime.spawn(intake::accept(listener, way, intake.clone(), closing.clone()));
        let mut listeners = vec![accept(http, Way::Http(router))];
        listeners.extend(syslog.map(|listener| accept(listener, Way::Syslog)));
        for (port, socket) in ports {
            let bound = match &socket {
                Socket::Stream(listener) => listener.local_addr(),
                Socket::Datagrams(socket) => socket.local_addr(),
            };
            if let Ok(bound) = bound {
                site.listens(bound.port(), "plain syslog");
            }
            listeners.push(match socket {
                Socket::Stream(listener) => accept(listener, Way::Port(port)),
                Socket::Datagrams(socket) => {
                    runtime.spawn(intake::port::receive(socket, port, intake.clone(), closing.clone()))
                }
            });
        }
        let running = Running {
            args: args.clone(),
            config: config.clone(),
            bound: [Some(listen), syslog_listen].into_iter().flatten().collect(),
            text: Mutex::new(text),
            intake: intake.clone(),
            reopen: shared.reopen.clone(),
            asked: AtomicUsize::new(0),
        };
        runtime.spawn(signals(Arc::new(running), ending.clone()));
        let telling = intake.clone();
        runtime.spawn(async move { telling.tell().await });
        runtime.spawn(notify::stay_alive());
        runtime.spawn(noting::note(shared.logs.clone(), directory.clone(), shared.progress.clone()));
        Self {
            runtime,
            intake,
            directory,
            minutes,
            outbox,
            base,
            close,
            listeners,
            answer_within: config.limits.answer_within,
        }
    }

    /// Takes no more connections, answers what is at hand, and ends.
    pub(super) fn close(self) {
        let _ = self.close.send(true);
        let all = async {
            for listener in self.listeners {
                let _ = listener.await;
            }
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(self.answer_within + LAST_CALL, all).await });
        self.runtime.shutdown_timeout(Duration::from_millis(100));
    }
}

/// Tells when the program is asked to end, and reads the configuration again whenever it is asked to.
#[cfg(unix)]
async fn signals(running: Arc<Running>, ending: Sender<Ending>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be caught: kill -9 is what stops this, and it is safe");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => running.reload(),
        }
    }
    let _ = ending.send(Ending::Asked);
}

#[cfg(not(unix))]
async fn signals(_: Arc<Running>, ending: Sender<Ending>) {
    let _ = tokio::signal::ctrl_c().await;
    let _ = ending.send(Ending::Asked);
}

pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    ending: &Sender<Ending>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, Failure> {
    /// Tells of the end, also when it is a panic.
    struct End(Sender<Ending>);
    impl Drop for End {
        fn drop(&mut self) {
            let _ = self.0.send(Ending::ThreadEnded);
        }
    }
    let end = End(ending.clone());
    let work = move || {
        let _end = end;
        work()
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| Failure::Config(format!("no thread could be started: {error}")))
}

/// The kept minutes: in the store's folder, or where all nodes have theirs.
fn minutes(config: &Config, keeping: Keeping) -> Minutes {
    #[cfg(feature = "postgres")]
    if let (Some(cluster), Some(address)) = (&config.cluster, &config.journal) {
        return Minutes::of_nodes(address, cluster.parts, keeping, config.minutes_limit);
    }
    Minutes::new(&config.store, keeping, config.minutes_limit)
}
