//! What the journal's file looks like, and how an older one becomes that.

/// `application_id` of our files: "LDRN".
pub const APPLICATION: i32 = 0x4c44_524e;
/// The layout that this program writes. [`MIGRATIONS`] leads to it from every older one.
pub const SCHEMA: i32 = MIGRATIONS.len() as i32;

/// What makes each schema from the one before it; the first makes it from nothing.
pub(super) const MIGRATIONS: [&str; 4] = [
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
    "
    -- Deliveries with who sent them, how they are to be read, and the ids of their events; `raw` is how long the body is
    -- when it is unpacked, and nothing where it lies as it came. Deliveries up to `old` have none of that yet: they are
    -- brought up to date a few at a time, `renewed` says how far that is.
    ALTER TABLE journal ADD COLUMN peer BLOB;
    ALTER TABLE journal ADD COLUMN layout INTEGER;
    ALTER TABLE journal ADD COLUMN events INTEGER;
    ALTER TABLE journal ADD COLUMN base INTEGER;
    ALTER TABLE journal ADD COLUMN raw INTEGER;
    INSERT INTO meta SELECT 'old', max(seq) FROM journal WHERE kind = 0 HAVING max(seq) IS NOT NULL;
",
    "
    -- Accounts have a row each; `settings` in meta is without them. Changes of the settings are events of their own, and
    -- those that hold all settings are of the configuration alone.
    CREATE TABLE accounts (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
",
];
