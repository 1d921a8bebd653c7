//! Where the host reads its clocks.

use super::Reading;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads the wall clock and the steady one. Tests of the writer bring their own.
pub struct Clocks(Box<dyn Fn() -> Reading + Send>);

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clocks")
    }
}

/// How far a clock elsewhere is ahead of this machine's steady one, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Ahead(Arc<AtomicI64>);

impl Ahead {
    /// It says this now.
    pub fn tell(&self, now: i64) {
        self.0.store(now.saturating_sub(steady()), Ordering::Relaxed);
    }

    /// What it says now, in microseconds.
    pub fn now(&self) -> i64 {
        steady().saturating_add(self.0.load(Ordering::Relaxed))
    }
}

impl Clocks {
    /// Those of the machine.
    pub fn of_the_machine() -> Self {
        Self(Box::new(|| Reading { wall: wall(), steady: steady() }))
    }

    /// One that is told by others, as this machine's steady one carries it on. Whatever this machine's wall clock says.
    pub fn told(ahead: Ahead) -> Self {
        Self(Box::new(move || Reading { wall: ahead.now(), steady: steady() }))
    }

    #[cfg(test)]
    pub fn new(read: impl Fn() -> Reading + Send + 'static) -> Self {
        Self(Box::new(read))
    }

    pub fn read(&self) -> Reading {
        (self.0)()
    }
}

/// Which start of this machine it is: another one after each of its starts. `None` where nobody tells.
#[cfg(feature = "postgres")]
pub(crate) fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Microseconds since 1970, as the machine's clock has them.
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds of a clock that nobody sets and that runs on in sleep.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn steady() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// Elsewhere the standard library's clock has to do; whether it runs on in sleep is the system's choice.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn steady() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(i64::MAX)
}
