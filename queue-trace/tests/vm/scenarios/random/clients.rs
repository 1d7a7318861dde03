//! Those who connect over loopback, in every manner.

use std::io::Write;
use std::net::Shutdown;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::dice::Dice;
use super::servers::reset;
use super::world::{World, pause};

/// A client takes at most so much at a time.
const HELD: usize = 80;

/// Connects, sends, ends connections; gives what it still holds at the end.
pub(super) fn visit(world: &World, mut dice: Dice) -> Vec<Socket> {
    let mut held = Vec::new();
    while !world.is_over() {
        match dice.within(0..=9) {
            0..=4 => {
                for _ in 0..dice.within(1..=8) {
                    held.extend(connect(world, &mut dice));
                }
            }
            5 => held.extend(connect_fast(world, &mut dice)),
            _ if held.is_empty() => {}
            6 | 7 => {
                let socket: &Socket = dice.pick(&held);
                let _ = (&*socket).write(b"hello");
            }
            8 => {
                let socket = dice.pick(&held);
                // It may not be connected, or not have been deaf.
                let _ = if dice.once_in(2) {
                    socket.shutdown(Shutdown::Write)
                } else {
                    socket.detach_filter()
                };
            }
            _ => {
                for _ in 0..dice.within(1..=8) {
                    leave(&mut held, &mut dice);
                }
            }
        }
        while held.len() > HELD {
            leave(&mut held, &mut dice);
        }
        pause(&mut dice, 6);
    }
    held
}

fn leave(held: &mut Vec<Socket>, dice: &mut Dice) {
    if !held.is_empty() {
        let socket = held.swap_remove(dice.index(held.len()));
        if dice.once_in(2) {
            reset(&socket);
        }
    }
}

/// Sends a SYN. A deaf client hears no answer until its filter is taken away.
fn connect(world: &World, dice: &mut Dice) -> Option<Socket> {
    let server = world.any(dice).nearby(dice);
    let socket = socket(Domain::for_address(server), dice);
    if dice.once_in(6) {
        let nothing = SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0);
        socket.attach_filter(&[nothing]).ok()?;
    }
    // Refused at once, or in progress.
    let _ = socket.connect(&server.into());
    Some(socket)
}

/// Sends a SYN with data, or with a request for a cookie if there is none yet.
fn connect_fast(world: &World, dice: &mut Dice) -> Option<Socket> {
    let server = world.any(dice).nearby(dice);
    let socket =
        Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP)).ok()?;
    socket.set_nonblocking(true).ok()?;
    let _ = socket.send_to_with_flags(b"quick", &server.into(), libc::MSG_FASTOPEN);
    Some(socket)
}

fn socket(domain: Domain, dice: &mut Dice) -> Socket {
    let protocol = if dice.once_in(8) { Protocol::MPTCP } else { Protocol::TCP };
    let socket = Socket::new(domain, Type::STREAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::STREAM, Some(Protocol::TCP)))
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}
