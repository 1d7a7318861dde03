//! Functions and enumerators.

use aya_obj::btf::BtfKind;

use super::super::Btf;
use super::builder::{Builder, CONST, ENUM, ENUM64, PTR, STRUCT, TYPEDEF, VAR};
use super::kernels::newest;

#[test]
fn functions_tell_their_shape() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let nothing = builder.link(CONST, "", 0);
    builder.function("tcp_check_req", int, &[("sk", int), ("skb", int)]);
    builder.function("tcp_done", 0, &[("sk", int)]);
    builder.function("odd", nothing, &[("", int), ("", 0)]);
    let btf = builder.build();

    let check = btf.function("tcp_check_req").unwrap();
    assert_eq!((check.parameters, check.returns_void, check.ambiguous), (2, false, false));
    assert_eq!(check.parameter_names, ["sk", "skb"]);
    assert!(btf.function("tcp_done").unwrap().returns_void);
    let odd = btf.function("odd").unwrap();
    assert!(odd.returns_void && odd.parameters == 2 && odd.parameter_names == ["", ""]);
    assert_eq!(btf.function("int"), None);
    assert_eq!(btf.function(""), None);
}

#[test]
fn a_function_name_used_twice_is_ambiguous() {
    let mut builder = Builder::new();
    builder.function("init", 0, &[]);
    let mut module = builder.module();
    module.function("init", 0, &[]);
    let kernel = builder.build();
    assert!(!kernel.function("init").unwrap().ambiguous);
    assert!(kernel.split(module.bytes()).unwrap().function("init").unwrap().ambiguous);
    builder.function("init", 0, &[]);
    assert!(builder.build().function("init").unwrap().ambiguous);
}

#[test]
fn a_function_without_a_prototype_is_none() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    builder.link(super::builder::FUNC, "f", int);
    builder.link(super::builder::FUNC, "g", 77);
    let btf = builder.build();
    assert_eq!((btf.function("f"), btf.function("g")), (None, None));
}

#[test]
fn programs_name_what_they_use_by_its_number() {
    let mut builder = Builder::new();
    let long = builder.int("long", 8);
    let variable = builder.raw("this_cpu_off", VAR << 24, long, &[1]);
    // Of the same name, and of another kind.
    let structure = builder.composite(STRUCT, "this_cpu_off", 8, &[("a", long, 0)]);
    let function = builder.function("bpf_rdonly_cast", 0, &[("obj", long), ("id", long)]);
    let btf = builder.build();
    assert_eq!(btf.variable("this_cpu_off"), Some(variable));
    assert_eq!(btf.structure("this_cpu_off"), Some(structure));
    assert_eq!(btf.function_number("bpf_rdonly_cast"), Some(function));
    assert_eq!((btf.variable("long"), btf.structure("a")), (None, None));
    // Which of two would it be?
    builder.raw("this_cpu_off", VAR << 24, long, &[1]);
    assert_eq!(builder.build().variable("this_cpu_off"), None);
}

#[test]
fn enumerators_of_both_widths() {
    let mut builder = Builder::new();
    builder.enumeration(ENUM, "", &[("ZERO", 0), ("LISTENOVERFLOWS", 23), ("MINUS", -5)]);
    builder.enumeration(ENUM64, "wide", &[("BIG", 1 << 40), ("SMALL", -(1 << 40))]);
    // Without the flag, 32-bit values are unsigned.
    let name = builder.string("UNSIGNED");
    builder.raw("plain", ENUM << 24 | 1, 4, &[name, u32::MAX]);
    let btf = builder.build();
    assert_eq!(btf.enum_value("LISTENOVERFLOWS"), Some(23));
    assert_eq!(btf.enum_value("MINUS"), Some(-5));
    assert_eq!(btf.enum_value("BIG"), Some(1 << 40));
    assert_eq!(btf.enum_value("SMALL"), Some(-(1 << 40)));
    assert_eq!(btf.enum_value("UNSIGNED"), Some(i64::from(u32::MAX)));
    assert_eq!(btf.enum_value("wide"), None);
}

#[test]
fn enumerators_that_disagree_are_none() {
    let mut builder = Builder::new();
    builder.enumeration(ENUM, "a", &[("SAME", 1), ("DIFFERENT", 1)]);
    builder.enumeration(ENUM, "b", &[("SAME", 1), ("DIFFERENT", 2)]);
    let btf = builder.build();
    assert_eq!((btf.enum_value("SAME"), btf.enum_value("DIFFERENT")), (Some(1), None));
}

#[test]
fn one_name_can_be_several_things() {
    let mut builder = Builder::new();
    let int = builder.int("name", 4);
    builder.link(TYPEDEF, "name", int);
    builder.link(PTR, "name", int);
    builder.composite(STRUCT, "name", 4, &[("name", int, 0)]);
    builder.function("name", 0, &[]);
    builder.enumeration(ENUM, "name", &[("name", 7)]);
    let btf = builder.build();
    assert_eq!(btf.struct_size("name").unwrap(), 4);
    assert!(btf.has_member("name", "name"));
    assert!(!btf.function("name").unwrap().ambiguous);
    assert_eq!(btf.enum_value("name"), Some(7));
}

#[test]
fn functions_keep_their_numbers_in_an_excerpt() {
    let number = |types: &aya::Btf, name| types.id_by_type_name_kind(name, BtfKind::Func).ok();
    let whole = aya::Btf::parse(&newest(), aya::Endianness::default()).unwrap();
    let names = ["tcp_check_req", "no_such_function", "tcp_conn_request", "tcp_check_req"];
    let excerpt = Btf::from_bytes(newest()).unwrap().excerpt(names.into_iter());
    for name in names {
        assert_eq!(number(&excerpt, name), number(&whole, name), "{name}");
    }
    assert!(number(&excerpt, names[0]).is_some() && number(&excerpt, names[1]).is_none());
}
