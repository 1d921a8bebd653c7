//! What is wrong with a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Something in a segment's file is not what was written there: which file, where in it, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    file: PathBuf,
    block: Option<u32>,
    kind: DamageKind,
    part: &'static str,
}

/// In which way a file is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DamageKind {
    /// It could not be read.
    Read(io::ErrorKind),
    /// It ends too early, or goes on behind its end.
    Length,
    /// It is no segment, or not the one that its name says.
    Name,
    /// Its version, or the kind of a block, is not known to this version of the crate: a newer one wrote it.
    Unknown(u8),
    /// Its checksum does not fit.
    Checksum,
    /// Its checksum fits, and what it holds contradicts itself.
    Content,
}

impl DamageKind {
    /// Whether it may be gone the next time: the file could not be read, for another reason than that it is not there or not
    /// what it should be. A bucket that is away for a moment is such a reason; so may be a disk that fails. What does not pass is
    /// lost until somebody puts the file back.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        match self {
            Self::Read(kind) => !matches!(kind, NotFound | InvalidData | UnexpectedEof),
            _ => false,
        }
    }
}

impl Damage {
    pub(crate) fn new(file: &Path, kind: DamageKind, part: &'static str) -> Self {
        Self { file: file.to_owned(), block: None, kind, part }
    }

    pub(super) fn read(file: &Path, error: &io::Error, part: &'static str) -> Self {
        // A read that meets the end of the file found a file shorter than it says: not trouble of the disk.
        let kind = match error.kind() {
            io::ErrorKind::UnexpectedEof => DamageKind::Length,
            other => DamageKind::Read(other),
        };
        Self::new(file, kind, part)
    }

    pub(super) const fn in_block(mut self, block: usize) -> Self {
        self.block = Some(block as u32);
        self
    }

    /// The file; its name, if it is one of [`Files`](crate::Files).
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The block that cannot be read, counted from 0; `None` if it is not one block's.
    #[must_use]
    pub const fn block(&self) -> Option<u32> {
        self.block
    }

    /// In which way.
    #[must_use]
    pub const fn kind(&self) -> DamageKind {
        self.kind
    }

    /// Whether it may be gone the next time; see [`DamageKind::is_passing`].
    ///
    /// ```
    /// use log_store::{Found, Page, Query, Reader, Scope};
    ///
    /// fn search(reader: &Reader) -> Option<Found> {
    ///     let found = reader.view(&Scope::account("shop")).search(&Query::default(), &Page::new(), &mut || true);
    ///     // What is lost will not come back: show the rest. What cannot be had now is worth asking again.
    ///     let again = found.examined().damage().iter().any(log_store::Damage::is_passing);
    ///     (!again).then_some(found)
    /// }
    /// ```
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        self.kind.is_passing()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(block) = self.block {
            write!(f, "block {block}: ")?;
        }
        let part = self.part;
        match self.kind {
            DamageKind::Read(kind) => write!(f, "{part} cannot be read: {kind}"),
            DamageKind::Length => write!(f, "{part} does not end where it should"),
            DamageKind::Name => write!(f, "{part} does not fit the file's name"),
            DamageKind::Unknown(number) => write!(f, "{part} {number} is not known; a newer version wrote it"),
            DamageKind::Checksum => write!(f, "the checksum of {part} is wrong"),
            DamageKind::Content => write!(f, "{part} contradicts itself"),
        }
    }
}

impl std::error::Error for Damage {}
