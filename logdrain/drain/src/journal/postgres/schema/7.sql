-- Accounts that are destroyed, each by the event that did it. As long as one is not over, the owner of the partition removes what is
-- left of it. `drains` is what its rows are called after, in JSON: each node looks for them in its own file, by the version of
-- the directory at which that was told.
CREATE TABLE logdrain.destroyed (
    p int NOT NULL,
    seq bigint NOT NULL,
    account text NOT NULL,
    at bigint NOT NULL,
    is_over boolean NOT NULL DEFAULT false,
    drains text,
    version bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (p, seq)
);
CREATE INDEX destroyed_since ON logdrain.destroyed (version);
