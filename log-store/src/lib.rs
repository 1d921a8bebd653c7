//! Log lines kept in files, and found again by any piece of their text.
//!
//! An embedder gives each line an [`EventId`] that rises, appends it to a [`Store`], and searches what a [`Scope`] allows with a
//! [`Query`] as people type it. Here are lines of journald and nginx, kept and found:
//!
//! ```
//! use log_store::{Event, EventId, Options, Page, Query, Scope, Store};
//!
//! # let folder = std::env::temp_dir().join(format!("log-store-doc-page-{}", std::process::id()));
//! let mut store = Store::open(&folder, Options::new())?;
//! let mut id = EventId::at(1_700_000_000_000_000); // the time, in microseconds: ids are times
//! for (program, severity, line) in [
//!     ("sshd", 6, "Accepted publickey for deploy from 192.0.2.17 port 50022"),
//!     ("nginx", 6, r#"192.0.2.17 - - "GET /cart HTTP/1.1" 200 512"#),
//!     ("nginx", 3, r#"192.0.2.99 - - "GET /cart HTTP/1.1" 502 0"#),
//!     ("kernel", 4, "TCP: request_sock_TCP: Possible SYN flooding on port 443"),
//! ] {
//!     let event = Event::new(id, "home", line.as_bytes())
//!         .with_system(b"web-1")
//!         .with_program(program.as_bytes())
//!         .with_severity(severity);
//!     store.append(&event)?;
//!     store.publish(id); // from now on readers see it
//!     id = id.next();
//! }
//!
//! let view = store.reader().view(&Scope::account("home"));
//! let count = |text: &str| {
//!     let query = Query::parse(text);
//!     view.search(query.query(), &Page::new(), &mut || true).events().len()
//! };
//! assert_eq!(count("192.0.2."), 3); // any piece of a line
//! assert_eq!(count("program:nginx -\" 200 \""), 1);
//! assert_eq!(count("severity:error OR flooding"), 2);
//!
//! store.flush()?; // what is in files outlives the process
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! Events are in memory first, in the *head*, and go to files of some ten megabytes, *segments*, which never change. A segment
//! has blocks of 256 KiB of text, compressed, and an index of the pieces of three and five bytes that each block holds: a search
//! reads only the blocks that may hold its text, newest first, and stops when it has enough. [`Examined::blocks_read`] says how
//! many it was. `FORMAT.md` describes the files.
//!
//! A [`View`] is one consistent state: what is appended, sealed, merged or let go meanwhile does not change it. A [`Tail`] is an id
//! and no queue: nobody waits for a slow one, and it skips nothing. [`Reader::open`] looks into a folder that another process
//! writes.
//!
//! # What is the embedder's
//!
//! The head does not outlive the process. An embedder with a journal appends again what was not sealed; what was is passed over.
//! One without calls [`Store::flush`] for what must not be lost. There is no thread and no clock: call [`Store::seal_due`],
//! [`Store::merge_due`] and [`Store::expire`] now and then, each of which does one bounded step.
//!
//! # Elsewhere than in a folder
//!
//! Nodes that take over from each other keep sealed files where all of them see them, such as objects of a bucket:
//! [`Store::open_with`] takes a [`Files`], and the folder has the lock and what is not all written yet, nothing that would be missed.
//! With the notes that are kept beside the files a store is opened without one being read; what is searched is opened then.
//! Errors that pass ([`Damage::is_passing`]) mark nothing as damaged: sealing, merging and purging fail and may be asked again,
//! and a purge that has returned is final also over calls that failed before it. That a partition has one writer is for the
//! embedder to see to: the lock of the folder tells of those on the same disk only.
//!
//! # Untrusted input
//!
//! Any bytes may be in messages (1 MiB at most) and names (255 bytes are kept); accounts are `[a-z0-9-]`. Memory is bounded by
//! [`Options::max_memory`], whatever is appended. Queries may come from anyone: evaluation uses no recursion, a search takes at
//! most some 16 MiB beside its answer, and asks its caller before each block whether to go on. Files are checked before they are
//! believed: each part has a checksum, and a damaged one is named and costs no more than itself.
//!
//! # Accuracy
//!
//! An answer is what [`Query::matches`](log_query::Query::matches) says of each event, no more and no less, unless
//! [`Examined::damage`] names what could not be read.
//!
//! # Systems
//!
//! On Unix a folder has one writer, by `flock`. Elsewhere the embedder sees to that.

mod check;
mod chunk;
mod error;
mod event;
mod files;
mod folder;
mod lock;
mod merged;
mod options;
mod page;
mod patterns;
mod place;
mod reader;
mod report;
mod scope;
mod sealed;
mod segment;
mod source;
mod state;
mod store;
mod tail;
mod view;

pub use check::{Checked, check};
pub use error::{StoreError, StoreErrorKind};
pub use event::{Event, EventBuf, EventId};
pub use files::{Files, Listed, ReadAt};
pub use folder::is_account_name;
pub use log_query::Query;
pub use options::Options;
pub use page::{Examined, Found, Order, Page, Reached};
pub use patterns::{Pattern, Patterns};
pub use reader::Reader;
pub use report::AccountReport;
pub use scope::Scope;
pub use segment::{Damage, DamageKind};
pub use store::{Purged, Removed, Room, Store};
pub use tail::Tail;
pub use view::{Context, Counts, Neighbours, View};
