-- Alerts that are on their way, and where their rules stand.

-- Messages, as a single server has them in a file. `body` is nothing when only the head is left, `is_shown` is 0 when it is there
-- for its id alone, `open` deliveries wait.
CREATE SEQUENCE logdrain.told_seq;
CREATE TABLE logdrain.told (
    seq bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
    account text NOT NULL,
    alert bigint NOT NULL,
    name text NOT NULL,
    kind bigint NOT NULL,
    at bigint NOT NULL,
    is_muted boolean NOT NULL,
    why text NOT NULL,
    kept bigint NOT NULL,
    open bigint NOT NULL,
    is_shown bigint NOT NULL DEFAULT 1,
    bytes bigint NOT NULL,
    body bytea
);
ALTER TABLE logdrain.told ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX told_of_alert ON logdrain.told (account, alert, seq) WHERE is_shown = 1;
CREATE INDEX told_with_body ON logdrain.told (account, seq, open, bytes) WHERE body IS NOT NULL;
CREATE INDEX told_for_id ON logdrain.told (kept) WHERE is_shown = 0;

-- One of each message to each channel. Which node is sending it, and until when no other one may, in milliseconds since 1970.
CREATE TABLE logdrain.deliveries (
    seq bigint NOT NULL,
    channel bigint NOT NULL,
    account text NOT NULL,
    alert bigint NOT NULL,
    state bigint NOT NULL,
    tries bigint NOT NULL,
    said text NOT NULL,
    changed bigint NOT NULL,
    claimed_by text NOT NULL DEFAULT '',
    claimed_until bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (seq, channel)
);
CREATE INDEX deliveries_waiting ON logdrain.deliveries (account, alert, channel, seq) WHERE state = 0;
CREATE INDEX deliveries_of_account ON logdrain.deliveries (account);

-- What messages of an account take, in bytes. Whoever keeps some has its row locked.
CREATE TABLE logdrain.held (account text PRIMARY KEY, bytes bigint NOT NULL) WITH (fillfactor = 50);

-- Where the rules of a partition stand: `kind` is lines or minutes.
CREATE TABLE logdrain.rules (
    p int NOT NULL,
    kind text NOT NULL,
    piece bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (p, kind, piece)
);
ALTER TABLE logdrain.rules ALTER COLUMN body SET STORAGE EXTERNAL;
