-- Kept minutes of nodes: see `minutes/database.rs`. What has a `p` is written by the owner of that partition alone.
CREATE SCHEMA logdrain_minutes;

CREATE TABLE logdrain_minutes.standing (
    p int PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    removals bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE logdrain_minutes.names (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    p int NOT NULL,
    account text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    UNIQUE (account, name, p)
);

-- `bytes` rises and falls with each step: some of each page stays free.
CREATE TABLE logdrain_minutes.drains (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    p int NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,
    account text COLLATE "C" NOT NULL,
    drain text COLLATE "C" NOT NULL,
    UNIQUE (account, drain, p)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 500);

-- A piece is never changed: it comes small, goes within the hour for one that is put together, and that one stays. What is
-- packed is not packed once more.
CREATE TABLE logdrain_minutes.pieces (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bigint NOT NULL,
    drain bigint NOT NULL,
    hour bigint NOT NULL,
    len int NOT NULL,
    p smallint NOT NULL,
    level smallint NOT NULL,
    span smallint NOT NULL,
    fresh smallint NOT NULL,
    content bytea NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 5000,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 5000
);
ALTER TABLE logdrain_minutes.pieces ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX pieces_by_name ON logdrain_minutes.pieces (name, level, hour, drain);
CREATE INDEX pieces_by_hour ON logdrain_minutes.pieces (p, level, hour, id);
CREATE INDEX pieces_fresh ON logdrain_minutes.pieces (p, hour, name, drain) WHERE fresh > 0;
CREATE INDEX pieces_of_days ON logdrain_minutes.pieces (p, level, hour, name, drain) WHERE level > 0 AND span = 1;

CREATE TABLE logdrain_minutes.marks (
    drain bigint NOT NULL,
    hour bigint NOT NULL,
    bits bigint NOT NULL,
    PRIMARY KEY (drain, hour)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
