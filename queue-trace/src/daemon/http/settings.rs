//! What can be set.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// Where the port is free by custom: it is in no list of exporters' ports.
const PORT: u16 = 9846;

/// The endpoint's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `ADDRESS:PORT`, or `unix:PATH` for a Unix socket.
    pub listen: Listen,
    /// Who may connect to the Unix socket, as digits for `chmod`.
    pub socket_mode: Mode,
    /// With it, TLS only.
    pub tls: Option<Tls>,
    /// With it, only who knows the password.
    pub basic_auth: Option<BasicAuth>,
    /// How many connections may be open; more are closed at once.
    pub max_connections: usize,
    /// How many services may have series of their own.
    pub max_services: usize,
    /// When the last snapshot is older, the endpoint is not ready; seconds.
    pub ready_within: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
            socket_mode: Mode(0o660),
            tls: None,
            basic_auth: None,
            max_connections: 32,
            max_services: 1000,
            ready_within: 60,
        }
    }
}

/// Certificate and key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// File with the certificate, those that vouch for it after it.
    pub certificate: PathBuf,
    /// File with its private key.
    pub key: PathBuf,
}

/// Who may read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The name.
    pub user: String,
    /// File with the password, or with its bcrypt hash (as `htpasswd -nB` makes it, without the name).
    pub password_file: PathBuf,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// An address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Self::Unix(path)),
                false => Err(format!("`{text}`: the path of a Unix socket begins with /")),
            };
        }
        let example = format!("127.0.0.1:{PORT}, [::1]:{PORT} or unix:/run/queue-trace.sock");
        text.parse().map(Self::Tcp).map_err(|_| format!("`{text}` is no address: give {example}"))
    }
}

/// Permissions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mode(pub u32);

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.map(Self)
            .ok_or_else(|| format!("`{text}` are no permissions: give octal digits, as \"0660\""))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn nothing_set_is_loopback_only() {
        assert_eq!(from_value::<Settings>(json!({})).unwrap(), Settings::default());
        assert_eq!(Settings::default().listen, Listen::Tcp(([127, 0, 0, 1], 9846).into()));
    }

    #[test]
    fn addresses_and_modes_are_read_and_bad_ones_say_what_is_right() {
        let given = json!({"listen": "unix:/run/q.sock", "socket_mode": "0600", "max_services": 5});
        let settings: Settings = from_value(given).unwrap();
        assert_eq!(settings.listen, Listen::Unix("/run/q.sock".into()));
        assert_eq!((settings.socket_mode, settings.max_services), (Mode(0o600), 5));
        let wrong = [
            (json!({"listen": "9846"}), "`9846` is no address: give 127.0.0.1:9846"),
            (json!({"listen": "unix:q.sock"}), "begins with /"),
            (json!({"socket_mode": "rw"}), "give octal digits"),
            (json!({"socket_mode": "7777"}), "give octal digits"),
            (json!({"lisen": "x"}), "unknown field `lisen`"),
            (json!({"tls": {"key": "/k"}}), "missing field `certificate`"),
        ];
        for (given, expected) in wrong {
            let problem = from_value::<Settings>(given).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
