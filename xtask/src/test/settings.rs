//! What the VM tests run on: kernels, how queue-trace attaches, and processors.

use crate::setup::kernels::DEFAULT;

/// How queue-trace can attach, and on how many processors.
const WAYS: [(&str, u8); 4] = [("fentry", 2), ("fentry", 1), ("kprobe", 2), ("kprobe", 1)];

/// The kernels on which also runs what is made of events and counters, and does not depend on the kernel.
const VIEWS_ON: [&str; 2] = [DEFAULT, "newest"];

/// What of the tests is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    All,
    /// What depends on the kernel.
    Kernel,
    /// The scenarios that share a queue-trace: most, and they take two minutes.
    Books,
}

impl Part {
    /// As the tests are told.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Kernel => "kernel",
            Self::Books => "books",
        }
    }
}

/// A kernel, how queue-trace is to attach to it, the guest's processors, and what is run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting<'a> {
    pub(super) kernel: &'a str,
    pub(super) attach: &'a str,
    pub(super) cpus: u8,
    pub(super) part: Part,
}

impl Setting<'_> {
    /// What its lines are marked with.
    pub(super) fn name(&self) -> String {
        format!("{} {} {}cpu", self.kernel, self.attach, self.cpus)
    }

    /// What the tests' command is handed to: for all of them, to a shell that also has the functions held, so that
    /// each test's queue-trace detaches without waiting. A single test would wait for that longer.
    pub(super) fn before(&self, filter: Option<&str>) -> &'static [&'static str] {
        let many = filter.is_none() && self.attach == "fentry";
        if many { &["sh", "-c", r#"hold & exec "$@""#, "sh"] } else { &[] }
    }
}

/// What is run if nothing is chosen, on these kernels: on each whatever depends on the kernel, by both ways. With one
/// processor that runs on one of them by fentry; on the others the books do, by one way and the other in turn. All of
/// it everywhere would take twice as long.
pub(super) fn usual<'a>(kernels: &[&'a str]) -> Vec<Setting<'a>> {
    let on = |(number, &kernel): (usize, &&'a str)| {
        let part = move |attach: &str, cpus: u8| match (attach, cpus) {
            ("fentry", 2) if VIEWS_ON.contains(&kernel) => Some(Part::All),
            (_, 2) => Some(Part::Kernel),
            ("fentry", _) if kernel == DEFAULT => Some(Part::Kernel),
            (_, _) => ((attach == "fentry") == (number % 2 == 1)).then_some(Part::Books),
        };
        WAYS.into_iter().filter_map(move |(attach, cpus)| {
            part(attach, cpus).map(|part| Setting { kernel, attach, cpus, part })
        })
    };
    in_order(kernels.iter().enumerate().flat_map(on).collect())
}

/// Everything on the kernels that were chosen, by the ways and with the processors that were; where none were, by all.
pub(super) fn chosen<'a>(kernels: &[&'a str], attach: &[String], cpus: &[u8]) -> Vec<Setting<'a>> {
    let wanted = |(by, on): &(&str, u8)| {
        (attach.is_empty() || attach.iter().any(|wanted| wanted == by))
            && (cpus.is_empty() || cpus.contains(on))
    };
    let on = |&kernel: &&'a str| {
        let ways = WAYS.into_iter().filter(wanted);
        ways.map(move |(attach, cpus)| Setting { kernel, attach, cpus, part: Part::All })
    };
    in_order(kernels.iter().flat_map(on).collect())
}

/// The long ones first, so that none is left alone at the end.
fn in_order(mut settings: Vec<Setting<'_>>) -> Vec<Setting<'_>> {
    settings.sort_by_key(|setting| (std::cmp::Reverse(setting.cpus), setting.part));
    settings
}

#[cfg(test)]
mod tests {
    use super::{Part, chosen, usual};
    use crate::setup::kernels::SERIES;

    #[test]
    fn each_kernel_has_what_depends_on_it_by_both_ways_and_the_books_with_one_processor() {
        let kernels = SERIES.map(|series| series.name);
        let usual = usual(&kernels);
        for kernel in kernels {
            let of = |cpus, part: Part| {
                let there = usual.iter().filter(move |it| it.kernel == kernel && it.cpus == cpus);
                there.filter(move |it| it.part <= part).map(|it| it.attach).collect::<Vec<_>>()
            };
            assert_eq!(of(2, Part::Kernel), ["fentry", "kprobe"], "{kernel}");
            assert!(!of(1, Part::Books).is_empty(), "{kernel}");
        }
        assert!(usual.iter().any(|it| it.part == Part::All));
    }

    #[test]
    fn what_is_chosen_runs_whole() {
        let some = chosen(&["6.1"], &["kprobe".to_owned()], &[]);
        assert!(some.iter().all(|it| it.part == Part::All && it.attach == "kprobe"));
        assert_eq!(some.iter().map(|it| it.cpus).collect::<Vec<_>>(), [2, 1]);
    }
}
