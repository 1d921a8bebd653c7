//! Small files into larger ones.
//!
//! A quiet account seals by age and so leaves small files, and small accounts share theirs. Neighbours are written into one, in
//! full blocks; an account that has enough by then goes into a file of its own. Files are small in three sizes, and eight of
//! a size are merged, so that a line is written again a few times at most, however long it is kept.

use super::sealing::push_chunk;
use super::{Held, Store};
use crate::chunk::Chunk;
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{Event, EventId};
use crate::folder::SHARED;
use crate::place::Place;
use crate::sealed::{Part, parts};
use crate::segment::{self, Columns, MAX_BLOCKS, Scratch, Segment, SegmentWriter, Unmerged, Whole};
use crate::state::AccountState;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What counts as small, in bytes of a file: files that are all below one of these are merged.
const SIZES: [u64; 3] = [128 << 10, 1 << 20, 8 << 20];
/// Files of one account that are larger than those, and smaller than this, are worth merging, too.
const FULL: u64 = 64 << 20;
/// Bytes of files that are copied at once, about.
const MOST_COPIED: u64 = 256 << 20;
/// How many neighbours are worth it.
const MANY: usize = 8;
/// Beyond this they are merged within the hour, too.
const TOO_MANY: usize = 48;
/// Bytes of the files that are merged at once, about.
const MOST_BYTES: u64 = 24 << 20;
/// Files that are merged at once: all are open meanwhile.
const MOST_FILES: usize = 64;
/// Memory of what is known of those files: bounds the dictionary of the one that they become.
const MOST_KNOWN: usize = 24 << 20;
/// Bytes on the disk of an account that goes into a file of its own.
const OWN: u64 = 1 << 20;
/// What is said to be failing.
const DOING: &str = "write a merged segment";
const HOUR: i64 = 3_600_000_000;

impl Store {
    /// Merges small files of hours that are over, or of this one if there are very many. Merges once at most, and says whether
    /// it did: call it again until it did not.
    ///
    /// # Errors
    /// `Io` if a file cannot be written. Nothing is lost: the files that were to be merged stay.
    pub fn merge_due(&mut self, now_micros: i64) -> Result<bool, StoreError> {
        let hour = EventId::at(now_micros - now_micros.rem_euclid(HOUR)).get();
        let Some(run) = self.run(hour) else { return Ok(false) };
        self.merge(&run)?;
        Ok(true)
    }

