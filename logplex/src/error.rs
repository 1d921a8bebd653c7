//! Why a run could not begin or go on.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a run could not begin or go on. No message repeats a password.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for cannot be done; the text names the argument and says what to do.
    Config(String),
    /// A file that was to be written could not be made.
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The output could not be written.
    Write(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => f.write_str(why),
            Self::Create { path, error } => write!(f, "{}: cannot be written: {error}", path.display()),
            Self::Write(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}

impl std::error::Error for Error {}
