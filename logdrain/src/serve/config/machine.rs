//! What the machine has: memory, open files, and files that are not for everybody.

use logdrain_drain::limits::SLOW_THREADS;
use logdrain_drain::packing;
use std::path::Path;

pub(super) const READ_BY_ALL: &str = "every user of this machine can read the passwords in it: chmod 600";

/// Whether everybody may read a file, as its own mode says.
#[cfg(unix)]
pub(super) fn is_read_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_read_by_all(_: &Path) -> bool {
    false
}

/// The bytes of memory that there are for this process, as far as the system says.
pub(super) fn memory() -> Option<usize> {
    let total = total();
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    [total, group].into_iter().flatten().min()
}

/// What the threads take that pack bodies: those of the connections, one for each core, and those for slow work.
pub(super) fn packing() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    packing::MEMORY.saturating_mul(cores + SLOW_THREADS)
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

#[cfg(all(test, unix))]
mod tests {
    use super::super::Config;
    use crate::args::ServeArgs;
    use clap::Parser as _;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    #[test]
    fn passwords_that_every_user_of_the_machine_can_read_are_warned_of() {
        let dir = std::env::temp_dir().join(format!("logdrain-modes-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (config, secret) = (dir.join("logdrain.toml"), dir.join("secret"));
        let text = "[watcher]\nuser = \"ops\"\npassword = \"a-long-password\"\n\
                    [[drain]]\nname = \"a\"\nuser = \"a\"\npassword_file = \"secret\"\n";
        fs::write(&config, text).unwrap();
        fs::write(&secret, "another-long-password").unwrap();
        let warned = |mode: [u32; 2]| {
            for (file, mode) in [&config, &secret].into_iter().zip(mode) {
                fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            }
            let args = Line::parse_from(["serve", "--config", config.to_str().unwrap()]).serve;
            let warnings = Config::from_text(&args, text).unwrap().warnings;
            warnings.iter().filter(|warning| warning.contains("chmod 600")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(warned([0o600, 0o640]), [""; 0]);
        assert!(matches!(&warned([0o644, 0o600])[..], [one] if one.contains("logdrain.toml")));
        assert!(matches!(&warned([0o600, 0o644])[..], [one] if one.starts_with("[[drain]] 1, password_file: ")));
        fs::remove_dir_all(&dir).unwrap();
    }
}
