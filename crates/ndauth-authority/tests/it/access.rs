use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use expect_test::expect;
use ndauth_authority::access::{Kind, Operation, Row, TABLE};
use ndauth_authority::{
    AccountQuery, AccountUpdate, Announced, Authority, AuthorityError, Credential, ExchangeRequest,
    GrantError, Inquiry, Minted, MintedWhen, NewOrg, NewPolicy, NewService, NewToken, Question, Renewing,
    Settlement, Subject, TokenPage, Visitor, WhichSessions, Whose,
};
use ndauth_core::{
    ExpiryChoice, Identity, OrgPolicy, Orgs, Reason, Role, Scope, Secret, SecretKind, Services, SessionId,
    Timestamp,
};

use crate::on_both;
use crate::world::{
    CONSOLE, Kept, MEMBERS, MINE, PAGE, UNNEEDED, World, at, days, granted, in_org, keep, named, needs,
    new_account, new_token, of_account, ops, org_token, orgs, presented, reason, token_with,
};

/// Returns the owner of the tokens that a row concerns: the caller, an org, or `eve`.
fn whose(kind: Kind, org: &str) -> Whose {
    match kind {
        Kind::Mine => Whose::Mine,
        Kind::Org => in_org(org),
        Kind::Anyone => of_account("eve"),
    }
}

/// Returns a token to be made, of an owner of this kind.
fn token_of(kind: Kind, name: &str) -> NewToken {
    match kind {
        Kind::Mine | Kind::Anyone => new_token(name),
        Kind::Org => org_token(name, &["read:assets"]),
    }
}

/// Prepares what a row concerns, as the operator and as the admin of `ops`.
async fn prepare(world: &World, row: &Row) {
    let authority = &world.authority;
    match row.operation {
        // Made again, because an earlier caller may have revoked it.
        Operation::GetToken
        | Operation::UpdateToken
        | Operation::RevokeToken
        | Operation::RotateToken
        | Operation::ConfirmRotation
        | Operation::DropRotation
        | Operation::RetireSecret
        | Operation::RenewToken
        | Operation::SuspendToken
        | Operation::ResumeToken
        | Operation::ExplainToken => {
            let whose = if row.kind == Kind::Org { &in_org("ops") } else { MINE };
            let _ = authority.tokens().create(&world.eve, whose, &token_of(row.kind, "victim")).await;
        }
        Operation::RemoveMember => world.member("ops", "temp", Role::Ro).await,
        Operation::AddMember => {
            let temp = "temp".parse().expect("a handle");
            let _ = authority.orgs().remove_member(&CONSOLE, &ops(), &temp).await;
        }
        // An offer that is there, to whoever it may be.
        Operation::WithdrawMembershipOffer => {
            let eve = world.log_in("eve").await;
            let nobody = "nobody-yet".parse().expect("a handle");
            world.authority.orgs().offer_membership(&eve, &ops(), &nobody, Role::Ro).await.expect("offered");
        }
        Operation::DeleteOrg => {
            let org = NewOrg {
                slug: format!("gone-{}", number()).parse().expect("a slug"),
                name: None,
                admin: None,
            };
            let _ = authority.orgs().create(&CONSOLE, &org).await;
        }
        Operation::RevokeService | Operation::RotateService => {
            let name = "victim".parse().expect("a name");
            let new = NewService { name, orgs: Orgs::All, states_address: false };
            let _ = authority.operator().create_service(&CONSOLE, &new).await;
        }
        _ => {}
    }
}

/// Returns a number that was not returned before.
fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Calls an operation in its most harmless form, on what was prepared for it.
async fn call(world: &World, caller: &Credential, row: &Row, asked: &Minted) -> Result<(), AuthorityError> {
    // One future holds the state of every operation. It would not fit on a test's stack.
    Box::pin(call_about(world, caller, row, asked, "ops")).await
}

