//! What the structured targets share: choices drawn from the fuzzer's octets, and snapshots with a right checksum.

pub mod alerts;
pub mod stored;

/// Takes choices off the front of the input; zeros when it is used up, so that every input is a program.
///
/// Small inputs make small programs, and a changed octet changes one choice: what a fuzzer needs to find its way.
#[derive(Debug)]
pub struct Draw<'a>(&'a [u8]);

impl<'a> Draw<'a> {
    /// From these octets.
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// Whether all is used up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The octets that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        self.array().map_or(0, |[octet]| octet)
    }

    /// A number below `limit`, which is 1 to 256.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.octet()) % limit
    }

    /// True or false.
    pub fn flag(&mut self) -> bool {
        self.octet() & 1 == 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Sixteen bits.
    pub fn short(&mut self) -> i16 {
        self.array().map_or(0, i16::from_le_bytes)
    }

    /// A double: mostly plain numbers, sometimes any bits.
    pub fn double(&mut self) -> f64 {
        const ODD: [f64; 12] =
            [0.1, 0.2, -0.0, 1e-300, 1e300, -1e300, 1.6e23, -1.6e23, f64::MAX, f64::NAN, f64::INFINITY, 1e15 + 0.5];
        match self.below(8) {
            0..=2 => f64::from(self.octet()),
            3 | 4 => f64::from(self.short()) / 100.0,
            5 => f64::from(self.short()) * 1_000.0,
            6 => self.pick(&ODD),
            _ => self.array().map_or(0.0, f64::from_le_bytes),
        }
    }

    /// At most so many octets.
    pub fn octets(&mut self, most: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(most.min(self.0.len()));
        self.0 = left;
        taken
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk::<N>()?;
        self.0 = left;
        Some(*taken)
    }
}

/// A snapshot of an aggregator around this content, with the length and the checksum that make it one: without them no
/// mutation of a snapshot would ever get as far as the decoder.
///
/// Version 2 is the one of aggregators that hold what others have summed.
pub fn sealed(version: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = [b"MINAGG", &[version, 0][..], &(content.len() as u64).to_le_bytes()[..], content].concat();
    bytes.extend(crc64(&bytes).to_le_bytes());
    bytes
}

/// The content of a snapshot: the reverse of [`sealed`].
pub fn content(snapshot: &[u8]) -> &[u8] {
    &snapshot[16..snapshot.len() - 8]
}

/// A row around this content, with the length and the checksum that make it one.
pub fn sealed_row(content: &[u8]) -> Vec<u8> {
    sealed_after(b"MR\x01", content)
}

/// A content behind its magic and version, with length and checksum.
fn sealed_after(start: &[u8], content: &[u8]) -> Vec<u8> {
    let mut bytes = start.to_vec();
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes.extend(crc64(&bytes).to_le_bytes());
    bytes
}

/// The content of a row: the reverse of [`sealed_row`].
pub fn row_content(row: &[u8]) -> &[u8] {
    content_after(3, row)
}

fn content_after(start: usize, bytes: &[u8]) -> &[u8] {
    let length = bytes[start..].iter().position(|byte| byte & 0x80 == 0).unwrap_or_default() + 1;
    &bytes[start + length..bytes.len() - 8]
}

/// CRC-64/XZ, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    !bytes.iter().fold(!0, |sum: u64, octet| {
        (0..8).fold(sum ^ u64::from(*octet), |sum, _| (sum >> 1) ^ ((sum & 1) * 0xC96C_5795_D787_0F42))
    })
}

/// APP-NAME and PROCID of those who write lines that are read.
pub const SENDERS: [&str; 7] = [
    "app web.1",
    "heroku router",
    "heroku web.1",
    "app heroku-postgres",
    "app heroku-redis",
    "app heroku-pgbouncer",
    "heroku logplex",
];

/// What an extractor says of a line: its kind, its values, its refusals.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// What kind of line it is.
    pub class: String,
    /// Name, value and tags of each observation.
    pub rows: Vec<(String, String)>,
    /// Reason of each refusal.
    pub refused: Vec<String>,
}

impl heroku_metrics::LineVisitor for Said {
    fn record(&mut self, record: &heroku_metrics::model::Record<'_>) {
        let tags = format!("{:?}", record.tags().iter().collect::<Vec<_>>());
        self.rows.extend(record.observations().map(|seen| {
            let value = seen.value();
            (format!("{} {:?} {}", seen.name(), value.number().to_bits(), value.unit()), tags.clone())
        }));
    }

    fn refusal(&mut self, refusal: &heroku_metrics::LineRefusal) {
        self.refused.push(refusal.reason().as_str().to_owned());
    }
}

/// What an extractor says of the line, which `sender` wrote; `None` when it makes no frame.
pub fn said(sender: &str, line: &[u8]) -> Option<Said> {
    use heroku_metrics::syslog::{Dialect, Frame};
    let frame = [b"<190>1 2026-03-14T09:26:53Z host ", sender.as_bytes(), b" - ", line].concat();
    let frame = Frame::parse(&frame, Dialect::Logplex).ok()?;
    let config = heroku_metrics::ExtractorConfig::new().with_native_set(heroku_metrics::NativeSet::Extended);
    let (mut said, mut extractor) = (Said::default(), heroku_metrics::Extractor::new(config));
    let class = extractor.read(&frame, &mut said).class().as_str().to_owned();
    said.class = class;
    Some(said)
}

/// Where the metrics' words of a line stand that have a name behind them and are no end of another word.
pub fn metric_words(line: &[u8]) -> impl Iterator<Item = usize> + '_ {
    (0..line.len()).filter(|&at| {
        let rest = &line[at..];
        let word = [&b"count#"[..], b"measure#", b"sample#"].into_iter().find(|word| rest.starts_with(word));
        let name = word.and_then(|word| rest.get(word.len()));
        let is_named = name.is_some_and(|&octet| octet.is_ascii_alphanumeric() || b"_.:/-".contains(&octet));
        is_named && !at.checked_sub(1).is_some_and(|at| line[at].is_ascii_alphanumeric() || line[at] == b'_')
    })
}
