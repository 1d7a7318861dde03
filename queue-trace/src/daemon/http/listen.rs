//! The socket.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::settings::{Listen, Settings};

/// A socket that is bound, and that no runtime knows yet.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, Bound),
}

/// A bound path; the socket file goes when nobody listens any more.
#[derive(Debug)]
pub(super) struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        // Somebody may have taken it away.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listening {
    /// Takes the address.
    pub(super) fn bind(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.listen {
            Listen::Tcp(address) => tcp(*address),
            Listen::Unix(path) => unix(path, settings.socket_mode.0),
        }
    }

    /// Where it listens, unless that is a path.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Hands it to the runtime.
    pub(super) fn accepting(self) -> io::Result<Accepting> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Accepting::Tcp)
            }
            Self::Unix(listener, bound) => {
                listener.set_nonblocking(true)?;
                Ok(Accepting::Unix(UnixListener::from_std(listener)?, bound))
            }
        }
    }
}

fn tcp(address: SocketAddr) -> anyhow::Result<Listening> {
    std::net::TcpListener::bind(address).map(Listening::Tcp).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::AddrInUse => {
                "somebody else listens there, another `queue-trace serve` perhaps: end that, or set another `listen`"
            }
            ErrorKind::PermissionDenied => {
                "ports below 1024 are for the privileged: set another `listen`"
            }
            ErrorKind::AddrNotAvailable => "this machine does not have the address: set another `listen`",
            _ => return anyhow::Error::new(error).context(format!("cannot listen on {address}")),
        };
        anyhow::anyhow!("cannot listen on {address}: {what}")
    })
}

/// Binds beside the path and moves the socket to it once it has its permissions: nobody can connect before,
/// and what a killed process left there is replaced.
fn unix(path: &Path, mode: u32) -> anyhow::Result<Listening> {
    let shown = path.display();
    if BlockingStream::connect(path).is_ok() {
        bail!(
            "cannot listen on {shown}: somebody else does, another `queue-trace serve` perhaps: end that, or set another `listen`"
        );
    }
    if std::fs::symlink_metadata(path).is_ok_and(|found| !is_socket(&found)) {
        bail!(
            "cannot listen on {shown}: there is something that is no socket: set another `listen`"
        );
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let bind = || -> io::Result<_> {
        let listener = std::os::unix::net::UnixListener::bind(&beside)?;
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(mode))?;
        std::fs::rename(&beside, path)?;
        Ok(listener)
    };
    let listener = bind().inspect_err(|_| drop(Bound(beside.clone())));
    let listener = listener.with_context(|| format!("cannot listen on {shown} (`listen`)"))?;
    Ok(Listening::Unix(listener, Bound(path.into())))
}

fn is_socket(found: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

/// The socket in use.
#[derive(Debug)]
pub(super) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "held for its end")] Bound),
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Accepting {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
            Self::Unix(listener, _) => {
                listener.accept().await.map(|(stream, _)| Stream::Unix(stream))
            }
        }
    }
}
