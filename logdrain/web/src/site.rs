//! What every page and every API is made with. It is made once, when the program starts, and is there before the store is.

use super::bodies::Bodies;
use super::checks::Checks;
use super::places::Pages;
use super::turns::Turns;
use axum::http::{HeaderMap, header};
use logdrain_drain::alerts::channel::sending::Sender;
use logdrain_drain::archives;
use logdrain_drain::counting;
use logdrain_drain::directory::Directory;
use logdrain_drain::intake::Intake;
use logdrain_drain::intake::http::is_loopback;
use logdrain_drain::limits::Habits;
use logdrain_drain::logs::{self, Notice};
use logdrain_drain::minutes::Minutes;
use logdrain_drain::settings::Settings;
use logdrain_terms::number;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that whoever answers over HTTP asks.
#[derive(Debug)]
pub struct Site {
    /// Who may come in, the memory that answers take, and the way to the journal and to the settings.
    pub intake: Arc<Intake>,
    /// Members, tokens, sessions, and the numbers of systems.
    pub directory: Arc<Directory>,
    /// Passwords that are being checked.
    pub checks: Checks,
    /// What every absolute link begins with, as `https://logs.example.com`, without a slash at its end.
    pub base: Option<String>,
    /// Reading is for whoever reaches this server, as long as nobody has to sign in: something in front looks after it.
    pub open_reading: bool,
    /// How `/api/v1` answers where its clients differ.
    pub v1: Habits,
    /// The kept lines.
    pub logs: logs::Boards,
    /// How the pipelines stand.
    pub counting: counting::Board,
    /// What of them is archived.
    pub archives: archives::Boards,
    /// The kept minutes.
    pub minutes: Minutes,
    /// On their way to buckets of accounts.
    pub uploads: archives::Uploads,
    /// The channels, and alerts on their way to them.
    pub alerts: Sender,
    ports: Mutex<Vec<(u16, &'static str)>>,
    /// Held by who reads settings to write them back changed, so that none of two changes is lost.
    pub changing: tokio::sync::Mutex<()>,
    /// Whoever searches takes a turn, whichever way he asked.
    pub searches: Arc<Turns>,
    /// Pages that are being built.
    pub pages: Pages,
    /// Forms and JSON on their way in.
    pub(crate) bodies: Bodies,
}

impl Site {
    pub fn new(
        intake: Arc<Intake>,
        directory: Arc<Directory>,
        (counting, logs, archives, minutes): (counting::Board, logs::Boards, archives::Boards, Minutes),
        (uploads, alerts): (archives::Uploads, Sender),
        base: Option<String>,
        open_reading: bool,
        v1: Habits,
    ) -> Arc<Self> {
        let searches = Arc::new(Turns::new());
        Arc::new(Self {
            intake,
            directory,
            checks: Checks::new(),
            base,
            open_reading,
            v1,
            counting,
            logs,
            archives,
            minutes,
            uploads,
            alerts,
            ports: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            searches,
            pages: Pages::new(),
            bodies: Bodies::new(),
        })
    }

    /// The settings as they are on the disk.
    pub fn settings(&self) -> Arc<Settings> {
        self.intake.settings()
    }

    /// What absolute links begin with: `url` of the configuration, or else the loopback name by which this machine asks.
    /// Nothing for whoever asks by another name, which anybody can make up: links are paths then.
    pub fn base(&self, headers: &HeaderMap) -> String {
        if let Some(base) = &self.base {
            return base.clone();
        }
        let host = headers.get(header::HOST).filter(|host| is_loopback(Some(host)));
        let scheme = if self.intake.is_encrypted() { "https" } else { "http" };
        host.and_then(|host| host.to_str().ok()).map(|host| format!("{scheme}://{host}")).unwrap_or_default()
    }

    /// Lines are taken at this port of plain TCP.
    pub fn listens(&self, port: u16, what: &'static str) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).push((port, what));
    }

    /// Ports where lines are taken besides the one of HTTP, and what is taken there.
    pub fn ports(&self) -> Vec<(u16, &'static str)> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What there is to say of the volume that an account used today.
    pub fn notice(&self, account: &str) -> Option<String> {
        let usage = self.logs.usage(account, self.intake.progress.time.believed()?);
        let percent = usage.percent()?;
        Some(match usage.notice()? {
            Notice::Near => format!("{percent:.0} % of the plan's volume of today are used."),
            Notice::Full => "The plan's volume of today is used: lines are kept on up to its hard limit.".to_owned(),
            Notice::Stopped => {
                let over = number::human(usage.day.over as f64, "");
                format!(
                    "The plan's volume of today is used: new lines are not kept until midnight (UTC), {over} so far. Metrics go on."
                )
            }
        })
    }

    /// Whether browsers reach this server encrypted, here or at something in front of it.
    pub fn is_secure(&self) -> bool {
        self.intake.is_encrypted() || self.base.as_ref().is_some_and(|base| base.starts_with("https://"))
    }
}
