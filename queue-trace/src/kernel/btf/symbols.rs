//! Functions and enumerators by name.

use super::{Btf, BtfError, record::Kind};

/// The shape of a kernel function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// How many parameters it takes; a final `...` counts as one.
    pub parameters: usize,
    /// Their names, empty where the source gives none.
    pub parameter_names: Vec<String>,
    /// Whether it returns nothing.
    pub returns_void: bool,
    /// Whether several functions have this name: attaching by name then picks any of them, and the
    /// shape above is that of only one.
    pub ambiguous: bool,
}

impl Btf {
    /// The function of that name, if BTF knows one; an inlined function may be known and yet never
    /// be called.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Function> {
        let mut found = self
            .candidates(name)
            .filter(|(_, record)| record.kind == Kind::Func && self.is_named(record.name, name));
        let (_, first) = found.next()?;
        let prototype =
            self.record(first.size_or_type).filter(|record| record.kind == Kind::FuncProto)?;
        let parameter_names = prototype
            .parameters()
            .map(|(name, _)| Ok(String::from_utf8_lossy(self.string(name)?).into_owned()))
            .collect::<Result<Vec<_>, BtfError>>()
            .ok()?;
        Some(Function {
            parameters: parameter_names.len(),
            parameter_names,
            returns_void: self.unaliased(prototype.size_or_type).ok()?.is_none(),
            ambiguous: found.next().is_some(),
        })
    }

    /// The type number of the first function of that name.
    #[must_use]
    pub fn function_number(&self, name: &str) -> Option<u32> {
        self.numbers(name, Kind::Func).next()
    }

    /// The type number of the per-CPU variable of that name; none if there are several.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<u32> {
        let mut all = self.numbers(name, Kind::Var);
        all.next().filter(|_| all.next().is_none())
    }

    /// The type number of the first structure of that name.
    #[must_use]
    pub fn structure(&self, name: &str) -> Option<u32> {
        self.numbers(name, Kind::Struct).next()
    }

    fn numbers(&self, name: &str, kind: Kind) -> impl Iterator<Item = u32> {
        let found = self.candidates(name);
        found
            .filter(move |(_, record)| record.kind == kind && self.is_named(record.name, name))
            .map(|(number, _)| number)
    }

    /// The names of all functions that BTF knows.
    pub fn function_names(&self) -> impl Iterator<Item = &[u8]> {
        (1..)
            .map_while(|id| self.record(id))
            .filter(|record| record.kind == Kind::Func)
            .filter_map(|record| self.string(record.name).ok())
    }

    /// The value of an enumerator of any enumeration, named or not; none if no enumeration has it,
    /// or if two give it different values.
    #[must_use]
    pub fn enum_value(&self, name: &str) -> Option<i64> {
        let mut values = self
            .candidates(name)
            .flat_map(|(_, record)| record.enumerators())
            .filter(|&(offset, _)| self.is_named(offset, name))
            .map(|(_, value)| value);
        let first = values.next()?;
        values.all(|value| value == first).then_some(first)
    }
}
