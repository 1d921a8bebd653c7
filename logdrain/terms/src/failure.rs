//! What went wrong, where, and what to do; and the exit status it leads to.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// Done.
    Done = 0,
    /// The input was bad: refused under `--strict`, or cut off before its end.
    BadInput = 1,
    /// The command could not be carried out as given.
    Usage = 2,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Prints a line to standard error. Whoever closed that does not want to hear it.
pub fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// Why a command could not go on.
#[derive(Debug)]
pub enum Failure {
    /// A file could not be opened.
    Open { path: PathBuf, error: io::Error },
    /// A directory was named.
    Directory { path: PathBuf },
    /// Neither a drain body nor `heroku logs` text.
    NotALog { path: PathBuf, begins: String },
    /// The output could not be written.
    Write(io::Error),
    /// Two settings contradict each other, or one is out of range.
    Config(String),
}

impl Failure {
    pub fn open(path: &Path, error: io::Error) -> Self {
        Self::Open { path: path.to_owned(), error }
    }

    /// A file that was to be written.
    pub fn create(path: &Path, error: &io::Error) -> Self {
        let shown = path.display();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::Config(match error.kind() {
            io::ErrorKind::NotFound => {
                let folder = folder.display();
                format!(
                    "{shown}: the folder {folder} does not exist: make it (mkdir -p {folder}), or name another file"
                )
            }
            io::ErrorKind::NotADirectory => {
                format!("{shown}: a part of {} is a file and not a folder; name another file", folder.display())
            }
            io::ErrorKind::IsADirectory => format!("{shown}: is a folder; name a file in it"),
            io::ErrorKind::PermissionDenied => {
                format!("{shown}: may not be written by this user; give it the right to, or name another file")
            }
            _ => format!("{shown}: cannot be written: {error}"),
        })
    }

    /// The configuration that was named.
    pub fn configuration(path: &Path, error: &io::Error) -> Self {
        let shown = path.display();
        Self::Config(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{shown}: there is no such configuration; logdrain/logdrain.toml is one to begin with")
            }
            io::ErrorKind::PermissionDenied => format!("{shown}: may not be read by this user"),
            _ => format!("{shown}: cannot be read: {error}"),
        })
    }

    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub const fn status(&self) -> Status {
        Status::Usage
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, error } if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{}: no such file (use - for standard input)", path.display())
            }
            Self::Open { path, error } => write!(f, "{}: cannot be opened: {error}", path.display()),
            Self::Directory { path } => {
                write!(f, "{}: is a directory; name the files in it, {0}/* for all of them", path.display())
            }
            Self::NotALog { path, begins } => write!(
                f,
                "{}: neither a drain body (it would begin with a length, a space and `<`) nor `heroku logs` text; it \
                 begins with {begins}. If it is a log all the same, say which: --input body or --input rendered",
                path.display()
            ),
            Self::Write(error) => write!(f, "the output cannot be written: {error}"),
            Self::Config(why) => f.write_str(why),
        }
    }
}
