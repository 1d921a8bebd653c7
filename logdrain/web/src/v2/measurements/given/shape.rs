//! A body of measurements as it says it, read from JSON with little memory: what nobody asks for is passed over, and of a list
//! or of tags no more is kept than one may have.

use super::{MOST, TAG, TAGS};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

#[derive(Default, Debug)]
pub(super) struct Whole {
    pub(super) measurements: Vec<Item>,
    pub(super) gauges: Vec<Item>,
    pub(super) counters: Vec<Item>,
    pub(super) tags: Option<Tags>,
    pub(super) time: Option<Number>,
    pub(super) source: Option<String>,
    /// It is of OpenTelemetry.
    pub(super) otlp: bool,
}

/// One of its measurements.
#[derive(Default, Debug)]
pub(super) struct Item {
    pub(super) name: Option<String>,
    pub(super) value: Option<Number>,
    pub(super) count: Option<Number>,
    pub(super) sum: Option<Number>,
    pub(super) min: Option<Number>,
    pub(super) max: Option<Number>,
    pub(super) last: Option<Number>,
    pub(super) time: Option<Number>,
    pub(super) source: Option<String>,
    pub(super) tags: Option<Tags>,
}

/// A number, also one that is written as a text; `None` is something else.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Number(pub(super) Option<f64>);

/// Tags as they stand there.
#[derive(Clone, Default, Debug)]
pub(super) struct Tags {
    /// As many as there may be.
    pub(super) all: BTreeMap<String, String>,
    /// How many there are.
    pub(super) count: usize,
    /// One whose value is a list, an object or nothing.
    pub(super) odd: Option<String>,
}

impl Item {
    pub(super) fn number(&mut self, name: &str) -> Option<&mut Option<Number>> {
        Some(match name {
            "value" => &mut self.value,
            "count" => &mut self.count,
            "sum" => &mut self.sum,
            "min" => &mut self.min,
            "max" => &mut self.max,
            "last" => &mut self.last,
            "time" | "measure_time" => &mut self.time,
            _ => return None,
        })
    }
}

impl Tags {
    pub(super) fn add(&mut self, key: &str, value: &str) {
        self.count += 1;
        if self.count <= TAGS {
            self.all.insert(key.to_owned(), value.to_owned());
        }
    }
}

impl Number {
    pub(super) fn of(text: &str) -> Self {
        Self(text.trim().parse().ok().filter(|number: &f64| number.is_finite()))
    }
}

/// A value by itself; what it is of a list or an object is passed over.
enum Plain {
    Number(f64),
    Text(String),
    Nothing,
    Odd,
}

impl Plain {
    /// A number counts as a text.
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number.to_string()),
            Self::Nothing | Self::Odd => None,
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
                Ok(Plain::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
                Ok(Plain::Number(value as f64))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
                Ok(Plain::Number(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
                Ok(Plain::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
                Ok(Plain::Text(value.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Plain, E> {
                Ok(Plain::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Plain, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Plain::Odd)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Plain::Odd)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A number; `null` is as if nothing stood there.
fn number(plain: Plain) -> Option<Number> {
    match plain {
        Plain::Number(number) => Some(Number(Some(number).filter(|number| number.is_finite()))),
        Plain::Text(text) => Some(Number::of(&text)),
        Plain::Nothing => None,
        Plain::Odd => Some(Number(None)),
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tags as an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = Tags::default();
                while let Some((key, value)) = map.next_entry::<String, Plain>()? {
                    match value.text() {
                        Some(value) => tags.add(&key, &value),
                        None => tags.odd = Some(key.chars().take(TAG).collect()),
                    }
                }
                Ok(tags)
            }

            fn visit_unit<E>(self) -> Result<Tags, E> {
                Ok(Tags::default())
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a measurement as an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut item = Item::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "name" => item.name = map.next_value::<Plain>()?.text(),
                        "source" => item.source = map.next_value::<Plain>()?.text(),
                        "tags" => item.tags = Some(map.next_value()?),
                        other => match item.number(other) {
                            Some(place) => *place = number(map.next_value()?),
                            None => drop(map.next_value::<IgnoredAny>()?),
                        },
                    }
                }
                Ok(item)
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// A list of measurements, or as it was long ago an object of them by name.
struct Items(Vec<Item>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of measurements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    // One more than there may be says so.
                    if items.len() <= MOST {
                        items.push(item);
                    }
                }
                Ok(Items(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some((name, item)) = map.next_entry::<String, Item>()? {
                    if items.len() <= MOST {
                        let name = item.name.clone().or(Some(name));
                        items.push(Item { name, ..item });
                    }
                }
                Ok(Items(items))
            }

            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items(Vec::new()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with measurements")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Whole, A::Error> {
                let mut whole = Whole::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "measurements" => whole.measurements = map.next_value::<Items>()?.0,
                        "gauges" => whole.gauges = map.next_value::<Items>()?.0,
                        "counters" => whole.counters = map.next_value::<Items>()?.0,
                        "tags" => whole.tags = Some(map.next_value()?),
                        "time" | "measure_time" => whole.time = number(map.next_value()?),
                        "source" => whole.source = map.next_value::<Plain>()?.text(),
                        "resourceMetrics" | "resource_metrics" => {
                            whole.otlp = true;
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(whole)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Whole, A::Error> {
                Err(A::Error::custom("a list, and not an object with measurements"))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
