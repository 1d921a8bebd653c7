//! Ranges, values of a line, and lines that are chosen.

use super::super::copying;
use super::*;

#[test]
fn no_line_outside_of_a_range_is_shown_and_its_ends_lead_on() {
    let mut kept = Kept::new("range");
    let all = kept.lines(1_234);
    let second = START / 1_000_000;
    let range = format!("from={}&to={}", second + 10, second + 50);
    // Ten lines a second, from the first one of the tenth second on.
    let expect = &all[100..500];
    let mut shown = found(&kept, &range);
    let mut seen = ids(&shown);
    assert!(matches!(shown.below, Edge::Border(id) if id == EventId::at((second + 50) * 1_000_000)));
    while let Edge::More(at) = shown.above {
        shown = found(&kept, shown.ask.at(at).to_string().split_once('?').unwrap().1);
        seen.splice(0..0, ids(&shown));
    }
    assert!(seen == expect && matches!(shown.above, Edge::Border(_)), "{}", seen.len());
    let page = html(&shown);
    assert!(page.contains("The range begins here.") && page.contains(&format!("max_id={}", expect[0])), "{page}");
    let shown = found(&kept, &format!("{range}&min_id=0"));
    assert_eq!(ids(&shown), expect[..200]);
    // A line by its address is there with what is around it, whatever the range was.
    let shown = found(&kept, &format!("{range}&centered_on_id={}", all[600]));
    assert_eq!(ids(&shown), all[501..701]);
    // A range that goes to now follows.
    assert!(found(&kept, &format!("from={second}")).live.is_some());
}

#[test]
fn what_a_line_says_can_be_searched_for_and_left_out() {
    let mut kept = Kept::new("values");
    kept.lines(5);
    let id = kept.add("heroku/router", 6, b"at=error code=H12 desc=\"Request timeout\" request_id=5be1c7d2-9a0e");
    kept.publish();
    let page = html(&found(&kept, &format!("q=line+OR+H12&centered_on_id={id}")));
    assert!(page.contains(&format!("<div class=\"det\" data-of=\"{id}\">")), "{page}");
    for query in [
        "(line+OR+H12)+code%3DH12",
        "(line+OR+H12)+-code%3DH12",
        "(line+OR+H12)+%22desc%3D%5C%22Request+timeout%5C%22%22",
        "(line+OR+H12)+program%3Aheroku%2Frouter",
        "5be1c7d2-9a0e",
    ] {
        let query = query.replace('(', "%28").replace(')', "%29");
        assert!(page.contains(&format!("href=\"/events?q={query}&amp;centered_on_id={id}#e{id}\"")), "{query}: {page}");
    }
    assert!(page.contains(&format!("/events/context?of=program&amp;id={id}")), "{page}");
}

#[test]
fn what_is_chosen_is_marked_and_copied_as_it_came() {
    let mut kept = Kept::new("chosen");
    let all = kept.lines(9);
    let hostile = kept.add("app/web.1", 6, b"  two  spaces \x1b[31mred\xff \\u0041");
    kept.publish();
    let page = html(&found(&kept, &format!("r={}-{}", all[5], all[7])));
    assert_eq!(
        page.matches("l  sel\"").count()
            + page.matches("l  here sel\"").count()
            + page.matches("p2 sel\"").count()
            + page.matches("p2 here sel\"").count(),
        3,
        "{page}"
    );
    assert!(page.contains(&format!("/events/text?r={}-{}&amp;form=json", all[5], all[7])), "{page}");
    let budget = Budget::of(LONG);
    let copy =
        |from, to, form| copying::copy(&kept.store.reader(), &ask("tz=Europe/Berlin"), (from, to), form, &budget);
    assert_eq!(
        copy(all[7], hostile, copying::Form::Text),
        b"2023-11-14 23:13:20.700 shop app/web.1: line 7\n2023-11-14 23:13:20.800 shop app/web.1: line 8\n\
          2023-11-14 23:13:20.900 shop app/web.1:   two  spaces \x1b[31mred\xff \\u0041\n"
    );
    let json = String::from_utf8(copy(all[7], hostile, copying::Form::Json)).unwrap();
    let events: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (events.len(), &events[0]["message"], &events[0]["id"]),
        (3, &"line 7".into(), &all[7].to_string().into())
    );
    // What does not fit is said.
    let none = Budget::of(Duration::ZERO);
    let cut = copying::copy(&kept.store.reader(), &ask(""), (all[0], hostile), copying::Form::Text, &none);
    assert!(String::from_utf8(cut).unwrap().contains("these are not all"));
}
