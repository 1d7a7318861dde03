//! Writes what the programs have to know into their instructions, before they are loaded.

use std::mem::offset_of;

use queue_trace_common::{CAST, CONTROL, Config, MARK, MEMBER, Offsets, PASSES, THIS_CPU, place};

use super::globals::Globals;
use super::layout;

/// `BPF_LD | BPF_IMM | BPF_DW`: loads a 64-bit constant; as long as two instructions.
const LOAD: u8 = 0x18;
/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_BTF_ID`, as the source register of [`LOAD`]: the constant is the number of a kernel variable.
const VARIABLE: u8 = 3;
/// `BPF_PSEUDO_MAP_VALUE`: the lower half is the number of a map, the upper one where in its only value.
const MAP: u8 = 2;
/// `BPF_PSEUDO_KFUNC_CALL`, as that of [`CALL`]: the constant is the number of a kernel function.
const KERNEL_FUNCTION: u8 = 2;
/// `BPF_LDX | BPF_MEM`: loads from memory; how much is in the two bits that are left out.
const LOAD_MEMORY: u8 = 0x61;
/// The other bits of its kind.
const LOAD_MEMORY_BITS: u8 = 0xe7;
/// Bytes of an instruction.
const INSTRUCTION: usize = 8;

/// The object with each marked constant replaced by what it stands for.
///
/// Instructions are known by their mark.
pub(super) fn fill(object: &[u8], config: &Config, globals: &Globals) -> Vec<u8> {
    fill_with(object, config, [globals.control_number(), globals.passes_number()])
}

fn fill_with(object: &[u8], config: &Config, maps: [i32; 2]) -> Vec<u8> {
    let mut filled = object.to_vec();
    for section in layout::sections(object).filter(|section| section.executes) {
        let range = section.start..section.start + section.bytes.len();
        fill_program(&mut filled[range], config, maps);
    }
    filled
}

fn fill_program(mut rest: &mut [u8], config: &Config, maps: [i32; 2]) {
    while let Some((first, others)) = rest.split_first_chunk_mut::<INSTRUCTION>() {
        if let Some(second) = others.first_chunk_mut() {
            constant(first, second, config, maps);
        }
        call(first, config.cast);
        load(first, config);
        rest = others;
    }
}

/// The two halves of an instruction that loads a constant.
fn constant(
    first: &mut [u8; INSTRUCTION],
    second: &mut [u8; INSTRUCTION],
    config: &Config,
    [control, passes]: [i32; 2],
) {
    let [code, registers, 0, 0, place @ ..] = *first else { return };
    let [0, 0, 0, 0, mark @ ..] = *second else { return };
    if code != LOAD || registers >> 4 != 0 || u32::from_le_bytes(mark) != MARK {
        return;
    }
    let (kind, value) = match u32::from_le_bytes(place) {
        CONTROL => (MAP, u64::from(control.cast_unsigned())),
        PASSES => (MAP, passes.cast_unsigned().into()),
        // Where there is none, nothing asks for it.
        THIS_CPU if config.this_cpu == 0 => (0, 0),
        THIS_CPU => (VARIABLE, config.this_cpu.into()),
        place => (0, member(config, place)),
    };
    first[1] = registers | kind << 4;
    let [lower, upper] = [value as u32, (value >> 32) as u32].map(u32::to_le_bytes);
    first[4..].copy_from_slice(&lower);
    second[4..].copy_from_slice(&upper);
}

/// A call of the kernel's function; where there is none, it is in a branch that the verifier deletes.
fn call(instruction: &mut [u8; INSTRUCTION], cast: u32) {
    let [code, 0, 0, 0, function @ ..] = *instruction else { return };
    if code == CALL && u32::from_le_bytes(function) == CAST && cast != 0 {
        instruction[1] = KERNEL_FUNCTION << 4;
        instruction[4..].copy_from_slice(&cast.to_le_bytes());
    }
}

/// A load of a member of a kernel structure; where there is none, it is in a branch that the verifier deletes.
fn load(instruction: &mut [u8; INSTRUCTION], config: &Config) {
    let [code, _, low, high, 0, 0, 0, 0] = *instruction else { return };
    let index = usize::try_from(i16::from_le_bytes([low, high]).wrapping_sub(MEMBER));
    let Ok(index) = index.map(|index| index * size_of::<u32>()) else { return };
    if code & LOAD_MEMORY_BITS == LOAD_MEMORY && index < size_of::<Offsets>() {
        let offset = member(config, place(offset_of!(Config, offsets) + index, size_of::<u32>()));
        let offset = i16::try_from(offset).unwrap_or_default();
        instruction[2..4].copy_from_slice(&offset.to_le_bytes());
    }
}

/// The value of the member of this offset and size.
fn member(config: &Config, place: u32) -> u64 {
    let bytes = bytes(config);
    let (offset, size) = (place as usize >> 8, place as usize & 0xff);
    let member = bytes.get(offset..offset + size).unwrap_or_default();
    member.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn bytes(config: &Config) -> &[u8] {
    // SAFETY: plain integers without padding, as `aya::Pod` says of it.
    unsafe { std::slice::from_raw_parts((&raw const *config).cast(), size_of::<Config>()) }
}

#[cfg(test)]
mod tests {
    use super::super::attach::OBJECT;
    use super::*;

    fn fill(object: &[u8], config: &Config) -> Vec<u8> {
        let mut filled = object.to_vec();
        fill_program(&mut filled, config, [51, 52]);
        filled
    }

    const CONFIG: Config =
        Config { stream: 0x1122_3344_5566_7788, cpus: 7, this_cpu: 41, cast: 42, ..Config::NONE };

    /// `r3 = CONSTANT ll`, as the kernel side has it before it is filled.
    fn load(place: u32) -> [u8; 16] {
        let mut instruction = [LOAD, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        instruction[4..8].copy_from_slice(&place.to_le_bytes());
        instruction[12..].copy_from_slice(&MARK.to_le_bytes());
        instruction
    }

    #[test]
    fn a_member_of_any_size_gets_where_it_stands() {
        let wide = fill(&load(place(offset_of!(Config, stream), 8)), &CONFIG);
        assert_eq!(
            wide,
            [0x18, 3, 0, 0, 0x88, 0x77, 0x66, 0x55, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11]
        );
        let narrow = fill(&load(place(offset_of!(Config, cpus), 4)), &CONFIG);
        assert_eq!(narrow, [0x18, 3, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_variable_and_a_function_of_the_kernel_are_named_by_their_numbers() {
        let variable = fill(&load(THIS_CPU), &CONFIG);
        assert_eq!(variable, [0x18, 0x33, 0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let none = fill(&load(THIS_CPU), &Config::NONE);
        assert_eq!(none, [0x18, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let map = fill(&load(PASSES), &CONFIG);
        assert_eq!(map, [0x18, 0x23, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(fill(&load(CONTROL), &CONFIG)[4], 51);
        let mut call = [CALL, 0, 0, 0, 0, 0, 0, 0];
        call[4..].copy_from_slice(&CAST.to_le_bytes());
        assert_eq!(fill(&call, &CONFIG), [CALL, 0x20, 0, 0, 42, 0, 0, 0]);
        assert_eq!(fill(&call, &Config::NONE), call);
    }

    #[test]
    fn a_load_gets_the_offset_of_its_member() {
        let offsets = Offsets { state: 0x123, ..Offsets::NONE };
        let config = Config { offsets, ..CONFIG };
        let [low, high] =
            (MEMBER + (offset_of!(Offsets, state) / size_of::<u32>()) as i16).to_le_bytes();
        let load = |code| [code, 0x21, low, high, 0, 0, 0, 0];
        for code in [0x61, 0x69, 0x71, 0x79] {
            assert_eq!(fill(&load(code), &config), [code, 0x21, 0x23, 1, 0, 0, 0, 0]);
        }
        // What is no load, or is of something else.
        assert_eq!(fill(&load(0x63), &config), load(0x63));
        let beyond = [0x61, 0x21, 0xff, 0x7f, 0, 0, 0, 0];
        assert_eq!(fill(&beyond, &config), beyond);
    }

    #[test]
    fn nothing_but_marked_instructions_changes_and_none_of_them_is_left() {
        let filled = fill_with(OBJECT, &CONFIG, [51, 52]);
        assert_eq!(filled.len(), OBJECT.len());
        let marks = |object: &[u8]| {
            let instructions = object.chunks_exact(INSTRUCTION);
            instructions.filter(|bytes| bytes[4..] == MARK.to_le_bytes()).count()
        };
        assert!(marks(OBJECT) > 100, "{}", marks(OBJECT));
        assert_eq!(marks(&filled), 0);
        let code = |object| layout::sections(object).filter(|section| section.executes);
        let marked = |object| -> usize {
            let instructions = code(object).flat_map(|section| section.bytes.chunks_exact(8));
            instructions.filter(|bytes| bytes[3] == (MEMBER >> 8) as u8).count()
        };
        assert!(marked(OBJECT) > 100, "{}", marked(OBJECT));
        assert_eq!(marked(&filled), 0);
        for short in [0, 7, 8, 15] {
            assert_eq!(fill(&OBJECT[..short], &CONFIG), OBJECT[..short]);
        }
    }
}
