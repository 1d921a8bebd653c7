-- Files of partitions whose bytes lie in a bucket (`tiered.rs`): which there are, and by which key. A small one lies in its row.
-- Written by the owner of the partition alone.
CREATE TABLE logdrain.files (
    p int NOT NULL,
    name text COLLATE "C" NOT NULL,
    key text COLLATE "C",
    len bigint NOT NULL,
    written bigint NOT NULL,
    about bytea NOT NULL,
    content bytea,
    PRIMARY KEY (p, name),
    CHECK ((key IS NULL) <> (content IS NULL))
);
CREATE UNIQUE INDEX files_by_key ON logdrain.files (key) WHERE key IS NOT NULL;

-- What all files of a partition take. Whoever changes them has its row locked first, so that two changes come one behind the other.
CREATE TABLE logdrain.files_of (
    p int PRIMARY KEY,
    count bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    -- How many objects were begun for it: each has its number in its key.
    puts bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE FUNCTION logdrain.weigh_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE logdrain.files_of SET count = files_of.count + more.count, bytes = files_of.bytes + more.bytes
            FROM (SELECT p, count(*) AS count, sum(len)::bigint AS bytes FROM changed GROUP BY p) AS more
            WHERE files_of.p = more.p;
    ELSE
        UPDATE logdrain.files_of SET count = files_of.count - less.count, bytes = files_of.bytes - less.bytes
            FROM (SELECT p, count(*) AS count, sum(len)::bigint AS bytes FROM changed GROUP BY p) AS less
            WHERE files_of.p = less.p;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER weigh_more AFTER INSERT ON logdrain.files REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION logdrain.weigh_files();
CREATE TRIGGER weigh_less AFTER DELETE ON logdrain.files REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION logdrain.weigh_files();
