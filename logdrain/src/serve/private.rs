//! Files for the owner's eyes alone: the journal holds log lines as they came, and rows what was made of them.

use std::path::Path;

/// What the process makes from now on can be read by its user alone.
pub(crate) fn make_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Takes from others what an earlier version gave them. A folder or file of another user stays as it is.
pub(crate) fn take_from_others(dir: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let restrict = |path: &Path| {
            if let Ok(meta) = std::fs::symlink_metadata(path)
                && !meta.is_symlink()
                && meta.permissions().mode() & 0o077 != 0
            {
                let mode = meta.permissions().mode() & 0o700;
                if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)) {
                    tracing::warn!(path = %path.display(), %error, "others may read this, and that cannot be changed");
                }
            }
        };
        restrict(dir);
        for folder in [dir.to_owned(), dir.join("snapshots")] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_ours =
                    name.starts_with("journal.") || name == "lock" || name == "damaged" || name == "snapshots";
                if is_ours || name.ends_with(".snapshot") || name.ends_with(".damaged") {
                    restrict(&entry.path());
                }
            }
        }
    }
    #[cfg(not(unix))]
    let _ = dir;
}
