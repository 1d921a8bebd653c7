//! The explorer in a real browser: a metric is found while somebody types, drawn apart by a tag, kept as a chart, and its
//! lines are one click away.

use crate::browser::{Browser, key};
use crate::dashboards::lines;
use crate::harness::{Server, request, scratch, wait_until};

#[test]
fn a_metric_is_found_by_typing_drawn_by_a_tag_kept_and_followed_to_its_lines() {
    let dir = scratch("explore-page");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = Server::start(&dir, &[]);
    let headers =
        [("Logplex-Drain-Token", "d.1"), ("Logplex-Frame-Id", "f1"), ("Content-Type", "application/logplex-1")];
    assert_eq!(request(server.address, "POST", "/logs?app=shop", &headers, &lines(9)).unwrap().status, 204);
    wait_until("the errors", || {
        let csv = server.get("/charts/errors/http-errors.csv?range=30m");
        csv.body.contains("H12").then_some(())
    });
    browser.look(1400, 1000, "light");

    // Names that fit are listed; arrows choose, Escape closes, Enter goes there.
    browser.go(&format!("http://{}/explore", server.address));
    browser
        .until("document.activeElement?.id === 'names' && document.activeElement.getAttribute('role') === 'combobox'");
    browser.press("router");
    let found = "[...document.querySelectorAll('#found [role=option]')].map(item => item.textContent)";
    browser.until(&format!("{found}.length > 2 && {found}.every(name => name.includes('router'))"));
    browser.press(key::ESCAPE);
    browser.until("document.querySelector('#found').hidden");
    browser.fill("#names", "errors http");
    browser.until(&format!("{found}.join() === 'heroku.errors.http'"));
    let chosen = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.textContent";
    browser.comes_to("the choice", chosen, "heroku.errors.http");
    browser.press(key::ENTER);
    browser.until("location.pathname === '/explore/heroku.errors.http'");

    // One line of all; apart by a tag that is clicked on, and one of its values alone.
    let names = "[...document.querySelectorAll('[aria-label=Streams] tbody td:first-child')].map(cell => cell.innerText.trim()).join('|')";
    browser.comes_to("streams", names, "all");
    browser.value("[...document.querySelectorAll('.tag')].find(tag => tag.querySelector('h3').textContent.startsWith('code ')).querySelector('a.group').click()");
    browser.until("location.search.includes('group_by=code')");
    browser.comes_to("streams", names, "code=H12");
    browser.follow("[aria-label=Streams] tbody td a");
    browser.until("location.search.includes('tag%5Bcode%5D=H12')");
    browser.until("document.querySelector('.chips')?.innerText.includes('code is H12')");
    assert!(browser.value("document.querySelectorAll('figure.chart svg.plot path[data-v]').length").as_u64() > Some(0));

    // Its files are what is drawn.
    let file = |browser: &mut Browser, end: &str| {
        let link = format!(
            "[...document.querySelectorAll('figure.chart .menu a')].find(a => a.pathname.endsWith('.{end}'))?.href ?? ''"
        );
        browser
            .value(&link)
            .as_str()
            .unwrap()
            .split_once("/explore/")
            .map(|(_, rest)| format!("/explore/{rest}"))
            .unwrap()
    };
    let csv = server.get(&file(&mut browser, "csv"));
    assert!(csv.status == 200 && csv.body.lines().next().is_some_and(|head| head.contains("H12")), "{csv:?}");
    let svg = server.get(&file(&mut browser, "svg"));
    assert!(svg.status == 200 && svg.body.starts_with("<svg"), "{svg:?}");

    // Kept, it is a chart of a dashboard.
    browser.fill("[aria-label='Keep as chart'] input[name=title]", "Timeouts");
    browser.follow("[aria-label='Keep as chart'] button");
    browser.until("location.pathname === '/dashboards/1'");
    assert_eq!(browser.value("document.querySelector('figure.chart h3').textContent"), "Timeouts");

    // And from its chart back to the explorer, and on to the lines of the moment that is pointed at.
    browser.value("document.querySelector('figure.chart .menu summary').click()");
    browser.value("[...document.querySelectorAll('figure.chart .menu a')].find(a => a.textContent === 'Open in explorer').click()");
    browser.until("location.pathname === '/explore/heroku.errors.http'");
    browser.until(
        "window.plot = document.querySelector('figure.chart[data-lines] svg.plot'), window.step = [...document.querySelectorAll('path[data-v]')]\
         .map(path => path.dataset.v.split(' ').findIndex(value => value > 0)).find(step => step >= 0), window.step >= 0 && !!window.plot",
    );
    let place = browser.value(
        "(plot.scrollIntoView({ block: 'center' }), (box => [box.left + box.width * (step + 0.5) / plot.closest('figure')\
         .querySelector('path[data-v]').dataset.v.split(' ').length, box.top + box.height / 2])(plot.getBoundingClientRect()))",
    );
    let place = (place[0].as_f64().unwrap() as i64, place[1].as_f64().unwrap() as i64);
    browser.point(None, place);
    browser.until("document.querySelector('.tip:not([hidden])')?.innerText.length > 0");
    browser.point(Some(place), place);
    browser.until("document.querySelector('.tip a') !== null");
    browser.value("document.querySelector('.tip a').click()");
    browser.until("location.pathname === '/events' && !!document.body && document.body.innerText.includes('code=H12')");
    assert_eq!(browser.value("new URLSearchParams(location.search).has('time')"), true);
    // From that moment to its charts.
    browser.until("!!document.querySelector('a.charts')");
    browser.value("document.querySelector('a.charts').click()");
    browser.until("location.pathname === '/dashboards/overview' && new URLSearchParams(location.search).has('from')");
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}
