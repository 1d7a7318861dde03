//! What has to be the same for one process to go on with what another one has in the kernel.

use queue_trace_common::Config;

use super::hooks::Plan;

/// The kernel side as it is loaded: the programs and what they take as known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Layout {
    /// Which boot of the system it is of.
    boot: String,
    /// The programs and the maps, with the layout of what they hold.
    programs: u64,
    /// Which of the programs are attached.
    hooks: u64,
    /// What they were told: offsets, what is streamed, what is counted.
    configuration: u64,
}

impl Layout {
    /// Of an object that is loaded with a configuration.
    pub(super) fn new(object: &[u8], plan: &Plan, config: &Config) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut programs = Digest::new();
        sections(object).filter(|section| matters(section.name)).for_each(|section| {
            programs.add(section.name);
            programs.add(section.bytes);
        });
        let mut hooks = Digest::new();
        plan.hooks.iter().for_each(|hook| hooks.add(hook.program.as_bytes()));
        let mut configuration = Digest::new();
        configuration.add(format!("{config:?}").as_bytes());
        Self {
            boot: boot.trim().to_owned(),
            programs: programs.0,
            hooks: hooks.0,
            configuration: configuration.0,
        }
    }

    /// In what another one differs, in words; nothing where it does not.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let same = [
            (self.boot == other.boot, "it is of another boot"),
            (self.programs == other.programs, "its programs are another version's"),
            (self.hooks == other.hooks, "it is attached to other functions"),
            (self.configuration == other.configuration, "its settings are others"),
        ];
        same.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
    }
}

/// Whether a section says what is done. Types and source lines are about it only, and names, among which are
/// those of a version.
fn matters(name: &[u8]) -> bool {
    let about: [&[u8]; 4] = [b".BTF", b".debug", b".strtab", b".shstrtab"];
    !about.iter().any(|prefix| name.starts_with(prefix))
}

/// A section of an object.
pub(super) struct Section<'a> {
    name: &'a [u8],
    /// Its contents.
    pub(super) bytes: &'a [u8],
    /// Where they begin in the object.
    pub(super) start: usize,
    /// Whether they are instructions (`SHF_EXECINSTR`).
    pub(super) executes: bool,
}

/// The sections of a 64-bit ELF file of this machine's byte order, which is our own object.
pub(super) fn sections(object: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let table = number::<8>(object, 0x28);
    let header =
        move |index: usize| object.get(table.saturating_add(64 * index)..).unwrap_or_default();
    let bytes = move |header: &[u8]| {
        let start = number::<8>(header, 0x18);
        object.get(start..start.saturating_add(number::<8>(header, 0x20))).unwrap_or_default()
    };
    let names = bytes(header(number::<2>(object, 0x3e)));
    (0..number::<2>(object, 0x3c)).map(move |index| {
        let header = header(index);
        let name = names.get(number::<4>(header, 0)..).unwrap_or_default();
        Section {
            name: name.split(|byte| *byte == 0).next().unwrap_or_default(),
            bytes: bytes(header),
            start: number::<8>(header, 0x18),
            executes: number::<8>(header, 0x08) & 4 != 0,
        }
    })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk::<N>);
    field.map_or(0, |field| field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// FNV-1a: the same in every build of this program, which the standard library does not promise of its own.
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes, apart from those that come after them.
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&bytes.len().to_ne_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attach::OBJECT;
    use super::*;

    fn programs(object: &[u8]) -> u64 {
        let mut digest = Digest::new();
        let matter = sections(object).filter(|section| matters(section.name));
        matter.for_each(|section| digest.add(section.bytes));
        digest.0
    }

    /// The object with one byte of a section changed.
    fn changed(section: &[u8]) -> Vec<u8> {
        let bytes = sections(OBJECT).find(|found| found.name == section).unwrap().bytes;
        let at = bytes.as_ptr() as usize - OBJECT.as_ptr() as usize + bytes.len() / 2;
        let mut object = OBJECT.to_vec();
        object[at] ^= 1;
        object
    }

    #[test]
    fn what_is_done_counts_and_what_is_said_about_it_does_not() {
        let names: Vec<_> = sections(OBJECT).map(|section| section.name.to_vec()).collect();
        assert!(names.iter().any(|name| name == b"maps") && names.len() > 10);
        let program = names.iter().find(|name| name.starts_with(b"fexit")).unwrap();
        assert_ne!(programs(&changed(program)), programs(OBJECT));
        assert_ne!(programs(&changed(b"maps")), programs(OBJECT));
        assert_eq!(programs(&changed(b".BTF.ext")), programs(OBJECT));
    }

    #[test]
    fn what_differs_is_told() {
        let layout = Layout { boot: "a".into(), programs: 1, hooks: 2, configuration: 3 };
        assert_eq!(layout.difference(&layout.clone()), None);
        let told = |other: Layout| layout.difference(&other).unwrap();
        assert!(told(Layout { boot: "b".into(), ..layout.clone() }).contains("boot"));
        assert!(told(Layout { configuration: 4, ..layout.clone() }).contains("settings"));
        assert!(
            told(Layout { programs: 4, configuration: 4, ..layout.clone() }).contains("version")
        );
    }

    #[test]
    fn anything_is_no_object() {
        for bytes in [&b""[..], &[0xff; 70], &OBJECT[..100]] {
            assert!(sections(bytes).take(10).all(|section| section.bytes.is_empty()));
        }
    }
}
