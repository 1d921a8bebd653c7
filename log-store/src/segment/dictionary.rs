//! Who sent lines: account, system, program, severity and facility together, each once a segment.

use super::bytes::{Cursor, put_bytes, put_varint};
use std::collections::HashMap;

/// Bytes of a system's or a program's name that a segment keeps at most.
pub(super) const LONGEST_NAME: usize = 1 << 10;

/// A sender as a writer is told it. Severity and facility are 255 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SenderName<'a> {
    pub(crate) system: &'a [u8],
    pub(crate) program: &'a [u8],
    pub(crate) severity: u8,
    pub(crate) facility: u8,
}

/// A sender of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sender {
    account: u32,
    severity: u8,
    facility: u8,
    system: Box<[u8]>,
    program: Box<[u8]>,
}

impl Sender {
    /// Whose it is: an index into the segment's accounts.
    pub(crate) const fn account(&self) -> u32 {
        self.account
    }

    pub(crate) fn system(&self) -> &[u8] {
        &self.system
    }

    pub(crate) fn program(&self) -> &[u8] {
        &self.program
    }

    /// 0 to 7, or 255.
    pub(crate) const fn severity(&self) -> u8 {
        self.severity
    }

    /// 0 to 23, or 255.
    pub(crate) const fn facility(&self) -> u8 {
        self.facility
    }

    pub(super) fn name(&self) -> SenderName<'_> {
        SenderName { system: &self.system, program: &self.program, severity: self.severity, facility: self.facility }
    }

    /// Bytes of its names as they are searched, at most.
    pub(super) fn searched_len(&self) -> usize {
        self.system.len() + self.program.len() + 4
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.system.len() + self.program.len()
    }
}

/// The senders of a segment that is being written, each as its bytes in the file.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    known: HashMap<Box<[u8]>, u32>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
    scratch: Vec<u8>,
}

impl Dictionary {
    /// The number of a sender, a new one if it was not seen before. `None` if a name is too long. A `guess` that is right saves
    /// the look-up.
    pub(super) fn number(&mut self, account: u32, name: SenderName<'_>, guess: u32) -> Option<u32> {
        if name.system.len() > LONGEST_NAME || name.program.len() > LONGEST_NAME {
            return None;
        }
        self.scratch.clear();
        put_varint(&mut self.scratch, u64::from(account));
        self.scratch.push(name.severity);
        self.scratch.push(name.facility);
        put_bytes(&mut self.scratch, name.system);
        put_bytes(&mut self.scratch, name.program);
        if self.entry(guess as usize) == Some(self.scratch.as_slice()) {
            return Some(guess);
        }
        if let Some(&number) = self.known.get(self.scratch.as_slice()) {
            return Some(number);
        }
        let number = u32::try_from(self.known.len()).ok()?;
        self.bytes.extend_from_slice(&self.scratch);
        self.ends.push(self.bytes.len());
        self.known.insert(self.scratch.as_slice().into(), number);
        Some(number)
    }

    fn entry(&self, number: usize) -> Option<&[u8]> {
        let start = number.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(number)?)
    }

    /// The dictionary as it stands in the file.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.known.len() as u64);
        out.extend_from_slice(&self.bytes);
    }
}

/// Reads a dictionary of a segment with so many accounts.
pub(super) fn decode(bytes: &[u8], accounts: usize) -> Option<Vec<Sender>> {
    let mut cursor = Cursor::new(bytes);
    // Five bytes an entry at least.
    let count = cursor.varint_up_to(cursor.left() / 5)?;
    let mut senders = Vec::with_capacity(count);
    for _ in 0..count {
        senders.push(Sender {
            account: cursor.varint_u32().filter(|&account| (account as usize) < accounts)?,
            severity: cursor.u8()?,
            facility: cursor.u8()?,
            system: cursor.bytes(LONGEST_NAME)?.into(),
            program: cursor.bytes(LONGEST_NAME)?.into(),
        });
    }
    cursor.is_empty().then_some(senders)
}
