//! Which token: the one place where a name, an id or a beginning of either becomes a token.

use ndauth_core::{Label, Owner, SecretPrefix, Token, TokenId};
use ndauth_store::Read;
use uuid::Uuid;

use crate::access::{Admitted, Reach, Whose};
use crate::change::Changing;
use crate::reading::account;
use crate::{AuthorityError, TokenWing};

/// Which of somebody's tokens.
#[derive(Clone, Debug)]
pub enum Which {
    /// What a person calls it by: its exact name; or else its id; or else its secret's prefix, or the beginning of its id.
    Name(String),
    /// Its whole id.
    Id(TokenId),
    /// Its secret's prefix, or the beginning of its id: 8 characters or more.
    Prefix(String),
}

/// As many characters of an id say which token it is, where no other begins alike.
const SHORTEST: usize = 8;
/// How many tokens of one beginning are told apart.
const MOST: u64 = 10;

impl TokenWing<'_> {
    /// The token that a request is about, in the state that a view shows.
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

    /// The same, and nobody else changes it until the change ends.
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

impl Which {
    /// True where a token goes by it.
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

/// The token of an owner, or of anybody, that goes by this. Another's is as unknown as one that does not exist.
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
        // Its name is free again, and still says which it was.
        found = read.find_former_tokens_named(*owner, name, MOST).await?;
    }
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(no_token(&text)),
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let told = |token: &Token| format!("`{}` ({})", token.name, token.id);
            let matches = others.iter().chain([&last]).map(told).collect();
            Err(AuthorityError::Ambiguous { text: text.to_owned(), matches })
        }
    }
}

/// The ids that begin with this text, from the first to the last.
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
