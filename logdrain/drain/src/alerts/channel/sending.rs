//! From the outbox to the channels.
//!
//! ```text
//! outbox -> a lane whose turn it is -> its channel -> sent, refused, or later
//! ```
//!
//! Messages of one alert to one channel (a *lane*) go one after the other. A channel has one at a time, an account two, all
//! accounts six, and the account whose last turn is longest ago is next: nobody's slow receiver holds up others. What fails is
//! tried again after a pause that grows to an hour, for a day. A receiver that says how long it wants nothing (`Retry-After`) gets
//! nothing for so long, an hour at most, whatever it is of; other channels go on. Where nodes share the outbox, each sends what is
//! of accounts that are at home there, and claims a message just before its request.

use super::classic::{self, Systems};
use super::{Links, Mailer, Outcome, Settings, http, pagerduty, plain, slack};
use crate::alerts::outbox::{Lane, Outbox, Sending};
use crate::alerts::told::{Facts, Told};
use crate::directory::{Channel, Directory, DirectoryError};
use crate::door::Outbound;
use crate::seal::KeyFile;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

/// Messages that are on their way, of all accounts and of one.
const AT_A_TIME: usize = 6;
const OF_ACCOUNT: usize = 2;
/// How often it is looked without a reason.
const LOOK: Duration = Duration::from_secs(1);
/// The pause behind a failure: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// How long it is tried.
const TRIED_FOR: i64 = 86_400;
/// What all of it takes of the memory: each message as it is kept, as JSON, and as a form.
pub const MEMORY: usize = AT_A_TIME * (16 << 20);

/// Shared by who sends and who looks after channels.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outbox: Arc<Outbox>,
    directory: Arc<Directory>,
    key: Arc<KeyFile>,
    outbound: Outbound,
    /// None where the configuration names no mail server.
    mailer: Option<Mailer>,
    links: Links,
    state: Mutex<State>,
    /// Somebody has ended.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    going: BTreeSet<Lane>,
    /// Lanes that failed: how often, and when they are tried again.
    pauses: HashMap<Lane, (u32, Instant)>,
    /// Channels of accounts that want nothing before a time.
    closed: HashMap<(String, u32), Instant>,
    /// When an account had its last turn, counted in turns.
    served: HashMap<String, u64>,
    turns: u64,
}

impl State {
    /// The lane that is next: of those that may go, the first of the account whose last turn is longest ago.
    fn next(&self, waiting: &[(Lane, i64)]) -> Option<usize> {
        let may_go = waiting.iter().enumerate().filter(|(_, (lane, _))| self.may_go(lane));
        let turn = |account: &String| self.served.get(account).copied().unwrap_or(0);
        may_go.min_by_key(|(_, ((account, ..), seq))| (turn(account), *seq)).map(|(index, _)| index)
    }

    /// A lane has its turn.
    fn go(&mut self, lane: &Lane) {
        self.turns += 1;
        self.served.insert(lane.0.clone(), self.turns);
        self.going.insert(lane.clone());
    }

    /// Whether a lane may go now.
    fn may_go(&self, lane: &Lane) -> bool {
        let (account, _, channel) = lane;
        let of_account = self.going.iter().filter(|going| going.0 == *account);
        of_account.clone().count() < OF_ACCOUNT
            && !of_account.clone().any(|going| going.2 == *channel)
            && self.pauses.get(lane).is_none_or(|(_, again)| *again <= Instant::now())
            && self.closed.get(&(account.clone(), *channel)).is_none_or(|again| *again <= Instant::now())
    }

    /// A lane has failed, and pauses; its channel too, if its receiver asked for that.
    fn pause(&mut self, lane: &Lane, asked: Option<Duration>) {
        let tries = self.pauses.get(lane).map_or(0, |(tries, _)| *tries);
        let pause = PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
        self.pauses.insert(lane.clone(), (tries + 1, Instant::now() + pause));
        if let Some(asked) = asked {
            let until = Instant::now() + asked.min(LONGEST_PAUSE);
            self.closed.insert((lane.0.clone(), lane.2), until);
        }
    }
}

/// A message as its receiver gets it.
enum Ready {
    Post {
        url: String,
        kind: &'static str,
        secret: Option<String>,
        body: String,
    },
    /// To these, each with the link by which he ends that.
    Mail(Vec<(String, Option<String>)>),
}

