//! How pages are looked at: at the width of a desk and of a phone, light and dark, with axe-core where there is one.

use crate::browser::Browser;
use std::path::{Path, PathBuf};

/// Width, height, scheme.
pub(crate) type Look = (u32, u32, &'static str);

/// All there are.
pub(crate) const ALL: [Look; 4] = [DESK, (1400, 1000, "dark"), (390, 844, "light"), PHONE];
/// Both widths and both schemes, in two.
pub(crate) const TWO: [Look; 2] = [DESK, PHONE];
const DESK: Look = (1400, 1000, "light");
const PHONE: Look = (390, 844, "dark");

/// Whoever looks.
pub(crate) struct Eye {
    /// Where pictures go.
    pictures: PathBuf,
    /// `axe.min.js`.
    axe: Option<String>,
}

impl Eye {
    /// What the environment gives; see [`pages`](crate::pages).
    pub(crate) fn new(dir: &Path) -> Self {
        let axe = std::env::var("LOGDRAIN_AXE").ok().map(|path| std::fs::read_to_string(path).unwrap());
        let pictures = std::env::var("LOGDRAIN_PICTURES").map_or_else(|_| dir.join("pictures"), PathBuf::from);
        std::fs::create_dir_all(&pictures).unwrap();
        if axe.is_none() {
            println!("LOGDRAIN_AXE names no axe.min.js: pages are looked at, and not checked");
        }
        Self { pictures, axe }
    }

    /// Looks at a page, and keeps a picture of each look: nothing sticks out, and axe has nothing serious to say. Pages that
    /// load themselves again can be stopped by a link, and are looked at then.
    pub(crate) fn look(&self, browser: &mut Browser, address: &str, name: &str, looks: &[Look]) {
        for (width, height, scheme) in looks {
            browser.look(*width, *height, scheme);
            browser.go(address);
            // The page is there, at this width, and nothing of it moves any more: colours that are on their way are none.
            browser.until("document.getAnimations().every(a => a.effect.getComputedTiming().iterations === Infinity)");
            // What sticks out, if the page can be pushed sideways.
            let beyond = format!(
                "document.documentElement.scrollWidth <= {width} ? '' : [...document.querySelectorAll('body *')]\
                 .filter(e => e.getBoundingClientRect().right > {width} + 1 && !e.closest('.scroll, nav'))\
                 .map(e => e.outerHTML.slice(0, 160)).slice(0, 4).join('\\n') || 'something'"
            );
            browser.comes_to(&format!("{address}, {width}"), &beyond, "");
            // Rows of tabs scroll where they have no room: the current one is in sight.
            let hidden = "[...document.querySelectorAll('nav [aria-current]')].filter(e => {\
                    const [tab, row] = [e, e.closest('nav')].map(e => e.getBoundingClientRect());\
                    return tab.left < row.left - 1 || tab.right > row.right + 1;\
                }).map(e => e.outerHTML).join('\\n')";
            browser.comes_to(&format!("{address}, {width}, tabs out of sight"), hidden, "");
            browser.picture(&self.pictures.join(format!("{name}-{width}-{scheme}.png")));
            let Some(axe) = &self.axe else { continue };
            browser.value(axe);
            let run = "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations\
                .filter(v => v.impact === 'serious' || v.impact === 'critical')\
                .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join(' | ')).join('\\n'))";
            assert_eq!(browser.promised(run), "", "{address}, {width}, {scheme}");
        }
        browser.look(1400, 1000, "light");
    }
}

/// What has become anything but text, in a page that quotes what others wrote: nothing ran, no element came of it, nothing
/// acts or brings its own style (but for what scripts of ours place, and how a browser shows a plain text), and no link leads
/// elsewhere.
pub(crate) fn is_harmless(browser: &mut Browser, page: &str) {
    let found = "[window.owned === undefined ? [] : ['it ran'], \
        [...document.querySelectorAll('img, iframe, object, embed, base, script:not([src^=\"/assets/\"])')], \
        [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/.test(a.name) \
            || a.name === 'style' && document.contentType === 'text/html' && !e.matches('.blk, .log, .tip, .pop'))), \
        [...document.links].filter(a => a.origin !== location.origin), \
        document.title.startsWith('owned') ? ['it is the title'] : []] \
        .flat().map(e => e.outerHTML?.slice(0, 300) ?? e).join('\\n')";
    browser.comes_to(page, found, "");
}
