//! Where a test makes a server die. What is built with optimisation has nothing of this.

/// Between two steps, the first of which is called `after`: what was done by then is there, and nothing else.
///
/// `LOGDRAIN_DIES_AFTER=snapshot:3` kills the program when it passes the point of that name for the third time.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn fail_point(_after: &str) {}

#[cfg(debug_assertions)]
pub fn fail_point(after: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    static WANTED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let wanted = std::env::var("LOGDRAIN_DIES_AFTER").ok()?;
        let (name, times) = wanted.split_once(':')?;
        Some((name.to_owned(), AtomicU32::new(times.parse().ok()?)))
    });
    if let Some((name, left)) = &*WANTED
        && name == after
        && left.fetch_sub(1, Ordering::AcqRel) == 1
    {
        // Nothing is cleaned up, as by `kill -9`.
        std::process::abort();
    }
}
