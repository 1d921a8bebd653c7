//! A run: the drains that were asked for, their deliveries, and what became of them.

use crate::args::SendArgs;
use crate::drain::{Drain, Settings};
use crate::error::Error;
use crate::post::{self, Run};
use crate::scenario::{Scenario, Scenarios};
use crate::summary::Summary;
use crate::tally::{Outcome, Tally};
use crate::target::Target;
use crate::truth::WriteRow;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::random::Random;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum End {
    /// The truth is that of a right receiver, and something was taken.
    Told,
    /// The truth is not exact, or nothing was taken at all.
    Doubtful,
}

/// Does what `args` ask for: sends or writes, then writes the truth by `write_row`, and the summary to standard error.
///
/// # Errors
/// [`Error`], when the arguments contradict each other, a file cannot be written, or nobody answers.
pub fn run(args: &SendArgs, write_row: &WriteRow<'_>) -> Result<End, Error> {
    if args.scenarios.contains(&Scenario::List) {
        io::stdout().write_all(Scenario::list().as_bytes())?;
        return Ok(End::Told);
    }
    let mut drains: Vec<Drain> = settings(args)?.into_iter().map(Drain::new).collect();
    // Opened first, so that a whole run is not lost for a wrong name.
    let truths = truth_files(args, drains.len())?;
    let named = drains.iter().map(|drain| (drain.settings().token.clone(), drain.settings().app.clone())).collect();
    let began = Instant::now();
    let (tally, written) = match (&args.to, &args.write) {
        (Some(url), _) => {
            let (back, tally) = post(args, Target::new(url, args)?, drains)?;
            drains = back;
            (tally, false)
        }
        (None, Some(path)) => (write(path, &mut drains, &progress(args.lines, "written"))?, true),
        (None, None) => return Err(Error::Config("say where to: --to URL or --write FILE".to_owned())),
    };
    let summary = Summary {
        tally,
        took: began.elapsed(),
        written,
        untold: drains.iter().map(Drain::untold).sum(),
        drains: named,
        not_shown: Scenarios::new(&args.scenarios).not_in_bodies(),
    };
    for (drain, mut file) in drains.iter_mut().zip(truths) {
        drain.write_truth(&mut *file, write_row)?;
        file.flush()?;
    }
    summary.print(args.summary);
    Ok(if summary.is_exact() && !summary.is_fruitless() { End::Told } else { End::Doubtful })
}

/// Event time of the first line in a file: no clock, so that equal arguments give equal bytes.
const START: i64 = 1_773_478_800_000_000; // 2026-03-14T09:00:00Z
/// Lines a second in event time, unless told otherwise.
const PACE: u64 = 5_000;
/// And no further back than this when they are delivered, or a receiver could find them late.
const FURTHEST_BACK: Duration = Duration::from_secs(120);

/// The drains that were asked for, each with its share of the lines.
fn settings(args: &SendArgs) -> Result<Vec<Settings>, Error> {
    let is_text = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !args.tokens.iter().all(is_text) {
        return Err(Error::Config("--token: a drain token is visible ASCII, d. and a UUID".to_owned()));
    }
    if args.write.is_some() && args.tokens.len() > 1 {
        return Err(Error::Config("--token: a file holds the bodies of one drain".to_owned()));
    }
    let mut random = Random::new(args.seed);
    let made = (0..args.drains).map(|_| format!("d.{}", random.uuid()));
    let tokens: Vec<String> = if args.tokens.is_empty() { made.collect() } else { args.tokens.clone() };
    let drains = tokens.len() as u64;
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let by_pace = |pace: u64| Duration::from_secs_f64(args.lines as f64 / pace as f64);
    let default = match args.rate {
        Some(rate) => by_pace(rate),
        None if args.to.is_some() => by_pace(PACE).min(FURTHEST_BACK),
        None => by_pace(PACE),
    };
    let span = micros(args.span.unwrap_or(default));
    let start = args.start.unwrap_or_else(|| {
        let now = micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let start = match args.rate {
            _ if args.to.is_none() => START,
            Some(_) => now,
            None => now - span,
        };
        start.div_euclid(1_000_000) * 1_000_000
    });
    let share = |number: u64| args.lines / drains + u64::from(number < args.lines % drains);
    let quarter = args.rate.map_or(u64::MAX, |rate| (rate / drains / 4).max(1));
    let of = |(number, token): (u64, String)| Settings {
        seed: args.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        token,
        app: args.app.as_ref().map(|app| if drains > 1 { format!("{app}-{}", number + 1) } else { app.clone() }),
        dialect: args.dialect,
        start,
        span,
        lines: share(number),
        batch: args.batch.min(quarter),
        scenarios: Scenarios::new(&args.scenarios),
        with_truth: args.truth.is_some(),
    };
    Ok((0..).zip(tokens).map(of).collect())
}

