//! What the path of a control group says of who made it: systemd, a container runtime, Kubernetes.
//!
//! Runtimes name groups by one of two drivers. `cgroupfs`: `/docker/ID`, `/kubepods/besteffort/podUID/ID`.
//! `systemd`: `/system.slice/docker-ID.scope`, `/kubepods.slice/…/kubepods-besteffort-podUID.slice/cri-containerd-ID.scope`.
//! Groups can stand in one another, as of a Kubernetes node that is a container: the innermost says where a
//! process is. Seen from within a control group namespace a path begins with `/..`, and what is above is hidden.

use crate::model::{Container, Home};

/// Groups below which runtimes put their containers by id alone.
const MANAGERS: [&str; 7] =
    ["docker", "moby", "kubepods", "k8s.io", "default", "libpod_parent", "ecs"];
/// The types of units that processes are in. Slices hold other units, no processes.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];
/// What `systemd-nspawn` runs.
const NSPAWN: &str = "systemd-nspawn";

/// What a path says.
pub(super) fn home(path: &str) -> Home {
    let mut walk = Walk::default();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != "..") {
        // systemd puts this in front of names that the kernel could take for its own files.
        walk.enter(name.strip_prefix('_').unwrap_or(name));
    }
    Home { cgroup: path.to_owned(), ..walk.home }
}

/// What is known on the way from the root inwards.
#[derive(Default)]
struct Walk<'a> {
    home: Home,
    /// Whether a unit was met within which others have no units.
    settled: bool,
    /// Who put the containers here that are named by id alone.
    manager: Option<&'a str>,
    /// The group around.
    above: &'a str,
}

impl<'a> Walk<'a> {
    fn enter(&mut self, name: &'a str) {
        if name == "supervisor" {
            // The program that runs a machine, not the machine.
            self.home.container.take_if(|container| container.runtime == NSPAWN);
        }
        if let Some(uid) = pod(name) {
            self.home.pod = Some(uid);
            self.manager = Some("kubepods");
        }
        let container = self.container(name);
        // The scope that a runtime makes for a container is the container by another name.
        let is_container = container.is_some() && name.ends_with(".scope");
        if !self.settled && is_unit(name) && !is_container {
            self.home.unit = Some(name.to_owned());
            // A user's manager has units of its own.
            self.settled = !name.starts_with("user@");
        }
        if container.is_some() {
            self.home.container = container;
            // There may be another systemd inside.
            self.settled = false;
        } else if self.manager.is_none() || MANAGERS.contains(&name) {
            self.manager = Some(name);
        }
        self.above = name;
    }

    fn container(&self, name: &'a str) -> Option<Container> {
        let found = |runtime: &str, id: &str| {
            Some(Container { runtime: runtime.to_owned(), id: id.to_owned() })
        };
        if is_id(name) {
            return found(runtime(self.manager.unwrap_or("unknown")), name);
        }
        // A kubelet with the systemd driver over a containerd with the other one: `SLICE:cri-containerd:ID`.
        if let Some((prefix, id)) = name.rsplit_once(':').filter(|(_, id)| is_id(id)) {
            return found(runtime(prefix.rsplit(':').next().unwrap_or(prefix)), id);
        }
        let stem = name.strip_suffix(".scope").unwrap_or(name);
        if let Some((prefix, id)) = stem.rsplit_once('-').filter(|(_, id)| is_id(id)) {
            // `conmon` watches a container of Podman or CRI-O from outside.
            return if prefix.ends_with("conmon") { None } else { found(runtime(prefix), id) };
        }
        if let Some(machine) = machine(name) {
            return Some(Container { runtime: NSPAWN.to_owned(), id: machine });
        }
        // From LXC 4.0 on, and before.
        match name.strip_prefix("lxc.payload.") {
            Some(machine) => found("lxc", machine),
            None if self.above == "lxc" => found("lxc", name),
            None => None,
        }
    }
}

/// What users call the runtime that a group's name begins with, or that is named so.
fn runtime(name: &str) -> &str {
    match name {
        "moby" => "docker",
        "cri-containerd" | "k8s.io" | "default" => "containerd",
        "crio" => "cri-o",
        "libpod" | "libpod-payload" | "libpod_parent" => "podman",
        other => other,
    }
}

/// Whether this is a container's id: 64 hexadecimal digits with all runtimes that make them up.
fn is_id(name: &str) -> bool {
    name.len() == 64 && is_hex(name)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The `uid` in `podUID` or `kubepods-besteffort-podUID.slice`, where dashes would mean nested slices and are
/// written as underscores. Of a pod that the node itself defines it is a hash without dashes.
fn pod(name: &str) -> Option<String> {
    let slice = name.split(':').next().unwrap_or(name).strip_suffix(".slice");
    let uid = match slice {
        Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
        None => name.strip_prefix("pod")?.to_owned(),
    };
    let lengths: Vec<_> = uid.split('-').map(str::len).collect();
    let formed = lengths == [8, 4, 4, 4, 12] || lengths == [32];
    (formed && is_hex(&uid.replace('-', ""))).then_some(uid)
}

/// The name of a machine of `systemd-nspawn`: a service or, started by hand, a scope. Virtual machines have
/// such scopes too, with names that libvirt begins with `qemu-`.
fn machine(name: &str) -> Option<String> {
    let service =
        |name: &str| name.strip_prefix("systemd-nspawn@")?.strip_suffix(".service").map(unescape);
    let scope = |name: &str| name.strip_prefix("machine-")?.strip_suffix(".scope").map(unescape);
    let machine = service(name).or_else(|| scope(name))?;
    (!machine.is_empty() && !machine.starts_with("qemu-")).then_some(machine)
}

/// A name from the part of a unit's name that stands for it: any byte can be written as `\xNN`.
fn unescape(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            _ => bytes.extend_from_slice(format!("\\x{part}").as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether this is the name of a unit, as `systemctl` shows it: with escapes.
fn is_unit(name: &str) -> bool {
    let stem = UNITS.iter().find_map(|kind| name.strip_suffix(kind));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(allowed))
}

#[cfg(test)]
mod tests;
