//! Admission: applies the access table's rule to a caller and to what its request concerns.

use std::net::IpAddr;

use ndauth_core::{
    Account, Class, Effective, LastUse, Org, OrgSlug, Owner, Refusal, Requirement, Role, Scope, Session,
    Timestamp, Token, TokenId, Viewer, is_recent,
};
use ndauth_store::Read;

use super::caller::Caller;
use super::held::{Ground, Held, Judging, ground};
use super::table::{Kind, Operation, Rule};
use crate::AuthorityError;

/// A caller that was admitted to an operation, with its reach.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) caller: Caller,
    pub(crate) operation: Operation,
    pub(crate) kind: Kind,
    pub(crate) reach: Reach,
}

/// The reach of an admitted caller.
#[derive(Debug)]
pub(crate) enum Reach {
    /// Everything that its account owns, or everything there is if the operation concerns anybody's things.
    All,
    /// Only the token that calls.
    Itself(TokenId),
    /// An org, and the caller's role there.
    Org(Box<Org>, Role),
}

impl Admitted {
    /// Admits a caller to an operation about its own or anybody's things.
    pub(crate) fn new(
        caller: Caller,
        operation: Operation,
        kind: Kind,
        judging: Judging<'_>,
    ) -> Result<Admitted, AuthorityError> {
        let reach = reach(&caller, operation, kind, judging)?;
        Ok(Admitted { caller, operation, kind, reach })
    }

    /// Admits a caller to an operation in an org. A caller that has no part in the org gets the same error as
    /// for an org that does not exist.
    pub(crate) async fn in_org(
        read: &Read,
        caller: Caller,
        operation: Operation,
        slug: &OrgSlug,
        judging: Judging<'_>,
    ) -> Result<Admitted, AuthorityError> {
        let (org, role) = in_org(read, &caller, operation, slug, judging).await?;
        Ok(Admitted { caller, operation, kind: Kind::Org, reach: Reach::Org(Box::new(org), role) })
    }

    /// Returns true if the same caller may perform another operation in an org.
    pub(crate) async fn may_in_org(
        &self,
        read: &Read,
        operation: Operation,
        slug: &OrgSlug,
        judging: Judging<'_>,
    ) -> Result<bool, AuthorityError> {
        match in_org(read, &self.caller, operation, slug, judging).await {
            Ok(_) => Ok(true),
            Err(error) => match error.reason().class() {
                Class::NotPermitted | Class::NotFound | Class::NotAuthenticated => Ok(false),
                // A failure to decide is not a refusal.
                _ => Err(error),
            },
        }
    }

    /// Returns true if a person may perform another operation in an org in which it has this role. It takes no query.
    pub(crate) fn may_with_role(&self, operation: Operation, role: Role) -> bool {
        matches!(rule(operation, Kind::Org, &self.caller), Rule::Member(needed) if role >= needed)
    }

    /// Returns the org that the caller was admitted in.
    pub(crate) fn org(&self) -> Result<&Org, AuthorityError> {
        match &self.reach {
            Reach::Org(org, _) => Ok(org),
            Reach::All | Reach::Itself(_) => Err(self.refused()),
        }
    }

    /// Returns the role by which the caller acts in that org.
    pub(crate) fn role(&self) -> Result<Role, AuthorityError> {
        match self.reach {
            Reach::Org(_, role) => Ok(role),
            Reach::All | Reach::Itself(_) => Err(self.refused()),
        }
    }

    /// Returns the account on whose behalf the caller acts.
    pub(crate) fn account(&self) -> Result<&Account, AuthorityError> {
        self.caller.account().ok_or_else(|| self.refused())
    }

    /// Returns the caller's session, and the account that it belongs to.
    pub(crate) fn session(&self) -> Result<(&Account, &Session), AuthorityError> {
        match &self.caller {
            Caller::Session { account, session, .. } => Ok((account, session)),
            Caller::Console | Caller::Token { .. } | Caller::Service { .. } => Err(self.refused()),
        }
    }

    /// Returns the owner of the tokens that the caller reaches: the org that it was admitted in, its account,
    /// or its own org.
    pub(crate) fn owner(&self) -> Result<Owner, AuthorityError> {
        match (&self.reach, &self.caller) {
            (Reach::Org(org, _), _) => Ok(Owner::Org(org.id)),
            (_, Caller::Session { account, .. }) => Ok(Owner::Account(account.id)),
            (_, Caller::Token { held, .. }) => Ok(held.token.owner),
            (_, Caller::Console | Caller::Service { .. }) => Err(self.refused()),
        }
    }

