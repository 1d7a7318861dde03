//! Layers, mistakes and reloads.

use super::*;

fn read(text: &str, over: &[Override]) -> Result<Loaded, String> {
    Loaded::from_text(text, Path::new("q.toml"), over).map_err(|mistake| mistake.to_string())
}

fn mistake(text: &str) -> String {
    read(text, &[]).unwrap_err()
}

fn variables(list: &[(&str, &str)]) -> Vec<Override> {
    environment(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

const EVERYTHING: &str = r#"
[serve]
interval = "2s"
poll = "1m"
attach = "kprobe"
btf = "/boot/btf"
pin = true
stream = ["syn_refused"]
refusals = "30s"

[history]
memory = "4MiB"
listeners = 100

[log]
level = "warn"
"#;

#[test]
fn nothing_is_the_defaults() {
    assert_eq!(read("", &[]).unwrap().config, Config::default());
}

#[test]
fn every_key_is_read() {
    let config = read(EVERYTHING, &[]).unwrap().config;
    assert_eq!(config.serve.interval, Every(Duration::from_secs(2)));
    assert_eq!(config.serve.poll, Every(Duration::from_secs(60)));
    assert_eq!(config.serve.refusals, Every(Duration::from_secs(30)));
    assert_eq!(config.history.bounds(), Bounds { memory: 4 << 20, listeners: 100 });
    let settings = config.serve.attach_settings();
    assert_eq!(settings.tier, Some(crate::kernel::hooks::Tier::Kprobe));
    assert_eq!(settings.types.as_deref(), Some(Path::new("/boot/btf")));
    assert_eq!(config.serve.pin.0.as_deref(), Some(Path::new("/sys/fs/bpf/queue-trace")));
    // A full accept queue, a full SYN queue, ...: all reasons for a refused SYN.
    assert_eq!(settings.stream.count_ones(), 7);
    assert_ne!(config.log, logging::Settings::default());
}

#[test]
fn flags_stand_over_the_environment_and_that_over_the_file() {
    let mut over = variables(&[
        ("QUEUE_TRACE_SERVE_INTERVAL", "3s"),
        ("QUEUE_TRACE_HISTORY_LISTENERS", "7"),
        ("QUEUE_TRACE_SERVE_STREAM", "listen, close"),
        ("QUEUE_TRACE_LOG", "debug"),
        ("QUEUE_TRACE_TEST_ATTACH", "kprobe"),
        ("HOME", "/root"),
    ]);
    assert_eq!(over.len(), 4);
    over.push(Override::flag("interval", "serve", "interval", "4s"));
    let config = read(EVERYTHING, &over).unwrap().config;
    assert_eq!(config.serve.interval, Every(Duration::from_secs(4)));
    assert_eq!(config.serve.poll, Every(Duration::from_secs(60)));
    assert_eq!(config.history.listeners, 7);
    assert_eq!(config.serve.stream.outcomes().count_ones(), 2);
    assert_ne!(config.log, read(EVERYTHING, &[]).unwrap().config.log);
}

#[test]
fn mistakes_are_one_line_with_their_place_and_the_nearest_name() {
    for (text, expected) in [
        (
            "[serve]\nintervall = \"1s\"",
            "q.toml:2: there is no key `intervall`: did you mean `interval`?",
        ),
        ("\n\n[sevre]\n", "q.toml:3: there is no key `sevre`: did you mean `serve`?"),
        (
            "[serve]\n\nattach = \"fentri\"",
            "q.toml:3: there is no value `fentri`: did you mean `fentry`?",
        ),
        ("[serve]\nstream = [\"listen\",\n \"syn_refuse\"]", "did you mean `syn_refused`?"),
        ("[serve]\ninterval = \"soon\"", "q.toml:2: \"soon\" is not a time: write for example"),
        ("[serve]\ninterval = \"1ms\"", "q.toml:2: 1ms is not from 100ms to 1h"),
        ("[history]\nmemory = \"8MB\"", "q.toml:2: \"8MB\" is not an amount of memory"),
        ("[history]\nlisteners = -1", "q.toml:2: invalid value"),
        ("[serve]\ninterval = 5", "q.toml:2: invalid type: integer `5`, expected a string"),
        ("[log]\nlevel = \"infos\"", "q.toml:2: there is no value `infos`: did you mean `info`?"),
        (
            "[serve]\npin = \"here\"",
            "q.toml:2: here is not an absolute path: write for example /sys/",
        ),
        ("[serve]\npin = 5", "q.toml:2: true, false or a folder in a BPF file system"),
        ("[serve]\ninterval \"1s\"", "q.toml:2: "),
    ] {
        let said = mistake(text);
        assert!(said.contains(expected) && !said.contains('\n'), "{text}\n{said}");
    }
}

#[test]
fn mistakes_above_the_file_name_their_variable_or_flag() {
    let over = variables(&[("QUEUE_TRACE_SERVE_INTERVALL", "3s")]);
    assert_eq!(
        read(EVERYTHING, &over).unwrap_err(),
        "QUEUE_TRACE_SERVE_INTERVALL: there is no key `intervall`: did you mean `interval`?"
    );
    let flag = Override::flag("log", "log", "level", "loud");
    let said = read(EVERYTHING, &[flag]).unwrap_err();
    assert!(said.starts_with("--log: there is no value `loud`: there are off, error"), "{said}");
}

#[test]
fn only_a_file_that_was_named_has_to_be_there() {
    let said = Loaded::read(Some(Path::new("/nowhere/q.toml")), &[]).unwrap_err().to_string();
    assert!(said.starts_with("cannot read /nowhere/q.toml: "), "{said}");
}

#[test]
fn a_reload_takes_what_it_can_and_names_the_rest() {
    let mut running = read(EVERYTHING, &[]).unwrap();
    let text = EVERYTHING
        .replace("\"2s\"", "\"5s\"")
        .replace("\"kprobe\"", "\"poll\"")
        .replace("listeners = 100", "");
    let changes = running.reload(&read(&text, &[]).unwrap()).unwrap();
    assert_eq!(changes.taken, ["history.listeners", "serve.interval"]);
    assert_eq!(changes.refused, ["serve.attach"]);
    assert_eq!(running.config.serve.interval, Every(Duration::from_secs(5)));
    assert_eq!(running.config.history.listeners, History::default().listeners);
    assert_eq!(running.config.serve.attach, Attach::By(crate::kernel::hooks::Tier::Kprobe));
    // What was refused is said again as long as it is so.
    let changes = running.reload(&read(&text, &[]).unwrap()).unwrap();
    assert_eq!((changes.taken, changes.refused), (vec![], vec!["serve.attach".to_owned()]));
}
