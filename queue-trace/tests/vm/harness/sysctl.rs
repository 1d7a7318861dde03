//! Settings of the calling thread's network namespace.

/// Sets `net.NAME`; those of `net.ipv4` that concern TCP hold for IPv6 too.
pub(crate) fn set(name: &str, value: u32) {
    let path = format!("/proc/sys/net/{}", name.replace('.', "/"));
    std::fs::write(&path, value.to_string())
        .unwrap_or_else(|error| panic!("cannot set {path} to {value}: {error}"));
}
