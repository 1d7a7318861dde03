//! Crafted segments from behind a wire: floods, guesses, and what routers say.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::dice::Dice;
use super::plan::Plan;
use super::world::{Place, World, pause};
use crate::harness::family::Family;
use crate::harness::packets::{self, CLIENT_START, Reply};
use crate::harness::wire::Wire;

/// How many SYN-ACKs are remembered.
const REMEMBERED: usize = 200;
/// What was sent has arrived after that, with nobody left who sends.
const ARRIVAL: Duration = Duration::from_millis(50);

/// Sends what nobody should send, until the storm is over; keeps the wire as long as the plan says. Tells when
/// the wire is laid, and when the last segment of the storm has arrived.
pub(super) fn trouble(world: &World, mut dice: Dice, plan: &Plan, tell: &Sender<()>) {
    let wire = Wire::lay(plan.wire);
    tell.send(()).unwrap();
    let mut outside = Outside {
        world,
        wire,
        family: plan.wire,
        synacks: Vec::new(),
        inside: HashSet::new(),
        newcomers: 0,
    };
    while !world.is_over() {
        outside.act(&mut dice);
        outside.listen();
        pause(&mut dice, 8);
    }
    // A busy processor leaves segments to a thread of the kernel.
    std::thread::sleep(ARRIVAL);
    tell.send(()).unwrap();
    while plan.wire_stays && !world.is_quiet() {
        pause(&mut dice, 20);
    }
}

struct Outside<'a> {
    world: &'a World,
    wire: Wire,
    family: Family,
    /// SYN-ACKs that came, and are not answered yet.
    synacks: Vec<Reply>,
    /// Clients that completed their handshake. Another SYN of theirs would meet a connection.
    inside: HashSet<SocketAddr>,
    /// Clients so far.
    newcomers: u16,
}

impl<'a> Outside<'a> {
    fn act(&mut self, dice: &mut Dice) {
        match dice.within(0..=13) {
            0..=2 => {
                for _ in 0..dice.within(1..=40) {
                    let to = self.somewhere(dice);
                    let from = self.newcomer();
                    self.syn(from, to);
                }
            }
            3 => {
                let to = self.somewhere(dice);
                let from = self.stranger(dice);
                self.syn(from, to);
            }
            4 => {
                let place = self.somewhere(dice);
                let from = self.newcomer();
                self.send_syn(from, self.wire.everybody(place.site.port), place);
            }
            5 => {
                let to = self.somewhere(dice);
                self.fast_syn(to, dice);
            }
            6 => {
                // An ACK out of nowhere.
                let to = self.somewhere(dice).site.port;
                let from = self.newcomer();
                self.wire.send(&packets::ack(from, self.wire.server(to), dice.roll() as u32));
            }
            _ => {
                for _ in 0..dice.within(1..=10) {
                    self.answer(dice);
                }
            }
        }
    }

