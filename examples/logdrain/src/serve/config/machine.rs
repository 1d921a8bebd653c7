//! What the machine has: memory, and open files.

/// The bytes of memory that there are for this process, as far as the system says.
pub(super) fn memory() -> Option<usize> {
    let total = total();
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    [total, group].into_iter().flatten().min()
}

/// Asked of the kernel: a unit with `ProcSubset=pid` has no `/proc/meminfo`.
#[cfg(target_os = "linux")]
fn total() -> Option<usize> {
    let info = rustix::system::sysinfo();
    usize::try_from(info.totalram).ok()?.checked_mul(usize::try_from(info.mem_unit).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn total() -> Option<usize> {
    None
}

/// Asks the system for so many open files, and answers how many there may be; `None` where nobody knows.
#[cfg(unix)]
pub(crate) fn open_files(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    if current >= wanted {
        return Some(current);
    }
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => Some(raised),
        Err(_) => Some(current),
    }
}

#[cfg(not(unix))]
pub(crate) fn open_files(_: u64) -> Option<u64> {
    None
}
