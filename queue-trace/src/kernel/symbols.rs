//! Addresses of kernel symbols.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// The array that turns a per-CPU pointer into an address.
pub const PER_CPU_OFFSET: &str = "__per_cpu_offset";

/// Address of [`PER_CPU_OFFSET`].
///
/// `None` where `/proc/kallsyms` hides addresses (`kernel.kptr_restrict`, no `CAP_SYSLOG`) or has no variables
/// (no `CONFIG_KALLSYMS_ALL`).
#[must_use]
pub fn per_cpu_offset() -> Option<u64> {
    find(BufReader::new(File::open("/proc/kallsyms").ok()?), PER_CPU_OFFSET)
}

fn find(mut symbols: impl BufRead, name: &str) -> Option<u64> {
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line).ok()? > 0 {
        // "ffffffff82a0e0c0 D __per_cpu_offset"; 100,000 lines, so the name is looked at first.
        if line.trim_ascii_end().ends_with(name.as_bytes())
            && let Ok(text) = std::str::from_utf8(&line)
            && let mut words = text.split_ascii_whitespace()
            && let (Some(address), Some(_), Some(symbol)) =
                (words.next(), words.next(), words.next())
            && symbol == name
        {
            return u64::from_str_radix(address, 16).ok().filter(|address| *address != 0);
        }
        line.clear();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "ffffffff81000000 T _text\nffffffff82000010 d my__per_cpu_offset\n\
                           ffffffff82a0e0c0 D __per_cpu_offset\nffffffffc0000000 t x\t[veth]\n";

    #[test]
    fn the_whole_name_counts() {
        assert_eq!(find(SYMBOLS.as_bytes(), "__per_cpu_offset"), Some(0xffff_ffff_82a0_e0c0));
        assert_eq!(find(SYMBOLS.as_bytes(), "per_cpu_offset"), None);
    }

    #[test]
    fn a_hidden_address_is_none() {
        let hidden = "0000000000000000 D __per_cpu_offset\n";
        assert_eq!(find(hidden.as_bytes(), "__per_cpu_offset"), None);
    }
}
