use std::fmt;

/// How many lines a [`Reader`](crate::Reader) has read, by what they were. `Display` says it in a line for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    rows: u64,
    headers: u64,
    blank: u64,
    short: u64,
    refused: u64,
    bytes: u64,
    cut: bool,
}

impl Counts {
    pub(crate) const fn new() -> Self {
        Self { rows: 0, headers: 0, blank: 0, short: 0, refused: 0, bytes: 0, cut: false }
    }

    pub(crate) fn add_row(&mut self) {
        self.rows += 1;
    }

    pub(crate) fn add_header(&mut self) {
        self.headers += 1;
    }

    pub(crate) fn add_blank(&mut self) {
        self.blank += 1;
    }

    pub(crate) fn add_short(&mut self) {
        self.short += 1;
    }

    pub(crate) fn add_refused(&mut self) {
        self.refused += 1;
    }

    pub(crate) fn add_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Rows that were given out.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Lines whose first column is `id`.
    #[must_use]
    pub const fn headers(&self) -> u64 {
        self.headers
    }

    /// Lines of nothing but white space.
    #[must_use]
    pub const fn blank(&self) -> u64 {
        self.blank
    }

    /// Lines of fewer than ten columns.
    #[must_use]
    pub const fn short(&self) -> u64 {
        self.short
    }

    /// Lines that were an error.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// All lines: the five counts above in sum.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.rows + self.headers + self.blank + self.short + self.refused
    }

    /// Bytes that were read, ends of lines included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the last line had no end: all archives that were written whole have one, so its message may lack something.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

/// `120 rows; left out: 1 header, 3 short; the last line has no end`
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} row{}", self.rows, if self.rows == 1 { "" } else { "s" })?;
        let mut before = "; left out: ";
        let headers = if self.headers == 1 { "header" } else { "headers" };
        for (count, what) in
            [(self.headers, headers), (self.blank, "blank"), (self.short, "short"), (self.refused, "refused")]
        {
            if count > 0 {
                write!(f, "{before}{count} {what}")?;
                before = ", ";
            }
        }
        if self.cut { f.write_str("; the last line has no end") } else { Ok(()) }
    }
}
