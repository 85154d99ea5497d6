//! Token look-up: the one place where a name, an id or the beginning of an id becomes a token.

use ndauth_core::{Label, Owner, SecretPrefix, Token, TokenId};
use ndauth_store::{Read, TokenSearch};
use uuid::Uuid;

use crate::access::{Admitted, Reach, Whose};
use crate::change::Changing;
use crate::reading::account;
use crate::{AuthorityError, TokenWing};

/// A reference to one of an owner's tokens.
#[derive(Clone, Debug)]
pub enum Which {
    /// The text that a person uses: the token's exact name, or else its id, its secret's prefix, the
    /// beginning of its id, or the former name of a revoked token.
    Name(String),
    /// Its whole id.
    Id(TokenId),
    /// Its secret's prefix, or the beginning of its id: 8 characters or more.
    Prefix(String),
}

/// The least number of an id's characters that may refer to a token.
const SHORTEST: usize = 8;
/// The most tokens that an ambiguous reference lists.
const MOST: u64 = 10;

impl TokenWing<'_> {
    /// Finds the token that a request concerns, as of a view.
    pub(crate) async fn find(
        self,
        read: &Read,
        by: &Admitted,
        whose: &Whose,
        which: &Which,
    ) -> Result<Token, AuthorityError> {
        if let (Reach::Itself(_), Some(held)) = (&by.reach, by.presented()) {
            // A token that may only see itself cannot probe for others.
            let itself = which.is(&held.token, held.record.prefix);
            return if itself { Ok(held.token.clone()) } else { Err(by.beyond()) };
        }
        let owner = match whose {
            Whose::Mine | Whose::Org(_) => Some(by.owner()?),
            Whose::Account(handle) => Some(Owner::Account(account(read, handle).await?.id)),
            Whose::Anyone => None,
        };
        search(read, owner, which).await
    }

    /// Finds the token that a change concerns, and locks it until the change ends.
    pub(crate) async fn hold(
        self,
        changing: &Changing,
        whose: &Whose,
        which: &Which,
    ) -> Result<Token, AuthorityError> {
        let token = self.find(changing, &changing.by, whose, which).await?;
        changing.lock_token(token.id).await?.ok_or_else(|| no_token(&token.name))
    }
}

/// Reads a search in a list of tokens: a part of a name, a secret's prefix, or the beginning of an id.
pub fn token_search(text: &str) -> TokenSearch {
    TokenSearch { name: text.to_owned(), prefix: text.parse().ok(), ids: beginning(text) }
}

impl Which {
    /// Returns true if this refers to the token.
    fn is(&self, token: &Token, prefix: SecretPrefix) -> bool {
        let begins = |text: &str| {
            text == prefix.to_string()
                || beginning(text).is_some_and(|(low, high)| (low..=high).contains(&token.id.uuid()))
        };
        match self {
            Which::Name(text) => token.name.as_str() == text || begins(text),
            Which::Id(id) => token.id == *id,
            Which::Prefix(text) => begins(text),
        }
    }
}

/// Finds the token of an owner, or of anybody, that this refers to. A token of another owner is treated as
/// one that does not exist.
async fn search(read: &Read, owner: Option<Owner>, which: &Which) -> Result<Token, AuthorityError> {
    let (text, named) = match which {
        Which::Id(id) => {
            let token =
                read.find_token(*id).await?.filter(|token| owner.is_none_or(|owner| token.owner == owner));
            return token.ok_or_else(|| no_token(id));
        }
        Which::Name(text) => (text.as_str(), owner.zip(text.parse::<Label>().ok())),
        Which::Prefix(text) => (text.as_str(), None),
    };
    if let Some((owner, name)) = &named
        && let Some(token) = read.find_named_token(*owner, name).await?
    {
        return Ok(token);
    }
    let mut found = match (text.parse::<SecretPrefix>(), beginning(text)) {
        (Ok(prefix), _) => read.find_tokens_of_prefix(owner, prefix, MOST).await?,
        (Err(_), Some((low, high))) => read.find_tokens_between(owner, low, high, MOST).await?,
        (Err(_), None) => Vec::new(),
    };
    if let (true, Some((owner, name))) = (found.is_empty(), &named) {
        // A revoked token's name is free again, and still refers to it.
        found = read.find_former_tokens_named(*owner, name, MOST).await?;
    }
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(no_token(&text)),
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let described = |token: &Token| format!("`{}` ({})", token.name, token.id);
            let matches = others.iter().chain([&last]).map(described).collect();
            Err(AuthorityError::Ambiguous { text: text.to_owned(), matches })
        }
    }
}

/// Returns the first and the last id that begin with a text.
fn beginning(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let hexadecimal = digits.chars().all(|c| c.is_ascii_hexdigit());
    if !hexadecimal || !(SHORTEST..=32).contains(&digits.len()) {
        return None;
    }
    let filled =
        |with: char| Uuid::parse_str(&format!("{digits}{}", with.to_string().repeat(32 - digits.len())));
    filled('0').ok().zip(filled('f').ok())
}

pub(crate) fn no_token(name: &impl ToString) -> AuthorityError {
    AuthorityError::none("token", name.to_string())
}
