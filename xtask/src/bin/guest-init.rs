//! Process 1 of a guest: mounts what a Linux program expects, runs one command and reports to the host.
//!
//! The command and the modules are files that xtask put into the initramfs. Output leaves over virtio
//! ports, which carry bytes unchanged and fast; the console is left to the kernel. When anything here
//! fails, the message goes to that console and the kernel panics because process 1 ended: the host
//! shows both.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, Resource, Rlimit, WaitOptions, setrlimit};
use rustix::system::{finit_module, sethostname};

/// Type and place of what is mounted, in this order.
const MOUNTS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("bpf", "/sys/fs/bpf"),
    ("debugfs", "/sys/kernel/debug"),
    ("tracefs", "/sys/kernel/tracing"),
];

fn main() -> Result<()> {
    for (kind, place) in MOUNTS {
        std::fs::create_dir_all(place)?;
        mount(*kind, *place, *kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {kind} at {place}"))?;
    }
    load_modules()?;
    prepare()?;
    let mut control = open_port("control")?;
    let (status, sizes) = run_command()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    // The sizes let the host wait for what is still under way in the ports.
    writeln!(control, "exit {code} {} {}", sizes[0], sizes[1])?;
    // The host ends the machine; ending ourselves would be a panic.
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// Loads the modules in the order in which the host wrote them down, dependencies first.
fn load_modules() -> Result<()> {
    for name in std::fs::read_to_string("/lib/modules/load")?.lines() {
        let file = File::open(format!("/lib/modules/{name}"))?;
        finit_module(&file, c"", 0).with_context(|| format!("cannot load {name}"))?;
    }
    Ok(())
}

fn prepare() -> Result<()> {
    sethostname(b"guest")?;
    for (resource, limit) in [
        (Resource::Nofile, Some(1 << 20)),
        (Resource::Memlock, None),
        (Resource::Nproc, None),
        (Resource::Core, Some(0)),
    ] {
        setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
    }
    let status = Command::new("/bin/ip").args(["link", "set", "lo", "up"]).status()?;
    if !status.success() {
        bail!("cannot bring lo up ({status})");
    }
    Ok(())
}

/// Opens a virtio port by its name; the host announces its ports while we boot.
fn open_port(name: &str) -> Result<File> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(path) = find_port(name) {
            return OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .with_context(|| format!("cannot open {}", path.display()));
        }
        if Instant::now() > deadline {
            bail!("no virtio port {name}: the kernel needs virtio_pci and virtio_console");
        }
        sleep(Duration::from_millis(5));
    }
}

fn find_port(wanted: &str) -> Option<PathBuf> {
    std::fs::read_dir("/sys/class/virtio-ports")
        .ok()?
        .flatten()
        .find(|port| {
            std::fs::read_to_string(port.path().join("name"))
                .is_ok_and(|name| name.trim() == wanted)
        })
        .map(|port| Path::new("/dev").join(port.file_name()))
        .filter(|path| path.exists())
}

/// Runs the command to its end; gives its status and how much it wrote to stdout and to stderr.
fn run_command() -> Result<(ExitStatus, [u64; 2])> {
    let text = std::fs::read_to_string("/etc/command")?;
    let mut words = text.split('\0');
    let program = words.next().unwrap_or_default();
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir("/root")
        .env_clear()
        .envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("USER", "root"),
            ("LANG", "C.UTF-8"),
            ("RUST_BACKTRACE", "1"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // So that a signal to the command's group does not meet process 1.
        .process_group(0);
    let (stdout, mut stderr) = (open_port("stdout")?, open_port("stderr")?);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let message = format!("{program}: {error}\n");
            stderr.write_all(message.as_bytes())?;
            return Ok((ExitStatus::from_raw(127 << 8), [0, message.len() as u64]));
        }
    };
    let copies = [forward(child.stdout.take(), stdout), forward(child.stderr.take(), stderr)];
    let status = wait(Pid::from_child(&child))?;
    let mut sizes = [0; 2];
    for (size, copy) in sizes.iter_mut().zip(copies) {
        *size = copy.join().map_err(|_| anyhow!("a copying thread panicked"))??;
    }
    Ok((status, sizes))
}

/// Copies a pipe to a port until every writer is gone; gives the number of bytes.
///
/// By hand, because `std::io::copy` splices, and the ports of some kernels refuse that.
fn forward(
    pipe: Option<impl Read + Send + 'static>,
    mut port: File,
) -> JoinHandle<std::io::Result<u64>> {
    std::thread::spawn(move || {
        let (mut pipe, mut total) = (pipe.ok_or(ErrorKind::NotConnected)?, 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let size = pipe.read(&mut buffer)?;
            if size == 0 {
                return Ok(total);
            }
            port.write_all(&buffer[..size])?;
            total += size as u64;
        }
    })
}

/// Waits for the command while burying orphans, then ends whatever it left behind.
fn wait(command: Pid) -> Result<ExitStatus> {
    let status = loop {
        if let Some((pid, status)) = rustix::process::wait(WaitOptions::empty())?
            && pid == command
        {
            break ExitStatus::from_raw(status.as_raw());
        }
    };
    // A daemon that outlives the command would keep its pipes open for ever.
    let _ = Command::new("/bin/kill").args(["-9", "-1"]).status();
    Ok(status)
}