    /// Does something about a SYN-ACK.
    fn answer(&mut self, dice: &mut Dice) {
        if self.synacks.is_empty() {
            return;
        }
        let index = dice.index(self.synacks.len());
        let synack = self.synacks[index];
        let (from, to) = (synack.client, self.wire.server(synack.port));
        let next = synack.sequence.wrapping_add(1);
        let sequence = CLIENT_START.wrapping_add(1);
        match dice.within(0..=9) {
            // The SYN again; its SYN-ACK can still be answered later.
            0 if self.inside.contains(&from) => return,
            0 => return self.send_syn(from, to, self.place_of(synack.port)),
            1 => self.wire.send(&packets::rst(from, to)),
            2 => self.wire.send(&packets::unreachable(&synack, to)),
            3 => {
                return self.wire.send(&packets::ack(
                    from,
                    to,
                    next.wrapping_add(dice.roll() as u32),
                ));
            }
            4 => {
                // Far out of the window, and once more at its edge.
                let far = sequence.wrapping_add(0x2000_0000 + dice.within(0..=9));
                self.wire.send(&packets::segment(from, to, |tcp| {
                    tcp.sequence_number = far;
                    tcp.ack = true;
                    tcp.acknowledgment_number = next;
                }));
                return;
            }
            5 => {
                // A RST, or a SYN, somewhere in the window.
                let within = sequence.wrapping_add(dice.within(1..=1000));
                let syn = synack.port != self.world.target().site.port && dice.once_in(2);
                self.wire.send(&packets::segment(from, to, |tcp| {
                    tcp.sequence_number = within;
                    tcp.rst = !syn;
                    tcp.syn = syn;
                }));
            }
            6 => {
                // Neither SYN nor ACK nor RST.
                self.wire.send(&packets::segment(from, to, |tcp| {
                    tcp.sequence_number = sequence;
                    tcp.psh = true;
                }));
                return;
            }
            7 => {
                self.inside.insert(from);
                self.wire.send(&packets::with_data(from, to, b"hello", |tcp| {
                    tcp.sequence_number = sequence;
                    tcp.ack = true;
                    tcp.acknowledgment_number = next;
                }));
            }
            _ => {
                self.inside.insert(from);
                self.wire.send(&packets::ack(from, to, next));
                if dice.once_in(3) {
                    self.wire.send(&packets::rst(from, to));
                }
            }
        }
        self.synacks.swap_remove(index);
    }

    /// Takes what came over the wire.
    fn listen(&mut self) {
        self.synacks.extend(self.wire.answers().into_iter().filter(Reply::is_synack));
        let over = self.synacks.len().saturating_sub(REMEMBERED);
        self.synacks.drain(..over);
    }

    fn syn(&self, from: SocketAddr, to: &Place) {
        self.send_syn(from, self.wire.server(to.site.port), to);
    }

    fn send_syn(&self, from: SocketAddr, to: SocketAddr, place: &Place) {
        self.wire.syn(from, to);
        self.aim(place);
    }

    fn aim(&self, place: &Place) {
        if place.site.target {
            self.world.aimed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A SYN with data and a Fast Open cookie: none, an empty one that asks for one, or a wrong one.
    fn fast_syn(&mut self, place: &Place, dice: &mut Dice) {
        const OPTION: u8 = 34;
        let wrong = dice.roll().to_be_bytes();
        let cookie: Option<&[u8]> = *dice.pick(&[None, Some(&[][..]), Some(&wrong[..])]);
        let from = self.newcomer();
        let to = self.wire.server(place.site.port);
        self.wire.send(&packets::with_data(from, to, b"quick", |tcp| {
            tcp.syn = true;
            if let Some(cookie) = cookie {
                let mut option = vec![OPTION, 2 + cookie.len() as u8];
                option.extend(cookie);
                option.resize(option.len().next_multiple_of(4), 1);
                tcp.set_options_raw(&option).unwrap();
            }
        }));
        self.aim(place);
    }

    fn newcomer(&mut self) -> SocketAddr {
        self.newcomers += 1;
        self.wire.client(self.newcomers)
    }

    /// A client that no route leads back to.
    fn stranger(&self, dice: &mut Dice) -> SocketAddr {
        let host = dice.within(1..=250) as u8;
        let address: IpAddr = match self.family {
            Family::V4 => Ipv4Addr::new(198, 51, 100, host).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
        };
        (address, 40_000).into()
    }

    /// A place that hears this family; most of the time the target.
    fn somewhere(&self, dice: &mut Dice) -> &'a Place {
        let place = self.world.any(dice);
        if dice.once_in(2) && place.hears(self.family) { place } else { self.world.target() }
    }

    fn place_of(&self, port: u16) -> &'a Place {
        let place = self.world.places.iter().find(|place| place.site.port == port);
        place.unwrap_or_else(|| panic!("nobody was at port {port}"))
    }
}
