//! Posting deliveries, with the patience of Logplex: 5 s for an answer, three tries, and a 4xx is final.

use crate::body::Paced;
use crate::drain::{Delivery, Drain, Job, Loss};
use crate::scenario::{Identity, Mishap, Pace};
use crate::tally::{Outcome, Tally};
use crate::target::{Target, basic};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request};
use indicatif::ProgressBar;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use testkit::random::Random;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What all connections have in common.
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) tries: u32,
    /// Until when everything but a 4xx is tried again.
    pub(crate) until: Option<Instant>,
    pub(crate) timeout: Duration,
    pub(crate) began: Instant,
    /// Lines a second of each drain.
    pub(crate) rate: Option<f64>,
    pub(crate) stop: AtomicBool,
    pub(crate) bar: ProgressBar,
}

/// The most of an answer's body that is read.
const ANSWER: usize = 64 * 1024;
/// How long half a body is let lie before the sender hangs up.
const CUT_OFF: Duration = Duration::from_millis(20);
/// The slots of the back-off are this long.
const SLOT: Duration = Duration::from_millis(10);

/// Posts what the drain gives until it has no more; one of these for each connection.
pub(crate) async fn post_all(run: Arc<Run>, drain: Arc<Mutex<Drain>>, seed: u64) -> Tally {
    let mut poster = Poster { run, drain, connection: None, random: Random::new(seed), tally: Tally::default() };
    loop {
        let job = {
            let mut drain = poster.drain();
            if poster.run.stop.load(Ordering::Relaxed) {
                drain.stop();
            }
            drain.next()
        };
        let Some(job) = job else { return poster.tally };
        if let Some(rate) = poster.run.rate.filter(|_| !job.again) {
            let due = poster.run.began + Duration::from_secs_f64(job.delivery.last_line as f64 / rate);
            sleep_until(due).await;
            poster.tally.behind = poster.tally.behind.max(due.elapsed());
        }
        poster.deliver(&job).await;
    }
}

struct Poster {
    run: Arc<Run>,
    drain: Arc<Mutex<Drain>>,
    connection: Option<SendRequest<Paced>>,
    random: Random,
    tally: Tally,
}

/// What came back.
enum Answer {
    Status(u16),
    /// Nothing was sent, or not all of it: it cannot have been stored.
    NotSent(String),
    /// Nothing came, or the connection broke: it may have been stored.
    Silence(String),
}

/// Whether the receiver has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stored {
    No,
    Maybe,
    Yes,
}