/// A lane that is on its way; it ends with it, however that ends.
struct Going {
    sender: Sender,
    lane: Lane,
}

impl Drop for Going {
    fn drop(&mut self) {
        self.sender.state().going.remove(&self.lane);
        self.sender.0.freed.notify_one();
    }
}

impl Sender {
    pub fn new(
        outbox: Arc<Outbox>,
        directory: Arc<Directory>,
        key: Arc<KeyFile>,
        outbound: Outbound,
        mailer: Option<Mailer>,
        links: Links,
    ) -> Self {
        let (state, freed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { outbox, directory, key, outbound, mailer, links, state, freed }))
    }

    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.0.outbox
    }

    /// Whether mail can be sent.
    pub fn has_mail(&self) -> bool {
        self.0.mailer.is_some() && self.0.links.0.starts_with("http")
    }

    /// Keeps a channel of an account: a new one, or in place of another. Who is to get mail and was not asked yet is asked; it
    /// answers whom.
    ///
    /// # Errors
    /// When it cannot be one, or there are too many, or nothing can be sealed.
    pub async fn keep_channel(
        &self,
        account: &str,
        id: Option<u32>,
        name: &str,
        settings: Settings,
    ) -> Result<(u32, Vec<String>), DirectoryError> {
        settings.check(name, &self.0.outbound).map_err(DirectoryError::Invalid)?;
        if matches!(settings, Settings::Mail { .. }) && !self.has_mail() {
            return Err(DirectoryError::Invalid(
                "the configuration of this logdrain names no mail server ([smtp]), or not how it is reached (url)"
                    .to_owned(),
            ));
        }
        let (sender, account, name) = (self.clone(), account.to_owned(), name.trim().to_owned());
        let of = account.clone();
        let to = match &settings {
            Settings::Mail { to } => to.clone(),
            _ => Vec::new(),
        };
        let work = move || {
            let channel = Channel {
                id: id.unwrap_or_default(),
                name,
                kind: settings.kind().to_owned(),
                shown: settings.shown(),
                settings: sender.seal(&of, &settings)?,
                created: 0,
            };
            match id {
                Some(id) => sender.0.directory.set_channel(&of, &channel).map(|()| id),
                None => sender.0.directory.add_channel(&of, &channel),
            }
        };
        let id = blocking(work).await?;
        Ok((id, self.ask(&account, &to).await?))
    }

    /// What a channel was told to be; `None` when it was sealed with another key, or is damaged.
    pub fn settings(&self, account: &str, channel: &Channel) -> Option<Settings> {
        serde_json::from_str(&self.0.key.unseal(&of(account), &channel.settings)?).ok()
    }

    /// Seals what a channel of an account is to be.
    ///
    /// # Errors
    /// When there is no key.
    pub fn seal(&self, account: &str, settings: &Settings) -> Result<String, DirectoryError> {
        let text = serde_json::to_string(settings).map_err(|error| DirectoryError::Invalid(error.to_string()))?;
        let sealed = self.0.key.seal(&of(account), &text);
        sealed.map_err(|error| DirectoryError::Invalid(format!("secrets cannot be sealed here: {error}")))
    }

    /// Asks those of these who were not asked within the hour whether they want mail of an account; answers whom.
    ///
    /// # Errors
    /// When there are too many, or the directory is closed.
    pub async fn ask(&self, account: &str, to: &[String]) -> Result<Vec<String>, DirectoryError> {
        let mut asked = Vec::new();
        let Some(mailer) = &self.0.mailer else { return Ok(asked) };
        for address in to {
            let (sender, of, whom) = (self.clone(), account.to_owned(), address.clone());
            let Some(secret) = blocking(move || sender.0.directory.ask_recipient(&of, &whom)).await? else { continue };
            let link = format!("{}/recipients/{}", self.0.links.0, secret.reveal());
            match mailer.ask(account, address, &link).await {
                Outcome::Sent => asked.push(address.clone()),
                Outcome::Later(why) | Outcome::NotFor(_, why) | Outcome::Refused(why) => {
                    // The next time that he is to be asked, he is.
                    let (sender, of, whom) = (self.clone(), account.to_owned(), address.clone());
                    blocking(move || sender.0.directory.forget_recipient(&of, &whom)).await?;
                    tracing::warn!(account, %why, "somebody could not be asked whether he wants mail");
                }
            }
        }
        Ok(asked)
    }

    /// The link by which somebody who is no member says that he wants no more mail of an account. It is good for ever.
    fn stop_link(&self, account: &str, address: &str) -> Option<String> {
        let sealed = self.0.key.seal(STOP, &format!("{account}\n{address}")).ok()?;
        Some(format!(
            "{}/recipients/stop/{}",
            self.0.links.0,
            sealed.replace('+', "-").replace('/', "_").replace('=', "")
        ))
    }

    /// The account and the address that such a link is of. Waits for the disk.
    pub fn stops(&self, link: &str) -> Option<(String, String)> {
        let padding = "=".repeat((4 - link.len() % 4) % 4);
        let sealed = link.replace('-', "+").replace('_', "/") + &padding;
        let text = self.0.key.unseal(STOP, &sealed)?;
        text.split_once('\n').map(|(account, address)| (account.to_owned(), address.to_owned()))
    }

    /// Sends, for ever.
    pub async fn run(self) {
        loop {
            tokio::select! {
                () = self.0.outbox.woken() => {}
                () = self.0.freed.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            if !self.0.directory.is_open() || self.state().going.len() >= AT_A_TIME {
                continue;
            }
            let outbox = self.0.outbox.clone();
            let Ok(Ok(mut waiting)) = spawn_blocking(move || outbox.waiting()).await else { continue };
            self.begin(&mut waiting);
        }
    }

    /// Sends off as many as may go.
    fn begin(&self, waiting: &mut Vec<(Lane, i64)>) {
        let mut state = self.state();
        // What does not wait any more was removed meanwhile.
        let lanes: BTreeSet<&Lane> = waiting.iter().map(|(lane, _)| lane).collect();
        state.pauses.retain(|lane, _| lanes.contains(lane));
        let channels: BTreeSet<(&str, u32)> = lanes.iter().map(|lane| (lane.0.as_str(), lane.2)).collect();
        state.closed.retain(|(account, channel), _| channels.contains(&(account.as_str(), *channel)));
        let accounts: BTreeSet<&str> = lanes.iter().map(|lane| lane.0.as_str()).collect();
        state.served.retain(|account, _| accounts.contains(account.as_str()));
        while state.going.len() < AT_A_TIME {
            let Some(index) = state.next(waiting) else { break };
            let (lane, seq) = waiting.swap_remove(index);
            state.go(&lane);
            let going = Going { sender: self.clone(), lane };
            tokio::spawn(going.send(seq));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One try; `None` if the message is another node's to send.
    async fn attempt(&self, sending: &Sending) -> Option<Outcome> {
        let (told, links) = (&sending.told, &self.0.links);
        match (self.prepare(sending).await, &self.0.mailer) {
            (Err(outcome), _) => Some(outcome),
            (Ok(Ready::Post { url, kind, secret, body }), _) => {
                let post = http::Post { url: &url, kind, id: &told.id, secret: secret.as_deref() };
                if !self.claim(sending).await {
                    return None;
                }
                Some(http::post(&self.0.outbound.of(&told.account), post, body).await)
            }
            (Ok(Ready::Mail(to)), Some(mailer)) => {
                mailer.send(told, sending.channel, links, &to, || self.claim(sending)).await
            }
            (Ok(Ready::Mail(_)), None) => None,
        }
    }

    /// Whether this node may send it now. It may not when nobody can say it.
    async fn claim(&self, sending: &Sending) -> bool {
        let (outbox, sending) = (self.0.outbox.clone(), sending.clone());
        matches!(spawn_blocking(move || outbox.claim(&sending)).await, Ok(Ok(true)))
    }

    /// What is to be sent, and where.
    ///
    /// # Errors
    /// What became of it when it cannot be.
    async fn prepare(&self, sending: &Sending) -> Result<Ready, Outcome> {
        let told = &sending.told;
        let (sender, account, id) = (self.clone(), told.account.clone(), sending.channel);
        let found = blocking(move || {
            let channel = sender.0.directory.channel(&account, id)?;
            Ok(sender.settings(&account, &channel))
        });
        let settings = match found.await {
            Ok(Some(settings)) => settings,
            Ok(None) => {
                return Err(Outcome::Refused("its settings were sealed with another key: set it anew".to_owned()));
            }
            Err(DirectoryError::NotFound(_)) => {
                return Err(Outcome::Refused("there is no such channel any more".to_owned()));
            }
            Err(error) => return Err(Outcome::Later(error.to_string())),
        };
        let links = &self.0.links;
        let post = |url, kind, secret, body| Ready::Post { url, kind, secret, body };
        Ok(match settings {
            Settings::Webhook { url, secret } => {
                let systems = self.systems(told).await;
                let Some(payload) = classic::payload(told, links, &systems) else {
                    return Err(Outcome::Refused("the classic hook has no words for notices: use json".to_owned()));
                };
                post(url, http::FORM, secret, http::form(&payload.to_string()))
            }
            Settings::Json { url, secret } => post(url, http::JSON, secret, plain::body(told, links).to_string()),
            Settings::Slack { url, hides_lines } => {
                post(url, http::JSON, None, slack::message(told, links, hides_lines).to_string())
            }
            Settings::PagerDuty { routing_key, url } => {
                let body = pagerduty::event(told, links, &routing_key).to_string();
                post(url.unwrap_or_else(|| pagerduty::URL.to_owned()), http::JSON, None, body)
            }
            Settings::Mail { .. } if self.0.mailer.is_none() => {
                return Err(Outcome::Later("the configuration of this logdrain names no mail server".to_owned()));
            }
            Settings::Mail { to } => Ready::Mail(self.wanted(told, to).await?),
        })
    }

    /// Who of these gets mail, each with the link by which he ends that.
    async fn wanted(&self, told: &Told, to: Vec<String>) -> Result<Vec<(String, Option<String>)>, Outcome> {
        let (sender, account) = (self.clone(), told.account.clone());
        let wanted = blocking(move || {
            let mut wanted = Vec::new();
            for address in to {
                if sender.0.directory.may_get_mail(&account, &address)? {
                    // Members change the alert.
                    let is_member = sender.0.directory.member_called(&account, &address).is_some();
                    let stop = if is_member { None } else { sender.stop_link(&account, &address) };
                    wanted.push((address, stop));
                }
            }
            Ok(wanted)
        });
        match wanted.await {
            Ok(to) if to.is_empty() => {
                Err(Outcome::Refused("nobody of it is a member, or has said by the link that he wants mail".to_owned()))
            }
            Ok(to) => Ok(to),
            Err(error) => Err(Outcome::Later(error.to_string())),
        }
    }

    /// The numbers of the systems that a message names, and what they are called.
    async fn systems(&self, told: &Told) -> Systems {
        let names: BTreeSet<String> = match &told.facts {
            Facts::Log(facts) => {
                let counted = facts.counts.iter().flatten().map(|counts| counts.system.clone());
                facts.lines.iter().map(|line| line.system.clone()).chain(counted).collect()
            }
            _ => BTreeSet::new(),
        };
        let (directory, account) = (self.0.directory.clone(), told.account.clone());
        let found = spawn_blocking(move || {
            let one = |name: String| {
                let id = directory.system_id(&account, &name).ok()?;
                let shown = directory.system(&account, id).map_or(name.clone(), |system| system.shown().to_owned());
                Some((name, (id, shown)))
            };
            names.into_iter().filter_map(one).collect()
        });
        found.await.unwrap_or_default()
    }
}

impl Going {
    async fn send(self, seq: i64) {
        let sender = &self.sender;
        let (outbox, channel) = (sender.0.outbox.clone(), self.lane.2);
        let Ok(Ok(Some(sending))) = spawn_blocking(move || outbox.sending(seq, channel)).await else { return };
        let age = sender.0.outbox.now().saturating_sub(sending.kept);
        let outcome = match sender.attempt(&sending).await {
            Some(Outcome::Later(why) | Outcome::NotFor(_, why)) if age > TRIED_FOR => {
                Outcome::Refused(format!("given up after a day: {why}"))
            }
            Some(outcome) => outcome,
            None => return sender.state().pause(&self.lane, None),
        };
        let told = &sending.told;
        if let Outcome::Refused(why) = &outcome {
            tracing::warn!(account = told.account, alert = told.alert, channel, %why, "an alert is not sent");
            if let Some(mailer) = &sender.0.mailer {
                mailer.forget(&told.id, channel);
            }
        }
        let is_over = matches!(outcome, Outcome::Sent | Outcome::Refused(_));
        let asked = if let Outcome::NotFor(wait, _) = &outcome { Some(*wait) } else { None };
        let (outbox, noted) = (sender.0.outbox.clone(), sending);
        let noting = spawn_blocking(move || match &outcome {
            Outcome::Sent => outbox.sent(&noted),
            Outcome::Later(why) | Outcome::NotFor(_, why) => outbox.later(&noted, why),
            Outcome::Refused(why) => outbox.refused(&noted, why),
        });
        let is_noted = matches!(noting.await, Ok(Ok(())));
        let mut state = sender.state();
        if is_over && is_noted {
            state.pauses.remove(&self.lane);
        } else {
            state.pause(&self.lane, asked);
        }
    }
}

/// What links that end mail are sealed for.
const STOP: &str = "end of mail";

/// What settings of an account's channels are sealed for.
fn of(account: &str) -> String {
    format!("channel of {account}")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DirectoryError> + Send + 'static,
) -> Result<T, DirectoryError> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(DirectoryError::Closed("a thread ended".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(account: &str, alert: u32, channel: u32) -> Lane {
        (account.to_owned(), alert, channel)
    }

    #[test]
    fn nobody_waits_for_the_many_messages_of_another_account() {
        let mut state = State::default();
        // A hundred alerts of two accounts, kept before the one of a third.
        let of = |account: &'static str| (0..50).map(move |alert| (lane(account, alert, alert), i64::from(alert)));
        let mut waiting: Vec<(Lane, i64)> = of("loud").chain(of("noisy")).collect();
        waiting.push((lane("quiet", 1, 1), 1_000));
        let mut turns = Vec::new();
        while let Some(index) = state.next(&waiting).filter(|_| state.going.len() < AT_A_TIME) {
            let (lane, _) = waiting.swap_remove(index);
            state.go(&lane);
            turns.push(lane.0);
        }
        assert_eq!(turns, ["loud", "noisy", "quiet", "loud", "noisy"], "two of each at a time, and each has its turn");
        // One of the loud ones is done, and the quiet one has another: its last turn is longer ago.
        state.going.retain(|lane| lane.0 != "loud");
        state.going.retain(|lane| lane.0 != "quiet");
        waiting.push((lane("quiet", 2, 2), 2_000));
        let index = state.next(&waiting).unwrap();
        assert_eq!(waiting[index].0.0, "quiet");
    }

    #[test]
    fn a_channel_has_one_message_at_a_time_and_a_lane_that_failed_pauses() {
        let mut state = State::default();
        state.go(&lane("shop", 1, 7));
        assert!(!state.may_go(&lane("shop", 2, 7)), "the same channel");
        assert!(state.may_go(&lane("shop", 2, 8)) && state.may_go(&lane("blog", 2, 7)));
        state.pauses.insert(lane("shop", 2, 8), (1, Instant::now() + Duration::from_secs(60)));
        assert!(!state.may_go(&lane("shop", 2, 8)));
        assert!(state.may_go(&lane("shop", 3, 8)), "another alert's messages do not wait for it");
    }

    #[test]
    fn a_receiver_that_wants_nothing_gets_nothing_for_an_hour_at_most_and_holds_up_nobody() {
        let mut state = State::default();
        state.pause(&lane("shop", 1, 7), Some(Duration::from_secs(u64::MAX)));
        for alert in [1, 2] {
            assert!(!state.may_go(&lane("shop", alert, 7)), "whatever it is of");
        }
        for other in [lane("shop", 1, 8), lane("blog", 1, 7)] {
            assert!(state.may_go(&other), "{other:?}");
        }
        let until = *state.closed.values().next().unwrap();
        assert!(until <= Instant::now() + LONGEST_PAUSE && until > Instant::now() + LONGEST_PAUSE / 2);
        // A short one does not shorten our own pause.
        state.pause(&lane("blog", 1, 9), Some(Duration::ZERO));
        assert!(!state.may_go(&lane("blog", 1, 9)) && state.may_go(&lane("blog", 2, 9)));
    }
}
