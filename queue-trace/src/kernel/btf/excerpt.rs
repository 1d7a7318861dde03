//! Just the functions that are hooked, for a reader that would read all the rest.

use aya_obj::btf::{BtfType, Func, FuncLinkage};

use super::Btf;

impl Btf {
    /// aya's own kind of BTF, in which these functions have the numbers that they have here; all else is blank.
    ///
    /// aya wants the kernel's types only to learn by which number it is to attach. To read all of them costs it
    /// six times what it costs us.
    #[must_use]
    pub fn excerpt<'a>(&self, functions: impl Iterator<Item = &'a str>) -> aya::Btf {
        let mut numbered: Vec<_> =
            functions.filter_map(|name| Some((self.function_number(name)?, name))).collect();
        numbered.sort_unstable();
        numbered.dedup();
        let mut excerpt = aya::Btf::new();
        let mut next = 1;
        for (number, name) in numbered {
            for _ in next..number {
                excerpt.add_type(BtfType::Unknown);
            }
            let name = excerpt.add_string(name);
            let function = Func::new(name, 0, FuncLinkage::Static);
            next = excerpt.add_type(BtfType::Func(function)) + 1;
        }
        excerpt
    }
}
