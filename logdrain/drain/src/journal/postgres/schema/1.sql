CREATE SCHEMA IF NOT EXISTS logdrain;

CREATE TABLE logdrain.meta (key text PRIMARY KEY, value text NOT NULL);

-- Where each partition stands, and who may write to it. Its row is written with each step: half of its page stays free.
CREATE TABLE logdrain.part (
    p int PRIMARY KEY,
    head bigint NOT NULL DEFAULT 0,
    low bigint NOT NULL DEFAULT 0,
    emitted bigint NOT NULL DEFAULT 0,
    last_id bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
INSERT INTO logdrain.part (p) VALUES (0);

-- Events. What is packed is not packed once more.
CREATE TABLE logdrain.log (
    p int NOT NULL,
    seq bigint NOT NULL,
    kind bigint NOT NULL,
    at bigint NOT NULL,
    drain text,
    count bigint,
    crc bigint NOT NULL,
    base_id bigint,
    lines bigint,
    peer bytea,
    layout bigint,
    raw bigint,
    body bytea,
    PRIMARY KEY (p, seq)
) PARTITION BY LIST (p);
ALTER TABLE logdrain.log ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX log_times ON logdrain.log (p, seq) WHERE kind IN (1, 3);
CREATE TABLE logdrain.log_0 PARTITION OF logdrain.log FOR VALUES IN (0)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE logdrain.log_0 ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE logdrain.ids (
    p int NOT NULL,
    id bytea NOT NULL,
    drain bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (p, id)
);
CREATE INDEX ids_of_drain ON logdrain.ids (p, drain, seq);

CREATE TABLE logdrain.drains (
    p int NOT NULL,
    drain bigint NOT NULL,
    key text NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (p, drain),
    UNIQUE (p, key)
);

CREATE TABLE logdrain.accounts (
    p int NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    crc bigint NOT NULL,
    PRIMARY KEY (p, name)
);

CREATE TABLE logdrain.said (
    p int NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (p, key)
);

-- Locks a partition for whoever holds it at this epoch, and lets him hold it on. Answers where it stands.
CREATE FUNCTION logdrain.hold(the_p int, the_epoch bigint, the_lease bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    its logdrain.part%ROWTYPE;
BEGIN
    SELECT * INTO STRICT its FROM logdrain.part WHERE p = the_p FOR UPDATE;
    IF its.epoch <> the_epoch THEN
        RAISE EXCEPTION USING ERRCODE = 'LD001', MESSAGE = its.name;
    END IF;
    UPDATE logdrain.part SET until = clock_timestamp() + the_lease * interval '1 millisecond' WHERE p = the_p;
    RETURN its.head;
END $$;

-- Removes what is old: at most so many events, the oldest first, and all ids of these drains but the newest 4096. Whoever calls
-- it holds the partition.
CREATE FUNCTION logdrain.give_back(
    the_p int, the_behind bigint, the_before bigint, the_most bigint, the_drains bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    its_low bigint;
    the_last bigint;
    given bigint := 0;
    more bigint;
BEGIN
    SELECT low INTO STRICT its_low FROM logdrain.part WHERE p = the_p;
    SELECT max(seq) INTO the_last FROM (
        SELECT seq, bool_and(seq <= the_behind AND at <= the_before) OVER (ORDER BY seq) AS goes FROM (
            SELECT seq, at FROM logdrain.log WHERE p = the_p AND seq > its_low ORDER BY seq LIMIT the_most
        ) AS oldest
    ) AS them WHERE goes;
    IF the_last IS NOT NULL THEN
        DELETE FROM logdrain.log WHERE p = the_p AND seq > its_low AND seq <= the_last;
        GET DIAGNOSTICS given = ROW_COUNT;
        UPDATE logdrain.part SET low = the_last WHERE p = the_p;
    END IF;
    IF cardinality(the_drains) > 0 THEN
        DELETE FROM logdrain.ids AS gone USING (
            SELECT of.drain, (
                SELECT seq FROM logdrain.ids AS last WHERE last.p = the_p AND last.drain = of.drain
                ORDER BY seq DESC OFFSET 4096 LIMIT 1
            ) AS upto FROM unnest(the_drains) AS of (drain)
        ) AS old WHERE gone.p = the_p AND gone.drain = old.drain AND gone.seq <= old.upto;
        GET DIAGNOSTICS more = ROW_COUNT;
        given := given + more;
    END IF;
    RETURN given;
END $$;

-- One step: events, ids and where the partition stands then, if it stands where the caller believes. Answers how much that was
-- old went with it.
CREATE FUNCTION logdrain.append(
    the_p int, the_epoch bigint, the_lease bigint,
    the_head bigint, new_head bigint, new_emitted bigint, new_last_id bigint,
    the_seqs bigint[], the_kinds bigint[], the_ats bigint[], the_drains text[], the_counts bigint[], the_crcs bigint[],
    the_bases bigint[], the_lines bigint[], the_peers bytea[], the_layouts bigint[], the_raws bigint[], the_bodies bytea[],
    the_ids bytea[], the_id_drains bigint[], the_id_seqs bigint[],
    the_behind bigint, the_before bigint, the_most bigint, the_old bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    found_head bigint := logdrain.hold(the_p, the_epoch, the_lease);
BEGIN
    IF found_head <> the_head THEN
        RAISE EXCEPTION USING ERRCODE = 'LD002',
            MESSAGE = format('the journal ends at event %s, and was believed to end at %s', found_head, the_head);
    END IF;
    INSERT INTO logdrain.log (p, seq, kind, at, drain, count, crc, base_id, lines, peer, layout, raw, body)
        SELECT the_p, * FROM unnest(the_seqs, the_kinds, the_ats, the_drains, the_counts, the_crcs, the_bases, the_lines,
            the_peers, the_layouts, the_raws, the_bodies);
    INSERT INTO logdrain.ids (p, id, drain, seq) SELECT the_p, * FROM unnest(the_ids, the_id_drains, the_id_seqs);
    UPDATE logdrain.part SET head = new_head, emitted = new_emitted, last_id = greatest(last_id, new_last_id)
        WHERE p = the_p;
    RETURN logdrain.give_back(the_p, the_behind, the_before, the_most, the_old);
END $$;
