//! `logdrain account destroy`: by the door of the running server; without one, on the store itself, and the next start does
//! the rest.

use crate::args::account::DestroyArgs;
use crate::serve::drains::request_of;
use crate::serve::purging;
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::operator::{Reply, Request};
use logdrain_drain::settings::account::is_account_name;
use logdrain_drain::settings::change::Change;
use logdrain_drain::settings::purge::Purge;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

pub(crate) fn run(dir: &Path, asked: &DestroyArgs) -> Result<Status, Failure> {
    let DestroyArgs { name: account, confirm, archives_to } = asked;
    if !is_account_name(account) {
        return Err(Failure::Config("an account's name is 1 to 63 of a-z, 0-9 and -".to_owned()));
    }
    if account == DEFAULT_ACCOUNT {
        let why = "the account default is there without being made: `logdrain account purge` removes its lines";
        return Err(Failure::Config(why.to_owned()));
    }
    let lines = purging::count(dir, account, &Purge::default())?;
    let archives = dir.join("archives").join(account);
    let (hours, bytes) = sum(&archives).map_err(|error| Failure::open(&archives, error))?;
    // Nodes have them in the folder that they share.
    if dir.join("logs").exists() || hours > 0 {
        println!(
            "{account} has {lines} lines in files, and {hours} archives with {bytes} bytes in {}.",
            Escaped(&archives.to_string_lossy())
        );
    }
    if let Some(to) = archives_to {
        copy(&archives, to).map_err(|error| Failure::create(to, &error))?;
        println!("The archives were copied to {}.", Escaped(&to.to_string_lossy()));
    } else if hours > 0 {
        println!("To keep the archives: --archives-to FOLDER.");
    }
    println!(
        "All of it goes: lines, archives, settings, members, tokens, usage, open windows. What left this machine stays: \
         buckets, hooks, rows of minutes in files and at collectors."
    );
    let typed = match confirm {
        Some(typed) => typed.clone(),
        None => {
            print!("Type the account's name to destroy it: ");
            io::stdout().flush()?;
            let mut typed = String::new();
            io::stdin().read_line(&mut typed)?;
            typed.trim().to_owned()
        }
    };
    if typed != *account {
        return Err(Failure::Config(format!("nothing was destroyed: that is not {account}")));
    }
    let change = Box::new(Change::Destroy { account: account.clone(), at: 0, upto: 0 });
    match request_of(dir, &Request::Change { change })? {
        Reply::Error(why) => Err(Failure::Config(why)),
        _ => {
            println!("{account} is destroyed: within minutes there is nothing left of it in the store.");
            Ok(Status::Done)
        }
    }
}

/// How many archives there are, and their bytes.
fn sum(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut hours, mut bytes) = (0, 0);
    each(folder, &mut |file, _| {
        if file.extension().is_some_and(|extension| extension == "gz") {
            hours += 1;
            bytes += file.metadata()?.len();
        }
        Ok(())
    })?;
    Ok((hours, bytes))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    each(from, &mut |file, day| {
        let day = to.join(day);
        fs::create_dir_all(&day)?;
        fs::copy(file, day.join(file.file_name().unwrap_or_default())).map(drop)
    })
}

/// Each file of the days of an account, with the name of its day's folder.
fn each(folder: &Path, take: &mut dyn FnMut(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for day in fs::read_dir(folder)? {
        let day = day?;
        if !day.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(day.path())? {
            let file = file?.path();
            if file.is_file() {
                take(&file, Path::new(&day.file_name()))?;
            }
        }
    }
    Ok(())
}
