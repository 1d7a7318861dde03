//! The Kubernetes manifests that we ship, against the schemas that Kubernetes publishes. Needs a Python with them,
//! which `cargo xtask test` provides.

#![expect(clippy::unwrap_used, reason = "failing is how a test reports")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};

/// Names the interpreter.
const VARIABLE: &str = "QUEUE_TRACE_PYTHON";

/// Versions of Kubernetes: the oldest that is still used much, and the newest with a schema.
const VERSIONS: [&str; 2] = ["1.28", "1.37"];

fn main() -> ExitCode {
    let there = std::env::var_os(VARIABLE).is_some();
    let tests: [(&str, fn()); 2] = [
        ("manifests_are_what_kubernetes_takes", manifests_are_what_kubernetes_takes),
        ("mistakes_are_found", mistakes_are_found),
    ];
    let trial = |(name, test): (&str, fn())| {
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!there)
    };
    let trials = tests.into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet/kubernetes")
}

/// Checks a manifest; unknown keys are mistakes, too.
fn validate(version: &str, file: &Path) -> Output {
    let python = PathBuf::from(std::env::var_os(VARIABLE).unwrap());
    // By its interpreter: the folder has moved since the script was told where it is.
    let mut command = Command::new(&python);
    command.arg(python.with_file_name("kubernetes-validate"));
    command.args(["--strict", "--kubernetes-version", version]).arg(file).output().unwrap()
}

fn manifests_are_what_kubernetes_takes() {
    let files: Vec<_> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        for version in VERSIONS {
            let output = validate(version, &file);
            assert!(output.status.success(), "{} {version}: {output:?}", file.display());
        }
    }
}

fn mistakes_are_found() {
    let text = fs::read_to_string(folder().join("daemonset.yaml")).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.yaml");
    for (right, wrong) in [
        ("hostPID: true", "hostPID: yes please"),
        ("maxUnavailable:", "maxUnavailabel:"),
        ("containerPort: 9846", "containerPort: metrics"),
    ] {
        assert!(text.contains(right));
        fs::write(&file, text.replace(right, wrong)).unwrap();
        let output = validate(VERSIONS[1], &file);
        assert!(!output.status.success(), "{wrong}: {output:?}");
    }
}
