//! The places of an owner's tokens.

use ndauth_authority::Whose;

/// Returns the path of an owner's tokens. The page of each is below it.
pub(super) fn tokens_path(whose: &Whose) -> String {
    match whose {
        Whose::Org(slug) => format!("/orgs/{slug}/tokens"),
        Whose::Mine | Whose::Account(_) | Whose::Anyone => "/tokens".to_owned(),
    }
}

/// Returns the section of the navigation that an owner's tokens belong to, and the text of the link back to them.
pub(super) fn place(whose: &Whose) -> (&'static str, String) {
    match whose {
        Whose::Org(slug) => ("orgs", format!("Tokens of {slug}")),
        Whose::Mine | Whose::Account(_) | Whose::Anyone => ("tokens", "Tokens".to_owned()),
    }
}
