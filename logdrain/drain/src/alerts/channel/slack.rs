//! Text for an incoming hook of Slack, or of what takes the same: Mattermost, Discord's `/slack`.

use super::words::{Links, body, cut, title};
use crate::alerts::told::{Facts, Told};
use serde_json::{Value, json};

/// Of the lines together, in one block of code.
const BLOCK: usize = 7_000;
const TITLE: usize = 300;

pub(super) fn message(told: &Told, links: &Links, hides_lines: bool) -> Value {
    let (link, is_lines) = match &told.facts {
        Facts::Log(facts) => (links.search(told, facts), true),
        _ => (links.alert(told), false),
    };
    let head = title(told);
    let mut text = format!("*{}*", escaped(cut(&head, TITLE)));
    if link.starts_with("http") {
        text.push_str(&format!(" <{link}|Open>"));
    }
    if let Some(runbook) = told.runbook.as_deref().filter(|runbook| is_plain(runbook)) {
        text.push_str(&format!(" <{runbook}|Runbook>"));
    }
    if !(hides_lines && is_lines) {
        let lines = body(told, BLOCK);
        if !lines.is_empty() && !head.ends_with(&lines) {
            // What ends a block would end it inside a line.
            text.push_str(&format!("\n```{}```", escaped(&lines.replace("```", "'''"))));
        }
    }
    json!({ "text": text })
}

/// Slack reads no more than these three.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Nothing that would end a link.
fn is_plain(url: &str) -> bool {
    url.starts_with("http") && !url.contains(['<', '>', '|']) && !url.contains(char::is_whitespace)
}
