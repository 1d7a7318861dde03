//! Who holds a listener, in a few words.

use super::text::printable;
use crate::model::{Home, Process};

/// The processes, those of one name and place together: `nginx (812, 814) in nginx.service, systemd (1)`.
/// Nothing of nobody.
pub(super) fn label<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Option<String> {
    /// More of one kind than this are counted only.
    const PIDS: usize = 3;
    let mut kinds: Vec<(&str, Option<String>, Vec<u32>)> = Vec::new();
    for process in processes {
        let place = process.home.as_ref().and_then(Home::place);
        let same = |(comm, there, _): &&mut (_, _, _)| *comm == process.comm && *there == place;
        match kinds.iter_mut().find(same) {
            Some((_, _, pids)) => pids.push(process.pid),
            None => kinds.push((&process.comm, place, vec![process.pid])),
        }
    }
    let label = |(comm, place, pids): &(&str, Option<String>, Vec<u32>)| {
        let shown: Vec<_> = pids.iter().take(PIDS).map(u32::to_string).collect();
        let rest = pids.len().saturating_sub(PIDS);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let place = place.as_ref().map_or_else(String::new, |place| format!(" in {place}"));
        printable(&format!("{comm} ({}{rest}){place}", shown.join(", "))).into_owned()
    };
    let labels: Vec<_> = kinds.iter().map(label).collect();
    (!labels.is_empty()).then(|| labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_alike_are_together() {
        let home = |unit: &str| Some(Home { unit: Some(unit.into()), ..Home::default() });
        let process =
            |pid, comm: &str, home| Process { pid, comm: comm.into(), home, executable: None };
        let processes = [
            process(1, "systemd", None),
            process(7, "nginx", home("web.service")),
            process(8, "ng\x1binx", home("web.service")),
            process(9, "nginx", home("web.service")),
            process(10, "nginx", None),
            process(11, "nginx", home("web.service")),
            process(12, "nginx", home("web.service")),
        ];
        assert_eq!(
            label(&processes).as_deref(),
            Some(
                "systemd (1), nginx (7, 9, 11 and 1 more) in web.service, ng?inx (8) in web.service, \
                 nginx (10)"
            )
        );
        assert_eq!(label([]), None);
    }
}
