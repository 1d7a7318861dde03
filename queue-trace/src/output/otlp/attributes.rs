//! Attributes, by the names of OpenTelemetry's semantic conventions where it has some.

use super::points::{Attributes, text, whole};
use crate::model::{Key, Process};

/// Where a listener listens; nothing of what stands for several addresses.
pub(super) fn address(key: Option<&Key>) -> Attributes {
    let Some(key) = key else { return Vec::new() };
    let mut attributes = vec![
        text("network.local.address", key.address.to_string()),
        whole("network.local.port", key.port),
        whole("queue_trace.netns", key.netns),
    ];
    attributes.extend(key.device.map(|device| whole("queue_trace.device", device)));
    attributes
}

/// A process, and where it belongs.
pub(super) fn process(process: &Process) -> Attributes {
    let mut attributes =
        vec![whole("process.pid", process.pid), text("process.executable.name", &process.comm)];
    attributes.extend(process.executable.iter().map(|path| text("process.executable.path", path)));
    let Some(home) = &process.home else { return attributes };
    attributes.push(text("process.linux.cgroup", &home.cgroup));
    attributes.extend(home.unit.iter().map(|unit| text("queue_trace.systemd.unit", unit)));
    attributes.extend(home.pod.iter().map(|pod| text("k8s.pod.uid", pod)));
    if let Some(container) = &home.container {
        attributes.push(text("container.id", &container.id));
        attributes.push(text("container.runtime.name", &container.runtime));
    }
    attributes
}
