//! What systemd wants to know: that the server listens, that it is on its way out, and that it is alive.
//!
//! `Type=notify` gives a socket's path in `NOTIFY_SOCKET`, `WatchdogSec=` how often a sign of life is expected, in
//! `WATCHDOG_USEC`. Without them nothing is sent.

use std::time::Duration;

/// The server listens.
pub(crate) const READY: &str = "READY=1";
/// It has been asked to end.
pub(crate) const STOPPING: &str = "STOPPING=1";
const ALIVE: &str = "WATCHDOG=1";

/// Tells the service manager, if there is one. Nothing depends on its hearing it.
pub(crate) fn tell(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(&socket, state);
    }
}

#[cfg(unix)]
fn send(socket: &std::ffi::OsStr, state: &str) -> std::io::Result<usize> {
    use std::os::unix::net::UnixDatagram;
    let from = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        // A name that begins with @ is one of the kernel's own, without a file.
        if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
            return from.send_to_addr(state.as_bytes(), &std::os::unix::net::SocketAddr::from_abstract_name(name)?);
        }
    }
    from.send_to(state.as_bytes(), socket)
}

#[cfg(not(unix))]
fn send(_: &std::ffi::OsStr, _: &str) -> std::io::Result<usize> {
    Ok(0)
}

/// Gives signs of life as long as the threads that answer requests get on, twice as often as they are expected.
pub(crate) async fn stay_alive() {
    let micros: Option<u64> = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
    let is_ours = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let Some(micros) = micros.filter(|micros| *micros > 0 && is_ours) else { return };
    let mut every = tokio::time::interval(Duration::from_micros(micros / 2).max(Duration::from_millis(1)));
    loop {
        every.tick().await;
        tell(ALIVE);
    }
}
