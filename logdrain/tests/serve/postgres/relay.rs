//! A way between a server and its database that can be stopped, in one direction or both, made long, and cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between two looks whether a way is open again.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Bytes that are passed on at a time.
const AT_ONCE: usize = 1 << 18;

/// One of the two directions.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    ToDatabase,
    FromDatabase,
}

/// A connection, as far as it is passed on.
#[derive(Default)]
struct Pair {
    ends: Vec<TcpStream>,
    is_stopped: [AtomicBool; 2],
}

impl Pair {
    fn is_stopped(&self, way: Way) -> bool {
        self.is_stopped[way as usize].load(Ordering::SeqCst)
    }

    fn resume(&self) {
        self.is_stopped.iter().for_each(|stopped| stopped.store(false, Ordering::SeqCst));
    }
}

#[derive(Default)]
struct State {
    /// Those that there are.
    pairs: Mutex<Vec<Arc<Pair>>>,
    /// What those will be that come.
    is_stopped: [AtomicBool; 2],
    delay_millis: AtomicU64,
    /// Bytes a millisecond; 0 if there is no bound.
    rate: AtomicU64,
    is_refusing: AtomicBool,
    /// Behind this text, on its way to the database, nothing is answered.
    unanswered: Mutex<Option<String>>,
}

/// Passes on what comes, until something else is said.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<State>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = relay.state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let database = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                // Whoever is refused finds his connection closed.
                if let Ok(database) = database
                    && !state.is_refusing.load(Ordering::SeqCst)
                {
                    state.pass(client, database);
                }
            }
        });
        relay
    }

    /// Nothing passes any more on the connections that there are: bytes are taken, and nobody is told.
    pub(crate) fn stop(&self, way: Way) {
        for pair in &*self.state.pairs.lock().unwrap() {
            pair.is_stopped[way as usize].store(true, Ordering::SeqCst);
        }
    }

    /// The same, also for those that come, until [`open`](Self::open).
    pub(crate) fn stop_all(&self, way: Way) {
        self.state.is_stopped[way as usize].store(true, Ordering::SeqCst);
        self.stop(way);
    }

    /// On the connection on which this text is passed on to the database next, nothing is answered from then on.
    pub(crate) fn stop_behind(&self, text: &str) {
        *self.state.unanswered.lock().unwrap() = Some(text.to_owned());
    }

    /// Whether that has come.
    pub(crate) fn has_stopped(&self) -> bool {
        self.state.unanswered.lock().unwrap().is_none()
    }

    /// Connections that come are passed on. Those that were stopped stay so: what was on their way is lost.
    pub(crate) fn open(&self) {
        self.state.is_stopped.iter().for_each(|stopped| stopped.store(false, Ordering::SeqCst));
        self.state.is_refusing.store(false, Ordering::SeqCst);
    }

    /// What was stopped goes on where it stopped.
    pub(crate) fn resume(&self) {
        self.open();
        self.state.pairs.lock().unwrap().iter().for_each(|pair| pair.resume());
    }

    /// Ends all connections, both ways at once.
    pub(crate) fn cut(&self) {
        for pair in self.state.pairs.lock().unwrap().drain(..) {
            pair.resume();
            for end in &pair.ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    /// Nobody comes through until [`open`](Self::open).
    pub(crate) fn refuse(&self) {
        self.state.is_refusing.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// How many bytes a millisecond come through, each way.
    pub(crate) fn narrow(&self, rate: u64) {
        self.state.rate.store(rate, Ordering::SeqCst);
    }

    /// How long everything takes, each way.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.delay_millis.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.refuse();
    }
}

impl State {
    fn pass(self: &Arc<Self>, client: TcpStream, database: TcpStream) {
        for end in [&client, &database] {
            end.set_nodelay(true).unwrap();
        }
        let ends = vec![client.try_clone().unwrap(), database.try_clone().unwrap()];
        let is_stopped = [0, 1].map(|way: usize| AtomicBool::new(self.is_stopped[way].load(Ordering::SeqCst)));
        let pair = Arc::new(Pair { ends, is_stopped });
        self.pairs.lock().unwrap().push(pair.clone());
        let to = (client.try_clone().unwrap(), database.try_clone().unwrap());
        for (way, (from, to)) in [(Way::ToDatabase, to), (Way::FromDatabase, (database, client))] {
            let (state, pair) = (self.clone(), pair.clone());
            std::thread::spawn(move || state.carry(&pair, way, from, to));
        }
    }

    fn carry(&self, pair: &Pair, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; AT_ONCE];
        while let Ok(count) = from.read(&mut bytes)
            && count > 0
        {
            if matches!(way, Way::ToDatabase) {
                self.look_at(pair, &bytes[..count]);
            }
            let rate = self.rate.load(Ordering::SeqCst);
            let takes = u64::try_from(count).unwrap().checked_div(rate).unwrap_or(0);
            let delay = Duration::from_millis(takes + self.delay_millis.load(Ordering::SeqCst));
            if !delay.is_zero() {
                std::thread::sleep(delay);
            }
            while pair.is_stopped(way) {
                std::thread::sleep(LOOK_EVERY);
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // Of a machine that is gone nobody hears that it has closed anything.
        while pair.is_stopped(Way::ToDatabase) || pair.is_stopped(Way::FromDatabase) {
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = from.shutdown(Shutdown::Read);
        let _ = to.shutdown(Shutdown::Write);
    }

    fn look_at(&self, pair: &Pair, bytes: &[u8]) {
        let mut text = self.unanswered.lock().unwrap();
        let is_it = |text: &String| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        if text.as_ref().is_some_and(is_it) {
            *text = None;
            pair.is_stopped[Way::FromDatabase as usize].store(true, Ordering::SeqCst);
        }
    }
}
