//! The fields of a rule.

use super::draft::{Condition, Draft, FUNCTIONS, Of};
use super::seen::Channel;
use crate::layout::Frame;
use maud::{Markup, html};

const PERIODS: [&str; 4] = ["1 minute", "10 minutes", "1 hour", "1 day"];
const ASKS: [(&str, &str); 3] = [
    ("lines", "there are lines: tell which"),
    ("counts", "there are lines: tell how many of each system"),
    ("silence", "there is no line"),
];

const TOGETHER: [(&str, &str); 5] = [
    ("", "each stream by itself"),
    ("sum", "the sum of all streams"),
    ("mean", "the mean of all streams"),
    ("max", "the highest of all streams"),
    ("min", "the lowest of all streams"),
];

/// The whole form of a rule; what it sends it sends to `action`. `words` is what its last button says.
pub(super) fn form(frame: &Frame, draft: &Draft, channels: &[Channel], action: &str, words: &str) -> Markup {
    html! {
        form.rule method="post" action=(action) {
            (frame.form_token())
            input type="hidden" name="of" value=(draft.of.word());
            // What Enter in a field does: the first button of a form.
            button.vh type="submit" name="do" value="save" tabindex="-1" aria-hidden="true" { (words) }
            section.card {
                div.fields {
                    label.whole { "Name" input name="name" value=(draft.name) required maxlength="255" autocomplete="off" autofocus[draft.name.is_empty()]; }
                }
            }
            @match draft.of {
                Of::Lines => (lines(draft)),
                Of::Metrics => (metrics(draft)),
            }
            section.card {
                h2 { "Whom it tells" }
                @if channels.is_empty() {
                    p.dim { "There is no channel yet: what fires stands on the page of the alert. "
                        a href=(frame.link("/alerts/channels")) { "Make a channel" } }
                } @else {
                    div.ticks {
                        @for channel in channels {
                            label.tick { input type="checkbox" name={ "channel-" (channel.id) } checked[draft.channels.contains(&channel.id)]; " "
                                (channel.name) " " span.dim { (channel.kind) } }
                        }
                    }
                }
            }
            p.buttons {
                button.btn.first type="submit" name="do" value="save" { (words) }
                button.btn type="submit" name="do" value="try" { "Try it on the last seven days" }
                a.btn.ghost href=(frame.link("/alerts")) { "Back" }
            }
        }
    }
}

fn lines(draft: &Draft) -> Markup {
    html! {
        section.card {
            h2 { "When it fires" }
            div.fields {
                label.whole { "Lines with"
                    input.code name="query" value=(draft.query) maxlength="8192" autocomplete="off" spellcheck="false" placeholder="program:heroku/router code=H12"; }
                label { "Within"
                    select name="period" { @for period in PERIODS { option value=(period) selected[draft.period == period] { (period) } } } }
                label { "It fires when"
                    select name="asks" { @for (value, words) in ASKS { option value=(value) selected[draft.asks == value] { (words) } } } }
                label { "At least so many" input name="minimum" type="number" min="0" value=(draft.minimum) placeholder="1" inputmode="numeric"; }
                label { "Of systems" input name="systems" value=(draft.systems) autocomplete="off" spellcheck="false" placeholder="all; or shop-*, db"; }
                label { "A day ends at" input name="at" value=(draft.at) maxlength="8" autocomplete="off" placeholder="05:00"; }
                label { "in the zone" input name="zone" value=(draft.zone) maxlength="64" autocomplete="off" placeholder="UTC"; }
            }
            p.dim { "The query is as in the search of lines. The last two are for \"1 day\" alone." }
        }
    }
}

fn metrics(draft: &Draft) -> Markup {
    html! {
        section.card {
            h2 { "When it fires" }
            input type="hidden" name="conditions" value=(draft.conditions.len());
            @for (at, condition) in draft.conditions.iter().enumerate() { (of_condition(at, condition)) }
            p.buttons { button.btn type="submit" name="do" value="more" { "Add a condition" } }
            div.fields {
                @if draft.conditions.len() > 1 {
                    label { "It fires when"
                        select name="any" {
                            option value="0" selected[!draft.any] { "all conditions hold" }
                            option value="1" selected[draft.any] { "one of them holds" }
                        } }
                }
                label { "Tell again while it holds, every" input name="rearm" value=(draft.rearm) maxlength="16" autocomplete="off" placeholder="10m"; }
                label { "Of systems" input name="systems" value=(draft.systems) autocomplete="off" spellcheck="false" placeholder="all; or shop-*, db"; }
                label.tick { input type="checkbox" name="per_signal" value="1" checked[draft.per_signal]; " Tell each stream by itself" }
            }
        }
    }
}

fn of_condition(at: usize, condition: &Condition) -> Markup {
    let name = |field: &str| format!("{field}-{at}");
    let is = |word: &str| condition.is == word;
    html! {
        fieldset {
            legend { "Condition " (at + 1) }
            div.fields {
                label.whole { "Metric" @if at > 0 { " (left empty, the condition goes)" }
                    input.code name=(name("metric")) value=(condition.metric) maxlength="255" required[at == 0] autocomplete="off" spellcheck="false" placeholder="heroku.dyno.load.load1"; }
                label { "is" select name=(name("is")) {
                    option value="above" selected[is("above")] { "above" }
                    option value="below" selected[is("below")] { "below" }
                    option value="absent" selected[is("absent")] { "absent" }
                } }
                label { "this number" input name=(name("value")) value=(condition.value) maxlength="32" autocomplete="off" inputmode="decimal" placeholder="in the metric's unit"; }
                label { "for so long" input name=(name("length")) value=(condition.length) maxlength="16" autocomplete="off" placeholder="a minute; or 5m"; }
                label { "by its" select name=(name("function")) {
                    option value="" selected[condition.function.is_empty()] { "average, or as its name says" }
                    @for (value, words) in FUNCTIONS { option value=(value) selected[condition.function == value] { (words) } }
                } }
                label { "looked at" select name=(name("together")) {
                    @for (value, words) in TOGETHER { option value=(value) selected[condition.together == value] { (words) } }
                } }
                label { "with tags" input.code name=(name("tags")) value=(condition.tags) autocomplete="off" spellcheck="false" placeholder="dyno=web.*|clock, code=R14"; }
                label { "without tags" input.code name=(name("without")) value=(condition.without) autocomplete="off" spellcheck="false" placeholder="dyno=run.*"; }
            }
        }
    }
}
