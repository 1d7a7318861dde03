//! Network namespaces for tests.

#![expect(clippy::expect_used, reason = "failing is how a test reports")]

use std::io;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Runs `test` on a thread in a network namespace of its own, its loopback device up.
pub(crate) fn in_fresh_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            // SAFETY: descriptors stay shared; only the network namespace is left.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
                .expect("this test needs root: a network namespace cannot be made");
            loopback_up().expect("the loopback device cannot be set up");
            test()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// `ip link set lo up`: an RTM_NEWLINK for device 1 with IFF_UP.
fn loopback_up() -> io::Result<()> {
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend([16_u16, 1].map(u16::to_ne_bytes).concat());
    message.extend([0; 8]);
    // struct ifinfomsg: family, type, index, flags, mask of flags
    message.extend([0_u32, 1, 1, 1].map(u32::to_ne_bytes).concat());
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    // No protocol is number 0, NETLINK_ROUTE.
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    Ok(())
}
