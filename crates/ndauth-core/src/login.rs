//! Credentials of a person's login: passwords, one-time codes, and the proof that a code is redeemed by the
//! party that requested it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{SecretHash, Timestamp};

/// The maximum age of a recent login.
pub const RECENT: Duration = Duration::from_secs(15 * 60);

/// A password that an account may have. It has no `Display`, its `Debug` shows nothing, and its bytes are wiped when it
/// is dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The fault of a text that may not be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// It is too short to resist guessing.
    #[error("it has fewer than 12 characters")]
    TooShort,
    /// It is longer than anyone types.
    #[error("it has more than 1024 bytes")]
    TooLong,
    /// It is a common password.
    #[error("it is one of the most common passwords")]
    Common,
}

/// A text that works once: 43 characters of canonical unpadded base64url, for 32 random bytes. It has no
/// `Display`.
pub struct OneTime(Zeroizing<String>);

/// The code that a person types to authorize a device: 8 of 20 consonants, so that it spells nothing (RFC
/// 8628, section 6.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; USER_CODE]);

/// A text that is not a [`UserCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 8 letters, such as `BCDF-GHJK`")]
pub struct InvalidUserCode;

/// SHA-256 of the verifier that a client presents when it redeems a code (RFC 7636, `S256`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

/// A text that is not a [`Challenge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 43 characters: SHA-256 in base64url without padding")]
pub struct InvalidChallenge;

const LEAST: usize = 12;
const MOST: usize = 1024;
const USER_CODE: usize = 8;
const CONSONANTS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// In lower case, sorted.
const COMMON: &str = include_str!("common_passwords.txt");

impl Password {
    /// Returns the password as it was typed, for hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = InvalidPassword;

    /// Accepts 12 characters or more that are not a common password, and requires nothing else (NIST SP
    /// 800-63B, section 3.1.1.2).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MOST {
            return Err(InvalidPassword::TooLong);
        }
        if text.chars().count() < LEAST {
            return Err(InvalidPassword::TooShort);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        let first = lower.chars().next();
        if lower.chars().all(|c| Some(c) == first) || COMMON.lines().any(|common| common == lower.as_str()) {
            return Err(InvalidPassword::Common);
        }
        Ok(Password(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl OneTime {
    /// Draws a new one.
    pub fn mint<R: TryCryptoRng>(rng: &mut R) -> Result<OneTime, R::Error> {
        let mut bytes = [0; 32];
        rng.try_fill_bytes(&mut bytes)?;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        bytes.zeroize();
        Ok(OneTime(Zeroizing::new(text)))
    }

    /// Returns it as text, to be handed to the party that it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the hash under which a text is stored and looked up. Any text has one.
    pub fn hash_of(text: &str) -> SecretHash {
        SecretHash::from_bytes(Sha256::digest(text).into())
    }
}

impl fmt::Debug for OneTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTime(…)")
    }
}

impl UserCode {
    /// Draws a new one.
    pub fn mint<R: TryCryptoRng>(rng: &mut R) -> Result<UserCode, R::Error> {
        let mut code = [0; USER_CODE];
        for letter in &mut code {
            // 240 is the largest multiple of 20 that fits in a byte, so every letter is equally likely.
            let mut drawn = [u8::MAX];
            while drawn[0] >= 240 {
                rng.try_fill_bytes(&mut drawn)?;
            }
            *letter = CONSONANTS[usize::from(drawn[0]) % CONSONANTS.len()];
        }
        Ok(UserCode(code))
    }

    /// Returns the hash under which it is stored and looked up.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(Sha256::digest(self.0).into())
    }
}

impl FromStr for UserCode {
    type Err = InvalidUserCode;

    /// Reads a code as a person typed it: in either case, with blanks or hyphens anywhere.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters: Vec<u8> = text
            .bytes()
            .filter(|byte| !matches!(byte, b' ' | b'-'))
            .map(|byte| byte.to_ascii_uppercase())
            .take(USER_CODE + 1)
            .collect();
        match <[u8; USER_CODE]>::try_from(letters) {
            Ok(code) if code.iter().all(|letter| CONSONANTS.contains(letter)) => Ok(UserCode(code)),
            _ => Err(InvalidUserCode),
        }
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.0.split_at(USER_CODE / 2);
        write!(f, "{}-{}", first.escape_ascii(), last.escape_ascii())
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

impl Challenge {
    /// Returns the challenge of a verifier, or `None` if the text is not one: a verifier has 43 to 128
    /// letters, digits and `-._~` (RFC 7636, section 4.1).
    pub fn of(verifier: &str) -> Option<Challenge> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let sound = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        sound.then(|| Challenge(Sha256::digest(verifier).into()))
    }
}

impl FromStr for Challenge {
    type Err = InvalidChallenge;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidChallenge)?;
        bytes.try_into().map(Challenge).map_err(|_| InvalidChallenge)
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Returns true if a person authenticated recently.
pub fn is_recent(proved_at: Option<Timestamp>, now: Timestamp) -> bool {
    proved_at.is_some_and(|at| now.since(at) <= RECENT)
}

#[cfg(test)]
mod tests;
