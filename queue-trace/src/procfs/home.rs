//! Where a process belongs: which of its control groups tells it, and what that one says.

use super::cgroup;
use crate::model::Home;

/// Where a process belongs, from `/proc/PID/cgroup`; nothing if it ended or may not be looked at.
pub(super) fn read(pid: u32) -> Option<Home> {
    let text = std::fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    parse(&String::from_utf8_lossy(&text))
}

/// The same from the text of that file: a line `0::PATH` in version 2, lines `NUMBER:CONTROLLERS:PATH` of
/// each hierarchy in version 1, both where they are mixed.
///
/// Runtimes move a process within the hierarchies that they manage, and it stays where its shim is in the
/// others. So the line that tells most is taken; of equals that of version 2, then systemd's own.
fn parse(text: &str) -> Option<Home> {
    let mut lines: Vec<_> = text.lines().filter_map(line).collect();
    lines.sort_by_key(|(controllers, _)| match *controllers {
        "" => 0,
        "name=systemd" => 1,
        _ => 2,
    });
    let homes = lines.into_iter().map(|(_, path)| cgroup::home(path));
    homes.reduce(|best, next| if told(&next) > told(&best) { next } else { best })
}

/// Controllers and path of a line.
fn line(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    // What is behind the path of a group that was removed under its last process.
    Some((controllers, path.strip_suffix(" (deleted)").unwrap_or(path)))
}

/// How much a path tells, to be compared.
fn told(home: &Home) -> [bool; 4] {
    [home.container.is_some(), home.pod.is_some(), home.unit.is_some(), home.cgroup != "/"]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "2403ccfe427f1dc7b6120dccb9ac58c2f8456950380d587a9f33ea7f00dd303d";

    /// Path, unit and container of what a text says.
    fn said(text: &str) -> [Option<String>; 3] {
        let home = parse(text).unwrap_or_default();
        [Some(home.cgroup), home.unit, home.container.map(|c| format!("{} {}", c.runtime, c.id))]
    }

    #[test]
    fn version_2_has_one_line() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            said("0::/system.slice/ssh.service\n"),
            [some("/system.slice/ssh.service"), some("ssh.service"), None]
        );
        assert_eq!(said("0::/\n"), [some("/"), None, None]);
        assert_eq!(
            said("0::/system.slice/gone.service (deleted)\n"),
            [some("/system.slice/gone.service"), some("gone.service"), None]
        );
        assert_eq!(parse(""), None);
        assert_eq!(parse("no group\n"), None);
    }

    #[test]
    fn of_many_lines_the_one_that_tells_most_counts() {
        let some = |text: &str| Some(text.to_owned());
        // systemd of a machine with version 1, mixed: a service.
        let service = "11:memory:/system.slice/ssh.service\n9:cpuset:/\n\
                       1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n";
        assert_eq!(said(service)[1], some("ssh.service"));
        // Docker's cgroupfs driver there leaves the process with its shim in version 2.
        let docker = format!(
            "12:net_cls,net_prio:/docker/{ID}\n10:rdma:/\n1:name=systemd:/docker/{ID}\n\
             0::/system.slice/containerd.service\n"
        );
        let path = format!("/docker/{ID}");
        assert_eq!(said(&docker), [Some(path), None, Some(format!("docker {ID}"))]);
        // No systemd at all, as with OpenRC.
        let plain = format!("4:cpu,cpuacct:/docker/{ID}\n3:cpuset:/\n");
        assert_eq!(said(&plain)[2], Some(format!("docker {ID}")));
        // A session, in which only systemd's hierarchy has groups.
        let session = "3:cpu:/\n1:name=systemd:/user.slice/user-0.slice/session-4.scope\n0::/\n";
        assert_eq!(said(session)[1], some("session-4.scope"));
    }

    #[test]
    fn a_process_that_is_gone_has_no_home() {
        assert_eq!(read(4_194_305), None);
        assert!(read(std::process::id()).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_survived(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn anything_like_a_path_is_survived(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "0::", "1:name=systemd:", "/", "..", "-", "_", ":", "@", ".scope", ".slice",
                    ".service", "pod", "kubepods", "docker", "lxc", "lxc.payload.", "supervisor",
                    "machine-", "\\x2d", "\\x", "é", "\n", ID, "systemd-nspawn@", "libpod",
                    "5759a1ae_36ca_48a8_b20a_b0b5c8a90fb8", "user@1000.service", " (deleted)",
                ]),
                0..12,
            )
        ) {
            let _ = parse(&parts.concat());
        }
    }
}
