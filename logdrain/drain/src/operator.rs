//! The operator's door: `operator.sock` in the store's folder. Who may open the folder may ask.
//!
//! A request is one line of JSON, and so is the answer:
//!
//! ```text
//! {"do":"list"}                     {"drains":[{"drain":"shop/drain-0f3a52c1","heard":"2026-…","refused_until":null}]}
//! {"do":"drop","drain":"shop/…"}    {"done":"shop/drain-0f3a52c1"}
//! {"do":"change","change":{…}}      {"changed":1007}
//!                                   {"error":"there is no such drain"}
//! ```
//!
//! A request has a most length and a most time, and there are only so many at a time: whoever hangs here harms nobody.

use crate::drain_name::DrainName;
use crate::journal::Listed;
use crate::people::{Ask, Told};
use crate::settings::change::Change;
use serde::{Deserialize, Serialize};

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Request {
    List,
    Drop {
        drain: String,
    },
    /// Members and tokens.
    People {
        ask: Ask,
    },
    /// A change of what accounts have.
    Change {
        change: Box<Change>,
    },
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    Drains(Vec<Line>),
    Done(String),
    People(Told),
    /// With the number that it gave.
    Changed(Option<u32>),
    Error(String),
}

/// A drain, as it may be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    pub drain: String,
    pub heard: Option<String>,
    pub refused_until: Option<String>,
}

impl From<&Listed> for Line {
    fn from(listed: &Listed) -> Self {
        Self {
            drain: shown(listed),
            heard: listed.heard.map(|time| time.to_string()),
            refused_until: listed.refused_until.map(|time| time.to_string()),
        }
    }
}

fn shown(listed: &Listed) -> String {
    DrainName::of(&listed.drain).shown().to_string()
}

/// The drain with a place that an operator means, by the name that is shown.
///
/// # Errors
/// When there is none.
pub fn meant<'a>(name: &str, all: &'a [Listed]) -> Result<&'a Listed, String> {
    let mut found = all.iter().filter(|listed| listed.refused_until.is_none() && shown(listed) == name);
    match (found.next(), found.next()) {
        (Some(listed), None) => Ok(listed),
        (None, _) => Err("there is no such drain; `logdrain drains list` prints them".to_owned()),
        _ => Err("two drains are called so: stop one of them and wait until it gave way".to_owned()),
    }
}

#[cfg(unix)]
pub use door::{Door, path};

#[cfg(unix)]
mod door {
    use super::{Line, Reply, Request, meant};
    use crate::drain_name::DrainName;
    use crate::ending;
    use crate::intake::Intake;
    use crate::journal::{Answer, ChangeError, Listed, Message};
    use crate::people::People;
    use crate::settings::change::Change;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::runtime::Handle;
    use tokio::sync::{Semaphore, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    /// The longest request.
    const REQUEST: u64 = 64 << 10;
    /// How long one may take, all in all.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// Requests at a time; who comes beyond them is sent away.
    const AT_A_TIME: usize = 8;
    /// After an error of `accept`.
    const AGAIN: Duration = Duration::from_millis(100);

    pub fn path(store: &Path) -> PathBuf {
        store.join("operator.sock")
    }

    /// Open as long as it is held.
    #[derive(Debug)]
    pub struct Door {
        path: PathBuf,
        task: JoinHandle<()>,
    }

    impl Door {
        /// Opens the door of a store that is locked: what a server left there that was killed goes. `None`, and a word in
        /// the log, when it cannot be opened; the server does without then.
        pub fn open(store: &Path, intake: Arc<Intake>, people: People, runtime: &Handle) -> Option<Self> {
            let path = path(store);
            let bind = || {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                let _inside = runtime.enter();
                let listener = UnixListener::bind(&path)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                Ok(listener)
            };
            match bind() {
                Ok(listener) => Some(Self { path, task: runtime.spawn(accept(listener, intake, people)) }),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "operators cannot be listened to here");
                    None
                }
            }
        }
    }

    impl Drop for Door {
        fn drop(&mut self) {
            self.task.abort();
            let _ = fs::remove_file(&self.path);
        }
    }

    async fn accept(listener: UnixListener, intake: Arc<Intake>, people: People) {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let (intake, people) = (intake.clone(), people.clone());
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, speak(stream, &intake, &people)).await;
                drop(place);
            });
        }
    }

    async fn speak(mut stream: UnixStream, intake: &Intake, people: &People) {
        let mut line = Vec::new();
        let mut chunk = [0; 512];
        while !line.contains(&b'\n') && (line.len() as u64) < REQUEST {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(len) => line.extend_from_slice(chunk.get(..len).unwrap_or_default()),
            }
        }
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let reply = match serde_json::from_slice(line) {
            Ok(request) => answer(request, intake, people).await,
            Err(_) => Reply::Error("a request is one line, such as {\"do\":\"list\"}".to_owned()),
        };
        let mut text = serde_json::to_vec(&reply).unwrap_or_default();
        text.push(b'\n');
        let _ = stream.write_all(&text).await;
    }

    async fn answer(request: Request, intake: &Intake, people: &People) -> Reply {
        let busy = || Reply::Error("the journal is busy or closed: try again".to_owned());
        if let Request::People { ask } = request {
            let (people, settings) = (people.clone(), intake.settings());
            return match tokio::task::spawn_blocking(move || people.answer(ask, &settings)).await {
                Ok(Ok(told)) => Reply::People(told),
                Ok(Err(why)) => Reply::Error(why.to_string()),
                Err(_) => busy(),
            };
        }
        if let Request::Change { change } = request {
            let destroyed = match &*change {
                Change::Destroy { account, .. } => Some(account.clone()),
                _ => None,
            };
            return match intake.change(*change).await {
                Ok(changed) => {
                    if let Some(account) = destroyed {
                        ending::closed(&people.directory, intake, &account, changed.position).await;
                    }
                    Reply::Changed(changed.id)
                }
                Err(ChangeError::Unfit(unfit)) => Reply::Error(unfit.why),
                Err(ChangeError::CannotStore) => busy(),
            };
        }
        let Some(drains) = list(intake).await else { return busy() };
        match request {
            Request::List | Request::Change { .. } | Request::People { .. } => {
                Reply::Drains(drains.iter().map(Line::from).collect())
            }
            Request::Drop { drain } => {
                let drain = match meant(&drain, &drains) {
                    Ok(listed) => listed.drain.clone(),
                    Err(why) => return Reply::Error(why),
                };
                let (answer, answered) = oneshot::channel();
                let sent = intake.queue().map(|queue| queue.try_send(Message::Drop { drain: drain.clone(), answer }));
                if !matches!(sent, Some(Ok(()))) {
                    return busy();
                }
                match answered.await {
                    Ok(Answer::Kept) => {
                        let name = DrainName::of(&drain).shown().to_string();
                        tracing::warn!(drain = name, "an operator dropped this drain");
                        Reply::Done(name)
                    }
                    Ok(Answer::Unknown) => Reply::Error("it lost its place just now".to_owned()),
                    Ok(_) => Reply::Error("the disk does not take it: try again".to_owned()),
                    Err(_) => busy(),
                }
            }
        }
    }

    async fn list(intake: &Intake) -> Option<Vec<Listed>> {
        let (answer, answered) = oneshot::channel();
        intake.queue()?.try_send(Message::Drains(answer)).ok()?;
        answered.await.ok()
    }
}