    /// Files that are worth merging.
    fn run(&self, hour: u64) -> Option<Vec<u64>> {
        // By folder, files by age: those of an account, and the shared ones.
        let mut folders: BTreeMap<&Path, Vec<&Held>> = BTreeMap::new();
        for held in self.files.values() {
            if let Some(folder) = held.sealed.path().parent() {
                folders.entry(folder).or_default().push(held);
            }
        }
        let mut owners: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, head) in self.heads.iter().enumerate() {
            for (index, part) in head.account.state().parts.iter().enumerate() {
                owners.entry(part.sealed.number()).or_default().push((at, index));
            }
        }
        folders.into_values().find_map(|mut files| {
            files.sort_by_key(|held| held.last_id);
            let hurry = files.len() >= TOO_MANY;
            let before = if hurry { u64::MAX } else { hour };
            let small = || SIZES.iter().find_map(|&size| self.neighbours(&files, &owners, 0..size, before));
            small().or_else(|| self.neighbours(&files, &owners, SIZES[2]..FULL, before))
        })
    }

    /// The first run of many neighbours below a size.
    fn neighbours(
        &self,
        files: &[&Held],
        owners: &BTreeMap<u64, Vec<(usize, usize)>>,
        sizes: Range<u64>,
        before: u64,
    ) -> Option<Vec<u64>> {
        let mut run: Vec<u64> = Vec::new();
        // Where each account's part of the run ends in its list.
        let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
        let (mut bytes, mut known, mut blocks) = (0, 0, 0);
        let most = if sizes.start == 0 { MOST_BYTES } else { MOST_COPIED };
        for held in files {
            let number = held.sealed.number();
            let own = owners.get(&number).map(Vec::as_slice).unwrap_or_default();
            let fits =
                sizes.contains(&held.sealed.file_len()) && held.last_id < before && !self.stuck.contains(&number);
            // An account may have sealed a file of its own in between: then what is before and behind that are no neighbours,
            // and one file of both would seem to cover it.
            let neighbour = own.iter().all(|&(at, index)| ends.get(&at).is_none_or(|&end| end + 1 == index));
            // Lines that pack well make many blocks of few bytes, and so do many accounts of one line.
            let accounts = ends.len() + own.iter().filter(|(at, _)| !ends.contains_key(at)).count();
            let full = run.len() >= MOST_FILES
                || bytes + held.sealed.file_len() > most
                || known + held.sealed.known() > MOST_KNOWN
                || blocks + held.sealed.fill().merged() + accounts as u64 > MAX_BLOCKS as u64;
            if !(fits && neighbour) || full {
                if run.len() >= MANY {
                    return Some(run);
                }
                run.clear();
                ends.clear();
                (bytes, known, blocks) = (0, 0, 0);
            }
            if fits {
                run.push(number);
                ends.extend(own.iter().copied());
                bytes += held.sealed.file_len();
                known += held.sealed.known();
                blocks += held.sealed.fill().merged();
            }
        }
        (run.len() >= MANY).then_some(run)
    }

    /// Writes what counts of these files into new ones, and lets them go.
    pub(super) fn merge(&mut self, run: &[u64]) -> Result<(), StoreError> {
        // What each account has in them: neighbours in its list.
        let mut moves: Vec<(usize, Vec<Part>)> = Vec::new();
        for &at in self.by_name.values() {
            let state = self.heads[at].account.state();
            let of_it: Vec<Part> =
                state.parts.iter().filter(|part| run.contains(&part.sealed.number())).cloned().collect();
            if !of_it.is_empty() {
                moves.push((at, of_it));
            }
        }
        let (own, together): (Vec<_>, Vec<_>) =
            moves.into_iter().partition(|(_, parts)| parts.iter().map(|part| part.bytes).sum::<u64>() >= OWN);
        let mut outputs: Vec<Vec<(usize, Vec<Part>)>> = own.into_iter().map(|one| vec![one]).collect();
        if !together.is_empty() {
            outputs.push(together);
        }
        for output in outputs {
            match self.write_merged(&output) {
                Ok(true) => {}
                // Fuller than they seemed: they stay as they are.
                Ok(false) => self.stuck.extend(run.iter().filter(|number| self.files.contains_key(number))),
                Err(error) if error.kind() == StoreErrorKind::Damage => {
                    // What can be read of that file stays readable where it is. It is left alone from now on, and the others
                    // are merged without it the next time.
                    let is_it = |held: &&Held| Some(held.sealed.path()) == error.path();
                    let before = self.stuck.len();
                    self.stuck.extend(self.files.values().filter(is_it).map(|held| held.sealed.number()));
                    if self.stuck.len() == before {
                        self.stuck.extend(run);
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes a file of these; or nothing, if their lines come to more blocks than a file may have.
    fn write_merged(&mut self, output: &[(usize, Vec<Part>)]) -> Result<bool, StoreError> {
        let account = match output {
            [(at, _)] => Some(Arc::clone(self.heads[*at].account.name())),
            _ => None,
        };
        let name = account.as_deref().unwrap_or(SHARED);
        let folder = self.place.writing(name)?;
        let broken = |error: std::io::Error| StoreError::io(&folder, DOING, &error);
        if let [(at, parts)] = output
            && parts.iter().all(|part| part.sealed.fill().is_full())
        {
            let floor = self.heads[*at].account.state().floor;
            if let Some(whole) = self.copy(parts, floor, &folder)? {
                self.keep_merged(name, whole, output)?;
                return Ok(true);
            }
        }
        let mut writer = SegmentWriter::create(&folder).map_err(broken)?;
        if let Err(error) = self.fill(&mut writer, output, &folder) {
            // What cannot be read now is not too much for a file.
            let away = matches!(error.kind(), StoreErrorKind::Io(kind) if kind != std::io::ErrorKind::InvalidInput);
            return if writer.blocks() < MAX_BLOCKS || away { Err(error) } else { Ok(false) };
        }
        match writer.blocks() {
            // All of it lay below a floor.
            0 => self.swap(output, None),
            _ => self.keep_merged(name, writer.whole(None).map_err(broken)?, output)?,
        }
        Ok(true)
    }

    fn keep_merged(&mut self, name: &str, whole: Whole, output: &[(usize, Vec<Part>)]) -> Result<(), StoreError> {
        let replaced = self.number_at(&self.place.path(name, whole.name()));
        match self.keep(name, whole, DOING) {
            Ok(segment) => {
                self.swap(output, Some(&segment));
                Ok(())
            }
            Err(error) => {
                // Under its name there may be lines of all of them by now.
                self.unsure.extend(replaced);
                Err(error)
            }
        }
    }

    fn fill(&self, writer: &mut SegmentWriter, output: &[(usize, Vec<Part>)], folder: &Path) -> Result<(), StoreError> {
        let broken = |error: std::io::Error| StoreError::io(folder, DOING, &error);
        let mut copy = Copy::into(writer, &self.place);
        let mut scratch = Scratch::new().map_err(broken)?;
        for (at, parts) in output {
            let account = &self.heads[*at].account;
            let floor = account.state().floor;
            let mut chunk = None;
            for part in parts {
                // The new file may take the name of one that it is made of. Views that hold that one keep it open.
                let segment = self.pinned(part)?;
                copy.part(account.name(), part, floor, &segment, &mut scratch, &mut chunk, &mut |_| true)?;
            }
            copy.chunk(account.name(), chunk.take()).map_err(broken)?;
        }
        Ok(())
    }

    /// The segment of a part, for as long as anybody holds that.
    pub(super) fn pinned(&self, part: &Part) -> Result<Segment, StoreError> {
        let failed = |damage| self.place.failed(&damage);
        let segment = self.shared.cache.open(&part.sealed).map_err(failed)?;
        part.sealed.pin(&segment).map_err(failed)?;
        Ok(segment)
    }

    /// Copies full blocks as they are. `None` if that cannot be: a file holds lines that do not count, or there are too many
    /// blocks.
    fn copy(&self, parts: &[Part], floor: u64, folder: &Path) -> Result<Option<Whole>, StoreError> {
        let mut segments = Vec::with_capacity(parts.len());
        for part in parts {
            let segment = self.pinned(part)?;
            let [account] = segment.accounts() else { return Ok(None) };
            if account.first_id() != part.first || account.last_id() != part.last {
                return Ok(None);
            }
            segments.push(segment);
        }
        let keep =
            |segment: &Segment, block: usize| segment.blocks().get(block).is_some_and(|block| block.last_id() >= floor);
        if segments.iter().map(|segment| segment.blocks().len()).sum::<usize>() > MAX_BLOCKS {
            return Ok(None);
        }
        segment::merge(&segments, keep, folder).map_err(|error| match error {
            Unmerged::Io(error) => StoreError::io(folder, DOING, &error),
            Unmerged::Damage(damage) => self.place.failed(&damage),
        })
    }

    /// Puts the new file in the place of the old ones, account by account.
    pub(super) fn swap(&mut self, output: &[(usize, Vec<Part>)], segment: Option<&Segment>) {
        let mut new: BTreeMap<Box<str>, Part> =
            segment.map(|segment| parts(&self.place, segment)).unwrap_or_default().into_iter().collect();
        for (at, old) in output {
            let account = Arc::clone(&self.heads[*at].account);
            let state = account.state();
            let gone: BTreeSet<u64> = old.iter().map(|part| part.sealed.number()).collect();
            let mut all = Vec::with_capacity(state.parts.len());
            let mut new = new.remove(&**account.name());
            for part in &*state.parts {
                if !gone.contains(&part.sealed.number()) {
                    all.push(part.clone());
                } else if let Some(part) = new.take() {
                    all.push(part);
                }
            }
            for part in &all {
                if let Some(segment) = segment
                    && part.sealed.path() == segment.path()
                    && !gone.contains(&part.sealed.number())
                {
                    self.shared.cache.keep(part.sealed.number(), segment);
                    let number = part.sealed.number();
                    self.files.entry(number).or_insert_with(|| Held::new(&part.sealed, segment)).accounts += 1;
                }
            }
            account.swap(AccountState { parts: all.into(), chunks: state.chunks.clone(), ..*state });
            drop(state);
            for part in old {
                if segment.is_some_and(|segment| segment.path() == part.sealed.path()) {
                    // The new file has its name, so there is nothing to remove.
                    self.forget(*at, part);
                } else {
                    self.let_go(*at, part);
                }
            }
        }
    }
}

/// Lines from old files into a new one, by way of chunks: small blocks become full ones.
pub(super) struct Copy<'w> {
    writer: &'w mut SegmentWriter,
    place: &'w Place,
    lengths: Vec<u32>,
    text: Vec<u8>,
    columns: Columns,
}

impl<'w> Copy<'w> {
    pub(super) fn into(writer: &'w mut SegmentWriter, place: &'w Place) -> Self {
        Self { writer, place, lengths: Vec::new(), text: Vec::new(), columns: Columns::default() }
    }

    /// The lines of an account that count, as far as they are to be kept.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is read, and what it goes through, is used again by the next one"
    )]
    pub(super) fn part(
        &mut self,
        account: &str,
        part: &Part,
        floor: u64,
        segment: &Segment,
        scratch: &mut Scratch,
        chunk: &mut Option<Chunk>,
        keep: &mut dyn FnMut(&Event<'_>) -> bool,
    ) -> Result<(), StoreError> {
        let Some(entry) = segment.accounts().iter().find(|entry| entry.name() == account) else { return Ok(()) };
        let from = part.first.max(floor);
        for block in entry.blocks() {
            let known = &segment.blocks()[block];
            if known.last_id() < from || known.first_id() > part.last {
                continue;
            }
            let read = segment.columns(block, scratch, &mut self.columns);
            let read = read.and_then(|()| segment.text(block, scratch, &mut self.text));
            read.map_err(|damage| self.place.failed(&damage))?;
            for line in 0..self.columns.lines() {
                let id = self.columns.ids()[line];
                if id < from || id > part.last {
                    continue;
                }
                let Some(sender) = segment.senders().get(self.columns.senders()[line] as usize) else { continue };
                let message = self.text.get(self.columns.message(line)).unwrap_or_default();
                let mut event = Event::new(EventId::new(id), account, message)
                    .with_generated(self.columns.generated()[line])
                    .with_system(sender.system())
                    .with_program(sender.program())
                    .with_severity(sender.severity())
                    .with_facility(sender.facility());
                if let Some(source) = self.columns.source(line) {
                    event = event.with_source_ip(source);
                }
                if !keep(&event) {
                    continue;
                }
                let current = chunk.get_or_insert_with(|| Chunk::new(event.id()));
                if current.append(&event).is_none() {
                    let full = chunk.replace(Chunk::new(event.id()));
                    write(self.writer, account, full, &mut self.lengths)
                        .map_err(|error| StoreError::io(segment.path(), "merge a segment", &error))?;
                    if let Some(chunk) = chunk {
                        // An empty chunk takes any message.
                        let _ = chunk.append(&event);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn chunk(&mut self, account: &str, chunk: Option<Chunk>) -> std::io::Result<()> {
        write(self.writer, account, chunk, &mut self.lengths)
    }
}

fn write(
    writer: &mut SegmentWriter,
    account: &str,
    chunk: Option<Chunk>,
    lengths: &mut Vec<u32>,
) -> std::io::Result<()> {
    match chunk {
        Some(chunk) => push_chunk(writer, account, &chunk.read(), lengths),
        None => Ok(()),
    }
}
