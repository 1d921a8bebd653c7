//! The objects of `/api/v1`, key by key as its clients read them.
//!
//! Clients take a missing key for a broken server, so that every key is always there. Ids are numbers, links are objects
//! with one key, and a time ends in `Z` or is null.

use heroku_metrics::model::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// What all addresses in answers begin with: `https://logs.example.com`, without a slash at its end. Empty when nothing
/// says how this server is called; addresses are paths then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links<'a>(pub(super) &'a str);

/// Where lines may be sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Destination {
    pub(super) id: u32,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) description: String,
}

/// A system as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct System<'a> {
    pub(super) id: u32,
    /// As people call it.
    pub(super) name: &'a str,
    /// As it sends.
    pub(super) hostname: &'a str,
    /// When its last event came, in microseconds since 1970.
    pub(super) last_event: Option<i64>,
    pub(super) ip_address: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) auto_delete: bool,
}

/// A group as it is told, but for its systems.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) id: u32,
    pub(super) name: &'a str,
    pub(super) wildcard: Option<&'a str>,
}

/// A saved search as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) id: u32,
    pub(super) name: &'a str,
    pub(super) query: &'a str,
    pub(super) group: Group<'a>,
}

/// What a member may do, as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct User<'a> {
    pub(super) id: u32,
    pub(super) email: &'a str,
    pub(super) read_only: bool,
    pub(super) manage_members: bool,
    pub(super) manage_billing: bool,
    pub(super) purge_logs: bool,
    /// The groups that he sees; all without a list.
    pub(super) groups: Option<&'a [u32]>,
}

/// What an account has used today of what it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Transfer {
    pub(super) used: u64,
    /// Without a plan there is no limit.
    pub(super) limit: Option<u64>,
    pub(super) hard_limit: Option<u64>,
}

impl Links<'_> {
    fn to(self, path: &str) -> Value {
        json!({ "href": format!("{}{path}", self.0) })
    }

    pub(super) fn system(self, system: &System<'_>, destination: &Destination) -> Value {
        let id = system.id;
        json!({
            "id": id,
            "name": system.name,
            "last_event_at": system.last_event.map(time),
            "auto_delete": system.auto_delete,
            "ip_address": system.ip_address,
            "hostname": system.hostname,
            "description": system.description,
            "syslog": { "hostname": destination.host, "port": destination.port },
            "_links": {
                "self": self.to(&format!("/api/v1/systems/{id}.json")),
                "html": self.to(&format!("/systems/{id}/events")),
                "search": self.to(&format!("/api/v1/events/search.json?system_id={id}")),
            },
        })
    }

    /// The systems are made one by one as they are written: there may be many.
    pub(super) fn group<'a, S: Serialize>(self, group: &Group<'a>, systems: S) -> GroupObject<'a, S> {
        GroupObject {
            id: group.id,
            name: group.name,
            system_wildcard: group.wildcard,
            systems,
            links: self.of_group(group.id),
        }
    }

    fn of_group(self, id: u32) -> Value {
        json!({
            "self": self.to(&format!("/api/v1/groups/{id}.json")),
            "html": self.to(&format!("/groups/{id}/events")),
            "search": self.to(&format!("/api/v1/events/search.json?group_id={id}")),
        })
    }

    /// The group stands in it twice: clients read the one or the other.
    pub(super) fn search(self, search: &Search<'_>) -> Value {
        let (id, group) = (search.id, search.group);
        let query: String = form_urlencoded::byte_serialize(search.query.as_bytes()).collect();
        json!({
            "id": id,
            "name": search.name,
            "query": search.query,
            "group_id": group.id,
            "group": { "id": group.id, "name": group.name, "_links": self.of_group(group.id) },
            "_links": {
                "self": self.to(&format!("/api/v1/searches/{id}.json")),
                "search": self.to(&format!("/api/v1/events/search.json?group_id={}&q={query}", group.id)),
                "html": self.to(&format!("/searches/{id}")),
                "html_search": self.to(&format!("/groups/{}/events?q={query}", group.id)),
            },
        })
    }

    pub(super) fn destination(self, destination: &Destination) -> Value {
        let Destination { id, host, port, description } = destination;
        json!({
            "id": id,
            // Filters are of the account, and not of one destination.
            "filter": null,
            "syslog": { "hostname": host, "port": port, "description": description },
            "_links": { "self": self.to(&format!("/api/v1/destinations/{id}.json")) },
        })
    }

    pub(super) fn user(self, user: &User<'_>) -> Value {
        let id = user.id;
        json!({
            "id": id,
            "email": user.email,
            "read_only": user.read_only,
            "manage_members": user.manage_members,
            "manage_billing": user.manage_billing,
            "purge_logs": user.purge_logs,
            "can_access_all_groups": user.groups.is_none(),
            "group_ids": user.groups.unwrap_or_default(),
            "_links": { "self": self.to(&format!("/api/v1/users/{id}.json")) },
        })
    }
}

/// A group with its systems.
#[derive(Serialize)]
pub(super) struct GroupObject<'a, S> {
    id: u32,
    name: &'a str,
    system_wildcard: Option<&'a str>,
    systems: S,
    #[serde(rename = "_links")]
    links: Value,
}

