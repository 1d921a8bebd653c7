-- Who may come in, and what systems are called: the directory that nodes share. The tables are those of `settings.db`.

-- It rises with each change. Whoever changes something has its row until he is done.
CREATE TABLE logdrain.directory (version bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO logdrain.directory VALUES (0);

-- What was changed last at which version, of which account: nodes read it again then.
CREATE TABLE logdrain.touched (
    part text NOT NULL,
    account text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (part, account)
);
CREATE INDEX touched_since ON logdrain.touched (version);

CREATE TABLE logdrain.numbers (kind text PRIMARY KEY, last bigint NOT NULL);
CREATE TABLE logdrain.members (
    id bigint PRIMARY KEY,
    account text NOT NULL,
    email text NOT NULL,
    read_only boolean NOT NULL,
    manage_members boolean NOT NULL,
    change_plans boolean NOT NULL,
    purge boolean NOT NULL,
    groups_allowed text NOT NULL,
    password text,
    zone text,
    created bigint NOT NULL,
    UNIQUE (account, email)
);
CREATE TABLE logdrain.tokens (
    id bigint PRIMARY KEY,
    account text NOT NULL,
    member bigint REFERENCES logdrain.members (id) ON DELETE CASCADE,
    kind text NOT NULL,
    name text NOT NULL,
    shown text NOT NULL,
    digest text NOT NULL UNIQUE,
    created bigint NOT NULL
);
CREATE TABLE logdrain.sessions (
    digest text PRIMARY KEY,
    account text NOT NULL,
    member bigint REFERENCES logdrain.members (id) ON DELETE CASCADE,
    whose text NOT NULL,
    seen bigint NOT NULL,
    ends bigint NOT NULL
);
CREATE TABLE logdrain.links (
    digest text PRIMARY KEY,
    member bigint NOT NULL UNIQUE REFERENCES logdrain.members (id) ON DELETE CASCADE,
    ends bigint NOT NULL
);
CREATE TABLE logdrain.systems (
    id bigint PRIMARY KEY,
    account text NOT NULL,
    name text NOT NULL,
    shown text,
    hostname text,
    ip text,
    description text,
    auto_delete boolean NOT NULL,
    is_made boolean NOT NULL,
    last_event bigint NOT NULL,
    UNIQUE (account, name)
);
CREATE TABLE logdrain.used (
    account text NOT NULL,
    day text NOT NULL,
    system text NOT NULL,
    program text NOT NULL,
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (account, day, system, program)
);
CREATE TABLE logdrain.dashboards (
    id bigint PRIMARY KEY,
    account text NOT NULL,
    member bigint REFERENCES logdrain.members (id) ON DELETE CASCADE,
    title text NOT NULL,
    body text NOT NULL,
    version bigint NOT NULL,
    changed bigint NOT NULL
);
CREATE INDEX dashboards_of_account ON logdrain.dashboards (account);
CREATE TABLE logdrain.shares (
    digest text PRIMARY KEY,
    id bigint NOT NULL UNIQUE,
    account text NOT NULL,
    member bigint REFERENCES logdrain.members (id) ON DELETE CASCADE,
    name text NOT NULL,
    board text NOT NULL,
    chart text,
    wanted text NOT NULL,
    created bigint NOT NULL,
    ends bigint NOT NULL
);
CREATE TABLE logdrain.buckets (
    account text PRIMARY KEY,
    endpoint text,
    region text NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_id text NOT NULL,
    secret text NOT NULL
);
CREATE TABLE logdrain.metrics (
    account text NOT NULL,
    name text NOT NULL,
    period bigint NOT NULL,
    unit text NOT NULL,
    description text NOT NULL,
    colour text NOT NULL,
    summary text NOT NULL,
    changed bigint NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE TABLE logdrain.channels (
    id bigint PRIMARY KEY,
    account text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    shown text NOT NULL,
    settings text NOT NULL,
    created bigint NOT NULL,
    notices smallint NOT NULL DEFAULT 0
);
CREATE INDEX channels_of_account ON logdrain.channels (account);
CREATE TABLE logdrain.recipients (
    account text NOT NULL,
    address text NOT NULL,
    digest text UNIQUE,
    asked bigint NOT NULL,
    confirmed bigint,
    PRIMARY KEY (account, address)
);

CREATE INDEX tokens_of_account ON logdrain.tokens (account);
CREATE INDEX tokens_of_member ON logdrain.tokens (member);
CREATE INDEX sessions_of_account ON logdrain.sessions (account);
CREATE INDEX sessions_of_member ON logdrain.sessions (member);
CREATE INDEX shares_of_account ON logdrain.shares (account);
CREATE INDEX shares_of_member ON logdrain.shares (member);
CREATE INDEX dashboards_of_member ON logdrain.dashboards (member);
