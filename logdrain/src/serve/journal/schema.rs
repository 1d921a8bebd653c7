//! What the journal's file looks like, and how an older one becomes that.

/// `application_id` of our files: "LDRN".
pub(crate) const APPLICATION: i32 = 0x4c44_524e;
/// The layout that this program writes. [`MIGRATIONS`] leads to it from every older one.
pub(crate) const SCHEMA: i32 = MIGRATIONS.len() as i32;

/// What makes each schema from the one before it; the first makes it from nothing.
pub(super) const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL, drain TEXT, msg_count INTEGER,
        crc INTEGER NOT NULL, body BLOB);
    CREATE TABLE ids (id BLOB PRIMARY KEY, drain INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX ids_of_drain ON ids (drain, seq);
    CREATE TABLE drains (drain INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, since INTEGER NOT NULL);
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID;
    INSERT INTO meta VALUES ('position', 0), ('emitted', 0);
",
    "
    -- No other tables: doubts of the clock are events, meta holds a checksum of itself, and settings and snapshots hold
    -- more than a program of the schema before would understand.
",
];
