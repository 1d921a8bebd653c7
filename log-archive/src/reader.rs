use crate::counts::Counts;
use crate::error::{ReadError, ReadErrorKind};
use crate::row::Row;
use crate::time::{self, MICROS_A_MINUTE, MOST_OFFSET};
use std::io::{BufRead, ErrorKind, Read};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads rows, in all forms that archives were seen in, and counts what is none.
///
/// * Times with `T` or a blank, with any digits of a fraction or none, with an offset as `Z`, `-04:00`, ` -0800` or none. A
///   time without one in column 2 takes that of column 3, or what [`with_offset_minutes`](Self::with_offset_minutes) says;
///   in column 3, and if neither column has one, it is UTC.
/// * Lines that are blank, short (fewer than ten columns) or a header (the first column is `id`) are counted and are no row.
/// * A message with TABs in it is one column, the tenth. A CR before LF is part of the line's end. A byte order mark at the
///   beginning of a line is skipped, so archives may be read one behind the other.
/// * The last line may lack its LF, which [`Counts::is_cut`] then says.
///
/// ```
/// use log_archive::Reader;
///
/// let archive = b"id\tgenerated_at\treceived_at\tsource_id\tsource_name\tsource_ip\tfacility\tseverity\tprogram\tmessage\r\n\
///     8\t2026-11-28 14:14:58 -0800\t2026-11-28 14:14:59 -0800\t42\tweb-1\t192.0.2.7\tUser\tInfo\tsshd\ta\tb\r\n\
///     9\tcut off\r\n";
/// let mut reader = Reader::new(&archive[..]);
/// while let Some(row) = reader.read()? {
///     assert_eq!((row.id(), row.generated_at(), row.offset_minutes()), (8, 1_795_904_098_000_000, -480));
///     assert_eq!((row.program(), row.message()), (&b"sshd"[..], &b"a\tb"[..]));
/// }
/// assert_eq!(reader.counts().to_string(), "1 row; left out: 1 header, 1 short");
/// # Ok::<(), log_archive::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    line: Vec<u8>,
    max_row_len: usize,
    /// Of times without an offset in column 2; none means that of column 3.
    offset_minutes: Option<i16>,
    counts: Counts,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads from this input: a file, a decoder of gzip.
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            max_row_len: 1 << 20,
            offset_minutes: None,
            counts: Counts::new(),
            ended: false,
        }
    }

    /// With this many bytes in a row at most, its end not counted. A longer one is an error and is passed over without
    /// being kept. Default 1 MiB.
    #[must_use]
    pub fn with_max_row_len(mut self, max_row_len: usize) -> Self {
        self.max_row_len = max_row_len;
        self
    }

    /// With the offset from UTC of times in column 2 that have none, for archives of an account that shows its own zone.
    /// Without it they take that of column 3.
    #[must_use]
    pub fn with_offset_minutes(mut self, offset_minutes: i16) -> Self {
        self.offset_minutes = Some(offset_minutes.clamp(-MOST_OFFSET, MOST_OFFSET));
        self
    }

    /// The next row, or none at the end. It borrows the reader's buffer.
    ///
    /// # Errors
    /// A row that cannot be read is an error and counted as refused; the next call reads the row behind it. Only behind an
    /// error of the input ([`ReadErrorKind::Input`]) there is nothing more; what was read of a row by then is let go.
    pub fn read(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        let (start, row) = loop {
            let Some(start) = self.fill()? else { return Ok(None) };
            let line = self.line.get(start..).unwrap_or_default();
            match read_line(line, self.offset_minutes) {
                Line::Row(row) => break (start, row),
                Line::Blank => self.counts.add_blank(),
                Line::Header => self.counts.add_header(),
                Line::Short => self.counts.add_short(),
                Line::Refused(kind, column) => {
                    self.counts.add_refused();
                    return Err(ReadError::new(kind, self.counts.lines(), Some(column)));
                }
            }
        };
        self.counts.add_row();
        Ok(Some(row.of(self.line.get(start..).unwrap_or_default())))
    }

    /// What was read so far, by what it was.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Has the next line in `line`, without its end, and says where in it the text begins; none at the end of the input.
    fn fill(&mut self) -> Result<Option<usize>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        self.line.clear();
        // A byte order mark in front, CR and LF behind.
        let most = u64::try_from(self.max_row_len).unwrap_or(u64::MAX).saturating_add(5);
        let count = match (&mut self.input).take(most).read_until(b'\n', &mut self.line) {
            Ok(count) => u64::try_from(count).unwrap_or(u64::MAX),
            Err(source) => {
                self.ended = true;
                return Err(ReadError::input(self.counts.lines() + 1, source));
            }
        };
        self.counts.add_bytes(count);
        if count == 0 {
            self.ended = true;
            return Ok(None);
        }
        if self.line.pop_if(|byte| *byte == b'\n').is_some() {
            self.line.pop_if(|byte| *byte == b'\r');
        } else if count == most {
            self.pass_over()?;
        } else {
            self.counts.cut();
        }
        let start = if self.line.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if self.line.len() - start > self.max_row_len {
            self.counts.add_refused();
            return Err(ReadError::new(ReadErrorKind::RowTooLong, self.counts.lines(), None));
        }
        Ok(Some(start))
    }

    /// Reads up to the end of the line and keeps nothing of it.
    fn pass_over(&mut self) -> Result<(), ReadError> {
        loop {
            let seen = match self.input.fill_buf() {
                Ok(seen) => seen,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    self.ended = true;
                    return Err(ReadError::input(self.counts.lines() + 1, source));
                }
            };
            if seen.is_empty() {
                self.counts.cut();
                return Ok(());
            }
            // `contains` is the standard library's fast search, `position` is not: it is asked for one buffer only.
            let end = if seen.contains(&b'\n') { seen.iter().position(|byte| *byte == b'\n') } else { None };
            let used = end.map_or(seen.len(), |end| end + 1);
            self.input.consume(used);
            self.counts.add_bytes(u64::try_from(used).unwrap_or(u64::MAX));
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

/// What a line is.
enum Line {
    Row(Columns),
    Blank,
    Header,
    Short,
    Refused(ReadErrorKind, u8),
}

/// The columns of a row but its texts, and where those end.
struct Columns {
    id: u64,
    generated_at: i64,
    offset_minutes: i16,
    received_at: i64,
    source_id: u64,
    ends: [usize; 9],
}

impl Columns {
    fn of<'a>(&self, line: &'a [u8]) -> Row<'a> {
        let [_, _, _, from, name, ip, facility, severity, program] = self.ends;
        let between = |from: usize, to: usize| line.get(from + 1..to).unwrap_or_default();
        Row::new(self.id, self.received_at, between(program, line.len()))
            .with_generated_at(self.generated_at, self.offset_minutes)
            .with_source_id(self.source_id)
            .with_source_name(between(from, name))
            .with_source_ip(between(name, ip))
            .with_facility_name(between(ip, facility))
            .with_severity_name(between(facility, severity))
            .with_program(between(severity, program))
    }
}

