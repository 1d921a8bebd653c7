//! The columns of a block: what is known of each line beside its text.
//!
//! Ids rise and mostly by 256, so what is kept is how much a step differs from that: a run of a delivery is a run of zeros.
//! Lines name their sender by its rank in the block's own list, so that a block can be copied into a segment whose dictionary
//! counts otherwise.

use super::bytes::{Cursor, put_varint, put_zigzag};
use std::net::IpAddr;
use std::ops::Range;

/// The step of ids within one delivery.
const STEP: u64 = 256;
/// Bytes a line at most: id 10, time 10, length 5, rank of the sender 2, of the address 2.
const MOST_A_LINE: usize = 29;
/// Bytes an address in the list at most.
const MOST_AN_ADDRESS: usize = 17;

/// The lines of one block as they are written: one item a line in each list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLines<'a> {
    /// Strictly rising, below 2^63.
    pub(crate) ids: &'a [u64],
    /// Microseconds since 1970, as the sender says.
    pub(crate) generated: &'a [i64],
    /// Numbers of senders, as the closure given with the block knows them.
    pub(crate) senders: &'a [u32],
    /// Where each line came from.
    pub(crate) sources: &'a [Option<IpAddr>],
    /// Bytes of each message, without its end.
    pub(crate) lengths: &'a [u32],
    /// The messages, each with one byte 0 behind it.
    pub(crate) text: &'a [u8],
}

/// The columns of one block as they are read. One item a line in each list; used again for the next block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Columns {
    ids: Vec<u64>,
    generated: Vec<i64>,
    senders: Vec<u32>,
    ends: Vec<u32>,
    sources: Vec<Option<IpAddr>>,
    source_ranks: Vec<u16>,
}

impl Columns {
    /// How many lines.
    pub(crate) fn lines(&self) -> usize {
        self.ids.len()
    }

    /// Their ids, strictly rising.
    pub(crate) fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// When each was written, in microseconds since 1970.
    pub(crate) fn generated(&self) -> &[i64] {
        &self.generated
    }

    /// Who sent each: indexes into the segment's dictionary.
    pub(crate) fn senders(&self) -> &[u32] {
        &self.senders
    }

    /// Where each message ends in the block's text; a byte 0 stands there, and the next message behind it.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Where a message lies in the block's text. Empty for a line that does not exist.
    pub(crate) fn message(&self, line: usize) -> Range<usize> {
        let start = match line.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).map_or(0, |&end| end as usize + 1),
        };
        start..self.ends.get(line).map_or(start, |&end| end as usize)
    }

    /// The address that a line came from.
    pub(crate) fn source(&self, line: usize) -> Option<IpAddr> {
        // One address for the whole block has no ranks.
        let rank = self.source_ranks.get(line).copied().unwrap_or(0);
        self.sources.get(usize::from(rank)).copied().flatten()
    }

    /// What this holds of memory, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        (self.ids.capacity() + self.generated.capacity()) * 8
            + (self.senders.capacity() + self.ends.capacity()) * 4
            + self.sources.capacity() * size_of::<Option<IpAddr>>()
            + self.source_ranks.capacity() * 2
    }
}

/// What a block's columns may be long at most, before compression.
pub(super) const fn longest(lines: usize) -> usize {
    lines * (MOST_A_LINE + MOST_AN_ADDRESS) + 16
}

