//! Whether the minutes on the disk can be read: for `logdrain doctor`, also beside a running server.

use super::block;
use super::file;
use super::tables::TableError;
use logdrain_terms::number;
use rusqlite::Connection;
use std::path::Path;

/// Damage that is named one by one.
const NAMED: usize = 20;

/// What a file holds.
#[derive(Default, Debug)]
struct Found {
    bytes: i64,
    pieces: u64,
    metrics: i64,
    drains: i64,
    position: i64,
    damage: Vec<String>,
    /// Damage that is not named.
    more: u64,
}

/// Reads every piece, tells what it finds, and answers how much of it is wrong.
pub fn check(dir: &Path, say: &mut dyn FnMut(&str)) -> u64 {
    let aside = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_aside = |name: &str| name.starts_with("minutes.damaged-");
    let mut aside: Vec<_> =
        aside.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_aside(name)).collect();
    aside.sort();
    for name in &aside {
        say(&format!(
            "minutes    {name} was damaged, and a server set it aside: delete it, or read from it what can be read"
        ));
    }
    let read = match file::is_empty(&file::path(dir)) {
        true => Err(TableError::Empty),
        false => file::reader(dir).and_then(|db| db.as_ref().map(found).transpose()),
    };
    let found = match read {
        Ok(Some(found)) => found,
        Ok(None) => {
            say("minutes    none are kept yet");
            return 0;
        }
        Err(error) if error.is_damage() => {
            say(&format!("minutes    {error}: a server sets the file aside, and begins a new one"));
            return 1;
        }
        Err(error) => {
            say(&format!("minutes    the file cannot be read: {error}"));
            return 1;
        }
    };
    let bytes = number::human(found.bytes as f64, "bytes");
    let Found { pieces, metrics, drains, position, .. } = found;
    say(&format!(
        "minutes    {bytes}: {pieces} pieces of {metrics} metrics and {drains} drains, of events up to {position}"
    ));
    for damage in &found.damage {
        say(&format!("minutes    {damage}"));
    }
    if found.more > 0 {
        say(&format!("minutes    and {} times more of that", found.more));
    }
    found.damage.len() as u64 + found.more
}

fn found(db: &Connection) -> Result<Found, TableError> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut found = Found {
        bytes: number("PRAGMA page_count")? * number("PRAGMA page_size")?,
        metrics: number("SELECT count(*) FROM names")?,
        drains: number("SELECT count(*) FROM drains")?,
        position: file::standing(db, "position")?.unwrap_or(0),
        ..Found::default()
    };
    let mut structure = db.prepare(&format!("PRAGMA integrity_check({NAMED})"))?;
    let lines = structure.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    found.damage.extend(lines.into_iter().filter(|line| line != "ok"));
    let mut pieces = db.prepare("SELECT id, hour, content FROM pieces")?;
    let mut rows = pieces.query([])?;
    while let Some(row) = rows.next()? {
        found.pieces += 1;
        let is_sound = row.get_ref(2)?.as_blob().is_ok_and(|content| block::unpack(content).is_some());
        if !is_sound && found.damage.len() < NAMED {
            let (id, hour): (i64, i64) = (row.get(0)?, row.get(1)?);
            found.damage.push(format!("piece {id} of hour {hour} is damaged: its minutes are a gap"));
        } else if !is_sound {
            found.more += 1;
        }
    }
    Ok(found)
}
