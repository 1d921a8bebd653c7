use crate::row::Row;
use crate::time::{MICROS_A_MINUTE, Printer, print_offset};
use std::io::{self, Write};

/// Writes rows, each with one call of the output below, and counts them.
///
/// A row is its ten columns with a TAB between them and one LF behind. A TAB, CR or LF inside a column becomes a space, so
/// there is never an eleventh column and never a second line; all other bytes stay what they are, and nothing is quoted.
/// Column 2 has the sender's offset, column 3 is UTC with `Z`; both have six digits of a fraction unless it is zero.
///
/// ```
/// use log_archive::{Row, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.write(&Row::new(7, 0, b"two\nlines\tand a \"tab\"").with_program(b"app/web.1"))?;
/// assert_eq!((writer.rows(), writer.bytes()), (1, 87));
/// assert_eq!(
///     writer.into_inner(),
///     b"7\t1970-01-01T00:00:00+00:00\t1970-01-01T00:00:00Z\t0\t\t\t\t\tapp/web.1\ttwo lines and a \"tab\"\n",
/// );
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Writer<W> {
    output: W,
    line: Vec<u8>,
    generated: Printer,
    received: Printer,
    rows: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Writes to this output: a file, an encoder of gzip.
    pub fn new(output: W) -> Self {
        Self { output, line: Vec::new(), generated: Printer::new(), received: Printer::new(), rows: 0, bytes: 0 }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the output. How much of the row it took is then not known: the archive is to be written again.
    pub fn write(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.print(row);
        self.output.write_all(&self.line)?;
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(u64::try_from(self.line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Has the output write what it may hold back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl<W> Writer<W> {
    fn print(&mut self, row: &Row<'_>) {
        let out = &mut self.line;
        out.clear();
        number(row.id(), out);
        out.push(b'\t');
        self.generated.print(row.generated_at() + i64::from(row.offset_minutes()) * MICROS_A_MINUTE, out);
        print_offset(row.offset_minutes(), out);
        out.push(b'\t');
        self.received.print(row.received_at(), out);
        out.extend_from_slice(b"Z\t");
        number(row.source_id(), out);
        for text in
            [row.source_name(), row.source_ip(), row.facility_name(), row.severity_name(), row.program(), row.message()]
        {
            out.push(b'\t');
            let from = out.len();
            out.extend_from_slice(text);
            // Copied first and mended then: two plain loops that a compiler makes fast.
            for byte in out.get_mut(from..).unwrap_or_default() {
                *byte = if matches!(*byte, b'\t' | b'\r' | b'\n') { b' ' } else { *byte };
            }
        }
        out.push(b'\n');
    }

    /// How many rows were written.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes they have, before the output packs them.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The output, not flushed.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.output
    }
}

fn number(value: u64, out: &mut Vec<u8>) {
    let from = out.len();
    let mut left = value;
    loop {
        out.push(b'0' + u8::try_from(left % 10).unwrap_or(0));
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}