/// Calls an operation of the audit or of notices. They have a function of their own, since one with all operations fills
/// a test's stack.
async fn call_about_history(
    authority: &Authority,
    caller: &Credential,
    whose: &Whose,
    operation: Operation,
) -> Result<(), AuthorityError> {
    match operation {
        Operation::GetNotices => authority.notices().get_preferences(caller).await.map(drop),
        Operation::SetNotices => {
            let off = [ndauth_core::NoticeKind::Offer].into();
            authority.notices().set_preferences(caller, &off, &[].into()).await.map(drop)
        }
        Operation::EraseAccount => {
            let erased = authority.operator().erase_account(caller, &"eve".parse().expect("a handle")).await;
            // She is not disabled, which is found out once the caller is admitted.
            match erased {
                Err(AuthorityError::Invalid { field: "handle", .. }) => Ok(()),
                other => other.map(drop),
            }
        }
        Operation::PruneEvents => authority.operator().prune_events(caller, Timestamp::MIN).await.map(drop),
        Operation::FindSecret => {
            let secret = Secret::mint(SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
            authority.operator().find_secret(caller, &secret).await.map(drop)
        }
        Operation::ExportEvents => authority.audit().export(caller, whose, 0).await.map(drop),
        Operation::ListEvents => authority
            .audit()
            .list(caller, whose, &ndauth_authority::EventQuery { limit: 10, ..Default::default() })
            .await
            .map(drop),
        Operation::ListRefusedAttempts => {
            authority.audit().attempts(caller, whose, None, None, 10).await.map(drop)
        }
        _ => authority.notices().inspect(caller).await.map(drop),
    }
}

/// Calls an operation as [`call`] does, on an org.
async fn call_about(
    world: &World,
    caller: &Credential,
    row: &Row,
    asked: &Minted,
    org: &str,
) -> Result<(), AuthorityError> {
    let authority: &Authority = &world.authority;
    let (whose, victim) = (&whose(row.kind, org), &named("victim"));
    let fresh = format!("new-{}", number());
    let (handle, slug, temp) =
        ("ada".parse().expect("a handle"), org.parse().expect("a slug"), "temp".parse().expect("a handle"));
    let open = NewPolicy {
        policy: OrgPolicy::OPEN,
        effective_in: Duration::ZERO,
        announced: Announced::Keep,
        expected: None,
    };
    let requirement = needs(org, Scope::Ro, None);
    let question = Question {
        secret: asked.secret.expose(),
        requirement: &requirement,
        client_address: None,
        client: None,
    };
    match row.operation {
        Operation::CreateToken => {
            authority.tokens().create(caller, whose, &token_of(row.kind, &fresh)).await.map(drop)
        }
        Operation::ListTokens => authority.tokens().list(caller, whose, PAGE).await.map(drop),
        Operation::GetToken => authority.tokens().get(caller, whose, victim).await.map(drop),
        Operation::UpdateToken => {
            authority.tokens().update(caller, whose, victim, Some(&None)).await.map(drop)
        }
        Operation::RevokeToken => authority.tokens().revoke(caller, whose, victim, UNNEEDED).await.map(drop),
        // A caller that learns that the token is not fit for it was admitted.
        Operation::RotateToken => {
            admitted_if_unfit(authority.tokens().rotate(caller, whose, victim, Duration::ZERO, None).await)
        }
        Operation::ConfirmRotation => {
            admitted_if_unfit(authority.tokens().confirm_rotation(caller, whose, victim, None).await)
        }
        Operation::DropRotation => {
            admitted_if_unfit(authority.tokens().drop_rotation(caller, whose, victim).await)
        }
        Operation::RetireSecret => {
            admitted_if_unfit(authority.tokens().retire_secret(caller, whose, victim, true).await)
        }
        Operation::RenewToken => {
            admitted_if_unfit(authority.tokens().renew(caller, whose, victim, Renewing::default()).await)
        }
        Operation::SuspendToken => authority.tokens().suspend(caller, whose, victim).await.map(drop),
        Operation::ResumeToken => authority.tokens().resume(caller, whose, victim).await.map(drop),
        Operation::RevokeAllTokens => authority
            .tokens()
            .preview_revoke_all(caller, whose, MintedWhen::Before(Timestamp::MIN))
            .await
            .map(drop),
        Operation::SuspendPersonalToken => {
            let done =
                authority.tokens().suspend_personal_token(caller, &slug, asked.view.token.id).await.map(drop);
            let _ = authority.tokens().resume_personal_token(&world.eve, &slug, asked.view.token.id).await;
            done
        }
        Operation::ResumePersonalToken => {
            authority.tokens().resume_personal_token(caller, &slug, asked.view.token.id).await.map(drop)
        }
        Operation::ListPersonalTokens => {
            let page = TokenPage { include_revoked: false, after: None, limit: 10 };
            authority.tokens().list_personal_tokens(caller, &slug, page).await.map(drop)
        }
        Operation::FreezeOrg => {
            let done = authority.orgs().freeze(caller, &slug).await.map(drop);
            let _ = authority.orgs().unfreeze(&CONSOLE, &slug).await;
            done
        }
        Operation::UnfreezeOrg => authority.orgs().unfreeze(caller, &slug).await.map(drop),
        Operation::TidyUp => authority.operator().tidy_up_now(caller).await.map(drop),
        Operation::ExplainToken => {
            let (whose, subject) = (whose.clone(), Subject::Token(victim.clone()));
            let inquiry = Inquiry { whose, subject, org: None, question: None, service: None, address: None };
            authority.tokens().explain(caller, &inquiry).await.map(drop)
        }
        Operation::ValidateToken => {
            verdict(authority.validation().validate(caller, &question, keep).await?.value)
        }
        Operation::ValidateTokens => {
            verdict(authority.validation().validate_all(caller, &[question], keep).await?.value.remove(0)?)
        }
        Operation::Resolve => verdict(
            authority.validation().resolve(caller, &question, 0, |verdict, _| keep(verdict)).await?.value,
        ),
        Operation::WatchRevocations => world.authority.watch(caller).await?.catch_up().map(drop),
        Operation::WhoAmI => authority.validation().who_am_i(caller).await.map(drop),
        Operation::ListOrgs => authority.validation().list_orgs(caller).await.map(drop),
        Operation::ListPermissions => authority.list_permissions(caller).await.map(drop),
        Operation::CreateOrg => {
            let new = NewOrg { slug: fresh.parse().expect("a slug"), name: None, admin: None };
            authority.orgs().create(caller, &new).await.map(drop)
        }
        Operation::GetOrg => authority.orgs().get(caller, &slug).await.map(drop),
        Operation::ListMembers => authority.orgs().list_members(caller, &slug, MEMBERS).await.map(drop),
        Operation::SetMember => authority.orgs().set_member(caller, &slug, &handle, Role::Rw).await.map(drop),
        Operation::AddMember => authority.orgs().add_member(caller, &slug, &temp, Role::Rw).await.map(drop),
        Operation::RemoveMember => authority.orgs().remove_member(caller, &slug, &temp).await.map(drop),
        Operation::OfferMembership => {
            let nobody = "nobody-yet".parse().expect("a handle");
            authority.orgs().offer_membership(caller, &slug, &nobody, Role::Ro).await.map(drop)
        }
        Operation::WithdrawMembershipOffer => {
            let nobody = "nobody-yet".parse().expect("a handle");
            authority.orgs().withdraw_offer(caller, &slug, &nobody).await.map(drop)
        }
        Operation::ListMembershipOffers => authority.orgs().list_offers(caller, whose).await.map(drop),
        // A caller that learns that nothing is offered was admitted.
        Operation::AcceptMembershipOffer => {
            unoffered(authority.orgs().accept_offer(caller, &slug, Role::Ro).await)
        }
        Operation::DeclineMembershipOffer => unoffered(authority.orgs().decline_offer(caller, &slug).await),
        Operation::GetOrgPolicy => authority.orgs().get_policies(caller, &slug).await.map(drop),
        Operation::SetOrgPolicy => authority.orgs().set_policy(caller, &slug, &open).await.map(drop),
        Operation::CreateAccount => {
            authority.operator().create_account(caller, &new_account(&fresh)).await.map(drop)
        }
        Operation::DisableAccount => authority.operator().enable_account(caller, &handle).await.map(drop),
        Operation::ListAccounts => {
            let all = AccountQuery { begins_with: None, after: None, limit: 1 };
            authority.operator().list_accounts_page(caller, &all).await?;
            authority.operator().get_account(caller, &handle).await.map(drop)
        }
        Operation::ListAllOrgs => authority.operator().list_orgs_page(caller, true, None, 1).await.map(drop),
        Operation::ListServices => {
            authority.operator().list_services_page(caller, true, None, 1).await.map(drop)
        }
        Operation::GetInstallation => authority.operator().get_installation(caller).await.map(drop),
        Operation::UpdateAccount => {
            let update = AccountUpdate { email: "ada@example.org".parse().ok(), name: None };
            authority.operator().update_account(caller, &handle, &update).await.map(drop)
        }
        Operation::SetOperator => authority.operator().revoke_operator(caller, &handle).await.map(drop),
        Operation::DeleteOrg if org != "ops" => authority.orgs().delete(caller, &slug).await.map(drop),
        Operation::DeleteOrg => {
            let latest = authority.operator().list_every_org(&CONSOLE).await.expect("listed").rows;
            let mut gone = latest.into_iter().filter(|view| view.org.slug.as_str().starts_with("gone-"));
            let org = gone.find(|view| view.org.deleted_at.is_none()).expect("one was prepared").org;
            authority.orgs().delete(caller, &org.slug).await.map(drop)
        }
        Operation::IssueSession => {
            authority.operator().issue_session(caller, &handle, days(1)).await.map(drop)
        }
        Operation::CreateService => {
            let name = fresh.parse().expect("a name");
            let new = NewService { name, orgs: Orgs::All, states_address: false };
            authority.operator().create_service(caller, &new).await.map(drop)
        }
        Operation::RevokeService => {
            authority.operator().revoke_service(caller, &"victim".parse().expect("a name")).await.map(drop)
        }
        Operation::ApplyCatalogue => {
            let present = authority.list_permissions(&CONSOLE).await.expect("listed").document();
            authority
                .operator()
                .apply_catalogue(caller, &ndauth_authority::NextCatalogue::Whole(present))
                .await
                .map(drop)
        }
        Operation::Inspect => authority.operator().list_accounts(caller).await.map(drop),
        // A caller that learns that PostgreSQL cannot do this was admitted.
        Operation::Backup => {
            match authority.operator().back_up(caller, Path::new("/nonexistent/copy.db")).await {
                Err(AuthorityError::Copy(_)) => Ok(()),
                other => other.map(drop),
            }
        }
        Operation::AfterRestore => {
            let none = Settlement::NotBefore(Timestamp::MIN);
            authority.operator().after_restore(caller, &none).await.map(drop)
        }
        Operation::SignOut => authority.operator().sign_out(caller, &temp).await.map(drop),
        Operation::RotateService => {
            let name = "victim".parse().expect("a name");
            admitted_if_unfit(authority.operator().rotate_service(caller, &name, Duration::ZERO).await)
        }
        Operation::GetNotices
        | Operation::SetNotices
        | Operation::Mail
        | Operation::EraseAccount
        | Operation::PruneEvents
        | Operation::FindSecret
        | Operation::ExportEvents
        | Operation::ListEvents
        | Operation::ListRefusedAttempts => {
            Box::pin(call_about_history(authority, caller, whose, row.operation)).await
        }
        // A password that is too short: a caller that learns this was admitted.
        Operation::SetPassword => {
            match authority.logins().set_password(caller, "short", &Visitor::default()).await {
                Err(AuthorityError::Invalid { field: "password", .. }) => Ok(()),
                other => other.map(drop),
            }
        }
        Operation::ListSessions => authority.logins().list_my_sessions(caller).await.map(drop),
        Operation::RevokeSessions => {
            // A session that does not exist: a caller that learns this was admitted.
            let none = WhichSessions::One(SessionId::from_uuid(uuid::Uuid::nil()));
            match authority.logins().revoke_sessions(caller, &none).await {
                Err(AuthorityError::NotFound { what: "session", .. }) => Ok(()),
                other => other.map(drop),
            }
        }
        Operation::Invite => {
            // A new account, because the console's link to one would keep operators from making another.
            let new = new_account(&fresh);
            authority.operator().create_account(&CONSOLE, &new).await.expect("an account is made");
            authority.logins().invite(caller, &new.handle).await.map(drop)
        }
        Operation::IssueLink => authority.logins().sign_in_link(caller, &temp).await.map(drop),
        Operation::IdentifyAccount => {
            let identity = Identity { issuer: "https://idp.example".to_owned(), subject: fresh };
            authority.logins().identify_account(caller, &temp, &identity).await.map(drop)
        }
        // Only a session's secret can be exchanged, so other kinds of callers are not tested here.
        Operation::IssueTokens => {
            let Credential::Secret { secret, .. } = caller else { return Ok(()) };
            let asked = ExchangeRequest { scope: Some(Scope::Ro), org: None };
            match authority.logins().exchange(secret.expose(), &Visitor::default(), &asked).await {
                Ok(_) => Ok(()),
                Err(GrantError::Failed(error)) => Err(error),
                Err(_) => Err(AuthorityError::NotPermitted { caller: "no session", verb: row.verb }),
            }
        }
        // The credential of these is in the request. The tests in `logins` call them, and the surface serves
        // the rest alone.
        Operation::Discover
        | Operation::SignIn
        | Operation::Authorize
        | Operation::LetDeviceIn
        | Operation::AskForDevice
        | Operation::RevokeShown
        | Operation::ReportLeaked
        | Operation::CheckHealth
        | Operation::Reflect => Ok(()),
    }
}

/// A caller that learns that the token is not fit for the operation was admitted.
fn admitted_if_unfit<T>(outcome: Result<T, AuthorityError>) -> Result<(), AuthorityError> {
    match outcome {
        Err(
            AuthorityError::NoRotation { .. }
            | AuthorityError::NotRenewable(_)
            | AuthorityError::RotationPending { .. },
        ) => Ok(()),
        other => other.map(drop),
    }
}

/// A caller that learns that there is no offer was admitted.
fn unoffered<T>(outcome: Result<T, AuthorityError>) -> Result<(), AuthorityError> {
    match outcome {
        Err(AuthorityError::NotFound { what: "open offer of an org", .. }) => Ok(()),
        other => other.map(drop),
    }
}

/// Returns the verdict about the one token of a question.
fn verdict(kept: Kept) -> Result<(), AuthorityError> {
    kept.outcome.map(drop).map_err(AuthorityError::from)
}

/// Returns every kind of caller, by a short name.
async fn callers(world: &World) -> Vec<(&'static str, Credential)> {
    world.member("dev", "eve", Role::Ro).await;
    let ron = world.person("ron", false, Some(Role::Ro)).await;
    let stan = world.person("stan", false, None).await;
    let oona = world.person("oona", true, None).await;
    let dora = world.person("dora", false, Some(Role::Admin)).await;
    world.person("temp", false, Some(Role::Ro)).await;
    let made = async |owner: &Credential, name: &str, change: fn(&mut NewToken)| {
        presented(&world.make(owner, MINE, &token_with(name, change)).await.secret)
    };
    let org_token = async |name: &str, permissions: &[&str]| {
        presented(&world.make(&world.eve, &in_org("ops"), &org_token(name, permissions)).await.secret)
    };
    // All of these are an admin's, so what they may not do, no token of anybody's may.
    let eve = &world.eve;
    let revoked = made(eve, "revoked", |_| ()).await;
    world.revoke(eve, &named("revoked")).await.expect("revoked");
    let disabled = made(&dora, "of the disabled", |_| ()).await;
    world
        .authority
        .operator()
        .disable_account(&CONSOLE, &"dora".parse().expect("a handle"))
        .await
        .expect("disabled");
    let expired = made(eve, "expired", |new| new.expiry = ExpiryChoice::At(at(60))).await;
    world.clock.set(at(60));
    let ours: fn(&mut NewToken) = |new| {
        new.grants = granted(&["read:tokens", "read:members", "read:policy", "admin:org", "read:audit"]);
    };
    let copy = |credential: &Credential| {
        let Credential::Secret { secret, .. } = credential else { panic!("a secret") };
        presented(secret)
    };
    let strange = made(&stan, "of a stranger", |_| ()).await;
    vec![
        ("nobody", Credential::Nothing),
        ("console", Credential::Console),
        ("session RO", ron),
        ("session RW", copy(&world.ada)),
        ("session ADMIN", copy(eve)),
        ("stranger", stan),
        ("operator", oona),
        ("token RW", made(eve, "unlimited", |_| ()).await),
        ("token RO", made(eve, "ro", |new| new.scope = Some(Scope::Ro)).await),
        ("token bound to ops", made(eve, "ops", |new| new.orgs = Some(orgs(&["ops"]))).await),
        ("token bound to dev", made(eve, "dev", |new| new.orgs = Some(orgs(&["dev"]))).await),
        ("token read:assets", made(eve, "assets", |new| new.grants = granted(&["read:assets"])).await),
        ("token of ours by name", made(eve, "ours", ours).await),
        ("org token", org_token("assets", &["read:assets"]).await),
        ("org token of ours", org_token("ours", &["read:members", "read:policy", "read:tokens"]).await),
        ("token of a stranger", strange),
        ("disabled", disabled),
        ("expired", expired),
        ("revoked", revoked),
        ("service", copy(&world.service)),
        ("service for dev", {
            let orgs = orgs(&["dev"]);
            let new = NewService { name: "dev only".parse().expect("a name"), orgs, states_address: false };
            presented(
                &world.authority.operator().create_service(&CONSOLE, &new).await.expect("registered").value,
            )
        }),
    ]
}

/// Returns the outcome of a call, in few letters.
fn abbreviate(outcome: &Result<(), AuthorityError>) -> &'static str {
    match outcome {
        Ok(()) => "+",
        Err(AuthorityError::NotFound { what: "org", .. }) => "hidden",
        Err(AuthorityError::NotFound { what: "token", .. }) => "none",
        Err(error) => match error.reason() {
            Reason::CredentialMissing => "who?",
            Reason::NotPermitted => "-",
            Reason::SessionRequired => "login",
            Reason::RoleTooLow => "role",
            Reason::PermissionNotGranted => "grant",
            Reason::OrgNotCovered => "org",
            Reason::ServiceNotForOrg => "its org",
            Reason::AccountDisabled => "disab.",
            Reason::TokenExpired => "exp.",
            Reason::TokenRevoked => "rev.",
            other => other.code(),
        },
    }
}

