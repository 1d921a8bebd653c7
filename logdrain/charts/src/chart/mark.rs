//! What happened to an app, found in the platform's own lines: releases, deploys, restarts, crashes.

/// The longest name of one.
const LONGEST: usize = 24;
/// A deploy makes a release a little later, and a release restarts every dyno: one thing happened.
const RELEASED: i64 = 10;
const RESTARTED: i64 = 180;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    Deploy,
    Release,
    Scaled,
    Restart,
    Crash,
}

impl Sort {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Release => "release",
            Self::Scaled => "scaled",
            Self::Restart => "restart",
            Self::Crash => "crash",
        }
    }
}

/// A dashed vertical of a chart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Seconds since 1970.
    pub at: i64,
    /// `v218`, `web.1 crashed`
    pub name: String,
    pub sort: Sort,
}

/// Finds the lines that [`Mark::read`] reads, in the language of searches; it finds some others, too.
pub const MARKS: &str = "program:(app/api heroku/) (\"Release v\" OR \"Rollback to v\" OR \"Deploy \" OR \"Scaled to \" \
    OR \"Scale to \" OR \"State changed from up to starting\" OR \" to crashed\" OR Restarting)";

impl Mark {
    /// What a line of `program` (`APP-NAME/PROCID`) says, if it is one of the platform's that says such a thing.
    pub fn read(at: i64, program: &str, message: &str) -> Option<Self> {
        let mark = |sort, name: String| Some(Self { at, name: name.chars().take(LONGEST).collect(), sort });
        let message = message.trim();
        if matches!(program, "app/api" | "heroku/api") {
            return if let Some(rest) = message.strip_prefix("Release ") {
                let (version, _) = rest.split_once(" created by ")?;
                is_version(version).then(|| mark(Sort::Release, version.to_owned()))?
            } else if let Some(rest) = message.strip_prefix("Rollback to ") {
                let (version, _) = rest.split_once(" by ")?;
                is_version(version).then(|| mark(Sort::Release, format!("back to {version}")))?
            } else if let Some(rest) = message.strip_prefix("Deploy ") {
                let (commit, _) = rest.split_once(" by ")?;
                let is_commit = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_commit.then(|| mark(Sort::Deploy, format!("deploy {}", &commit[..commit.len().min(8)])))?
            } else {
                let rest = message.strip_prefix("Scaled to ").or_else(|| message.strip_prefix("Scale to "))?;
                let (dynos, _) = rest.split_once(" by ")?;
                mark(Sort::Scaled, scaled(dynos)?)
            };
        }
        let dyno = program.strip_prefix("heroku/").filter(|dyno| is_dyno(dyno))?;
        if message == "Restarting" {
            return mark(Sort::Restart, format!("{dyno} restart"));
        }
        let (from, to) = message.strip_prefix("State changed from ")?.split_once(" to ")?;
        match (from, to) {
            ("up", "starting") => mark(Sort::Restart, format!("{dyno} restart")),
            (_, "crashed") => mark(Sort::Crash, format!("{dyno} crashed")),
            _ => None,
        }
    }

    /// One mark for what happened once: a deploy and its release, a release and the restarts it makes, restarts of many
    /// dynos. In order of time.
    pub fn joined(mut marks: Vec<Self>) -> Vec<Self> {
        marks.sort_by_key(|mark| mark.at);
        let mut kept: Vec<Self> = Vec::new();
        // When a restart last came that is in the last mark of restarts, and how many dynos are in it.
        let (mut restarted, mut dynos) = (i64::MIN, std::collections::BTreeSet::new());
        for mark in marks {
            let since = |sorts: &[Sort], within: i64| {
                let near = |before: &&Self| mark.at.saturating_sub(before.at) <= within;
                kept.iter().rposition(|before| sorts.contains(&before.sort) && near(&before))
            };
            match mark.sort {
                // The release tells more than the deploy.
                Sort::Release => match since(&[Sort::Deploy], RELEASED) {
                    Some(at) => kept[at] = Self { at: kept[at].at, ..mark },
                    None => kept.push(mark),
                },
                Sort::Restart if since(&[Sort::Release, Sort::Deploy], RESTARTED).is_some() => {}
                Sort::Restart => {
                    let dyno = mark.name.split(' ').next().unwrap_or_default().to_owned();
                    let last = kept.iter().rposition(|before| before.sort == Sort::Restart);
                    let goes_on = mark.at.saturating_sub(restarted) <= RESTARTED;
                    restarted = mark.at;
                    match last.filter(|_| goes_on) {
                        Some(at) => {
                            dynos.insert(dyno);
                            if dynos.len() > 1 {
                                kept[at].name = format!("{} restarts", dynos.len());
                            }
                        }
                        None => {
                            dynos = std::iter::once(dyno).collect();
                            kept.push(mark);
                        }
                    }
                }
                _ => kept.push(mark),
            }
        }
        kept
    }
}

