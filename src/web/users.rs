//! Users and their passwords, which are kept as bcrypt hashes.
//!
//! A hash is slow to compare with on purpose. So a password that was right is remembered as its SHA-256, and a scrape
//! costs the slow comparison once; the few slow comparisons that run at once have threads of their own.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::timeout;

/// Most slow comparisons at once.
const AT_ONCE: usize = 2;
/// How long a request may wait for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// The highest cost of a hash: one comparison takes some 20 seconds.
const MOST_COST: u32 = 18;
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
    /// One place for each client in the queue for a turn, so that guessing delays the others by one comparison at most.
    places: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    /// Chooses a hash for each unknown name.
    chosen: RandomState,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("names", &self.hashes.keys()).finish_non_exhaustive()
    }
}

impl Users {
    /// Users by name, with hashes that [`check`] finds nothing wrong with.
    pub fn new(hashes: BTreeMap<String, String>) -> Self {
        Self {
            hashes,
            remembered: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            places: Mutex::default(),
            chosen: RandomState::new(),
        }
    }

    /// Authenticates a request from this address by its Authorization header.
    pub async fn authenticate(&self, authorization: Option<&HeaderValue>, from: IpAddr) -> AuthResult {
        let Some((user, password)) = authorization.and_then(credentials) else {
            return AuthResult::Unauthorized;
        };
        let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
        if self.remembers(&user, &digest) {
            return AuthResult::Allowed;
        }
        // A name without an account takes as long as one with: it is compared with the hash of some user.
        let known = self.hashes.contains_key(&user);
        let other = self.chosen.hash_one(&user) as usize % self.hashes.len().max(1);
        let Some(hash) = self.hashes.get(&user).or_else(|| self.hashes.values().nth(other)).cloned() else {
            return AuthResult::Unauthorized;
        };
        let place = self.place(from);
        let turns = Arc::clone(&self.turns);
        let turn =
            async { Ok::<_, AcquireError>((place.acquire_owned().await?, turns.acquire_owned().await?)) };
        let Ok(Ok(turn)) = timeout(WAIT, turn).await else {
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
        if !compared.await.unwrap_or(false) || !known {
            return AuthResult::Unauthorized;
        }
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).insert(user, digest);
        AuthResult::Allowed
    }

    /// The place of a client, which may choose the last 64 bits of its IPv6 address.
    fn place(&self, from: IpAddr) -> Arc<Semaphore> {
        let client = match from.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address @ IpAddr::V4(_) => address,
        };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| Arc::strong_count(place) > 1);
        Arc::clone(places.entry(client).or_insert_with(|| Arc::new(Semaphore::new(1))))
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

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
            assert_eq!(
                users.authenticate(Some(&header(wrong)), HERE).await,
                AuthResult::Unauthorized,
                "{wrong}"
            );
        }
        assert_eq!(users.authenticate(None, HERE).await, AuthResult::Unauthorized);
        assert_eq!(
            users.authenticate(Some(&HeaderValue::from_static("Bearer x")), HERE).await,
            AuthResult::Unauthorized
        );
        assert!(users.remembered.lock().unwrap().is_empty());
        assert_eq!(users.authenticate(Some(&header("me:pass:word")), HERE).await, AuthResult::Allowed);
        // Without any turn left, only what is remembered can be judged.
        users.turns.close();
        assert_eq!(users.authenticate(Some(&header("me:pass:word")), HERE).await, AuthResult::Allowed);
        assert_eq!(users.authenticate(Some(&header("me:other")), HERE).await, AuthResult::Overloaded);
    }

    #[tokio::test]
    async fn a_client_that_guesses_delays_no_other() {
        let users = users();
        let right = header("me:pass:word");
        let there: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let guessing = users.place(there).acquire_owned().await.unwrap();
        let waiting = timeout(Duration::from_millis(50), users.authenticate(Some(&right), neighbour)).await;
        assert!(waiting.is_err(), "the same network");
        assert_eq!(users.authenticate(Some(&right), HERE).await, AuthResult::Allowed);
        drop(guessing);
        users.place(HERE);
        assert_eq!(users.places.lock().unwrap().len(), 1, "nothing of those who have gone is kept");
    }

    #[tokio::test]
    async fn an_unknown_name_is_compared_with_the_hash_of_a_user() {
        let users = users();
        // Its password is right for the user that it is compared with.
        assert_eq!(users.authenticate(Some(&header("you:pass:word")), HERE).await, AuthResult::Unauthorized);
        let none = Users::new(BTreeMap::new());
        assert_eq!(none.authenticate(Some(&header("you:pass:word")), HERE).await, AuthResult::Unauthorized);
    }

    #[test]
    fn hashes_are_checked_and_never_shown() {
        assert!(check("secret").is_err());
        let hash = bcrypt::hash("x", 4).unwrap();
        assert!(check(&hash).is_ok());
        assert!(check(&hash.replace("$04$", "$31$")).is_err());
        assert!(!format!("{:?}", users()).contains("$2b$"));
    }
}
