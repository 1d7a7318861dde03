//! The two versions of IP, which every scenario meets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which version of IP a scenario uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// A port of the loopback device.
    pub(crate) fn loopback(self, port: u16) -> SocketAddr {
        let address: IpAddr = match self {
            Self::V4 => Ipv4Addr::LOCALHOST.into(),
            Self::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        (address, port).into()
    }

    /// A port of every device.
    pub(crate) fn wildcard(self, port: u16) -> SocketAddr {
        let address: IpAddr = match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        (address, port).into()
    }
}