    /// Returns the caller's view of a token, given the token's last use in the org that the caller was
    /// admitted in.
    pub(crate) fn viewer(&self, token: &Token, used_there: Option<LastUse>) -> Viewer<'_> {
        match (&self.reach, &self.caller, self.kind) {
            (Reach::Org(org, _), ..) if token.owner != Owner::Org(org.id) => {
                Viewer::OrgAdmin(&org.slug, used_there)
            }
            (_, Caller::Session { .. }, Kind::Mine | Kind::Org) => Viewer::Owner,
            (_, Caller::Token { .. }, _) => Viewer::Itself,
            (_, Caller::Session { .. } | Caller::Console | Caller::Service { .. }, _) => Viewer::Operator,
        }
    }

    /// Returns the token that calls, if the caller is one.
    pub(crate) fn presented(&self) -> Option<&Held> {
        match &self.caller {
            Caller::Token { held, .. } => Some(held),
            Caller::Console | Caller::Session { .. } | Caller::Service { .. } => None,
        }
    }

    /// Returns the error for a kind of caller that may not perform the operation.
    pub(crate) fn refused(&self) -> AuthorityError {
        AuthorityError::not_permitted(self.caller.kind(), self.operation, self.kind)
    }

    /// Returns the error for an operation that requires an interactive login.
    pub(crate) fn session_required(&self) -> AuthorityError {
        AuthorityError::session_required(self.caller.kind(), self.operation, self.kind)
    }

    /// Refuses a session whose person did not prove who they are within the last 15 minutes.
    pub(crate) fn logged_in_recently(&self, now: Timestamp, to: &'static str) -> Result<(), AuthorityError> {
        match &self.caller {
            Caller::Session { session, .. } => logged_in_recently(session, now, to),
            Caller::Console | Caller::Token { .. } | Caller::Service { .. } => Ok(()),
        }
    }

    /// Returns the error for a token beyond the caller's reach: the missing permission if one would suffice,
    /// otherwise that a login is required. It does not depend on whether the token exists.
    pub(crate) fn beyond(&self) -> AuthorityError {
        match rule(self.operation, self.kind, &self.caller) {
            Rule::AccountOrItself(permission) => {
                Refusal::PermissionNotGranted(permission.parse().expect("the table holds permissions")).into()
            }
            _ => self.session_required(),
        }
    }

    /// Refuses a token that is beyond the caller's reach.
    pub(crate) fn require(&self, token: TokenId) -> Result<(), AuthorityError> {
        match self.reach {
            Reach::Itself(itself) if itself != token => Err(self.beyond()),
            Reach::All | Reach::Itself(_) | Reach::Org(..) => Ok(()),
        }
    }
}

/// Returns the access table's rule for a caller.
fn rule(operation: Operation, kind: Kind, caller: &Caller) -> Rule {
    let Some(row) = operation.row(kind) else { return Rule::No };
    match caller {
        Caller::Console => row.console,
        // A browser presents its session by its cookie alone, and programs never do.
        Caller::Session { session, by_cookie, .. } if session.browser != *by_cookie => Rule::No,
        Caller::Session { session, .. } => match (row.session, session.browser) {
            (Rule::Browser, true) => Rule::Yes,
            (Rule::Browser, false) => Rule::No,
            (rule, _) => rule,
        },
        Caller::Token { held, .. } => match held.token.owner {
            Owner::Account(_) => row.token,
            Owner::Org(_) => row.org_token,
        },
        Caller::Service { .. } => row.service,
    }
}

fn reach(
    caller: &Caller,
    operation: Operation,
    kind: Kind,
    judging: Judging<'_>,
) -> Result<Reach, AuthorityError> {
    let not_permitted = |caller| Err(AuthorityError::not_permitted(caller, operation, kind));
    let session_required = |caller| Err(AuthorityError::session_required(caller, operation, kind));
    match (rule(operation, kind, caller), caller) {
        (Rule::Yes, Caller::Token { held, from }) => {
            judging.account(held, *from, None)?;
            Ok(Reach::All)
        }
        (Rule::Yes, _) => Ok(Reach::All),
        (Rule::RecentLogin, Caller::Session { session, .. }) => {
            logged_in_recently(session, judging.now, verb(operation, kind))?;
            Ok(Reach::All)
        }
        (Rule::Operator, Caller::Session { account, session, .. }) if account.operator => {
            logged_in_recently(session, judging.now, verb(operation, kind))?;
            Ok(Reach::All)
        }
        (Rule::Operator, Caller::Session { .. }) => not_permitted("an account that is not an operator"),
        (Rule::Login, _) => session_required(caller.kind()),
        (Rule::Itself, Caller::Token { held, .. }) => Ok(Reach::Itself(held.token.id)),
        (Rule::ItselfInside, Caller::Token { held, from }) => {
            judging.account(held, *from, None)?;
            Ok(Reach::Itself(held.token.id))
        }
        (Rule::Account(permission), Caller::Token { held, from }) => {
            judging.account(held, *from, Some(permission))?;
            Ok(Reach::All)
        }
        (Rule::AccountOrItself(permission), Caller::Token { held, from }) => {
            match judging.account(held, *from, Some(permission)) {
                Ok(()) => Ok(Reach::All),
                Err(refusal) if refusal.missing_permission().is_some() => Ok(Reach::Itself(held.token.id)),
                Err(refusal) => Err(refusal.into()),
            }
        }
        (Rule::SelfRotating(_), Caller::Token { held, .. }) if held.token.self_rotating_until.is_none() => {
            session_required(caller.kind())
        }
        (Rule::SelfRotating(holding), Caller::Token { held, from }) => {
            // A secret used outside its networks is treated as stolen.
            judging.account(held, *from, None)?;
            if holding.fits(held.record.state(judging.now)) {
                Ok(Reach::Itself(held.token.id))
            } else {
                session_required("a secret that is not active")
            }
        }
        (
            Rule::No
            | Rule::Browser
            | Rule::RecentLogin
            | Rule::Operator
            | Rule::Itself
            | Rule::ItselfInside
            | Rule::SelfRotating(_)
            | Rule::Account(_)
            | Rule::AccountOrItself(_)
            | Rule::Member(_)
            | Rule::Recent(_)
            | Rule::Power
            | Rule::Granted(_),
            _,
        ) => not_permitted(caller.kind()),
    }
}

