//! A whole export, from its files to what is made of it.

use super::*;

#[test]
fn a_plan_holds_what_can_be_made_and_the_rest_is_told() {
    let mut found = Found::default();
    for (stem, text) in [
        (
            "alerts",
            r#"{"query":{"total":1},"alerts":[{"id":1,"name":"load","conditions":[{"type":"above","metric_name":"m","threshold":1}],"services":["9"]}]}"#,
        ),
        (
            "services",
            r#"[{"id":9,"type":"pagerduty","title":"ops","settings":{"service_key":"s3cret","event_type":"x"}}]"#,
        ),
        ("spaces", r#"[{"id":7,"name":"Web","charts":[{"id":1,"name":"c","streams":[{"metric":"m"}]}]}]"#),
        (
            "papertrail",
            r#"{"groups":[{"id":3,"name":"Shops","system_wildcard":"shop-*"}],"searches":[{"id":4,"name":"Errors","query":"error","group":{"id":3,"name":"Shops"}}]}"#,
        ),
        ("annotations", r#"{"annotations":[{"name":"deploys"}]}"#),
    ] {
        found.add(stem, text.as_bytes()).unwrap();
    }
    let mut notes = Notes::default();
    let Plan { dashboards, rules, groups, searches } = Plan::of(&found, &mut notes);
    assert_eq!((dashboards.len(), rules.len(), groups.len(), searches.len()), (1, 1, 1, 1));
    assert_eq!(searches[0].group.as_deref(), Some("Shops"));
    let said = format!("{notes:?}");
    assert!(!said.contains("s3cret") && said.contains("service_key, event_type"), "{said}");
    assert!(notes.all.iter().all(|note| !note.is_lost), "{said}");
    assert_eq!(found.others, [("annotations".to_owned(), 1)].into());
}
