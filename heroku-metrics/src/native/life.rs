use super::{Family, Native, count, opt_in, sample};
use metric_model::Unit;

pub(crate) const STATE_CHANGES: Native = opt_in(count("State changed from … to …", "heroku.dyno.state"));
pub(crate) const EXITS: Native = opt_in(count("Process exited with status …", "heroku.dyno.exit"));
pub(crate) const RELEASES: Native = opt_in(count("Release v… created by …", "heroku.release"));
pub(crate) const DYNO_CODES: Native = opt_in(count("Error R14 (…)", "heroku.dyno.errors"));
/// A ratio: 1 is the quota, beyond which R14 is written.
pub(crate) const SHARE: Native = opt_in(sample("memory_total / memory_quota", "heroku.dyno.mem.share", Unit::NONE));
pub(crate) const PROCESS: Native = opt_in(sample("Process running mem=…", "heroku.dyno.mem.process", Unit::BYTES));

/// `heroku ps` in time: crashes, restarts, scaling.
pub(crate) const STATE: Family = Family {
    title: "Dyno states",
    prefix: "heroku.dyno.state",
    tags: &["app_name", "dyno", "from", "source", "to"],
    metrics: &[STATE_CHANGES],
    note: "1 for each dyno and change of state that occurs: 2 for one that only restarts, up to 8",
};

/// `status` is missing where the line tells none.
pub(crate) const EXIT: Family = Family {
    title: "Ends of processes",
    prefix: "heroku.dyno.exit",
    tags: &["app_name", "dyno", "source", "status"],
    metrics: &[EXITS],
    note: "1 for each dyno and exit status that occurs: mostly 1, seldom over 4",
};

/// From the platform's API: PROCID `api` is its own, the processes of an app have a number behind a dot.
pub(crate) const RELEASE: Family = Family {
    title: "Releases",
    prefix: "heroku.release",
    tags: &["app_name"],
    metrics: &[RELEASES],
    note: "1 for the app",
};

pub(crate) const CODES: Family = Family {
    title: "Runtime errors (R codes) by dyno",
    prefix: "heroku.dyno.errors",
    tags: &["app_name", "code", "dyno", "source"],
    metrics: &[DYNO_CODES],
    note: "1 for each dyno and code that occurs, seldom over 4",
};

pub(crate) const MEM_SHARE: Family = Family {
    title: "Share of the memory quota",
    prefix: "heroku.dyno.mem.share",
    tags: &["app_name", "dyno", "source"],
    metrics: &[SHARE],
    note: "1 for each dyno; a ratio, over 1 where the dyno is over its quota",
};

/// Written every 20 seconds or so while a dyno is over its quota, with or without `log-runtime-metrics`.
pub(crate) const MEM_PROCESS: Family = Family {
    title: "Memory of a dyno over its quota",
    prefix: "heroku.dyno.mem.process",
    tags: &["app_name", "dyno", "source"],
    metrics: &[PROCESS],
    note: "1 for each dyno that is over its quota",
};
