//! The plain reader of lines of every generation: each field is walked past once. The fast reader is tested against it.

use crate::error::{FieldRefusal, FieldRefusalKind};
use crate::line::fields::{Field, Fields};
use crate::line::layout::{Layout, Quote, Zone};
use crate::line::name::Name;
use crate::value::{code, flag, milliseconds, number, status};

/// Where the fields of a line stand, all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    slots: [Slot; Name::COUNT],
    /// One bit for each name whose quote is open.
    open: u32,
    /// Where the first field of another name starts whose quote is open.
    open_unknown: Option<u32>,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    start: u32,
    len: u32,
}

impl Slot {
    /// No value starts here: the line is shorter.
    const ABSENT: Self = Self { start: u32::MAX, len: 0 };

    fn value(self, line: &[u8]) -> Option<&[u8]> {
        let start = self.start as usize;
        line.get(start..start + self.len as usize).filter(|value| !value.is_empty())
    }
}

impl Table {
    /// `line` is shorter than 4 GiB. Linear in it.
    #[cold]
    #[inline(never)]
    pub(crate) fn of(line: &[u8]) -> Self {
        let layout = Layout::of(line);
        let mut table = Self { slots: [Slot::ABSENT; Name::COUNT], open: 0, open_unknown: None };
        let mut zones = [Zone::Middle; Name::COUNT];
        for field in Fields::new(line, layout) {
            table.take(&field, line, layout, &mut zones);
        }
        table
    }

    /// The first field of a name stands, but for what a client may have written: see [`Layout`].
    fn take(&mut self, field: &Field<'_>, line: &[u8], layout: Layout, zones: &mut [Zone; Name::COUNT]) {
        let Some(value) = field.value() else { return };
        let is_open = field.quote() == Quote::Open && !layout.is_of_client(field.zone());
        let Some(name) = Name::of(field.name(), layout.is_old()) else {
            if is_open && self.open_unknown.is_none() {
                self.open_unknown = Some(field.offset() as u32);
            }
            return;
        };
        let (home, zone, nth) = (name.zone(), field.zone(), name as usize);
        let (Some(slot), Some(slot_zone)) = (self.slots.get_mut(nth), zones.get_mut(nth)) else { return };
        let is_better = home == Zone::Numbers && zone == Zone::Numbers && *slot_zone == Zone::Middle;
        if (*slot != Slot::ABSENT && !is_better) || layout.is_misplaced(home, zone, line) {
            return;
        }
        *slot = Slot { start: field.value_offset() as u32, len: value.len() as u32 };
        *slot_zone = zone;
        self.open = self.open & !(1 << nth) | u32::from(is_open) << nth;
    }

    fn slot(&self, name: Name) -> Slot {
        self.slots.get(name as usize).copied().unwrap_or(Slot::ABSENT)
    }

