//! Those who open and close listeners, and those who accept.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use socket2::Socket;

use super::dice::Dice;
use super::world::{World, pause};
use crate::harness::sysctl;

/// Opens a listener at every place.
pub(super) fn open_all(world: &World, dice: &mut Dice) {
    for place in &world.places {
        place.open(backlog(dice), dice).unwrap();
    }
}

fn backlog(dice: &mut Dice) -> u32 {
    *dice.pick(&[0, 1, 2, 5, 10, 20, 40])
}

/// Opens listeners, gives them other backlogs, closes them.
pub(super) fn manage(world: &World, mut dice: Dice) {
    while !world.is_over() {
        pause(&mut dice, 60);
        let place = if dice.once_in(5) { world.target() } else { world.any(&mut dice) };
        let Some(listener) = place.listener() else {
            let backlog = backlog(&mut dice);
            let result = place.open(backlog, &mut dice);
            let nature = place.site.nature;
            world.tell(format_args!("open {} {nature:?}, {backlog}: {result:?}", place.name()));
            continue;
        };
        match dice.within(0..=9) {
            0..=3 if !place.site.target => {
                drop(listener);
                place.vacate();
                world.tell(format_args!("close {}", place.name()));
            }
            4 if !place.site.target => {
                // Ends LISTEN at once, whoever is in accept().
                let result = listener.shutdown(Shutdown::Both);
                place.vacate();
                world.tell(format_args!("shut down {}: {result:?}", place.name()));
            }
            _ => {
                let backlog = backlog(&mut dice);
                let result = listener.listen(backlog.cast_signed());
                world.tell(format_args!("listen({backlog}) again {}: {result:?}", place.name()));
            }
        }
    }
}

/// Accepts here and there; gives what it still holds at the end.
pub(super) fn accept(world: &World, mut dice: Dice) -> Vec<Socket> {
    const HELD: usize = 60;
    let mut held = Vec::new();
    while !world.is_over() {
        let place = world.any(&mut dice);
        if let Some(listener) = place.listener() {
            for _ in 0..dice.within(1..=6) {
                let Ok((socket, _)) = listener.accept() else { break };
                held.push(socket);
            }
        }
        while held.len() > HELD || (!held.is_empty() && dice.once_in(4)) {
            let socket: Socket = held.swap_remove(dice.index(held.len()));
            match dice.within(0..=3) {
                0 => reset(&socket),
                1 => {
                    // It may be gone already.
                    let _ = socket.set_nonblocking(true);
                    let _ = (&socket).write(b"welcome");
                }
                _ => {}
            }
        }
        pause(&mut dice, 20);
    }
    held
}

/// What is closed next ends with a RST.
pub(super) fn reset(socket: &Socket) {
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Changes settings of the namespace.
pub(super) fn govern(world: &World, mut dice: Dice, settings: &[(&'static str, Vec<u32>)]) {
    while !world.is_over() {
        pause(&mut dice, 80);
        let (name, values) = dice.pick(settings);
        let value = *dice.pick(values);
        sysctl::set(name, value);
        world.tell(format_args!("{name} = {value}"));
    }
}
