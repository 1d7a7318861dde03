//! Pieces of lines, added to bytes in memory: a line must not cost an allocation, nor go through `fmt`
//! where that can be avoided.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Adds an integer.
pub(super) fn number(line: &mut Vec<u8>, number: impl itoa::Integer) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Adds an address.
pub(super) fn address(line: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            number(line, a);
            for octet in [b, c, d] {
                line.push(b'.');
                number(line, octet);
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(address) => drop(write!(line, "{address}")),
    }
}

/// Adds `address:port`, with brackets around IPv6.
pub(super) fn socket(line: &mut Vec<u8>, socket: SocketAddr) {
    if socket.is_ipv6() {
        line.push(b'[');
    }
    address(line, socket.ip());
    line.extend_from_slice(if socket.is_ipv6() { b"]:" } else { b":" });
    number(line, socket.port());
}

/// Adds microseconds of a second, all six digits.
pub(super) fn micros(line: &mut Vec<u8>, micros: u32) {
    // The leading one makes the zeros behind it digits.
    let mut digits = itoa::Buffer::new();
    line.extend_from_slice(
        digits.format(1_000_000 + micros).as_bytes().get(1..).unwrap_or_default(),
    );
}

/// Fills up with spaces what was added since the line was `start` long, so that it stands left in
/// `width`.
pub(super) fn left(line: &mut Vec<u8>, start: usize, width: usize) {
    line.resize(line.len().max(start + width), b' ');
}

/// The same, so that it stands right.
pub(super) fn right(line: &mut Vec<u8>, start: usize, width: usize) {
    let end = line.len();
    left(line, start, width);
    let spaces = line.len() - end;
    line[start..].rotate_right(spaces);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(add: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = b"x".to_vec();
        add(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn addresses_are_as_the_standard_library_has_them() {
        for text in ["192.0.2.1:80", "0.0.0.0:65535", "[::]:1", "[2001:db8::1]:443"] {
            assert_eq!(line(|l| socket(l, text.parse().unwrap())), format!("x{text}"));
        }
    }

    #[test]
    fn what_is_short_is_filled_up_and_what_is_long_is_left() {
        let both = |text: &[u8]| {
            let add = |l: &mut Vec<u8>, fill: fn(&mut Vec<u8>, usize, usize)| {
                l.extend_from_slice(text);
                fill(l, 1, 3);
            };
            (line(|l| add(l, left)), line(|l| add(l, right)))
        };
        assert_eq!(both(b"ab"), ("xab ".to_owned(), "x ab".to_owned()));
        assert_eq!(both(b"abcd"), ("xabcd".to_owned(), "xabcd".to_owned()));
    }

    #[test]
    fn microseconds_have_six_digits() {
        assert_eq!(line(|l| micros(l, 0)), "x000000");
        assert_eq!(line(|l| micros(l, 12_345)), "x012345");
    }
}
