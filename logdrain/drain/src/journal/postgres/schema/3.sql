-- What nodes tell each other: of deliveries that wait for the database in their spools, and how they are reached, who pass requests
-- on.

-- `doubted` is what was believed at the last sign of a doubt.
ALTER TABLE logdrain.part ADD COLUMN doubted bigint NOT NULL DEFAULT 0;

-- When a node told last; since when nodes have told without a pause; by partition, in microseconds, the time before which
-- everything that came to it is in the journal (null: it does not say); and how many deliveries wait with it.
ALTER TABLE logdrain.nodes ADD COLUMN told timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN since timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN safe bigint[] NOT NULL DEFAULT '{}', ADD COLUMN spooled bigint NOT NULL DEFAULT 0,
    ADD COLUMN url text NOT NULL DEFAULT '';

DROP FUNCTION logdrain.renew(text, text, text, bigint, int[], bigint[]);

-- A node says that it lives, how it is reached, and keeps what it owns for so many more milliseconds: of the partitions that are
-- named, the ones that nobody took meanwhile. Answers what it was called before.
--
-- A pause in which no node told, and leases of some may have ended, is one after which nothing is known of what waits.
CREATE FUNCTION logdrain.renew(
    the_node text, the_name text, the_version text, the_lease bigint, the_parts int[], the_epochs bigint[],
    the_safe bigint[], the_spooled bigint, the_url text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    the_time timestamptz := clock_timestamp();
    the_end timestamptz := the_time + the_lease * interval '1 millisecond';
    the_pause interval := the_lease * interval '0.5 millisecond';
    its_name text;
    its_since timestamptz;
BEGIN
    SELECT name INTO its_name FROM logdrain.nodes WHERE node = the_node;
    SELECT coalesce(min(since), the_time) INTO its_since FROM logdrain.nodes
        WHERE told BETWEEN the_time - the_pause AND the_time + the_pause;
    INSERT INTO logdrain.nodes (node, name, version, began, until, told, since, safe, spooled, url)
        VALUES (the_node, the_name, the_version, the_time, the_end, the_time, its_since, the_safe, the_spooled, the_url)
        ON CONFLICT (node) DO UPDATE SET name = the_name, version = the_version, until = the_end, told = the_time,
            since = its_since, safe = the_safe, spooled = the_spooled, url = the_url,
            began = CASE WHEN nodes.name = the_name THEN nodes.began ELSE the_time END;
    UPDATE logdrain.leases AS own SET until = the_end
        FROM unnest(the_parts, the_epochs) AS held (p, epoch) WHERE own.p = held.p AND own.epoch = held.epoch;
    -- Of nodes that are gone for a day nobody asks.
    DELETE FROM logdrain.nodes WHERE until < the_time - interval '1 day';
    RETURN its_name;
END $$;