    /// The value of a field; an empty one is absent.
    pub(crate) fn value<'a>(&self, line: &'a [u8], name: Name) -> Option<&'a [u8]> {
        self.slot(name).value(line)
    }

    pub(crate) fn is_present(&self, name: Name) -> bool {
        self.slot(name) != Slot::ABSENT
    }

    /// Reads a value; one that is cut off is absent.
    fn read<T>(&self, line: &[u8], name: Name, rule: fn(&[u8]) -> Result<T, FieldRefusalKind>) -> Option<T> {
        if self.is_open(name) { None } else { self.value(line, name).and_then(|value| rule(value).ok()) }
    }

    const fn is_open(&self, name: Name) -> bool {
        self.open >> name as u32 & 1 == 1
    }

    fn has_refusals(&self, line: &[u8]) -> bool {
        self.open_unknown.is_some() || Name::ALL.into_iter().any(|name| self.refusal_kind(line, name).is_some())
    }

    /// Whether the line ends before its time; see [`RouterLine::is_cut`](crate::RouterLine::is_cut).
    fn is_cut(&self, line: &[u8]) -> bool {
        // Before October 2012 some lines have no status, and all end in `bytes`.
        let last = if Layout::of(line).is_old() { Name::Bytes } else { Name::Status };
        let is_last = |name| {
            let slot = self.slot(name);
            slot != Slot::ABSENT && slot.start as usize + slot.len as usize == line.len()
        };
        let digits =
            |name| line.get(self.slot(name).start as usize..).is_some_and(|text| text.iter().all(u8::is_ascii_digit));
        !self.is_present(last)
            || (is_last(Name::Status)
                && status(line.get(self.slot(Name::Status).start as usize..).unwrap_or_default()).is_err())
            || [Name::Connect, Name::Service].into_iter().any(|name| is_last(name) && digits(name))
    }

    fn refusal_kind(&self, line: &[u8], name: Name) -> Option<FieldRefusalKind> {
        let value = self.value(line, name)?;
        if self.is_open(name) {
            return Some(FieldRefusalKind::UnterminatedQuote);
        }
        match name {
            Name::Connect | Name::Service | Name::Wait => milliseconds(value).err(),
            Name::Queue | Name::Bytes => number(value).err(),
            Name::Status => status(value).err(),
            Name::Tls => flag(value).err(),
            Name::Code => code(value).err(),
            _ => None,
        }
    }

    /// What there is to refuse of a field; for `None`, of the fields whose names this crate does not know.
    pub(crate) fn refusal(&self, line: &[u8], name: Option<Name>) -> Option<FieldRefusal> {
        let Some(name) = name else {
            let kind = FieldRefusalKind::UnterminatedQuote;
            return self.open_unknown.map(|at| FieldRefusal::new(kind, "unknown", at, line.len() as u32 - at));
        };
        let kind = self.refusal_kind(line, name)?;
        // Refusals are rare, so where the field starts is not kept but found again.
        let slot = self.slot(name);
        let field = Fields::new(line, Layout::of(line)).find(|field| field.value_offset() == slot.start as usize)?;
        let end = field.value_offset() + slot.len as usize + usize::from(field.quote() == Quote::Closed);
        Some(FieldRefusal::new(kind, name.as_str(), field.offset() as u32, (end - field.offset()) as u32))
    }
}

/// What a view keeps of a [`Table`], so that it stays small: the fields that metrics are made of. Of others it makes the
/// table again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plain {
    code: Slot,
    desc: Slot,
    method: Slot,
    dyno: Slot,
    connect: Slot,
    service: Slot,
    status: Slot,
    bytes: Slot,
    pub(crate) has_refusals: bool,
    pub(crate) is_cut: bool,
}

impl Plain {
    /// `None` when it is no router line.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let table = Table::of(line);
        let tells = [Name::Code, Name::Method, Name::Path, Name::Status];
        // Of a number that is cut off there is no value.
        let number = |name| if table.is_open(name) { Slot::ABSENT } else { table.slot(name) };
        tells.into_iter().any(|name| table.value(line, name).is_some()).then(|| Self {
            code: table.slot(Name::Code),
            desc: table.slot(Name::Desc),
            method: table.slot(Name::Method),
            dyno: table.slot(Name::Dyno),
            connect: number(Name::Connect),
            service: number(Name::Service),
            status: number(Name::Status),
            bytes: number(Name::Bytes),
            has_refusals: table.has_refusals(line),
            is_cut: table.is_cut(line),
        })
    }

    /// The value of a field; an empty one is absent.
    #[inline]
    pub(crate) fn value<'a>(&self, line: &'a [u8], name: Name) -> Option<&'a [u8]> {
        match self.kept(name) {
            Some(slot) => slot.value(line),
            None => Table::of(line).value(line, name),
        }
    }

    /// Reads a value; a number or flag that is cut off is absent.
    #[inline]
    pub(crate) fn read<T>(&self, line: &[u8], name: Name, rule: fn(&[u8]) -> Result<T, FieldRefusalKind>) -> Option<T> {
        match self.kept(name) {
            Some(slot) => slot.value(line).and_then(|value| rule(value).ok()),
            None => Table::of(line).read(line, name, rule),
        }
    }

    #[inline]
    const fn kept(&self, name: Name) -> Option<Slot> {
        Some(match name {
            Name::Code => self.code,
            Name::Desc => self.desc,
            Name::Method => self.method,
            Name::Dyno => self.dyno,
            Name::Connect => self.connect,
            Name::Service => self.service,
            Name::Status => self.status,
            Name::Bytes => self.bytes,
            _ => return None,
        })
    }
}