on_both! {
    /// Every operation, by every kind of caller: `+` is permitted, `-` is not, `login` requires a person who
    /// is logged in, `hidden` reports that there is no such org, and `none` that there is no such token of
    /// its own. `role`, `grant` and `org` name what the decision lacks. A service asks about a token that may
    /// read in `ops`; `its org` is that the service is not registered for it.
    async fn the_matrix_holds(world: &World) {
        let callers = callers(world).await;
        let asked = world.create(&new_token("asked about")).await;
        let mut matrix = format!("{:28}", "");
        for number in 0..callers.len() {
            matrix.push_str(&format!("{number:<7}"));
        }
        matrix.truncate(matrix.trim_end().len());
        for (number, (name, _)) in callers.iter().enumerate() {
            matrix.push_str(&format!("\n{number:>2} {name}"));
        }
        for row in TABLE {
            matrix.push_str(&format!("\n{:28}", format!("{:?} {:?}", row.operation, row.kind)));
            for (_, caller) in &callers {
                prepare(world, row).await;
                matrix.push_str(&format!("{:<7}", abbreviate(&call(world, caller, row, &asked).await)));
            }
            matrix.truncate(matrix.trim_end().len());
        }
        matrix.push('\n');
        expect![[r#"
                                        0      1      2      3      4      5      6      7      8      9      10     11     12     13     14     15     16     17     18     19     20
             0 nobody
             1 console
             2 session RO
             3 session RW
             4 session ADMIN
             5 stranger
             6 operator
             7 token RW
             8 token RO
             9 token bound to ops
            10 token bound to dev
            11 token read:assets
            12 token of ours by name
            13 org token
            14 org token of ours
            15 token of a stranger
            16 disabled
            17 expired
            18 revoked
            19 service
            20 service for dev
            CreateToken Mine            who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            CreateToken Org             who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListTokens Mine             who?   -      +      +      +      +      +      +      +      +      +      grant  +      -      -      +      disab. exp.   rev.   -      -
            ListTokens Org              who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            GetToken Mine               who?   -      none   none   +      none   none   +      +      +      +      grant  +      login  login  none   disab. exp.   rev.   -      -
            GetToken Org                who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            UpdateToken Mine            who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            UpdateToken Org             who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeToken Mine            who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeToken Org             who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeToken Anyone          who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            RotateToken Mine            who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RotateToken Org             who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ConfirmRotation Mine        who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ConfirmRotation Org         who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            DropRotation Mine           who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            DropRotation Org            who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RetireSecret Mine           who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RetireSecret Org            who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RenewToken Mine             who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RenewToken Org              who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SuspendToken Mine           who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SuspendToken Org            who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SuspendToken Anyone         who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            ResumeToken Mine            who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ResumeToken Org             who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ResumeToken Anyone          who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            RevokeAllTokens Mine        who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeAllTokens Org         who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeAllTokens Anyone      who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ExplainToken Mine           who?   -      none   none   +      none   none   login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ExplainToken Org            who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            WhoAmI Mine                 who?   -      +      +      +      +      +      +      +      +      +      +      +      +      +      +      disab. exp.   rev.   +      +
            ListOrgs Mine               who?   -      +      +      +      +      +      +      +      +      +      +      +      +      +      +      disab. exp.   rev.   -      -
            ListSessions Mine           who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeSessions Mine         who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            GetNotices Mine             who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SetNotices Mine             who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SetPassword Mine            who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListPermissions Mine        who?   +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      disab. exp.   rev.   +      +
            ValidateToken Anyone        who?   -      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   +      its org
            ValidateTokens Anyone       who?   -      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   +      its org
            Resolve Anyone              who?   -      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   +      its org
            WatchRevocations Anyone     who?   -      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   +      +
            CreateOrg Anyone            who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            GetOrg Org                  who?   -      +      +      +      hidden hidden +      +      +      hidden +      +      +      +      hidden disab. exp.   rev.   -      -
            ListMembers Org             who?   -      +      +      +      hidden hidden grant  grant  grant  hidden grant  +      grant  +      hidden disab. exp.   rev.   -      -
            AddMember Org               who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SetMember Org               who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RemoveMember Org            who?   +      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            OfferMembership Org         who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            WithdrawMembershipOffer Org who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListMembershipOffers Mine   who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListMembershipOffers Org    who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            AcceptMembershipOffer Mine  who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            DeclineMembershipOffer Mine who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            GetOrgPolicy Org            who?   -      +      +      +      hidden hidden grant  grant  grant  hidden grant  +      grant  +      hidden disab. exp.   rev.   -      -
            SetOrgPolicy Org            who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            FreezeOrg Org               who?   +      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            UnfreezeOrg Org             who?   +      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListPersonalTokens Org      who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            SuspendPersonalToken Org    who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ResumePersonalToken Org     who?   -      role   role   +      hidden hidden login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            DeleteOrg Org               who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            CreateAccount Anyone        who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            DisableAccount Anyone       who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            UpdateAccount Anyone        who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            SetOperator Anyone          who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            IssueSession Anyone         who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            SignOut Anyone              who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            Invite Anyone               who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            IssueLink Anyone            who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            IdentifyAccount Anyone      who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            CreateService Anyone        who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RotateService Anyone        who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            RevokeService Anyone        who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListAccounts Anyone         who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListAllOrgs Anyone          who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListServices Anyone         who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            GetInstallation Anyone      who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            EraseAccount Anyone         who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            PruneEvents Anyone          who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            FindSecret Anyone           who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            ApplyCatalogue Anyone       who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            TidyUp Anyone               who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            Mail Anyone                 who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            Inspect Anyone              who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            ListEvents Mine             who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListEvents Org              who?   -      role   role   +      hidden hidden grant  grant  grant  hidden grant  +      grant  grant  hidden disab. exp.   rev.   -      -
            ListEvents Anyone           who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListRefusedAttempts Mine    who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ListRefusedAttempts Org     who?   -      role   role   +      hidden hidden grant  grant  grant  hidden grant  +      grant  grant  hidden disab. exp.   rev.   -      -
            ListRefusedAttempts Anyone  who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ExportEvents Mine           who?   -      +      +      +      +      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            ExportEvents Org            who?   -      role   role   +      hidden hidden grant  grant  grant  hidden grant  +      grant  grant  hidden disab. exp.   rev.   -      -
            ExportEvents Anyone         who?   +      -      -      -      -      +      login  login  login  login  login  login  login  login  login  disab. exp.   rev.   -      -
            Backup Anyone               who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            AfterRestore Anyone         who?   +      -      -      -      -      -      -      -      -      -      -      -      -      -      -      disab. exp.   rev.   -      -
            Discover Mine               +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            SignIn Mine                 +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            Authorize Mine              +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            LetDeviceIn Mine            +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            AskForDevice Mine           +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            IssueTokens Mine            +      +      +      +      +      +      +      -      -      -      -      -      -      -      -      -      -      -      -      -      -
            RevokeShown Mine            +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            ReportLeaked Mine           +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            CheckHealth Mine            +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
            Reflect Mine                +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +      +
        "#]].assert_eq(&matrix);
    }

    /// A caller without a part in an org gets the same response for an existing, a deleted and an unknown
    /// org. The same holds for members and services that it may not know of.
    async fn hidden_things_are_answered_like_missing_ones(world: &World) {
        let callers = callers(world).await;
        let asked = world.create(&new_token("asked about")).await;
        let (authority, slugs) = (&world.authority, ["closed", "gone", "nowhere"]);
        for slug in &slugs[..2] {
            let org = NewOrg { slug: slug.parse().expect("a slug"), name: None, admin: None };
            authority.orgs().create(&CONSOLE, &org).await.expect("made");
        }
        let service = NewService { name: "theirs".parse().expect("a name"), orgs: orgs(&["closed"]), states_address: false };
        authority.operator().create_service(&CONSOLE, &service).await.expect("registered");
        authority.orgs().delete(&CONSOLE, &"gone".parse().expect("a slug")).await.expect("deleted");
        let alike = |what: &str, outcomes: [Result<(), AuthorityError>; 3], names: [&str; 3]| {
            let texts: Vec<String> = outcomes.iter().zip(names).map(|(outcome, name)| match outcome {
                Ok(()) => "allowed".to_owned(),
                Err(error) => format!("{:?}", ndauth_core::Problem::from(error)).replace(name, "?"),
            }).collect();
            assert!(texts.iter().all(|other| *other == texts[0]), "{what}: {texts:#?}");
        };
        for (name, caller) in callers.iter().filter(|(name, _)| *name != "console") {
            // A service that is registered for all orgs may know of them all, and operators add people to any
            // org.
            let others = |row: &&Row| row.operation != Operation::AddMember || *name != "operator";
            let about_orgs = |row: &&Row| row.kind == Kind::Org || row.operation == Operation::ValidateToken;
            for row in TABLE.iter().filter(about_orgs).filter(others) {
                let mut outcomes = Vec::new();
                for slug in slugs {
                    outcomes.push(Box::pin(call_about(world, caller, row, &asked, slug)).await);
                }
                let outcomes = outcomes.try_into().expect("three");
                alike(&format!("{:?} {:?} by {name}", row.operation, row.kind), outcomes, slugs);
            }
        }
        let plan = async |change: &dyn Fn(&mut NewToken), org: Option<&str>, service: Option<&str>| {
            let mut new = new_token(&format!("planned-{}", number()));
            change(&mut new);
            let inquiry = Inquiry {
                whose: Whose::Mine,
                subject: Subject::Planned(Box::new(new)),
                org: org.map(|org| org.parse().expect("a slug")),
                question: None,
                service: service.map(|name| name.parse().expect("a name")),
                address: None,
            };
            let explained = authority.tokens().explain(&world.ada, &inquiry).await?;
            let refused = explained.explanations.into_iter().find_map(|explanation| explanation.outcome.err());
            refused.map_or(Ok(()), |refusal| Err(refusal.into()))
        };
        let none = |_: &mut NewToken| ();
        let mut outcomes = [const { Vec::new() }; 4];
        let services = ["theirs", "registry-2", "nobody's"];
        for slug in slugs {
            outcomes[0].push(plan(&|new| new.orgs = Some(orgs(&[slug])), None, None).await);
            outcomes[1].push(plan(&none, Some(slug), None).await);
        }
        for service in services {
            let at = |new: &mut NewToken| new.services = Services::Only([service.parse().expect("a name")].into());
            outcomes[2].push(plan(&at, None, None).await);
            outcomes[3].push(plan(&none, None, Some(service)).await);
        }
        let whats = [("restricted to", slugs), ("explained in", slugs), ("made for", services), ("explained at", services)];
        for (answers, (what, names)) in outcomes.into_iter().zip(whats) {
            assert!(answers.iter().all(Result::is_err), "{what}: {answers:?}");
            alike(what, answers.try_into().expect("three"), names);
        }
        let remove = async |handle: &str| {
            authority.orgs().remove_member(&world.eve, &ops(), &handle.parse().expect("a handle")).await.map(drop)
        };
        let handles = ["stan", "oona", "nobody"];
        alike("removed", [remove("stan").await, remove("oona").await, remove("nobody").await], handles);
        // The operator may know of every service, and so may a member of the org.
        world.member("closed", "ada", Role::Ro).await;
        let at = |new: &mut NewToken| new.services = Services::Only(["theirs".parse().expect("a name")].into());
        assert!(plan(&at, Some("closed"), Some("theirs")).await.is_ok());
    }

    async fn a_token_revokes_itself_and_no_other(world: &World) {
        let token = world.create(&new_token("itself")).await.secret;
        world.create(&new_token("other")).await;
        let revoke = async |name: &str| world.revoke(&presented(&token), &named(name)).await;
        assert_eq!(reason(revoke("other").await), Reason::SessionRequired);
        assert!(revoke("itself").await.is_ok());
        assert_eq!(reason(revoke("itself").await), Reason::TokenRevoked);
    }

    async fn a_token_shows_itself_without_any_grant(world: &World) {
        let new = token_with("narrow", |new| new.grants = granted(&["read:assets"]));
        let token = presented(&world.create(&new).await.secret);
        world.create(&new_token("other")).await;
        let get = async |name: &str| world.show(&token, &named(name)).await;
        assert!(get("narrow").await.is_ok());
        let refused = get("other").await.expect_err("refused");
        assert_eq!(refused.to_string(), "the token is not granted `read:tokens`", "what is missing is named");
    }

    async fn dead_and_foreign_credentials_are_distinguished(world: &World) {
        let unknown: Secret = "ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret");
        let who = async |credential: &Credential| world.authority.validation().who_am_i(credential).await;
        assert_eq!(reason(who(&presented(&unknown)).await), Reason::SecretUnknown);
        for kind in [SecretKind::Refresh, SecretKind::Access] {
            let text = unknown.expose().replace("ndses_", kind.marker());
            let secret = text.parse().expect("a secret");
            assert_eq!(reason(who(&presented(&secret)).await), Reason::SecretKindNotAccepted);
        }

        world.authority.operator().revoke_service(&CONSOLE, &"registry".parse().expect("a name")).await.expect("revoked");
        assert_eq!(reason(who(&world.service).await), Reason::ServiceRevoked);

        let ada = "ada".parse().expect("a handle");
        let token = presented(&world.create(&new_token("ci")).await.secret);
        assert!(world.authority.operator().disable_account(&CONSOLE, &ada).await.expect("disabled").changed);
        assert!(!world.authority.operator().disable_account(&CONSOLE, &ada).await.expect("unchanged").changed);
        assert_eq!(reason(who(&world.ada).await), Reason::AccountDisabled);
        assert_eq!(reason(who(&token).await), Reason::AccountDisabled);
        assert_eq!(reason(world.authority.operator().issue_session(&CONSOLE, &ada, days(1)).await), Reason::AccountDisabled);
        assert!(world.authority.operator().enable_account(&CONSOLE, &ada).await.expect("enabled").changed);
        assert!(who(&token).await.is_ok());
        assert_eq!(reason(who(&world.ada).await), Reason::SessionRevoked, "who logs in again has sessions again");

        world.clock.set(at(24 * 60 * 60));
        assert_eq!(reason(who(&world.eve).await), Reason::SessionExpired);
    }
}
