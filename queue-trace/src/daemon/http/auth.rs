//! Basic authentication (RFC 7617).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Semaphore;

use super::settings::BasicAuth;

/// Who may read. Comparing takes as long for a wrong password as for the right one.
pub(super) struct Auth {
    user: String,
    secret: Secret,
    /// The last header that was right: checking a hash is slow on purpose, and scrapers ask all day.
    admitted: Mutex<Vec<u8>>,
    /// One hash is checked at a time, so that guessing does not take all processors.
    turn: Semaphore,
}

enum Secret {
    Password(String),
    Hash(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Auth {
    /// Reads the password, or its hash.
    pub(super) fn read(settings: &BasicAuth) -> anyhow::Result<Self> {
        let path = settings.password_file.display();
        let named = || format!("cannot read the password file {path} (`basic_auth.password_file`)");
        let text = std::fs::read_to_string(&settings.password_file).with_context(named)?;
        let text = text.trim_end_matches(['\r', '\n']);
        ensure!(!text.is_empty(), "the password file {path} is empty: write the password into it");
        ensure!(
            !settings.user.is_empty() && !settings.user.contains(':'),
            "`basic_auth.user` has to be a name without a colon"
        );
        let secret = if text.starts_with("$2") {
            text.parse::<bcrypt::HashParts>().ok().with_context(|| {
                format!("the password file {path} begins like a bcrypt hash and is none: make one with `htpasswd -nB`")
            })?;
            Secret::Hash(text.into())
        } else {
            Secret::Password(text.into())
        };
        Ok(Self {
            user: settings.user.clone(),
            secret,
            admitted: Mutex::default(),
            turn: Semaphore::new(1),
        })
    }

    /// Whether this header `Authorization` names who may read.
    pub(super) async fn admits(&self, header: &[u8]) -> bool {
        let Some((user, password)) = credentials(header) else { return false };
        let user_is_right = user.as_bytes().ct_eq(self.user.as_bytes());
        match &self.secret {
            Secret::Password(secret) => {
                (user_is_right & password.as_bytes().ct_eq(secret.as_bytes())).into()
            }
            Secret::Hash(hash) => self.admits_by_hash(header, user_is_right, password, hash).await,
        }
    }

    async fn admits_by_hash(
        &self,
        header: &[u8],
        user_is_right: Choice,
        password: String,
        hash: &str,
    ) -> bool {
        let admitted = || self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted().ct_eq(header).into() {
            return true;
        }
        let Ok(_turn) = self.turn.acquire().await else { return false };
        let hash = hash.to_owned();
        let verify = move || bcrypt::verify(password, &hash).unwrap_or(false);
        let fits = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        let admits = bool::from(user_is_right & Choice::from(u8::from(fits)));
        if admits {
            *admitted() = header.to_vec();
        }
        admits
    }
}

/// Name and password of a header.
fn credentials(header: &[u8]) -> Option<(String, String)> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(rest.trim_ascii()).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.into(), password.into()))
}
