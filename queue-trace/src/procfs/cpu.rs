//! The CPU time that a process' control group (v2) gets, and how often that is not enough.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// How much CPU time a control group gets (`cpu.max`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// The folder of the group.
    pub folder: String,
    /// It may run for this long, microseconds.
    pub quota_us: u64,
    /// In this time, microseconds.
    pub period_us: u64,
}

/// How a process' control groups fared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// How long the group was throttled that was so longest, nanoseconds.
    pub throttled_ns: Option<u64>,
    /// Its quota.
    pub quota: Option<Quota>,
    /// How long some task of the process' own group waited for a CPU (`cpu.pressure`), nanoseconds.
    pub pressure_ns: Option<u64>,
}

impl Share {
    /// Of the process with this folder in `/proc`; what cannot be read is left out.
    pub(super) fn of_process(folder: &Path) -> Self {
        let groups = read_to_string(folder.join("cgroup")).unwrap_or_default();
        let Some(path) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return Self::default();
        };
        Self::of_group(Path::new(GROUPS), path)
    }

    /// Of a group and those above it: each can have a quota.
    fn of_group(root: &Path, path: &str) -> Self {
        let own = root.join(path);
        let read = |folder: &Path, name| read_to_string(folder.join(name)).unwrap_or_default();
        let mut share =
            Self { pressure_ns: pressure(&read(&own, "cpu.pressure")), ..Self::default() };
        let above =
            own.ancestors().take_while(|folder| folder.starts_with(root) && *folder != root);
        for folder in above.map(PathBuf::from) {
            let throttled = throttled(&read(&folder, "cpu.stat"));
            if throttled.is_some() && throttled > share.throttled_ns {
                share.throttled_ns = throttled;
                share.quota = quota(&folder, &read(&folder, "cpu.max"));
            }
        }
        share
    }
}

/// `throttled_usec` of `cpu.stat`.
fn throttled(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("throttled_usec "))?;
    line.trim().parse::<u64>().ok()?.checked_mul(1000)
}

/// The sum of "some" in `cpu.pressure`.
fn pressure(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split_ascii_whitespace().find_map(|field| field.strip_prefix("total="))?;
    total.parse::<u64>().ok()?.checked_mul(1000)
}

/// `cpu.max`: two numbers, the first of which may be `max`.
fn quota(folder: &Path, max: &str) -> Option<Quota> {
    let mut fields = max.split_ascii_whitespace().map_while(|field| field.parse().ok());
    let (quota_us, period_us) = (fields.next()?, fields.next()?);
    Some(Quota { folder: folder.display().to_string(), quota_us, period_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_understood() {
        let stat = "usage_usec 5\nnr_throttled 2\nthrottled_usec 1500\n";
        assert_eq!(throttled(stat), Some(1_500_000));
        assert_eq!(throttled("usage_usec 5\n"), None);
        let some = "some avg10=1.00 avg60=0.00 avg300=0.00 total=42\nfull avg10=0 total=7\n";
        assert_eq!(pressure(some), Some(42_000));
        assert_eq!(pressure(""), None);
        let quota = |max| quota(Path::new("/g"), max).map(|q| (q.quota_us, q.period_us));
        assert_eq!(quota("10000 100000\n"), Some((10_000, 100_000)));
        assert_eq!(quota("max 100000\n"), None);
    }

    #[test]
    fn the_quota_may_be_that_of_a_group_above() {
        let root = std::env::temp_dir().join(format!("queue-trace-cpu-{}", std::process::id()));
        let write = |path: &str, text| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("pod/cpu.stat", "throttled_usec 9\n");
        write("pod/cpu.max", "10 100\n");
        write("pod/container/cpu.stat", "throttled_usec 0\n");
        write("pod/container/cpu.max", "max 100\n");
        let share = Share::of_group(&root, "pod/container");
        let nothing = Share::of_group(&root, "gone");
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(share.throttled_ns, Some(9_000));
        let folder = root.join("pod").display().to_string();
        assert_eq!(share.quota, Some(Quota { folder, quota_us: 10, period_us: 100 }));
        assert_eq!(nothing, Share::default());
    }
}