/// A list of which one item is in memory at a time.
pub(super) struct Each<F>(pub(super) F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl Transfer {
    /// Clients read numbers: 0 stands for no limit.
    pub(super) fn told(self) -> Value {
        let percent = match self.limit {
            Some(limit) if limit > 0 => self.used as f64 * 100.0 / limit as f64,
            Some(_) => 100.0,
            None => 0.0,
        };
        json!({
            "log_data_transfer_used": self.used,
            "log_data_transfer_used_percent": (percent * 100.0).round() / 100.0,
            "log_data_transfer_plan_limit": self.limit.unwrap_or(0),
            "log_data_transfer_hard_limit": self.hard_limit.or(self.limit).unwrap_or(0),
        })
    }
}

/// An object with a sentence in it: some clients read the one, some the other.
pub(super) fn with_message(mut object: Value, text: &str) -> Value {
    if let Some(keys) = object.as_object_mut() {
        keys.insert("message".to_owned(), text.into());
    }
    object
}

/// In whole seconds, and in UTC.
fn time(unix_micros: i64) -> String {
    Timestamp::from_unix_micros(unix_micros - unix_micros.rem_euclid(1_000_000)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: Links<'static> = Links("https://logs.example.com");

    #[test]
    fn row_4_3_system_ids_are_numbers_and_its_time_ends_in_z_or_is_null() {
        let destination =
            Destination { id: 1, host: "logs.example.com".to_owned(), port: 443, description: "drains".to_owned() };
        let mut system = System {
            id: 7,
            name: "www \"42\"",
            hostname: "www42",
            last_event: Some(1_700_000_000_999_999),
            ip_address: None,
            description: None,
            auto_delete: false,
        };
        let told = LINKS.system(&system, &destination).to_string();
        assert_eq!(
            told,
            "{\"id\":7,\"name\":\"www \\\"42\\\"\",\"last_event_at\":\"2023-11-14T22:13:20Z\",\"auto_delete\":false,\
             \"ip_address\":null,\"hostname\":\"www42\",\"description\":null,\
             \"syslog\":{\"hostname\":\"logs.example.com\",\"port\":443},\
             \"_links\":{\"self\":{\"href\":\"https://logs.example.com/api/v1/systems/7.json\"},\
             \"html\":{\"href\":\"https://logs.example.com/systems/7/events\"},\
             \"search\":{\"href\":\"https://logs.example.com/api/v1/events/search.json?system_id=7\"}}}"
        );
        system.last_event = None;
        assert!(LINKS.system(&system, &destination)["last_event_at"].is_null());
    }

    #[test]
    fn a_search_names_its_group_twice_and_as_numbers() {
        let group = Group { id: 31, name: "All <Systems>", wildcard: None };
        let told = LINKS.search(&Search { id: 392, name: "cron", query: "a+b \"c\"&d", group });
        assert_eq!((&told["group_id"], &told["group"]["id"]), (&json!(31), &json!(31)));
        for link in ["self", "search", "html", "html_search"] {
            assert!(told["_links"][link]["href"].as_str().unwrap().starts_with("https://logs.example.com/"), "{link}");
        }
        let search = "https://logs.example.com/api/v1/events/search.json?group_id=31&q=a%2Bb+%22c%22%26d";
        assert_eq!(told["_links"]["search"]["href"], search);
        assert_eq!(told["group"]["_links"]["self"]["href"], "https://logs.example.com/api/v1/groups/31.json");
        let systems = Each(|| [7, 8].into_iter());
        let told = serde_json::to_value(Links("").group(&group, systems)).unwrap();
        assert_eq!(told["_links"]["html"]["href"], "/groups/31/events");
        assert!(told["system_wildcard"].is_null() && told["systems"] == json!([7, 8]));
    }

    #[test]
    fn row_accounts_has_four_keys_and_its_percent_is_a_float() {
        let told = |used, limit, hard_limit| Transfer { used, limit, hard_limit }.told().to_string();
        assert_eq!(
            told(1_234, Some(10_000), Some(20_000)),
            "{\"log_data_transfer_used\":1234,\"log_data_transfer_used_percent\":12.34,\
             \"log_data_transfer_plan_limit\":10000,\"log_data_transfer_hard_limit\":20000}"
        );
        assert!(
            told(5_000, Some(10_000), None).contains("percent\":50.0,") && told(1, None, None).contains("limit\":0}")
        );
        assert!(told(7, Some(10_000), None).ends_with("hard_limit\":10000}") && told(0, None, None).contains(":0.0,"));
        assert!(told(0, Some(0), None).contains("percent\":100.0"));
    }

    #[test]
    fn a_member_who_sees_all_groups_has_no_list() {
        let user = User {
            id: 3,
            email: "ann@example.com",
            read_only: true,
            manage_members: false,
            manage_billing: false,
            purge_logs: false,
            groups: Some(&[1_000, 1_001]),
        };
        let some = LINKS.user(&user);
        assert_eq!((&some["can_access_all_groups"], &some["group_ids"]), (&json!(false), &json!([1_000, 1_001])));
        let all = LINKS.user(&User { groups: None, ..user });
        assert_eq!((&all["can_access_all_groups"], &all["group_ids"]), (&json!(true), &json!([])));
    }
}
