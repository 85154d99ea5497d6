//! A small world: two people, two orgs, a service, and a clock that only tests move.

use std::sync::Arc;
use std::time::Duration;

use ndauth_authority::{
    Authority, AuthorityError, CacheableVerdict, Changed, Clock, Credential, Engine, ManualClock, MemberPage,
    Minted, NewAccount, NewOrg, NewService, NewToken, Question, Revoking, Settling, TokenQuery, Which, Whose,
};
use ndauth_core::{
    Actions, ExpiryChoice, Grant, Grants, Lifetime, Networks, OrgSlug, Orgs, OwnerView, Permission, Reason,
    Refusal, Requirement, RevocationReason, Role, Scope, Secret, Services, Timestamp, Token, TokenView,
};
use ndauth_store::testing::Scratch;

pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) clock: ManualClock,
    /// `ada` is `RW` in `ops` and `RO` in `dev`; `eve` is `ADMIN` in `ops`.
    pub(crate) ada: Credential,
    pub(crate) eve: Credential,
    /// A service for all orgs, and one for `ops` only.
    pub(crate) service: Credential,
    pub(crate) ops_service: Credential,
    pub(crate) scratch: Scratch,
}

/// A copy of a verdict.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) outcome: Result<KeptAllowed, Refusal>,
    pub(crate) max_cache_age: Duration,
}

#[derive(Debug)]
pub(crate) struct KeptAllowed {
    pub(crate) token: Token,
    /// The owner's name.
    pub(crate) owner: String,
}

pub(crate) fn keep(verdict: CacheableVerdict<'_>) -> Kept {
    let CacheableVerdict { outcome, max_cache_age, .. } = verdict;
    let outcome = outcome.map(|allowed| KeptAllowed {
        token: allowed.token.clone(),
        owner: match allowed.owner {
            OwnerView::Account(account) => account.handle.to_string(),
            OwnerView::Org(org) => org.slug.to_string(),
        },
    });
    Kept { outcome, max_cache_age }
}

/// Settles a rotation of one of the caller's own tokens, in one of the three ways.
pub(crate) async fn settle(
    authority: &Authority,
    by: &Credential,
    which: &Which,
    settling: &Settling,
) -> Result<Changed<TokenView>, AuthorityError> {
    match settling {
        Settling::Confirm(prefix) => authority.tokens().confirm_rotation(by, MINE, which, *prefix).await,
        Settling::Drop => authority.tokens().drop_rotation(by, MINE, which).await,
        Settling::Retire { anyway } => authority.tokens().retire_secret(by, MINE, which, *anyway).await,
    }
}

/// Returns the authority with a mirror that follows the log.
pub(crate) async fn following(authority: Authority) -> Arc<Authority> {
    let authority = Arc::new(authority);
    let mut reader = authority.follow(None).await.expect("the mirror loads");
    // It follows as long as the test runs.
    tokio::spawn(async move { reader.end().await });
    authority
}

pub(crate) const CONSOLE: Credential = Credential::Console;
/// The caller's own tokens.
pub(crate) const MINE: &Whose = &Whose::Mine;
/// The first page of an org's members.
pub(crate) const MEMBERS: &MemberPage = &MemberPage { after: None, limit: 100 };
/// All tokens that are not revoked.
pub(crate) const PAGE: &TokenQuery = &TokenQuery::all(false, 100);
/// A reason for revoking a token, if it does not matter.
pub(crate) const UNNEEDED: &Revoking = &Revoking { reason: RevocationReason::NoLongerNeeded, note: None };

/// Refers to the tokens of an org.
pub(crate) fn in_org(slug: &str) -> Whose {
    Whose::Org(slug.parse().expect("a slug"))
}

/// Refers to the tokens of an account.
pub(crate) fn of_account(handle: &str) -> Whose {
    Whose::Account(handle.parse().expect("a handle"))
}

/// Refers to a token by a text.
pub(crate) fn named(text: &str) -> Which {
    Which::Name(text.to_owned())
}

pub(crate) fn ops() -> OrgSlug {
    "ops".parse().expect("a slug")
}

/// Returns the instant a number of seconds after the beginning of the tests.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_800_000_000 + seconds) * 1_000_000).expect("an instant")
}

