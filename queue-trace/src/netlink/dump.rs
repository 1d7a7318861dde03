//! One `SOCK_DIAG_BY_FAMILY` dump: the request, the answers, the retries.

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::constants::{AF_INET, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_packet_sock_diag::{SockDiagMessage, constants::AF_INET6};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SOCK_DIAG, recv, send,
    socket_with,
};

use super::Error;

/// How often an interrupted dump is started anew.
const ATTEMPTS: u32 = 5;

/// The kernel never sends more than 32 KiB in one part of a dump (`netlink_dump`).
const PART: usize = 64 * 1024;

/// What of the TCP sockets to list.
#[derive(Clone)]
pub(super) struct Query {
    pub(super) states: StateFlags,
    pub(super) extensions: ExtensionFlags,
}

/// Lists the IPv4 and IPv6 sockets that match, each passed through `decode`.
///
/// Two dumps, because `SOCK_DIAG_BY_FAMILY` has no handler for `AF_UNSPEC`.
pub(super) fn dump<T>(query: &Query, decode: fn(InetResponse) -> T) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for family in [AF_INET, AF_INET6] {
        all.append(&mut dump_family(family, query, decode)?);
    }
    Ok(all)
}

fn dump_family<T>(
    family: u8,
    query: &Query,
    decode: fn(InetResponse) -> T,
) -> Result<Vec<T>, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(sockets) = attempt(family, query, decode)? {
            return Ok(sockets);
        }
    }
    Err(Error::Interrupted(ATTEMPTS))
}

/// One dump; `None` when the kernel says that it may not be consistent.
fn attempt<T>(
    family: u8,
    query: &Query,
    decode: fn(InetResponse) -> T,
) -> Result<Option<Vec<T>>, Error> {
    // A socket for each attempt: what is left of an abandoned dump goes with it.
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    retry_on_intr(|| send(&socket, &request(family, query), SendFlags::empty()))?;
    let mut sockets = Vec::new();
    let mut part = vec![0; PART];
    loop {
        let length = receive(&socket, &mut part)?;
        match read_part(&part[..length], decode, &mut sockets)? {
            Progress::More => {}
            Progress::Done => return Ok(Some(sockets)),
            Progress::Interrupted => return Ok(None),
        }
    }
}

fn receive(socket: &OwnedFd, part: &mut [u8]) -> Result<usize, Error> {
    let (_, length) = retry_on_intr(|| recv(socket, &mut *part, RecvFlags::TRUNC))?;
    if length > part.len() {
        return Err(Error::Io(std::io::Error::other(format!(
            "a message of {length} bytes does not fit the buffer of {}",
            part.len()
        ))));
    }
    Ok(length)
}

fn request(family: u8, query: &Query) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: query.extensions.clone(),
        states: query.states.clone(),
        socket_id: SocketId::new_v4(),
    });
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    More,
    Done,
    Interrupted,
}

/// Reads the messages of one part into `sockets`.
fn read_part<T>(
    mut bytes: &[u8],
    decode: fn(InetResponse) -> T,
    sockets: &mut Vec<T>,
) -> Result<Progress, Error> {
    while !bytes.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(bytes)?;
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            return Ok(Progress::Interrupted);
        }
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                sockets.push(decode(*response));
            }
            // A dump that ends in an error says so in its closing message.
            NetlinkPayload::Done(done) if done.code < 0 => return Err(refusal(done.code)),
            NetlinkPayload::Done(_) => return Ok(Progress::Done),
            NetlinkPayload::Error(error) => return Err(refusal(error.raw_code())),
            _ => {}
        }
        let length = (message.header.length as usize).next_multiple_of(4).max(16);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(Progress::More)
}

/// The error for a negative errno in an answer.
fn refusal(code: i32) -> Error {
    match Errno::from_raw_os_error(code.saturating_neg()) {
        // inet_diag_lock_handler() and sock_diag_rcv_msg() when the handler or module is missing.
        Errno::NOENT => Error::NoTcpDiag,
        errno => errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A netlink message: length, type, flags, sequence, port, then the payload.
    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(payload);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Progress, usize), Error> {
        let mut sockets = Vec::new();
        let progress = read_part(bytes, |response| response, &mut sockets)?;
        Ok((progress, sockets.len()))
    }

    #[test]
    fn a_dump_ends_with_done() {
        let bytes = message(3, 2, &0_i32.to_ne_bytes());
        assert_eq!(read(&bytes).unwrap(), (Progress::Done, 0));
    }

    #[test]
    fn an_interrupted_dump_is_noticed_even_in_its_last_message() {
        let bytes = message(3, 2 | NLM_F_DUMP_INTR, &0_i32.to_ne_bytes());
        assert_eq!(read(&bytes).unwrap(), (Progress::Interrupted, 0));
    }

    #[test]
    fn a_missing_module_is_named() {
        let not_found = (-2_i32).to_ne_bytes();
        for bytes in [
            message(3, 2, &not_found),
            message(2, 0, &[&not_found[..], &message(20, 0x301, &[])].concat()),
        ] {
            assert!(matches!(read(&bytes), Err(Error::NoTcpDiag)), "{bytes:?}");
        }
    }

    #[test]
    fn cut_off_messages_are_errors_not_panics() {
        let whole = message(20, 2, &[2; 72]);
        for length in 1..whole.len() {
            assert!(matches!(read(&whole[..length]), Err(Error::Malformed(_))), "{length}");
        }
    }
}
