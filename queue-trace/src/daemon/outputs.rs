//! What the daemon tells others beside its log: the HTTP endpoint, and the push.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Agent;
use super::http::Server;

/// The outputs while they run.
#[derive(Debug)]
pub struct Outputs {
    end: oneshot::Sender<()>,
    endpoint: JoinHandle<anyhow::Result<()>>,
    #[cfg(feature = "otlp")]
    push: Option<push::Push>,
}

impl Outputs {
    /// Starts those that are wanted. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line that names the setting, or the variable, that is wrong.
    pub fn start(server: Server, agent: &Agent) -> anyhow::Result<Self> {
        #[cfg(feature = "otlp")]
        let push = push::Push::start(agent)?;
        let (end, ended) = oneshot::channel::<()>();
        let ending = async { drop(ended.await) };
        let endpoint = tokio::spawn(server.run(agent.published(), ending));
        Ok(Self {
            end,
            endpoint,
            #[cfg(feature = "otlp")]
            push,
        })
    }

    /// Lets them say their last, and ends them.
    ///
    /// # Errors
    ///
    /// When the endpoint had ended before.
    pub async fn finish(self) -> anyhow::Result<()> {
        #[cfg(feature = "otlp")]
        if let Some(push) = self.push {
            push.finish().await;
        }
        drop(self.end);
        self.endpoint.await?
    }
}

#[cfg(feature = "otlp")]
mod push {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::broadcast::Receiver;
    use tokio::sync::broadcast::error::RecvError;
    use tokio::task::JoinHandle;

    use super::Agent;
    use crate::model::{Listener, QueueEvent};
    use crate::output::otlp::{Exporter, Refusals};

    /// So long the end of the daemon waits for the receiver.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// A push, and what hands it the refusals.
    #[derive(Debug)]
    pub(super) struct Push {
        exporter: Exporter,
        refusals: Option<JoinHandle<()>>,
    }

    impl Push {
        pub(super) fn start(agent: &Agent) -> anyhow::Result<Option<Self>> {
            let exporter = Exporter::start(&agent.config().otlp, &agent.published())?;
            Ok(exporter.map(|exporter| {
                let refusals = exporter.refusals();
                let hand = |refusals| tokio::spawn(hand_over(agent.events(), refusals));
                Self { refusals: refusals.map(hand), exporter }
            }))
        }

        pub(super) async fn finish(self) {
            if let Some(refusals) = self.refusals {
                refusals.abort();
            }
            self.exporter.finish(PATIENCE).await;
        }
    }

    async fn hand_over(mut events: Receiver<Arc<(Listener, QueueEvent)>>, refusals: Refusals) {
        loop {
            match events.recv().await {
                Ok(event) => refusals.take(&event.0, &event.1),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!("OTLP: {missed} events came faster than they could be taken");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }
}
