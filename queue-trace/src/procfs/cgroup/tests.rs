use super::*;

const A: &str = "afc114c69e71f18166abd63715398d7daa763c69a6454f71157272ab0bdca783";
const B: &str = "0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef";
const UID: &str = "5759a1ae-36ca-48a8-b20a-b0b5c8a90fb8";
const UID_: &str = "5759a1ae_36ca_48a8_b20a_b0b5c8a90fb8";
const HASH: &str = "8f5a9a5e6b0f5b3a2d6b3a5c1e2d3f4a";

/// Holds that paths, in which A, B, U and H stand for ids, uids and a hash, say this: unit, container, pod;
/// `-` for nothing.
fn check(cases: &[(&str, &str, &str, &str)]) {
    let fill = |text: &str| {
        let filled = text.replace("{A}", A).replace("{B}", B).replace("{U_}", UID_);
        filled.replace("{U}", UID).replace("{H}", HASH)
    };
    for (path, unit, container, pod) in cases {
        let path = fill(path);
        let home = home(&path);
        let container_said = home.container.map(|c| format!("{} {}", c.runtime, c.id));
        let said = [home.unit, container_said, home.pod];
        let expected = [unit, container, pod].map(|text| (*text != "-").then(|| fill(text)));
        assert_eq!(said, expected, "{path}");
        assert_eq!(home.cgroup, path);
    }
}

#[test]
fn units_of_systemd() {
    check(&[
        ("/", "-", "-", "-"),
        ("/init.scope", "init.scope", "-", "-"),
        ("/system.slice/nginx.service", "nginx.service", "-", "-"),
        (
            "/system.slice/system-postgresql.slice/postgresql@17-main.service",
            "postgresql@17-main.service",
            "-",
            "-",
        ),
        ("/system.slice/apache2.service/worker.service", "apache2.service", "-", "-"),
        (
            "/system.slice/dev-disk-by\\x2dlabel-data.mount",
            "dev-disk-by\\x2dlabel-data.mount",
            "-",
            "-",
        ),
        ("/system.slice/_cpu.service", "cpu.service", "-", "-"),
        ("/system.slice", "-", "-", "-"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "-", "-"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope", "-", "-"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1f.scope",
            "vte-spawn-1f.scope",
            "-",
            "-",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/web\\x2dapp.service",
            "web\\x2dapp.service",
            "-",
            "-",
        ),
        ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service", "-", "-"),
        ("/system.slice/not a unit.service", "-", "-", "-"),
        ("/.service", "-", "-", "-"),
    ]);
}

#[test]
fn docker_containerd_and_cri_o() {
    check(&[
        ("/docker/{A}", "-", "docker {A}", "-"),
        ("/system.slice/docker-{A}.scope", "-", "docker {A}", "-"),
        (
            "/system.slice/docker-{A}.scope/system.slice/nginx.service",
            "nginx.service",
            "docker {A}",
            "-",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope",
            "user@1000.service",
            "docker {A}",
            "-",
        ),
        ("/docker/{A}/docker/{B}", "-", "docker {B}", "-"),
        ("/default/{A}", "-", "containerd {A}", "-"),
        ("/k8s.io/{A}", "-", "containerd {A}", "-"),
        ("/system.slice/nerdctl-{A}.scope", "-", "nerdctl {A}", "-"),
        ("/crio-{A}", "-", "cri-o {A}", "-"),
        ("/ecs/0123456789abcdef0123456789abcdef/{A}", "-", "ecs {A}", "-"),
        ("/actions_job/{A}", "-", "actions_job {A}", "-"),
        // Not an id: a letter too much, a digit too few, no hexadecimal digits.
        ("/docker/{A}a", "-", "-", "-"),
        ("/docker/abc", "-", "-", "-"),
        ("/docker/buildkit/iajbhmsq0tsbd3dtsplh7rgfq", "-", "-", "-"),
    ]);
}

#[test]
fn podman() {
    check(&[
        ("/machine.slice/libpod-{A}.scope", "-", "podman {A}", "-"),
        ("/machine.slice/libpod-{A}.scope/container", "-", "podman {A}", "-"),
        ("/machine.slice/libpod-conmon-{A}.scope", "libpod-conmon-{A}.scope", "-", "-"),
        ("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", "-", "podman {A}", "-"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
            "user@1000.service",
            "podman {A}",
            "-",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-{A}.scope",
            "libpod-conmon-{A}.scope",
            "-",
            "-",
        ),
        ("/libpod_parent/libpod-{A}", "-", "podman {A}", "-"),
        ("/libpod_parent/conmon", "-", "-", "-"),
        ("/system.slice/web.service/libpod-payload-{A}", "web.service", "podman {A}", "-"),
        ("/system.slice/web.service/runtime", "web.service", "-", "-"),
    ]);
}