/// Appends the columns of a block. `ranks` has each line's sender as its rank among the `distinct` ones of the block.
pub(super) fn encode(lines: &BlockLines<'_>, ranks: &[u16], distinct: usize, out: &mut Vec<u8>) {
    let mut last = None;
    for &id in lines.ids {
        match last {
            None => put_varint(out, id),
            Some(last) => put_varint(out, step(id.wrapping_sub(last))),
        }
        last = Some(id);
    }
    let mut last = 0_i64;
    for &time in lines.generated {
        put_zigzag(out, time.wrapping_sub(last));
        last = time;
    }
    for &length in lines.lengths {
        put_varint(out, u64::from(length));
    }
    planes(ranks, distinct, out);
    let mut sources: Vec<Option<IpAddr>> = Vec::new();
    let mut source_ranks = Vec::with_capacity(lines.sources.len());
    let mut seen = std::collections::HashMap::new();
    let mut before = None;
    for &source in lines.sources {
        // Lines of one delivery share their address, so most look-ups end here.
        let rank = match before {
            Some((last, rank)) if last == source => rank,
            _ => *seen.entry(source).or_insert_with(|| {
                sources.push(source);
                sources.len() as u16 - 1
            }),
        };
        before = Some((source, rank));
        source_ranks.push(rank);
    }
    put_varint(out, sources.len() as u64);
    for source in &sources {
        match source {
            None => out.push(0),
            Some(IpAddr::V4(address)) => {
                out.push(4);
                out.extend_from_slice(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                out.push(6);
                out.extend_from_slice(&address.octets());
            }
        }
    }
    planes(&source_ranks, sources.len(), out);
}

/// Reads columns of so many lines of `text` bytes; `senders` are the block's, in its own order.
pub(super) fn decode(bytes: &[u8], lines: usize, text: usize, senders: &[u32], out: &mut Columns) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    // Three bytes a line at least: a block of few bytes cannot claim many lines.
    if cursor.left() < lines.checked_mul(3)? {
        return None;
    }
    let Columns { ids, generated, senders: sender_ids, ends, sources, source_ranks } = out;
    ids.clear();
    let mut id = 0_u64;
    for line in 0..lines {
        let number = cursor.varint()?;
        id = if line == 0 { number } else { id.checked_add(unstep(number)?)? };
        ids.push(id);
    }
    if id > i64::MAX as u64 {
        return None;
    }
    generated.clear();
    let mut time = 0_i64;
    for _ in 0..lines {
        time = time.wrapping_add(cursor.zigzag()?);
        generated.push(time);
    }
    ends.clear();
    let mut end = 0_usize;
    for _ in 0..lines {
        end = end.checked_add(cursor.varint_up_to(text)?)?;
        ends.push(u32::try_from(end).ok()?);
        end += 1;
    }
    if end != text {
        return None;
    }
    sender_ids.clear();
    read_planes(&mut cursor, lines, senders.len(), |rank| {
        sender_ids.push(*senders.get(usize::from(rank))?);
        Some(())
    })?;
    if senders.len() == 1 {
        sender_ids.resize(lines, *senders.first()?);
    }
    sources.clear();
    for _ in 0..cursor.varint_up_to(lines)? {
        sources.push(match cursor.u8()? {
            0 => None,
            4 => Some(IpAddr::from(cursor.array::<4>()?)),
            6 => Some(IpAddr::from(cursor.array::<16>()?)),
            _ => return None,
        });
    }
    source_ranks.clear();
    read_planes(&mut cursor, lines, sources.len(), |rank| {
        source_ranks.push(Some(rank).filter(|&rank| usize::from(rank) < sources.len())?);
        Some(())
    })?;
    (!sources.is_empty() && cursor.is_empty()).then_some(())
}

/// A step of the id as a number that is small where it is usual: 256 is 0, 512 is 2, and 257 is 515.
const fn step(delta: u64) -> u64 {
    if delta != 0 && delta.is_multiple_of(STEP) { (delta / STEP - 1) << 1 } else { delta << 1 | 1 }
}

/// The other way. A step of nothing is refused: ids rise.
const fn unstep(number: u64) -> Option<u64> {
    let delta = if number & 1 == 1 {
        number >> 1
    } else {
        match (number >> 1).checked_add(1) {
            Some(steps) => match steps.checked_mul(STEP) {
                Some(delta) => delta,
                None => return None,
            },
            None => return None,
        }
    };
    if delta == 0 { None } else { Some(delta) }
}

/// Ranks among `distinct` things: nothing where there is one, a byte each up to 256, else all low bytes and then all high ones,
/// which are alike and compress well.
fn planes(ranks: &[u16], distinct: usize, out: &mut Vec<u8>) {
    if distinct > 1 {
        out.extend(ranks.iter().map(|&rank| rank as u8));
    }
    if distinct > 256 {
        out.extend(ranks.iter().map(|&rank| (rank >> 8) as u8));
    }
}

fn read_planes(
    cursor: &mut Cursor<'_>,
    lines: usize,
    distinct: usize,
    mut rank: impl FnMut(u16) -> Option<()>,
) -> Option<()> {
    if distinct <= 1 {
        return Some(());
    }
    let low = cursor.take(lines)?;
    if distinct <= 256 {
        return low.iter().try_for_each(|&low| rank(u16::from(low)));
    }
    let high = cursor.take(lines)?;
    low.iter().zip(high).try_for_each(|(&low, &high)| rank(u16::from(high) << 8 | u16::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_back() {
        for delta in [1, 2, 255, 256, 257, 511, 512, 513, (1 << 62) + 7, (1 << 63) - 1, (1 << 63) - 256] {
            assert_eq!(unstep(step(delta)), Some(delta));
        }
        assert_eq!((step(256), step(512)), (0, 2));
        assert_eq!((unstep(1), unstep(u64::MAX - 1)), (None, None));
    }
}
