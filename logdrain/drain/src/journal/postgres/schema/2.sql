-- Nodes that share a journal: partitions that any of them writes to, each counted by the node that owns it.

-- `version` rises with each step that writes more than events and ids: who knows the partition reads all of it again then.
-- `ticked` is the last move of the watermark.
ALTER TABLE logdrain.part ADD COLUMN version bigint NOT NULL DEFAULT 0, ADD COLUMN ticked bigint NOT NULL DEFAULT 0;

-- Who counts a partition, and until when nobody else may. Beside `part`, whose rows are locked with each step.
CREATE TABLE logdrain.leases (
    p int PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE logdrain.nodes (
    node text PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    began timestamptz NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Makes the partitions of a journal that nodes share. There are so many for ever.
CREATE FUNCTION logdrain.make_partitions(the_count int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR the_p IN 0 .. the_count - 1 LOOP
        INSERT INTO logdrain.part (p) VALUES (the_p) ON CONFLICT DO NOTHING;
        INSERT INTO logdrain.leases (p) VALUES (the_p) ON CONFLICT DO NOTHING;
        IF to_regclass(format('logdrain.log_%s', the_p)) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE logdrain.log_%1$s PARTITION OF logdrain.log FOR VALUES IN (%1$s)
                 WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)', the_p);
            EXECUTE format('ALTER TABLE logdrain.log_%s ALTER COLUMN body SET STORAGE EXTERNAL', the_p);
        END IF;
    END LOOP;
    INSERT INTO logdrain.meta VALUES ('partitions', the_count::text);
END $$;

-- One step of a partition that the caller has locked: events, ids and where it stands then. Answers how much that was old
-- went with it.
CREATE FUNCTION logdrain.append_shared(
    the_p int, new_head bigint, new_emitted bigint, new_last_id bigint, new_version bigint, new_ticked bigint,
    the_seqs bigint[], the_kinds bigint[], the_ats bigint[], the_drains text[], the_counts bigint[], the_crcs bigint[],
    the_bases bigint[], the_lines bigint[], the_peers bytea[], the_layouts bigint[], the_raws bigint[], the_bodies bytea[],
    the_ids bytea[], the_id_drains bigint[], the_id_seqs bigint[],
    the_behind bigint, the_before bigint, the_most bigint, the_old bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO logdrain.log (p, seq, kind, at, drain, count, crc, base_id, lines, peer, layout, raw, body)
        SELECT the_p, * FROM unnest(the_seqs, the_kinds, the_ats, the_drains, the_counts, the_crcs, the_bases, the_lines,
            the_peers, the_layouts, the_raws, the_bodies);
    INSERT INTO logdrain.ids (p, id, drain, seq) SELECT the_p, * FROM unnest(the_ids, the_id_drains, the_id_seqs);
    UPDATE logdrain.part SET head = new_head, emitted = greatest(emitted, new_emitted),
        last_id = greatest(last_id, new_last_id), version = new_version, ticked = greatest(ticked, new_ticked)
        WHERE p = the_p;
    RETURN logdrain.give_back(the_p, the_behind, the_before, the_most, the_old);
END $$;

-- A node says that it lives, and keeps what it owns for so many more milliseconds: of the partitions that are named, the ones
-- that nobody took meanwhile. Answers what it was called before.
CREATE FUNCTION logdrain.renew(
    the_node text, the_name text, the_version text, the_lease bigint, the_parts int[], the_epochs bigint[]
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    the_end timestamptz := clock_timestamp() + the_lease * interval '1 millisecond';
    its_name text;
BEGIN
    SELECT name INTO its_name FROM logdrain.nodes WHERE node = the_node;
    INSERT INTO logdrain.nodes VALUES (the_node, the_name, the_version, clock_timestamp(), the_end)
        ON CONFLICT (node) DO UPDATE SET name = the_name, version = the_version, until = the_end,
            began = CASE WHEN nodes.name = the_name THEN nodes.began ELSE clock_timestamp() END;
    UPDATE logdrain.leases AS own SET until = the_end
        FROM unnest(the_parts, the_epochs) AS held (p, epoch) WHERE own.p = held.p AND own.epoch = held.epoch;
    -- Of nodes that are gone for a day nobody asks.
    DELETE FROM logdrain.nodes WHERE until < clock_timestamp() - interval '1 day';
    RETURN its_name;
END $$;