fn create(path: &Path) -> Result<Box<dyn Write>, Error> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(path).map_err(|error| Error::Create { path: path.to_owned(), error })?;
    Ok(Box::new(BufWriter::with_capacity(1 << 18, file)))
}

/// A file for the truth of each drain: `truth.jsonl`, or `truth.1.jsonl`, `truth.2.jsonl`.
fn truth_files(args: &SendArgs, drains: usize) -> Result<Vec<Box<dyn Write>>, Error> {
    let Some(path) = &args.truth else { return Ok(Vec::new()) };
    if path.as_os_str() == "-" && (drains > 1 || args.write.as_ref() == Some(path)) {
        return Err(Error::Config("--truth: standard output cannot take more than one file; name one".to_owned()));
    }
    let name = |number: usize| -> PathBuf {
        match path.extension() {
            _ if drains == 1 => path.clone(),
            Some(extension) => path.with_extension(format!("{number}.{}", extension.to_string_lossy())),
            None => path.with_extension(number.to_string()),
        }
    };
    (1..=drains).map(|number| create(&name(number))).collect()
}

/// Drawn on standard error, and only when that is a terminal.
fn progress(lines: u64, done: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(lines);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} lines {per_sec} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(done);
    bar
}

/// Writes the bodies one after the other. What would be dropped is left out.
fn write(path: &Path, drains: &mut [Drain], bar: &ProgressBar) -> Result<Tally, Error> {
    let mut out = create(path)?;
    let mut tally = Tally::default();
    for drain in drains {
        while let Some(job) = drain.next() {
            let delivery = &job.delivery;
            // A file has no ids to tell a repeated delivery by.
            if job.again {
                continue;
            }
            let outcome = if delivery.habits.wrong_password {
                drain.dropped(delivery);
                Outcome::Dropped
            } else {
                let body = drain.body(delivery, delivery.loss());
                let body = if delivery.habits.gzip { post::gzip(&body) } else { body };
                out.write_all(&body)?;
                tally.written(body.len() as u64);
                drain.taken(&job, delivery.loss());
                Outcome::Acknowledged
            };
            tally.enter(outcome, false, delivery.messages());
            bar.inc(delivery.messages());
        }
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(tally)
}

/// Posts everything, and gives the drains back with what they know.
fn post(args: &SendArgs, target: Target, drains: Vec<Drain>) -> Result<(Vec<Drain>, Tally), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Config(format!("no threads to send with: {error}")))?;
    let rate = args.rate.map(|rate| rate as f64 / drains.len() as f64);
    let drains: Vec<Arc<Mutex<Drain>>> = drains.into_iter().map(|drain| Arc::new(Mutex::new(drain))).collect();
    let tally = runtime.block_on(async {
        if args.until_acknowledged.is_none() {
            // Better said at once than after every delivery was tried three times.
            let refused =
                |error| Error::Config(format!("--to: nothing answers there ({error}); start the receiver first"));
            drop(target.connect().await.map_err(refused)?);
        }
        let began = tokio::time::Instant::now();
        let run = Arc::new(Run {
            target,
            tries: args.tries,
            until: args.until_acknowledged.map(|deadline| began + deadline),
            timeout: args.timeout,
            began,
            rate,
            stop: AtomicBool::new(false),
            bar: progress(args.lines, "sent"),
        });
        let interrupted = Arc::clone(&run);
        tokio::spawn(async move {
            // The first interrupt ends the run early with its summary and truth, the second ends the program.
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupted.stop.store(true, Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
        let mut posters = Vec::new();
        for (number, drain) in (0_u64..).zip(&drains) {
            for connection in 0..args.connections {
                let seed = args.seed ^ (number << 32 | connection);
                posters.push(tokio::spawn(post::post_all(Arc::clone(&run), Arc::clone(drain), seed)));
            }
        }
        let mut tally = Tally::default();
        for poster in posters {
            tally.add(poster.await.map_err(|error| Error::Config(format!("a sender failed: {error}")))?);
        }
        run.bar.finish_and_clear();
        Ok::<_, Error>(tally)
    })?;
    // The senders are done, so that this is the last hold on each drain.
    let owned = |drain| {
        Arc::into_inner(drain).map(|drain: Mutex<Drain>| drain.into_inner().unwrap_or_else(PoisonError::into_inner))
    };
    Ok((drains.into_iter().filter_map(owned).collect(), tally))
}