impl Poster {
    fn drain(&self) -> MutexGuard<'_, Drain> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&mut self, job: &Job) {
        let delivery = &job.delivery;
        // The L10 frame of the body at hand, and of the body that was stored.
        let loss = delivery.loss();
        let outcome = self.exchange(job, loss).await;
        let messages = delivery.messages();
        {
            let mut drain = self.drain();
            match outcome {
                Outcome::Acknowledged => drain.taken(job, loss),
                Outcome::Dropped | Outcome::Unknown if !job.again => drain.dropped(delivery),
                _ => {}
            }
        }
        self.tally.enter(outcome, job.again, messages);
        if !job.again {
            self.run.bar.inc(messages);
        }
    }

    /// Tries until the delivery is taken, refused or given up. Should the body change between tries, the first one has
    /// been stored, so that what counts is always the body with the first L10 frame.
    async fn exchange(&mut self, job: &Job, first: Option<Loss>) -> Outcome {
        let delivery = &job.delivery;
        let (mut loss, mut body) = (first, self.encoded(delivery, first));
        let mut mishap = delivery.habits.mishap.filter(|_| !job.again);
        let (mut stored, mut tries) = (Stored::No, 0);
        loop {
            let staged = mishap.take();
            if staged.is_none() {
                tries += 1;
            }
            match self.post(delivery, loss, body.clone(), staged == Some(Mishap::CutOff)).await {
                Answer::Status(200..300) => match staged {
                    Some(Mishap::AnswerLost) => stored = Stored::Yes,
                    Some(Mishap::AnswerLostBodyChanged(more)) => {
                        stored = Stored::Yes;
                        loss = Some(delivery.with_more_lost(more));
                        body = self.encoded(delivery, loss);
                    }
                    Some(Mishap::CutOff) | None => return Outcome::Acknowledged,
                },
                Answer::Status(status @ 400..500) if status != 429 => {
                    self.tally.problem = Some(format!("answered with {status}"));
                    return end(stored);
                }
                Answer::Status(status) => self.tally.problem = Some(format!("answered with {status}")),
                Answer::NotSent(why) => {
                    if staged.is_none() {
                        self.tally.problem = Some(why);
                    }
                }
                Answer::Silence(why) => {
                    self.tally.problem = Some(why);
                    stored = stored.max(Stored::Maybe);
                }
            }
            if staged.is_some() {
                // The connection is gone with the answer.
                self.connection = None;
            } else if self.is_out_of_tries(tries) {
                return end(stored);
            } else {
                let slots = self.random.between(1, 1 << tries.min(6));
                sleep(SLOT * u32::try_from(slots).unwrap_or(1)).await;
            }
            self.tally.retries += 1;
        }
    }

    fn is_out_of_tries(&self, tries: u32) -> bool {
        match self.run.until {
            Some(until) => Instant::now() >= until,
            None => tries >= self.run.tries,
        }
    }

    fn encoded(&self, delivery: &Delivery, loss: Option<Loss>) -> Bytes {
        let body = self.drain().body(delivery, loss);
        if delivery.habits.gzip { gzip(&body).into() } else { body.into() }
    }

    async fn post(&mut self, delivery: &Delivery, loss: Option<Loss>, body: Bytes, cut_off: bool) -> Answer {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => {
                self.tally.not_connected += 1;
                return Answer::NotSent(format!("no connection: {error}"));
            }
        };
        let octets = body.len() as u64;
        let request = match self.request(delivery, loss, body, cut_off) {
            Ok(request) => request,
            Err(error) => return Answer::NotSent(error.to_string()),
        };
        let (began, limit) = (Instant::now(), if cut_off { CUT_OFF } else { self.run.timeout });
        let answered = timeout(limit, async {
            let response = connection.send_request(request).await?;
            let status = response.status().as_u16();
            // What it says is of no interest, but it stands before the next answer. One that is too long closes the
            // connection.
            let read = Limited::new(response.into_body(), ANSWER).collect().await.is_ok();
            Ok::<_, hyper::Error>((status, read))
        })
        .await;
        match answered {
            Ok(Ok((status, read))) => {
                self.tally.answered(status, began.elapsed(), octets);
                if read {
                    self.connection = Some(connection);
                }
                Answer::Status(status)
            }
            Ok(Err(error)) if error.is_canceled() => Answer::NotSent("the connection was closed".to_owned()),
            Ok(Err(error)) => {
                self.tally.broken += 1;
                Answer::Silence(format!("the connection broke: {error}"))
            }
            Err(_) if cut_off => Answer::NotSent(String::new()),
            Err(_) => {
                self.tally.timeouts += 1;
                Answer::Silence(format!("no answer within {limit:?}"))
            }
        }
    }

    /// The connection there is, if it still takes requests, else a new one.
    async fn connection(&mut self) -> std::io::Result<SendRequest<Paced>> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        self.run.target.connect().await
    }

    fn request(
        &self,
        delivery: &Delivery,
        loss: Option<Loss>,
        body: Bytes,
        cut_off: bool,
    ) -> Result<Request<Paced>, hyper::http::Error> {
        let (habits, target) = (&delivery.habits, &self.run.target);
        let mut request = Request::builder().method(Method::POST).uri(&target.path).header(HOST, &target.host);
        if habits.wrong_password {
            request = request.header(AUTHORIZATION, basic(b"nobody:not-the-password"));
        } else if let Some(credentials) = &target.authorization {
            request = request.header(AUTHORIZATION, credentials);
        }
        request = request.header(CONTENT_TYPE, "application/logplex-1");
        if let Some(count) = delivery.message_count(loss) {
            request = request.header("Logplex-Msg-Count", count);
        }
        request = match habits.identity {
            Identity::Logplex => {
                let token = self.drain().settings().token.clone();
                request.header("Logplex-Frame-Id", &delivery.id).header("Logplex-Drain-Token", token)
            }
            Identity::Request => request.header("X-Request-Id", &delivery.id),
            Identity::None => request,
        };
        if habits.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let agent = if habits.identity == Identity::Logplex { "Logplex/v49" } else { "log-shuttle/0.1" };
        let pace = if cut_off { Pace::Half } else { habits.pace };
        request.header(USER_AGENT, agent).body(Paced::new(body, pace))
    }
}

const fn end(stored: Stored) -> Outcome {
    match stored {
        Stored::Yes => Outcome::Acknowledged,
        Stored::Maybe => Outcome::Unknown,
        Stored::No => Outcome::Dropped,
    }
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to a `Vec` cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
