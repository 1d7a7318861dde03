//! The HTTP endpoint: metrics, health, and the listeners as JSON.

mod auth;
mod connection;
mod listen;
mod routes;
mod settings;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use self::auth::Auth;
use self::listen::Listening;
use self::routes::State;
use super::Published;

pub use settings::{BasicAuth, Listen, Mode, Settings, Tls};

/// How long answers may take that are under way when the endpoint ends.
const GRACE: Duration = Duration::from_secs(5);

/// How long nothing is accepted after `accept()` failed: it would fail again at once.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Answers requests until `ending` is ready, then finishes those that are under way.
///
/// # Errors
///
/// One line for the user when it cannot begin: what is wrong and what to do.
pub async fn serve(
    settings: Settings,
    published: watch::Receiver<Arc<Published>>,
    ending: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    Server::bind(settings)?.run(published, ending).await
}

/// An endpoint that has its address and its secrets, and may lose privileges now.
pub struct Server {
    settings: Settings,
    listening: Listening,
    tls: Option<TlsAcceptor>,
    auth: Option<Auth>,
}

impl Server {
    /// Reads certificates and passwords and takes the address.
    ///
    /// # Errors
    ///
    /// One line for the user: what is wrong and what to do.
    pub fn bind(settings: Settings) -> anyhow::Result<Self> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let auth = settings.basic_auth.as_ref().map(Auth::read).transpose()?;
        let listening = Listening::bind(&settings)?;
        Ok(Self { settings, listening, tls, auth })
    }

    /// The address, with the port that the kernel chose where 0 was asked for; nothing for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listening.address()
    }

    /// See [`serve`].
    ///
    /// # Errors
    ///
    /// When the socket cannot be waited for.
    pub async fn run(
        self,
        mut published: watch::Receiver<Arc<Published>>,
        ending: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let Self { settings, listening, tls, auth } = self;
        let socket = listening.accepting().context("cannot wait for connections")?;
        let state = Arc::new(State::new(&settings, auth, published.clone()));
        let (ended, end) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut ending = pin!(ending);
        let mut publishes = true;
        loop {
            tokio::select! {
                () = &mut ending => break,
                changed = published.changed(), if publishes => {
                    publishes = changed.is_ok();
                    state.refresh();
                }
                accepted = socket.accept() => match accepted {
                    Ok(_) if connections.len() >= settings.max_connections => state.refuse(),
                    Ok(stream) => {
                        let (tls, state) = (tls.clone(), Arc::clone(&state));
                        connections.spawn(connection::serve(stream, tls, state, end.clone()));
                    }
                    Err(_) => sleep(AFTER_ERROR).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        // Nobody gets in any more; who is in hears of it and finishes.
        drop(socket);
        drop((ended, end));
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(GRACE, all).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
