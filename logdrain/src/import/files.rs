//! What an export becomes where no server is named: a file of rules, and a file for each dashboard.

use super::Plan;
use super::told::{Fate, Told};
use crate::args::import::ImportArgs;
use logdrain_terms::failure::Failure;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;

/// Writes rules and dashboards below a folder.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn apply(plan: &Plan, folder: &Path, args: &ImportArgs, told: &mut Told) -> Result<(), Failure> {
    let boards = folder.join("dashboards");
    if !args.dry_run && !plan.dashboards.is_empty() {
        fs::create_dir_all(&boards).map_err(|error| Failure::create(&boards, &error))?;
    }
    let mut names = BTreeMap::new();
    for dashboard in &plan.dashboards {
        let text = serde_json::to_string_pretty(dashboard).unwrap_or_default() + "\n";
        let path = boards.join(format!("{}.json", file_name(&dashboard.title, &mut names)));
        told.fate("dashboard", &path.display().to_string(), put(&path, &text, args)?)?;
    }
    if !plan.rules.is_empty() {
        if !args.dry_run {
            fs::create_dir_all(folder).map_err(|error| Failure::create(folder, &error))?;
        }
        let rules: Vec<&str> = plan.rules.iter().map(|rule| rule.toml.as_str()).collect();
        let path = folder.join("rules.toml");
        let fate = put(&path, &rules.join("\n"), args)?;
        let name = format!("{} rules in {}", plan.rules.len(), path.display());
        told.fate("alerts", &name, fate)?;
    }
    for group in &plan.groups {
        told.lost("group", &group.name, "groups are of a server: name one (--server)")?;
    }
    for search in &plan.searches {
        told.lost("search", &search.name, "saved searches are of a server: name one (--server)")?;
    }
    Ok(())
}

/// Writes a file, unless one is there.
fn put(path: &Path, text: &str, args: &ImportArgs) -> Result<Fate, Failure> {
    let fate = match fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(Fate::There),
        Ok(_) if args.replace => Fate::Replaced,
        Ok(_) => return Ok(Fate::Left),
        Err(_) => Fate::Made,
    };
    if !args.dry_run {
        fs::write(path, text).map_err(|error| Failure::create(path, &error))?;
    }
    Ok(fate)
}

/// `Web & workers` -> `web-workers`; one that is taken gets a number.
fn file_name(title: &str, names: &mut BTreeMap<String, usize>) -> String {
    let mut slug = String::new();
    for one in title.chars().take(60) {
        match one.to_ascii_lowercase() {
            one if one.is_ascii_lowercase() || one.is_ascii_digit() => slug.push(one),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "dashboard" } else { slug };
    // Of each name that is taken, the number that is tried next: looking from the first one on would take ever longer.
    let Some(mut next) = names.insert(slug.to_owned(), 2) else { return slug.to_owned() };
    let name = loop {
        let name = format!("{slug}-{next}");
        next += 1;
        if let Entry::Vacant(free) = names.entry(name.clone()) {
            free.insert(2);
            break name;
        }
    };
    names.insert(slug.to_owned(), next);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_names_that_are_names_of_files() {
        let mut names = BTreeMap::new();
        let titles = ["Web & Workers", "../../etc/passwd", "web workers", "\u{1f600}", ""];
        let found = titles.map(|title| file_name(title, &mut names));
        assert_eq!(found, ["web-workers", "etc-passwd", "web-workers-2", "dashboard", "dashboard-2"]);
        let more = ["web workers", "Web workers 2", "web workers"].map(|title| file_name(title, &mut names));
        assert_eq!(more, ["web-workers-3", "web-workers-2-2", "web-workers-4"]);
    }
}
