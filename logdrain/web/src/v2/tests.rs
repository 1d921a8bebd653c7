//! The document is what the routes are, both ways.

use super::DOCUMENT;
use super::routes::ROUTES;
use serde_json::Value;
use std::collections::BTreeSet;

/// Answered beside the table, for it is no question with one answer.
const TAIL: (&str, &str) = ("GET", "/api/v2/tail");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let routes: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| (method.to_string(), format!("/api/v2/{path}")))
        .chain([(TAIL.0.to_owned(), TAIL.1.to_owned())])
        .collect();
    assert_eq!(routes.len(), ROUTES.len() + 1, "none stands there twice");
    let document = document();
    let mut told = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let has_id = methods.get("parameters").is_some_and(|all| all[0]["name"] == "id" && all[0]["in"] == "path");
        assert_eq!(has_id, path.contains("{id}"), "{path}");
        for (method, what) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            told.insert((method.to_uppercase(), path.clone()));
            assert!(what["summary"].is_string() && what["responses"]["405"]["$ref"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(told, routes);
}

#[test]
fn what_the_document_refers_to_is_in_it_and_what_is_in_it_is_referred_to() {
    fn all(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(keys) => {
                if let Some(Value::String(to)) = keys.get("$ref") {
                    found.insert(to.clone());
                }
                keys.values().for_each(|value| all(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| all(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    all(&document, &mut found);
    for to in &found {
        assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
    }
    for kind in ["schemas", "responses", "parameters"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/{kind}/{name}")), "{kind} {name}");
        }
    }
}
