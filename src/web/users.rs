//! Users and their passwords, which are kept as bcrypt hashes.
//!
//! A hash is slow to compare with on purpose. So a password that was right is remembered as its SHA-256, and a scrape
//! costs the slow comparison once; the few slow comparisons that run at once have threads of their own.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Most slow comparisons at once.
const AT_ONCE: usize = 2;
/// How long a request may wait for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// The highest cost of a hash: one comparison takes some 20 seconds.
const MOST_COST: u32 = 18;
/// The hash for unknown users, of the usual cost: it takes as long as a wrong password of a known user.
const DUMMY_HASH: &str = "$2b$10$7UuTt0uVwQxYzAbCdEfGhOGGGQxdjXGDq5SJuDEmR5NfZN2ddddCO";

/// The result of authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthResult {
    /// The request comes from a user.
    Allowed,
    /// It does not come from a user.
    Unauthorized,
    /// Too many requests wait for a comparison.
    Overloaded,
}

/// All users.
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// The password of each user that was right last, as its SHA-256.
    remembered: Mutex<BTreeMap<String, [u8; 32]>>,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("names", &self.hashes.keys()).finish_non_exhaustive()
    }
}

impl Users {
    /// Users by name, with hashes that [`check`] finds nothing wrong with.
    pub fn new(hashes: BTreeMap<String, String>) -> Self {
        Self { hashes, remembered: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Authenticates a request by its Authorization header.
    pub async fn authenticate(&self, authorization: Option<&HeaderValue>) -> AuthResult {
        let Some((user, password)) = authorization.and_then(credentials) else {
            return AuthResult::Unauthorized;
        };
        let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
        if self.remembers(&user, &digest) {
            return AuthResult::Allowed;
        }
        let known = self.hashes.get(&user);
        let hash = known.map_or(DUMMY_HASH, String::as_str).to_owned();
        let Ok(Ok(turn)) = timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await else {
            return AuthResult::Overloaded;
        };
        // Others may have waited with the same password.
        if self.remembers(&user, &digest) {
            return AuthResult::Allowed;
        }
        let compared = tokio::task::spawn_blocking(move || {
            let right = bcrypt::verify(&password, &hash).unwrap_or(false);
            drop(turn);
            right
        });
        if !compared.await.unwrap_or(false) || known.is_none() {
            return AuthResult::Unauthorized;
        }
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).insert(user, digest);
        AuthResult::Allowed
    }

    fn remembers(&self, user: &str, digest: &[u8; 32]) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(user).is_some_and(|right| right.ct_eq(digest).into())
    }
}

fn credentials(authorization: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Checks a hash; the error completes the sentence about it.
pub fn check(hash: &str) -> Result<(), &'static str> {
    match HashParts::from_str(hash) {
        Ok(parts) if parts.get_cost() > MOST_COST => {
            Err("has a cost above 18, with which each login takes minutes")
        }
        Ok(_) => Ok(()),
        Err(_) => Err("is not a bcrypt hash such as `htpasswd -nBC 10 NAME` prints"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> HeaderValue {
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).unwrap()
    }

    fn users() -> Users {
        let hash = bcrypt::hash("pass:word", 4).unwrap();
        check(&hash).unwrap();
        Users::new(BTreeMap::from([("me".to_owned(), hash)]))
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_user_is_welcome_and_it_is_remembered() {
        let users = users();
        for wrong in ["me:word", "me:", "me", "you:pass:word", ":pass:word"] {
            assert_eq!(users.authenticate(Some(&header(wrong))).await, AuthResult::Unauthorized, "{wrong}");
        }
        assert_eq!(users.authenticate(None).await, AuthResult::Unauthorized);
        assert_eq!(
            users.authenticate(Some(&HeaderValue::from_static("Bearer x"))).await,
            AuthResult::Unauthorized
        );
        assert!(users.remembered.lock().unwrap().is_empty());
        assert_eq!(users.authenticate(Some(&header("me:pass:word"))).await, AuthResult::Allowed);
        // Without any turn left, only what is remembered can be judged.
        users.turns.close();
        assert_eq!(users.authenticate(Some(&header("me:pass:word"))).await, AuthResult::Allowed);
        assert_eq!(users.authenticate(Some(&header("me:other"))).await, AuthResult::Overloaded);
    }

    #[test]
    fn hashes_are_checked_and_never_shown() {
        assert!(check("secret").is_err());
        assert!(check(DUMMY_HASH).is_ok());
        assert!(check(&DUMMY_HASH.replace("$10$", "$31$")).is_err());
        assert!(!format!("{:?}", users()).contains("$2b$"));
    }
}
