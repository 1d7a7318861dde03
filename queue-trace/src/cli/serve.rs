//! `queue-trace serve`: the daemon.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::status::Usage;
use crate::daemon::Agent;
use crate::daemon::config::{Attach, DEFAULT_FILE, Loaded, Mistake, Override, environment};
use crate::daemon::http::Server;
use crate::daemon::outputs::Outputs;
use crate::kernel::pins::DEFAULT_FOLDER;
use crate::source::unpin;

/// Arguments of `queue-trace serve`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace serve
  queue-trace serve --attach poll --interval 5s
  sudo queue-trace serve --pin
  queue-trace serve --check-config --config /etc/queue-trace/queue-trace.toml

Flags stand over environment variables (QUEUE_TRACE_SERVE_INTERVAL=5s, QUEUE_TRACE_LOG=debug), these over
the file. SIGHUP reads the configuration again, SIGTERM ends the daemon with a summary in its log.")]
pub struct ServeArgs {
    /// Configuration file [default: /etc/queue-trace/queue-trace.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "QUEUE_TRACE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Only say whether the configuration is right: exit status 0, or 2 and where the mistake is
    #[arg(long)]
    pub check_config: bool,
    /// How often to read the counters, for example 1s
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<String>,
    /// How often to ask the system which listeners there are and whose, for example 30s
    #[arg(long, value_name = "INTERVAL")]
    pub poll: Option<String>,
    /// How to attach: by the best means there are, by this one, or not at all
    #[arg(long, value_name = "HOW", value_parser = PossibleValuesParser::new(Attach::NAMES))]
    pub attach: Option<String>,
    /// BTF or vmlinux of this very kernel, if it does not show its BTF itself; implies kprobes
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// Pin maps and links, so that counting goes on when the daemon ends, and the next one goes on with it
    /// [default folder: /sys/fs/bpf/queue-trace]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = DEFAULT_FOLDER)]
    pub pin: Option<PathBuf>,
    /// Take away what is pinned, and end
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = DEFAULT_FOLDER)]
    pub unpin: Option<PathBuf>,
    /// Kinds of events to make a record of each, with commas; all are counted anyway
    #[arg(long, value_name = "EVENT,…", value_delimiter = ',')]
    pub stream: Option<Vec<String>>,
    /// Where metrics are served: ADDRESS:PORT, or unix:PATH for a Unix socket
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// What to log: off, error, warn, info, debug or trace, also by part (warn,queue_trace::daemon=debug)
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}

impl ServeArgs {
    /// The flags as values of the configuration.
    fn overrides(&self) -> Vec<Override> {
        let text = |flag, section, key, value: &Option<String>| {
            Some(Override::flag(flag, section, key, value.clone()?))
        };
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        [
            text("interval", "serve", "interval", &self.interval),
            text("poll", "serve", "poll", &self.poll),
            text("attach", "serve", "attach", &self.attach),
            text("btf", "serve", "btf", &self.btf.as_ref().map(path)),
            text("pin", "serve", "pin", &self.pin.as_ref().map(path)),
            self.stream.clone().map(|stream| Override::flag("stream", "serve", "stream", stream)),
            text("listen", "http", "listen", &self.listen),
            text("log", "log", "level", &self.log),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn load(&self) -> Result<Loaded, Mistake> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let mut over = environment(variables);
        over.extend(self.overrides());
        Loaded::read(self.config.as_deref(), &over)
    }
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
///
/// One line for the user.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    if let Some(folder) = &args.unpin {
        let what = if unpin(folder)? { "nothing is pinned any more" } else { "nothing was pinned" };
        writeln!(io::stdout(), "{}: {what}", folder.display())?;
        return Ok(());
    }
    let loaded = args.load().map_err(|mistake| Usage(mistake.to_string()))?;
    if args.check_config {
        let file = args.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        writeln!(io::stdout(), "{}: no mistakes", file.display())?;
        return Ok(());
    }
    let again = args.clone();
    super::block_on(async {
        // Before attaching takes its time: an address that is taken is told at once.
        let server = Server::bind(loaded.config.http.clone())?;
        let agent = Agent::start(loaded, Box::new(move || again.load()))?;
        let outputs = Outputs::start(server, &agent)?;
        // Last: until here all of them may be needed.
        agent.give_up_privileges();
        let result = agent.run().await;
        outputs.finish().await?;
        result
    })
}