fn read_line(line: &[u8], assumed: Option<i16>) -> Line {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Blank;
    }
    let mut tabs = line.iter().enumerate().filter(|(_, byte)| **byte == b'\t').map(|(index, _)| index);
    let first = tabs.next().unwrap_or(line.len());
    if line.get(..first).is_some_and(|name| name.eq_ignore_ascii_case(b"id")) {
        return Line::Header;
    }
    let mut ends = [first; 9];
    for end in ends.iter_mut().skip(1) {
        // What stands behind the ninth belongs to the message, with all its TABs.
        let Some(tab) = tabs.next() else { return Line::Short };
        *end = tab;
    }
    match numbers(line, ends, assumed) {
        Ok(columns) => Line::Row(columns),
        Err((kind, column)) => Line::Refused(kind, column),
    }
}

/// Columns 1 to 4.
fn numbers(line: &[u8], ends: [usize; 9], assumed: Option<i16>) -> Result<Columns, (ReadErrorKind, u8)> {
    let [id, generated, received, source, ..] = ends;
    let between = |from: usize, to: usize| line.get(from..to).unwrap_or_default();
    let time = |text, column| time::read(text).ok_or((ReadErrorKind::Time, column));
    let id_value = number(between(0, id)).ok_or((ReadErrorKind::Number, 1))?;
    let generated_at = time(between(id + 1, generated), 2)?;
    let received_at = time(between(generated + 1, received), 3)?;
    let source_id = number(between(received + 1, source)).ok_or((ReadErrorKind::Number, 4))?;
    let received_offset = received_at.offset.unwrap_or(0);
    let offset_minutes = generated_at.offset.or(assumed).unwrap_or(received_offset);
    Ok(Columns {
        id: id_value,
        generated_at: generated_at.local - i64::from(offset_minutes) * MICROS_A_MINUTE,
        offset_minutes,
        received_at: received_at.local - i64::from(received_offset) * MICROS_A_MINUTE,
        source_id,
        ends,
    })
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