pub(crate) fn presented(secret: &Secret) -> Credential {
    let secret = secret.expose().parse().expect("a secret");
    Credential::secret(secret, "192.0.2.7".parse().ok())
}

pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T, AuthorityError>) -> Reason {
    outcome.expect_err("it is refused").reason()
}

pub(crate) fn days(days: u64) -> ExpiryChoice {
    ExpiryChoice::In(Lifetime::For(Duration::from_secs(days * 24 * 60 * 60)))
}

/// Returns a personal token to be made that is not restricted to orgs, services and networks.
pub(crate) fn new_token(name: &str) -> NewToken {
    NewToken {
        name: name.parse().expect("a name"),
        description: None,
        scope: Some(Scope::Rw),
        grants: Grants::All,
        orgs: Some(Orgs::All),
        services: Services::All,
        networks: Networks::All,
        expiry: ExpiryChoice::PERSONAL,
        self_rotating_until: None,
        pending: false,
    }
}

/// Returns an org's token to be made that carries these permissions.
pub(crate) fn org_token(name: &str, permissions: &[&str]) -> NewToken {
    let grants = granted(permissions);
    NewToken { scope: None, grants, orgs: None, expiry: ExpiryChoice::ORG, ..new_token(name) }
}

/// Returns a token to be made that differs from the usual.
pub(crate) fn token_with(name: &str, change: impl FnOnce(&mut NewToken)) -> NewToken {
    let mut new = new_token(name);
    change(&mut new);
    new
}

/// Returns grants of these permissions.
pub(crate) fn granted(permissions: &[&str]) -> Grants {
    let grant = |text: &&str| {
        let asked: Permission = text.parse().expect("a permission");
        Grant {
            resource_type: asked.resource_type,
            resource_ids: asked.resource_ids,
            actions: Actions::Only([asked.action].into()),
        }
    };
    Grants::only(permissions.iter().map(grant)).expect("grants")
}

pub(crate) fn orgs(slugs: &[&str]) -> Orgs<OrgSlug> {
    Orgs::only(slugs.iter().map(|slug| slug.parse().expect("a slug"))).expect("orgs")
}

/// Returns an account to be made, which is no operator's.
pub(crate) fn new_account(handle: &str) -> NewAccount {
    NewAccount {
        handle: handle.parse().expect("a handle"),
        email: format!("{handle}@example.org").parse().expect("an address"),
        name: None,
        operator: false,
    }
}

pub(crate) fn networks(text: &str) -> Networks {
    Networks::only([text.parse().expect("a network")]).expect("networks")
}

pub(crate) fn needs(org: &str, access: Scope, permission: Option<&str>) -> Requirement {
    Requirement::Access {
        org: org.parse().expect("a slug"),
        access,
        permission: permission.map(|text| text.parse().expect("a permission")),
    }
}

impl World {
    pub(crate) async fn new(engine: Engine) -> World {
        let scratch = Scratch::new(engine).await;
        let clock = ManualClock::at(at(0));
        let authority = Authority::create(&scratch.url, Clock::Manual(clock.clone()), None)
            .await
            .expect("the authority opens");
        for (handle, slug) in [("ada", "ops"), ("eve", "dev")] {
            let new = new_account(handle);
            authority.operator().create_account(&CONSOLE, &new).await.expect("an account is made");
            let org = NewOrg { slug: slug.parse().expect("a slug"), name: None, admin: None };
            authority.orgs().create(&CONSOLE, &org).await.expect("an org is made");
        }
        for (org, handle, role) in
            [("ops", "ada", Role::Rw), ("dev", "ada", Role::Ro), ("ops", "eve", Role::Admin)]
        {
            let (org, handle) = (org.parse().expect("a slug"), handle.parse().expect("a handle"));
            authority.orgs().add_member(&CONSOLE, &org, &handle, role).await.expect("a member is set");
        }
        let session = async |handle: &str| {
            let handle = handle.parse().expect("a handle");
            presented(
                &authority
                    .operator()
                    .issue_session(&CONSOLE, &handle, days(1))
                    .await
                    .expect("a session begins"),
            )
        };
        let service = async |name: &str, orgs| {
            let new = NewService { name: name.parse().expect("a name"), orgs, states_address: true };
            presented(
                &authority
                    .operator()
                    .create_service(&CONSOLE, &new)
                    .await
                    .expect("a service is registered")
                    .value,
            )
        };
        let ops = Orgs::only(["ops".parse().expect("a slug")]).expect("orgs");
        World {
            ada: session("ada").await,
            eve: session("eve").await,
            service: service("registry", Orgs::All).await,
            ops_service: service("ops only", ops).await,
            authority: following(authority).await,
            clock,
            scratch,
        }
    }

