//! What Debian's kernels must answer, asserted on their own BTF cut down to these questions.

use super::super::{Bits, Btf};

/// Kernels, in the order of the columns of `offsets.txt`.
const KERNELS: [(&str, &[u8]); 4] = [
    ("5.10", include_bytes!("data/linux-5.10.btf")),
    ("6.1", include_bytes!("data/linux-6.1.btf")),
    ("6.12", include_bytes!("data/linux-6.12.btf")),
    ("7.2", include_bytes!("data/linux-7.2.btf")),
];

/// The table's rows: a question of two words, and the answer of each kernel.
pub(super) fn rows() -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> {
    include_str!("data/offsets.txt").lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (kind, name) = (words.next()?, words.next()?);
        ["size", "member", "enum", "function"]
            .contains(&kind)
            .then(|| (kind, name, words.collect()))
    })
}

pub(super) fn newest() -> Vec<u8> {
    KERNELS[3].1.to_vec()
}

/// The answer in the table's notation.
pub(super) fn answer(btf: &Btf, kind: &str, name: &str) -> String {
    let answer = match kind {
        "size" => btf.struct_size(name).ok().map(i64::from),
        "enum" => btf.enum_value(name),
        "function" => btf.function(name).map(|function| function.parameters as i64),
        _ => {
            let (structure, path) = name.split_once('.').unwrap();
            let Ok(member) = btf.member(structure, path) else { return "-".to_owned() };
            if let Some(Bits { first, width }) = member.bits {
                return format!("{}:bit{first}+{width}", member.offset);
            }
            Some(i64::from(member.offset))
        }
    };
    answer.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[test]
fn every_kernel_answers_as_the_table_says() {
    assert!(rows().count() > 150);
    for (column, (kernel, bytes)) in KERNELS.into_iter().enumerate() {
        let btf = Btf::from_bytes(bytes.to_vec()).unwrap();
        for (kind, name, answers) in rows() {
            let found = answer(&btf, kind, name);
            assert_eq!(found, answers[column], "{kind} {name} on {kernel}");
        }
    }
}

#[test]
fn sizes_and_parameter_names() {
    let btf = Btf::from_bytes(newest()).unwrap();
    assert_eq!(btf.member("sock", "__sk_common.skc_family").unwrap().size, 2);
    assert_eq!(btf.member("sock", "__sk_common.skc_v6_daddr").unwrap().size, 16);
    assert_eq!(btf.member("sk_buff", "cb").unwrap().size, 48);
    let check = btf.function("tcp_check_req").unwrap();
    assert_eq!(check.parameter_names[..3], ["sk", "skb", "req"]);
    assert!(!check.returns_void && btf.function("tcp_conn_request").is_some());
}
