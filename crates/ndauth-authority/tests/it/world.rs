//! A small world: two people, two orgs, a service, and a clock that stands.

use std::sync::Arc;
use std::time::Duration;

use ndauth_authority::{
    Authority, AuthorityError, Clock, CreatedToken, Credential, Engine, ManualClock, NewAccount, NewOrg,
    NewService, NewToken, Question, TokenSettings, Verdict,
};
use ndauth_core::{
    Actions, ExpiryChoice, Grant, Grants, Lifetime, Networks, OrgSlug, Orgs, OwnerView, Permission, Reason,
    Refusal, Requirement, Role, Scope, Secret, Services, Timestamp, Token,
};
use ndauth_store::testing::Scratch;

pub(crate) struct World {
    pub(crate) authority: Arc<Authority>,
    pub(crate) clock: ManualClock,
    /// `ada` is `RW` in `ops` and `RO` in `dev`; `eve` is `ADMIN` in `ops`.
    pub(crate) ada: Credential,
    pub(crate) eve: Credential,
    /// A service for all orgs, and one for `ops` alone.
    pub(crate) service: Credential,
    pub(crate) ops_service: Credential,
    pub(crate) scratch: Scratch,
}

/// A verdict that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) outcome: Result<KeptAllowed, Refusal>,
    pub(crate) max_cache_age: Duration,
}

#[derive(Debug)]
pub(crate) struct KeptAllowed {
    pub(crate) token: Token,
    /// By name.
    pub(crate) owner: String,
}

pub(crate) fn keep(verdict: Verdict<'_>) -> Kept {
    let Verdict { outcome, max_cache_age } = verdict;
    let outcome = outcome.map(|allowed| KeptAllowed {
        token: allowed.token.clone(),
        owner: match allowed.owner {
            OwnerView::Account(account) => account.handle.to_string(),
            OwnerView::Org(org) => org.slug.to_string(),
        },
    });
    Kept { outcome, max_cache_age }
}

/// The same authority with a mirror that follows the log.
pub(crate) async fn following(authority: Authority) -> Arc<Authority> {
    let authority = Arc::new(authority);
    let mut reader = authority.follow(None).await.expect("the mirror loads");
    // As long as the test lasts.
    tokio::spawn(async move { reader.end().await });
    authority
}

pub(crate) const CONSOLE: Credential = Credential::Console;

/// The tests' beginning, and so many seconds after it.
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

pub(crate) fn new_token(name: &str) -> NewToken {
    NewToken {
        scope: Some(Scope::Rw),
        orgs: Orgs::All,
        settings: settings(name, Grants::All, ExpiryChoice::PERSONAL),
    }
}

/// What a token is given that is bound to no service and no network.
pub(crate) fn settings(name: &str, grants: Grants, expiry: ExpiryChoice) -> TokenSettings {
    TokenSettings {
        name: name.parse().expect("a name"),
        description: None,
        grants,
        services: Services::All,
        networks: Networks::All,
        expiry,
        self_rotating: false,
        pending: false,
    }
}

/// A token to be made that differs from the usual.
pub(crate) fn token_with(name: &str, change: impl FnOnce(&mut NewToken)) -> NewToken {
    let mut new = new_token(name);
    change(&mut new);
    new
}

/// Grants of these permissions.
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
            let new = NewAccount {
                handle: handle.parse().expect("a handle"),
                email: format!("{handle}@example.org").parse().expect("an address"),
                name: None,
                operator: false,
            };
            authority.create_account(&CONSOLE, &new).await.expect("an account is made");
            let org = NewOrg { slug: slug.parse().expect("a slug"), name: None, admin: None };
            authority.create_org(&CONSOLE, &org).await.expect("an org is made");
        }
        for (org, handle, role) in
            [("ops", "ada", Role::Rw), ("dev", "ada", Role::Ro), ("ops", "eve", Role::Admin)]
        {
            let (org, handle) = (org.parse().expect("a slug"), handle.parse().expect("a handle"));
            authority.set_member(&CONSOLE, &org, &handle, role).await.expect("a member is set");
        }
        let session = async |handle: &str| {
            let handle = handle.parse().expect("a handle");
            presented(&authority.issue_session(&CONSOLE, &handle, days(1)).await.expect("a session begins"))
        };
        let service = async |name: &str, orgs| {
            let new = NewService { name: name.parse().expect("a name"), orgs, states_address: true };
            presented(&authority.create_service(&CONSOLE, &new).await.expect("a service is registered"))
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

    pub(crate) async fn create(&self, new: &NewToken) -> CreatedToken {
        self.authority.create_token(&self.ada, new).await.expect("a token is made")
    }

    pub(crate) async fn ask(&self, service: &Credential, secret: &str, requirement: &Requirement) -> Kept {
        let client_address = "203.0.113.9".parse().ok();
        let question = Question { secret, requirement, client_address, client: None };
        self.authority.validate(service, &question, keep).await.expect("it is decided").told
    }

    /// Waits until the mirror has applied what another instance did: nobody is told that a secret is unknown
    /// before.
    pub(crate) async fn catch_up(&self) {
        let unknown = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let told = self.ask(&self.service, unknown, &Requirement::Identity).await;
        assert_eq!(told.outcome.expect_err("unknown").reason(), Reason::SecretUnknown);
    }

    /// Lets the mirror see what was changed without an event.
    pub(crate) async fn load_again(&self) {
        drop(self.authority.follow(None).await.expect("it loads"));
    }

    /// Makes an account, a member of `ops` if it is given a role, and begins a session for it.
    pub(crate) async fn person(&self, handle: &str, operator: bool, role: Option<Role>) -> Credential {
        let new = NewAccount {
            handle: handle.parse().expect("a handle"),
            email: format!("{handle}@example.org").parse().expect("an address"),
            name: None,
            operator,
        };
        self.authority.create_account(&CONSOLE, &new).await.expect("an account is made");
        if let Some(role) = role {
            self.member("ops", handle, role).await;
        }
        self.log_in(handle).await
    }

    pub(crate) async fn log_in(&self, handle: &str) -> Credential {
        let handle = handle.parse().expect("a handle");
        presented(&self.authority.issue_session(&CONSOLE, &handle, days(1)).await.expect("a session begins"))
    }

    pub(crate) async fn member(&self, org: &str, handle: &str, role: Role) {
        let (org, handle) = (org.parse().expect("a slug"), handle.parse().expect("a handle"));
        self.authority.set_member(&CONSOLE, &org, &handle, role).await.expect("a member is set");
    }

    /// The reason for which a service is refused a permission in `ops`, or `None`.
    pub(crate) async fn refused_permission(&self, secret: &Secret, permission: &str) -> Option<Reason> {
        let requirement = needs("ops", Scope::Ro, Some(permission));
        let verdict = self.ask(&self.service, secret.expose(), &requirement).await;
        verdict.outcome.err().map(|refusal| refusal.reason())
    }

    /// The reason for which a secret may not `RW` in `ops`, or `None`.
    pub(crate) async fn refused(&self, secret: &Secret) -> Option<Reason> {
        let verdict = self.ask(&self.service, secret.expose(), &needs("ops", Scope::Rw, None)).await;
        verdict.outcome.err().map(|refusal| refusal.reason())
    }
}
