//! Measurements in a form, as shell scripts send them with `curl -d`.
//!
//! ```text
//! gauges[0][name]=cpu&gauges[0][value]=4.5     the index tells measurements apart
//! gauges[cpu][value]=4.5                       as it was before there were lists: by name
//! gauges[][name]=cpu&gauges[][value]=4.5       the next one begins when a key comes again
//! ```

use super::shape::{Item, Number, Whole};
use super::{MOST, Unfit};
use form_urlencoded::parse;
use std::collections::HashMap;

pub(super) fn read(body: &[u8]) -> Result<Whole, Unfit> {
    let mut whole = Whole::default();
    // Where the measurement of a list and an index is.
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (key, value) in parse(body) {
        let (first, rest) = key.split_once('[').unwrap_or((&key, ""));
        let parts: Vec<&str> = rest.split('[').map(|part| part.trim_end_matches(']')).take(4).collect();
        let items = match first {
            "gauges" => &mut whole.gauges,
            "counters" => &mut whole.counters,
            "measurements" => &mut whole.measurements,
            "source" => {
                whole.source = Some(value.into_owned());
                continue;
            }
            "time" | "measure_time" => {
                whole.time = Some(Number::of(&value));
                continue;
            }
            "tags" => {
                let tags = whole.tags.get_or_insert_default();
                tags.add(parts.first().copied().unwrap_or_default(), &value);
                continue;
            }
            _ => continue,
        };
        let [index, field, more @ ..] = parts.as_slice() else {
            return Err(Unfit::Shape(format!("{first} are written as {first}[0][name]=NAME&{first}[0][value]=VALUE")));
        };
        let place = (first.to_owned(), (*index).to_owned());
        let is_next = |item: &mut Item| index.is_empty() && has(item, field);
        let known =
            places.get(&place).copied().filter(|known| items.get_mut(*known).is_some_and(|item| !is_next(item)));
        let at = match known {
            Some(known) => known,
            // One more than there may be says so.
            None if items.len() > MOST => continue,
            None => {
                let name = Some((*index).to_owned()).filter(|name| name.parse::<usize>().is_err() && !name.is_empty());
                items.push(Item { name, ..Item::default() });
                places.insert(place, items.len() - 1);
                items.len() - 1
            }
        };
        let Some(item) = items.get_mut(at) else { continue };
        match *field {
            "name" => item.name = Some(value.into_owned()),
            "source" => item.source = Some(value.into_owned()),
            "tags" => item.tags.get_or_insert_default().add(more.first().copied().unwrap_or_default(), &value),
            other => {
                if let Some(number) = item.number(other) {
                    *number = Some(Number::of(&value));
                }
            }
        }
    }
    Ok(whole)
}

/// Whether a measurement says this already.
fn has(item: &mut Item, field: &str) -> bool {
    match field {
        "name" => item.name.is_some(),
        "source" => item.source.is_some(),
        other => item.number(other).is_some_and(|number| number.is_some()),
    }
}