    /// Creates a token of `ada`'s.
    pub(crate) async fn create(&self, new: &NewToken) -> Minted {
        self.make(&self.ada, MINE, new).await
    }

    pub(crate) async fn make(&self, by: &Credential, whose: &Whose, new: &NewToken) -> Minted {
        self.authority.tokens().create(by, whose, new).await.expect("a token is made").value
    }

    /// Revokes one of the caller's own tokens.
    pub(crate) async fn revoke(
        &self,
        by: &Credential,
        which: &Which,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        self.authority.tokens().revoke(by, MINE, which, UNNEEDED).await
    }

    /// Shows one of the caller's own tokens.
    pub(crate) async fn show(&self, by: &Credential, which: &Which) -> Result<TokenView, AuthorityError> {
        Ok(self.authority.tokens().get(by, MINE, which).await?.view)
    }

    /// Asserts that the database has no faults.
    pub(crate) async fn sound(&self) {
        let checked = self.authority.operator().check(&CONSOLE).await.expect("checked");
        assert_eq!(checked.faults, Vec::<String>::new());
    }

    pub(crate) async fn ask(&self, service: &Credential, secret: &str, requirement: &Requirement) -> Kept {
        let client_address = "203.0.113.9".parse().ok();
        let question = Question { secret, requirement, client_address, client: None };
        self.authority.validation().validate(service, &question, keep).await.expect("it is decided").value
    }

    /// Waits until the mirror has applied the changes of another instance: an unknown secret is reported as
    /// unknown only after that.
    pub(crate) async fn catch_up(&self) {
        let unknown = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let verdict = self.ask(&self.service, unknown, &Requirement::Identity).await;
        assert_eq!(verdict.outcome.expect_err("unknown").reason(), Reason::SecretUnknown);
    }

    /// Loads the mirror again, so that it has changes without an event.
    pub(crate) async fn load_again(&self) {
        drop(self.authority.follow(None).await.expect("it loads"));
    }

    /// Creates an account, which is a member of `ops` if a role is given, and begins a session for it.
    pub(crate) async fn person(&self, handle: &str, operator: bool, role: Option<Role>) -> Credential {
        let new = NewAccount { operator, ..new_account(handle) };
        self.authority.operator().create_account(&CONSOLE, &new).await.expect("an account is made");
        if let Some(role) = role {
            self.member("ops", handle, role).await;
        }
        self.log_in(handle).await
    }

    pub(crate) async fn log_in(&self, handle: &str) -> Credential {
        let handle = handle.parse().expect("a handle");
        presented(
            &self
                .authority
                .operator()
                .issue_session(&CONSOLE, &handle, days(1))
                .await
                .expect("a session begins"),
        )
    }

    pub(crate) async fn member(&self, org: &str, handle: &str, role: Role) {
        let (org, handle) = (org.parse().expect("a slug"), handle.parse().expect("a handle"));
        self.authority.orgs().add_member(&CONSOLE, &org, &handle, role).await.expect("a member is set");
    }

    /// Returns the reason why a secret may not use a permission in `ops`, or `None`.
    pub(crate) async fn refused_permission(&self, secret: &Secret, permission: &str) -> Option<Reason> {
        let requirement = needs("ops", Scope::Ro, Some(permission));
        let verdict = self.ask(&self.service, secret.expose(), &requirement).await;
        verdict.outcome.err().map(|refusal| refusal.reason())
    }

    /// Returns the reason why a secret may not `RW` in `ops`, or `None`.
    pub(crate) async fn refused(&self, secret: &Secret) -> Option<Reason> {
        let verdict = self.ask(&self.service, secret.expose(), &needs("ops", Scope::Rw, None)).await;
        verdict.outcome.err().map(|refusal| refusal.reason())
    }
}
