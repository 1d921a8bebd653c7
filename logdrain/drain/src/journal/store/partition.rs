//! The file as the thread that writes uses it.

use super::{Store, add_drain, drop_drain, enter_id, give_back};
use crate::event::{DeliveryKey, Event};
use crate::journal::Listed;
use crate::journal::accounts::{self, Accounts};
use crate::journal::endings::{Ending, Endings};
use crate::journal::failure::StoreError;
use crate::journal::ledger::Writes;
use crate::journal::meta::{Meta, Stands};
use crate::journal::places::Places;
use crate::journal::purges::{Erase, Purges};
use crate::journal::row::{insert, unsigned};
use crate::journal::seam::{Kept, Leisure, Offer, Old, Partition};
use crate::settings::Settings;
use heroku_metrics::model::Timestamp;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// Bytes of pages that are kept for what comes next.
const SPARE: u64 = 1 << 20;
/// Bytes of unused pages that are given back at a time while there is nothing to do,
const AT_ONCE_BYTES: u64 = 1 << 20;
/// and at the end.
const AT_THE_END_BYTES: u64 = 256 << 20;

impl Partition for Store {
    fn position(&self) -> u64 {
        self.ledger.position
    }

    fn settings(&self) -> Option<&Arc<Settings>> {
        self.ledger.settings.as_ref()
    }

    fn emitted(&self) -> Result<u64, StoreError> {
        Ok(Meta::read(&self.db)?.emitted.unwrap_or(0))
    }

    fn endings(&self) -> Vec<Ending> {
        self.ledger.purges.endings().collect()
    }

    fn skip_to(&mut self, position: u64) -> Result<(), StoreError> {
        let emitted = self.emitted()?;
        Meta::write(&self.db, &Stands { position, ..self.ledger.stands(emitted) })?;
        self.ledger.position = position;
        Ok(())
    }

    fn listed(&self) -> Vec<Listed> {
        self.ledger.listed()
    }

    fn pass_id(&mut self, id: u64) {
        self.ledger.runs.pass(id);
    }

    fn append(&mut self, offers: Vec<Offer>, emitted: u64, old: &mut Old) -> Result<Vec<Kept>, StoreError> {
        self.files.check()?;
        self.fold()?;
        let step = self.db.transaction()?;
        let (kept, next) = self.ledger.take(offers, &mut Step(&step))?;
        Meta::write(&step, &self.ledger.stands_after(&next, emitted))?;
        if let Some(purges) = &next.purges {
            purges.write(&step)?;
        }
        give_back(&step, self.ledger.drains.values(), old)?;
        step.commit()?;
        // What went into a file that nobody will find is not kept.
        self.files.check()?;
        self.ledger.passed(next);
        Ok(kept)
    }

    fn recall(&mut self) -> Result<(), StoreError> {
        let meta = Meta::read(&self.db)?;
        let faults = meta.faults(&self.db)?;
        // What a damaged record says is put right, and no reason to refuse it.
        let made = if faults.is_empty() { meta.part() } else { None };
        if let Some(made) = made.filter(|made| *made != self.ledger.part) {
            return Err(StoreError::OtherPart { made, asked: self.ledger.part });
        }
        self.ledger.position = meta.position.unwrap_or(0);
        let given = self.ledger.runs;
        self.ledger.runs = given.passed(meta.last_id.unwrap_or(0));
        self.ledger.accounts = Accounts::read(&self.db)?;
        if meta.is_sound() && meta.accounts.unwrap_or(0) != self.ledger.accounts.sum() {
            return Err(StoreError::Broken("the settings of an account are missing".to_owned()));
        }
        self.ledger.know(meta.settings);
        self.ledger.purges = Purges::read(&self.db)?;
        self.ledger.drains.clear();
        self.ledger.places.set_ended(self.ended()?.as_deref());
        let mut known = self.db.prepare("SELECT key, drain FROM drains")?;
        let mut rows = known.query([])?;
        while let Some(row) = rows.next()? {
            self.ledger.drains.insert(row.get::<_, String>(0)?.into(), row.get(1)?);
        }
        drop(rows);
        drop(known);
        if !faults.is_empty() {
            self.put_right(&faults, given)?;
        }
        Ok(())
    }

    fn give_back(&mut self, old: &mut Old) -> Result<(), StoreError> {
        let step = self.db.transaction()?;
        give_back(&step, self.ledger.drains.values(), old)?;
        Ok(step.commit()?)
    }

    fn check_place(&self) -> Result<(), StoreError> {
        self.files.check()
    }

    fn purge_some(&mut self, behind: u64, erase: &Erase, endings: &Endings) -> Result<bool, StoreError> {
        self.purge_part(behind, erase, endings)
    }

    fn purge_aside(&mut self, dir: &Path, now: Timestamp) -> Result<(), StoreError> {
        self.remove_aside(dir, now)
    }

    fn shrink(&self, leisure: Leisure) -> Result<(), StoreError> {
        let bytes = match leisure {
            Leisure::Moment => AT_ONCE_BYTES,
            Leisure::End => AT_THE_END_BYTES,
        };
        let count = |pragma| self.db.pragma_query_value::<u64, _>(None, pragma, |row| row.get(0).map(unsigned));
        let (free, all, page) = (count("freelist_count")?, count("page_count")?, count("page_size")?.max(1));
        if free > SPARE / page && free > all / 4 {
            let pages = bytes / page;
            let mut step = self.db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let mut rows = step.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            // The file becomes shorter when the write-ahead file is folded in.
            self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// A transaction.
struct Step<'a>(&'a Connection);

impl Writes for Step<'_> {
    fn event(&mut self, seq: u64, event: &Event) -> Result<(), StoreError> {
        insert(self.0, seq, event)
    }

    fn add_drain(&mut self, key: &str, since: Timestamp) -> Result<i64, StoreError> {
        add_drain(self.0, key, since)
    }

    fn drop_drain(&mut self, key: &str, _: i64, places: &Places) -> Result<(), StoreError> {
        drop_drain(self.0, key, places)
    }

    fn enter_id(&mut self, key: DeliveryKey, drain: i64, seq: u64) -> Result<bool, StoreError> {
        enter_id(self.0, key, drain, seq)
    }

    fn account(&mut self, name: &str, value: Option<(&str, u32)>) -> Result<(), StoreError> {
        accounts::write(self.0, name, value)
    }
}
