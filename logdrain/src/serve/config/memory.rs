//! The bound on memory that a configuration comes to.

use super::{Config, Wrong, journal, machine};
use logdrain_drain::alerts::channel::sending;
use logdrain_drain::counting::board::DRAIN_BYTES;
use logdrain_drain::journal::Spool;
use logdrain_drain::limits::HEAD_LIMIT;
use logdrain_drain::outlets::otlp;
#[cfg(all(feature = "s3", feature = "postgres"))]
use logdrain_drain::tiered::Tier;
use logdrain_drain::{archives, directory, door, minutes, neighbours};
use logdrain_web::passing;

/// A connection: what is read of a head, or a part of a syslog frame on its way; the head taken apart; the answer's
/// first bytes; the state of the task.
pub(super) const PLAIN: usize = 3 * HEAD_LIMIT;
/// TLS buffers a record each way besides.
pub(super) const ENCRYPTED: usize = PLAIN + 48 * 1024;
/// Files in a bucket that a partition has open: those whose index is known, and as many that searches have beside.
#[cfg(all(feature = "s3", feature = "postgres"))]
const OPEN_FILES: usize = 512;

impl Config {
    /// Sees that the bound can be kept on a machine with so much memory.
    pub(super) fn fits(mut self, machine: Option<usize>) -> Result<Self, Wrong> {
        let Some(machine) = machine else { return Ok(self) };
        for (key, bytes) in [("memory", self.limits.bodies), ("drain_memory", self.limits.drain)] {
            if bytes > machine {
                return Err(Wrong(format!("{key} is more than this machine has, which is {} MB", machine >> 20)));
            }
        }
        let most = self.max_memory();
        if most > machine {
            self.warnings.push(format!(
                "the bound on memory is {} MB, and this machine has {} MB: lower max_drains, drain_memory, memory or \
                 max_connections",
                most >> 20,
                machine >> 20
            ));
        }
        Ok(self)
    }

    /// Bytes of bodies that one step of the journal has.
    pub(crate) const fn group_bytes(&self) -> usize {
        journal::group_bytes(&self.limits)
    }

    /// The most bytes that the process takes besides its program, SQLite's cache and the buffers of the system.
    pub(crate) fn max_memory(&self) -> usize {
        let connection = if self.tls.is_some() { ENCRYPTED } else { PLAIN };
        let drains = self.all_drains();
        let pipelines = self.limits.drain.saturating_add(DRAIN_BYTES).saturating_mul(drains);
        // A snapshot is written one drain at a time, and is no larger than the state it is of.
        let snapshot = self.limits.drain.saturating_mul(self.parts());
        // `/metrics` and the page are built from copies of what is shown.
        let copies = DRAIN_BYTES.saturating_mul(2 * drains);
        pipelines
            .saturating_add(snapshot)
            .saturating_add(self.limits.bodies)
            .saturating_add(if self.journal.is_some() {
                journal::memory(&self.limits).saturating_mul(self.parts())
            } else {
                0
            })
            .saturating_add(
                self.cluster.as_ref().map_or(0, |cluster| cluster.snapshots.memory().saturating_mul(self.parts())),
            )
            .saturating_add(self.tiered())
            .saturating_add(self.passed().saturating_mul(neighbours::MEMORY))
            .saturating_add(self.limits.answers)
            .saturating_add(copies)
            .saturating_add(if self.otlp.is_some() { otlp::MEMORY } else { 0 })
            .saturating_add(connection.saturating_mul(self.limits.connections))
            .saturating_add(machine::packing())
            .saturating_add(self.keeping.max_memory().saturating_mul(self.parts()))
            .saturating_add(if self.keeping.is_on() { archives::MEMORY.saturating_mul(self.parts()) } else { 0 })
            .saturating_add(self.settings.limits.alert_bytes.saturating_mul(self.parts()))
            .saturating_add(door::MEMORY + archives::UPLOADS + sending::MEMORY)
            .saturating_add(directory::MOST + directory::CHECKS * directory::CHECK)
            .saturating_add(minutes::memory(self.parts()))
            .saturating_add(if self.spool_limit > 0 && self.journal.is_some() {
                Spool::memory(self.limits.body).saturating_mul(self.parts())
            } else {
                0
            })
            .saturating_add(self.ports.len() << 17)
    }

    /// What files in a bucket take.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    fn tiered(&self) -> usize {
        let Some(cluster) = &self.cluster else { return 0 };
        if !self.keeping.is_on() || cluster.snapshots.folder(0).is_some() {
            return 0;
        }
        Tier::memory(cluster.cache).saturating_add((OPEN_FILES * Tier::OPEN).saturating_mul(self.parts()))
    }

    #[cfg(not(all(feature = "s3", feature = "postgres")))]
    const fn tiered(&self) -> usize {
        0
    }

    /// How many requests are passed on to other nodes at a time.
    pub(crate) fn passed(&self) -> usize {
        let passes = self.cluster.as_ref().is_some_and(|cluster| cluster.secret.is_some());
        if passes { passing::at_a_time(self.limits.connections) } else { 0 }
    }

    /// How many partitions the journal has.
    fn parts(&self) -> usize {
        self.cluster.as_ref().map_or(1, |cluster| usize::from(cluster.parts.count()))
    }

    /// The most drains that may be counted here: where nodes share the work, when all others are gone.
    fn all_drains(&self) -> usize {
        let drains = self.limits.drains;
        self.cluster.as_ref().map_or(drains, |cluster| cluster.drains(drains).saturating_mul(self.parts()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::WEB;
    use super::*;
    use crate::args::ServeArgs;

    fn load(text: &str) -> Result<Config, logdrain_terms::failure::Failure> {
        Config::from_text(&ServeArgs::default(), text)
    }

    #[test]
    fn the_bound_covers_connections_with_their_buffers() {
        let bound = |connections| load(&format!("max_connections = {connections}")).unwrap().max_memory();
        assert_eq!(bound(2) - bound(1), PLAIN);
        let text =
            "memory = \"40MB\"\ndrain_memory = \"32MB\"\nmax_drains = 2\nmax_connections = 10\nbody_limit = \"8MB\"";
        let config = load(text).unwrap();
        if cfg!(feature = "postgres") {
            let with = load(&format!("{text}\njournal = \"postgres://a@localhost/b\"\nspool = false")).unwrap();
            assert_eq!(with.max_memory() - config.max_memory(), 4 * ((40 << 20) / 16 + (8 << 20)) + 4 * (9 << 20));
        }
        let answers = 4 * (4 << 20) + WEB;
        assert_eq!(
            config.max_memory(),
            (40 << 20)
                + 3 * (32 << 20)
                + 6 * DRAIN_BYTES
                + answers
                + 10 * PLAIN
                + machine::packing()
                + config.keeping.max_memory()
                + archives::MEMORY
                + minutes::MEMORY
                + door::MEMORY
                + archives::UPLOADS
                + sending::MEMORY
                + (256 << 20)
                + directory::MOST
                + directory::CHECKS * directory::CHECK
        );
    }
}
