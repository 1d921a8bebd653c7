-- Resources of the add-on, and the sign-ons that were good already. `due` is from when on something is to be done about one, in
-- seconds since 1970.
CREATE TABLE logdrain.addon (
    uuid text PRIMARY KEY,
    name text NOT NULL,
    gone bigint,
    due bigint,
    value text NOT NULL
);
CREATE INDEX addon_by_name ON logdrain.addon (name);
CREATE INDEX addon_due ON logdrain.addon (due) WHERE due IS NOT NULL;
CREATE TABLE logdrain.sign_ons (token text PRIMARY KEY, until bigint NOT NULL);
CREATE INDEX sign_ons_over ON logdrain.sign_ons (until);
