//! A part of an account's lines: of a group, of a system, or what a saved search finds.

use form_urlencoded::Serializer;

/// The longest name of a system.
const NAME: usize = 255;

/// Which part is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Part {
    pub(super) group: Option<u32>,
    /// By its number or a name.
    pub(super) system: Option<String>,
    /// It becomes a group and a query when it is looked up.
    pub(super) search: Option<u32>,
    /// It was picked from a list, so that its query goes before what else was typed.
    pub(super) is_picked: bool,
    /// The saved search that it was looked up from.
    pub(super) saved: Option<u32>,
    /// What people call it.
    pub(super) shown: String,
}

impl Part {
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || {
            let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
            number.map(Some).ok_or_else(|| format!("{name} is no number"))
        };
        match name {
            _ if value.is_empty() => {}
            "group" => self.group = number()?,
            "search" => self.search = number()?,
            // What a list of both says: `g1000`, `s1002`, `q1003`, `all`.
            "in" => {
                (self.group, self.system) = (None, None);
                match value.split_at_checked(1) {
                    Some(("g", id)) => self.take("group", id)?,
                    Some(("s", id)) => self.take("system", id)?,
                    Some(("q", id)) => {
                        self.take("search", id)?;
                        self.is_picked = true;
                    }
                    _ => {}
                }
            }
            "system" if value.len() > NAME => return Err(format!("a system's name has {NAME} bytes at most")),
            "system" => self.system = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn append(&self, parts: &mut Serializer<'_, String>) {
        if let Some(group) = self.group {
            parts.append_pair("group", &group.to_string());
        }
        if let Some(system) = &self.system {
            parts.append_pair("system", system);
        }
    }
}