fn logged_in_recently(session: &Session, now: Timestamp, to: &'static str) -> Result<(), AuthorityError> {
    if is_recent(session.proved_at, now) { Ok(()) } else { Err(AuthorityError::LoginNotRecent { to }) }
}

fn verb(operation: Operation, kind: Kind) -> &'static str {
    operation.row(kind).map_or("do this", |row| row.verb)
}

/// Returns an org, and the role by which a caller acts there.
async fn in_org(
    read: &Read,
    caller: &Caller,
    operation: Operation,
    slug: &OrgSlug,
    judging: Judging<'_>,
) -> Result<(Org, Role), AuthorityError> {
    let unknown = || AuthorityError::NotFound { what: "org", name: slug.to_string() };
    let live = |org: Option<Org>| org.filter(|org| org.deleted_at.is_none());
    let org = async || -> Result<Org, AuthorityError> {
        live(read.find_org_by_slug(slug).await?).ok_or_else(unknown)
    };
    match (rule(operation, Kind::Org, caller), caller) {
        (rule @ (Rule::Member(needed) | Rule::Recent(needed)), Caller::Session { account, session, .. }) => {
            let (org, role) = read.find_org_and_role(account.id, slug).await?;
            let (org, role) = live(org).zip(role).ok_or_else(unknown)?;
            if role < needed {
                return Err(AuthorityError::RoleTooLow { org: slug.clone(), role, needed });
            }
            if matches!(rule, Rule::Recent(_)) {
                logged_in_recently(session, read.now(), verb(operation, Kind::Org))?;
            }
            Ok((org, role))
        }
        (Rule::Operator, Caller::Session { account, session, .. }) if account.operator => {
            logged_in_recently(session, read.now(), verb(operation, Kind::Org))?;
            Ok((org().await?, Role::Admin))
        }
        (Rule::Operator, Caller::Session { .. }) => {
            let caller = "an account that is not an operator";
            Err(AuthorityError::not_permitted(caller, operation, Kind::Org))
        }
        (Rule::Power, Caller::Token { held, from }) => {
            let survey = Requirement::Survey { org: slug.clone() };
            power_in(read, held, *from, slug, &survey, judging).await?.ok_or_else(unknown)
        }
        (Rule::Granted(permission), Caller::Token { held, from }) => {
            let permission = Some(permission.parse().expect("the table holds permissions"));
            let access = Requirement::Access { org: slug.clone(), access: Scope::Ro, permission };
            power_in(read, held, *from, slug, &access, judging).await?.ok_or_else(unknown)
        }
        (Rule::Yes, Caller::Console) => Ok((org().await?, Role::Admin)),
        (Rule::Login, _) => Err(AuthorityError::session_required(caller.kind(), operation, Kind::Org)),
        _ => Err(AuthorityError::not_permitted(caller.kind(), operation, Kind::Org)),
    }
}

/// Returns an org, and the role by which a token meets a requirement there. None if the token's owner has no
/// part in the org, the token is restricted to other orgs, or the org was deleted.
async fn power_in(
    read: &Read,
    held: &Held,
    from: Option<IpAddr>,
    slug: &OrgSlug,
    requirement: &Requirement,
    judging: Judging<'_>,
) -> Result<Option<(Org, Role)>, AuthorityError> {
    let ground = ground(read, &held.owner, slug).await?;
    let known = |ground: &Ground| {
        let here = ground.has_part(&held.owner) && held.token.orgs.contain(&ground.org.id);
        here && ground.org.deleted_at.is_none()
    };
    let Some(ground) = ground.filter(known) else { return Ok(None) };
    let role = match judging.decide(held, Some(&ground), requirement, from)? {
        Effective::Access { role, .. } => role,
        Effective::Identity => Role::Ro,
    };
    Ok(Some((ground.org, role)))
}
