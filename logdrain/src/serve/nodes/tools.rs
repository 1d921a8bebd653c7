//! What owners of all partitions have in common.

use crate::serve::config::{Cluster, Config};
use logdrain_drain::alerts::outbox::Outbox;
use logdrain_drain::archives::{self, closing};
use logdrain_drain::clock::Ahead;
use logdrain_drain::counters::Counters;
use logdrain_drain::counting::Board;
use logdrain_drain::directory::Directory;
use logdrain_drain::ending::nodes::Owners;
use logdrain_drain::intake::Intake;
use logdrain_drain::journal::Address;
use logdrain_drain::logs;
use logdrain_drain::minutes::Minutes;
use logdrain_drain::outlets::otlp::Otlp;
use logdrain_drain::outlets::{JsonLines, Shared};
#[cfg(feature = "s3")]
use logdrain_drain::tiered::Tier;
use logdrain_drain::watching::States;
use std::sync::Arc;

/// Where rows of all partitions go.
pub(super) type Rows = Shared<(JsonLines, Option<Otlp>)>;

/// What owners of all partitions have in common.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) config: Arc<Config>,
    pub(super) cluster: Cluster,
    /// Which one it is.
    pub(super) journal: Arc<str>,
    pub(super) address: Address,
    /// The clock of the database.
    pub(super) ahead: Ahead,
    pub(super) rows: Rows,
    pub(super) board: Board,
    pub(super) logs: logs::Boards,
    pub(super) archives: archives::Boards,
    /// The bucket that lines and archives lie in, if they do.
    #[cfg(feature = "s3")]
    pub(super) tier: Option<Tier>,
    /// Where no hour gets lines any more that is archived.
    pub(super) closing: closing::Shared,
    /// Who asks for archives.
    pub(super) intake: Arc<Intake>,
    /// What numbers systems have in them.
    pub(super) directory: Arc<Directory>,
    pub(super) counters: Arc<Counters>,
    pub(super) outbox: Arc<Outbox>,
    /// Where rules of alerts stand.
    pub(super) states: States,
    pub(super) minutes: Minutes,
    /// The partitions that this node counts, for whoever ends accounts.
    pub(super) owners: Owners,
}
