//! What has copies of kept lines: archives, and alerts that tell of them.

use log_query::Fields;
use log_store::{AccountReport, EventId};
use logdrain_drain::alerts::outbox::Outbox;
use logdrain_drain::alerts::told::Line;
use logdrain_drain::archives::Board;
use logdrain_drain::logs::Copies;
use logdrain_drain::settings::purge::Purge;
use std::io;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct AllCopies {
    pub(crate) archives: Board,
    pub(crate) outbox: Arc<Outbox>,
}

impl Copies for AllCopies {
    fn waits_from(&self, account: &str) -> Option<EventId> {
        Copies::waits_from(&self.archives, account)
    }

    fn bytes(&self) -> u64 {
        Copies::bytes(&self.archives)
    }

    fn make_room(&self, bytes: u64, lines: &[AccountReport], share: &dyn Fn(&str) -> u64) {
        Copies::make_room(&self.archives, bytes, lines, share);
    }

    fn purge(&self, account: &str, purge: &Purge) -> io::Result<u64> {
        purge_alerts(&self.outbox, account, purge)?;
        Copies::purge(&self.archives, account, purge)
    }
}

/// Takes lines that are purged out of the alerts that tell of them.
///
/// # Errors
/// When that cannot be done now.
pub(crate) fn purge_alerts(outbox: &Outbox, account: &str, purge: &Purge) -> io::Result<()> {
    let (ids, scope, query) = (purge.ids(), purge.scope(account), purge.parsed());
    let finds = |line: &Line| {
        let mut fields = Fields::new(line.system.as_bytes(), line.program.as_bytes(), line.message.as_bytes());
        fields = line.severity.into_iter().fold(fields, Fields::with_severity);
        fields = line.facility.into_iter().fold(fields, Fields::with_facility);
        fields = line.source_ip.into_iter().fold(fields, Fields::with_source_ip);
        ids.contains(&EventId::new(line.id)) && scope.allows(account, line.system.as_bytes()) && query.matches(&fields)
    };
    outbox.purge(account, &finds).map(drop).map_err(io::Error::other)
}
