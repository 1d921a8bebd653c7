//! Prints the rules to begin with.

use logdrain_drain::alerts::file;
use logdrain_drain::alerts::templates::{TEMPLATES, what};
use logdrain_terms::failure::{Failure, Status};
use std::io::Write as _;

pub(super) fn print(names: &[String]) -> Result<Status, Failure> {
    let mut out = std::io::stdout();
    if names.is_empty() {
        for (name, text) in TEMPLATES {
            writeln!(out, "{name:17} {}", what(text))?;
        }
        return Ok(Status::Done);
    }
    let all = names.iter().any(|name| name == "all");
    if let Some(unknown) = names.iter().find(|name| *name != "all" && !TEMPLATES.iter().any(|(known, _)| known == name))
    {
        let known: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        let why = format!("there is no template \"{unknown}\"; there are {}, and all", known.join(", "));
        return Err(Failure::Config(why));
    }
    let chosen = TEMPLATES.iter().filter(|(name, _)| all || names.iter().any(|asked| asked == name));
    let texts: Vec<&str> = chosen.map(|(_, text)| *text).collect();
    let text = texts.join("\n");
    // What is printed can be read again, whatever was put together.
    file::read(&text).map_err(Failure::Config)?;
    write!(out, "{text}")?;
    Ok(Status::Done)
}