/// `v83`
fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|digits| (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `web.1`: a name, a point, and something; never `router`, `logplex` or `api`, which change no state.
fn is_dyno(text: &str) -> bool {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.split_once('.').is_some_and(|(kind, which)| is_name(kind) && is_name(which))
}

/// `mailer@3:Performance-L web@5:Standard-2X by user`, `mailer=1, web=3` until about 2015: `mailer=3 web=5`.
fn scaled(dynos: &str) -> Option<String> {
    let dynos = dynos.strip_suffix(" by user").unwrap_or(dynos);
    let mut text = String::new();
    for dyno in dynos.split([' ', ',']).filter(|dyno| !dyno.is_empty()) {
        let (kind, count) = dyno.split_once(['@', '='])?;
        let count = count.split(':').next()?;
        if kind.is_empty() || count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(kind);
        text.push('=');
        text.push_str(count);
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(program: &str, message: &str) -> Option<(Sort, String)> {
        Mark::read(7, program, message).map(|mark| (mark.sort, mark.name))
    }

    #[test]
    fn lines_of_the_platform() {
        let query = log_query::Query::parse(MARKS);
        assert!(query.notes().is_empty(), "{:?}", query.notes());
        for (program, message, sort, name) in [
            ("app/api", "Release v83 created by user@example.com", Sort::Release, "v83"),
            ("app/api", "Release v1204 created by user user@example.com", Sort::Release, "v1204"),
            ("heroku/api", "Release v83 created by user@example.com", Sort::Release, "v83"),
            ("app/api", "Rollback to v82 by user user@example.com", Sort::Release, "back to v82"),
            ("app/api", "Deploy 476680b by user@example.com", Sort::Deploy, "deploy 476680b"),
            ("app/api", "Deploy 476680b19e3a3 by user user@example.com", Sort::Deploy, "deploy 476680b1"),
            (
                "app/api",
                "Scaled to mailer@3:Performance-L web@5:Standard-2X by user someuser@gmail.com",
                Sort::Scaled,
                "mailer=3 web=5",
            ),
            ("app/api", "Scaled to web@4:Standard-1X by user a.b@c.de", Sort::Scaled, "web=4"),
            ("heroku/api", "Scale to mailer=1, web=3 by someuser@gmail.com", Sort::Scaled, "mailer=1 web=3"),
            ("heroku/web.1", "State changed from up to starting", Sort::Restart, "web.1 restart"),
            ("heroku/worker.12", "Restarting", Sort::Restart, "worker.12 restart"),
            ("heroku/web.1", "State changed from starting to crashed", Sort::Crash, "web.1 crashed"),
            ("heroku/web.1", "State changed from up to crashed\n", Sort::Crash, "web.1 crashed"),
        ] {
            assert_eq!(read(program, message), Some((sort, name.to_owned())), "{program}: {message}");
            let line = log_query::Fields::new(b"shop", program.as_bytes(), message.as_bytes());
            assert!(query.query().matches(&line), "{program}: {message}");
        }
    }

    #[test]
    fn lines_that_only_look_like_it() {
        for (program, message) in [
            // An app may print what it likes.
            ("app/web.1", "Release v83 created by user@example.com"),
            ("app/web.1", "State changed from up to crashed"),
            ("app/api.1", "Release v83 created by user@example.com"),
            ("heroku/router", "State changed from up to crashed"),
            ("heroku/web.1", "State changed from starting to up"),
            ("heroku/web.1", "State changed from created to starting"),
            ("heroku/web.1", "Starting process with command `Restarting`"),
            ("heroku/web.1", "Release v83 created by user@example.com"),
            ("app/api", "Release version created by user@example.com"),
            ("app/api", "Release v created by user@example.com"),
            ("app/api", "Release v83"),
            ("app/api", "Deploy <b>x</b> by user@example.com"),
            ("app/api", "Deploy  by user@example.com"),
            ("app/api", "Scaled to the moon by user x"),
            ("app/api", "Scaled to  by user x"),
            ("app/api", "Add ZOMGZOMG config by foo@example.com"),
            ("heroku/<b>.1", "Restarting"),
            ("", ""),
        ] {
            assert_eq!(read(program, message), None, "{program}: {message}");
        }
        let long = format!("Scaled to {}", "é=1 ".repeat(500)) + "by x";
        assert!(Mark::read(0, "app/api", &long).unwrap().name.chars().count() <= LONGEST);
    }

    fn joined(lines: &[(i64, &str, &str)]) -> String {
        let marks = lines.iter().filter_map(|(at, program, message)| Mark::read(*at, program, message)).collect();
        let text = |mark: Mark| format!("{} {}", mark.at, mark.name);
        Mark::joined(marks).into_iter().map(text).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_happened_once_is_one_mark() {
        const RESTART: &str = "State changed from up to starting";
        let deploy = [
            (100, "app/api", "Deploy 476680b by user@example.com"),
            (101, "app/api", "Release v83 created by user@example.com"),
            (105, "heroku/web.1", "Restarting"),
            (106, "heroku/web.1", RESTART),
            (107, "heroku/web.2", RESTART),
            (400, "heroku/web.2", RESTART),
        ];
        assert_eq!(joined(&deploy), "100 v83; 400 web.2 restart");
        let daily = [
            (0, "heroku/web.1", RESTART),
            (1, "heroku/web.1", "Restarting"),
            (90, "heroku/web.2", RESTART),
            (250, "heroku/web.3", RESTART),
            (300, "heroku/web.3", "State changed from starting to crashed"),
            (2_000, "heroku/web.1", RESTART),
        ];
        assert_eq!(joined(&daily), "0 3 restarts; 300 web.3 crashed; 2000 web.1 restart");
        assert_eq!(joined(&[]), "");
    }
}