#[test]
fn pods_of_kubernetes() {
    let slice = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{U_}.slice";
    let cases = [
        (format!("{slice}/cri-containerd-{{A}}.scope"), "-", "containerd {A}", "{U}"),
        (format!("{slice}/crio-{{A}}.scope"), "-", "cri-o {A}", "{U}"),
        (format!("{slice}/crio-{{A}}.scope/container"), "-", "cri-o {A}", "{U}"),
        (format!("{slice}/crio-conmon-{{A}}.scope"), "crio-conmon-{A}.scope", "-", "{U}"),
        (format!("{slice}/docker-{{A}}.scope"), "-", "docker {A}", "{U}"),
        (slice.to_owned(), "-", "-", "{U}"),
        (
            format!("/docker/{{B}}/kubelet.slice{slice}/cri-containerd-{{A}}.scope"),
            "-",
            "containerd {A}",
            "{U}",
        ),
    ];
    for (path, unit, container, pod) in &cases {
        check(&[(path, unit, container, pod)]);
    }
    check(&[
        (
            "/kubepods.slice/kubepods-pod{U_}.slice/cri-containerd-{A}.scope",
            "-",
            "containerd {A}",
            "{U}",
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{H}.slice/cri-containerd-{A}.scope",
            "-",
            "containerd {A}",
            "{H}",
        ),
        // Which runtime made it, this driver does not tell.
        ("/kubepods/besteffort/pod{U}/{A}", "-", "kubepods {A}", "{U}"),
        ("/kubepods/pod{U}/{A}", "-", "kubepods {A}", "{U}"),
        ("/kubepods/burstable/pod{H}/crio-{A}", "-", "cri-o {A}", "{H}"),
        (
            "/system.slice/containerd.service/kubepods-burstable-pod{U_}.slice:cri-containerd:{A}",
            "containerd.service",
            "containerd {A}",
            "{U}",
        ),
        (
            "/docker/{B}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{U_}.slice/cri-containerd-{A}.scope",
            "-",
            "containerd {A}",
            "{U}",
        ),
        ("/kubepods/besteffort/podless/{A}", "-", "kubepods {A}", "-"),
    ]);
}

#[test]
fn seen_from_a_control_group_namespace() {
    check(&[
        (
            "/../../../kubepods-besteffort.slice/kubepods-besteffort-pod{U_}.slice/cri-containerd-{A}.scope",
            "-",
            "containerd {A}",
            "{U}",
        ),
        ("/../../pod{U}/{A}", "-", "kubepods {A}", "{U}"),
        ("/../cri-containerd-{A}.scope", "-", "containerd {A}", "-"),
        ("/../{A}", "-", "unknown {A}", "-"),
        ("/../../system.slice/ssh.service", "ssh.service", "-", "-"),
        ("/../..", "-", "-", "-"),
    ]);
}

#[test]
fn machines() {
    check(&[
        ("/lxc.payload.web/system.slice/nginx.service", "nginx.service", "lxc web", "-"),
        ("/lxc.monitor.web", "-", "-", "-"),
        ("/lxc/101/ns/init.scope", "init.scope", "lxc 101", "-"),
        (
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
            "nginx.service",
            "systemd-nspawn web",
            "-",
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/payload",
            "systemd-nspawn@web.service",
            "systemd-nspawn web",
            "-",
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/supervisor",
            "systemd-nspawn@web.service",
            "-",
            "-",
        ),
        ("/machine.slice/machine-web\\x2d1.scope/payload", "-", "systemd-nspawn web-1", "-"),
        (
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            "machine-qemu\\x2d1\\x2dvm.scope",
            "-",
            "-",
        ),
    ]);
}

#[test]
fn a_broken_escape_stays_as_it_is() {
    for (text, expected) in
        [("a\\x2db", "a-b"), ("\\x", "\\x"), ("\\xg0é", "\\xg0é"), ("\\x2", "\\x2")]
    {
        assert_eq!(unescape(text), expected);
    }
}
