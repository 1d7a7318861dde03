//! What the service manager is told (`sd_notify(3)`): datagrams to the socket that it names.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The service manager, if it wants to be told.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    /// How often it has to hear from us, or it takes us for dead.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. The connection is made
    /// at once, while everything is still allowed.
    ///
    /// # Errors
    ///
    /// When there is a socket but it cannot be connected to.
    pub fn from_environment() -> io::Result<Self> {
        let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let socket = connect(socket.as_encoded_bytes())?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        // For a child of ours, or our parent, it is not meant.
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        Ok(Self { socket: Some(socket), watchdog: watchdog.map(Duration::from_micros) })
    }

    /// How often [`Self::alive`] is to be called: twice as often as is asked for.
    #[must_use]
    pub fn every(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 2)
    }

    /// Everything is up, at the start or after a reload.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// What is going on, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// The configuration is being read again; [`Self::ready`] is to follow.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        let mut message = "RELOADING=1\n".to_owned();
        // Writing to a string does not fail.
        let _ = write!(message, "MONOTONIC_USEC={microseconds}");
        self.send(&message);
    }

    /// The end is near.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Still alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!("the service manager cannot be told: {error}");
        }
    }
}

/// A path, or after `@` an abstract name.
fn connect(address: &[u8]) -> io::Result<UnixDatagram> {
    let address = match address {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(String::from_utf8_lossy(path).as_ref())?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold us up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn messages_arrive_at_abstract_sockets() {
        let name = format!("queue-trace-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let socket = connect(format!("@{name}").as_bytes()).unwrap();
        let notify = Notify { socket: Some(socket), watchdog: Some(Duration::from_secs(30)) };
        notify.ready("polling");
        assert_eq!(received(&manager), "READY=1\nSTATUS=polling");
        notify.reloading();
        assert!(received(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        notify.alive();
        assert_eq!(received(&manager), "WATCHDOG=1");
        assert_eq!(notify.every(), Some(Duration::from_secs(15)));
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let notify = Notify::default();
        notify.stopping();
        assert_eq!(notify.every(), None);
        assert!(connect(b"/nowhere/notify").is_err());
    }
}
