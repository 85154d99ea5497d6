//! Logins: how people log in and programs are authorized, what they may do then, and how that ends.

mod leaks;

use std::time::Duration;

use ndauth_authority::{
    Authority, AuthorityError, CodeRequest, Credential, ExchangeRequest, GrantError, Granted, SignedIn,
    Visitor, Which, WhichSessions,
};
use ndauth_core::{
    Challenge, Handle, Identity, Lifetime, OneTime, OrgPolicy, Reason, Requirement, Role, Scope, Secret,
    SecretKind,
};
use ndauth_store::testing::execute;
use ndauth_store::{Clock, Store};
use rand::rngs::SysRng;
use tokio::task::JoinSet;

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, in_org, named, needs, new_token, org_token, presented, reason,
    token_with,
};

const PASSWORD: &str = "a walk in the woods";
const REDIRECT: &str = "http://127.0.0.1:4711/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn from(address: &str) -> Visitor {
    Visitor { address: address.parse().ok(), device: "Firefox on Linux".parse().ok() }
}

fn home() -> Visitor {
    from("192.0.2.7")
}

fn ada() -> Handle {
    "ada".parse().expect("a handle")
}

/// Signs ada in with a password, in a browser at home.
async fn ada_signed_in(world: &World) -> SignedIn {
    let link = world.authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value;
    let accepted = world.authority.logins().accept_invitation(link.code.expose(), PASSWORD, &home()).await;
    accepted.expect("the password is set")
}

fn asked() -> CodeRequest {
    CodeRequest {
        redirect_uri: REDIRECT.to_owned(),
        challenge: Challenge::of(VERIFIER).expect("a verifier"),
        device: "ndcli 0.1.0 on vm".parse().ok(),
        from: "192.0.2.7".parse().ok(),
    }
}

async fn code(world: &World, cookie: &Secret) -> OneTime {
    world.authority.logins().grant_code(cookie, &home(), &asked()).await.expect("a code")
}

/// Grants a session to a command line that ada authorized.
async fn authorize_program(world: &World, cookie: &Secret) -> Granted {
    let code = code(world, cookie).await;
    world.authority.logins().redeem_code(code.expose(), REDIRECT, VERIFIER, &home()).await.expect("redeemed")
}

/// Returns why nothing was granted: the name of the error, or the reason of a refusal.
fn grant_error<T: std::fmt::Debug>(outcome: Result<T, GrantError>) -> String {
    match outcome.expect_err("nothing is granted") {
        GrantError::Failed(error) => error.reason().code().to_owned(),
        refused => format!("{refused:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

async fn who(world: &World, secret: &Secret) -> Result<(), Reason> {
    world.authority.validation().who_am_i(&presented(secret)).await.map(drop).map_err(|error| error.reason())
}

async fn derive(world: &World, granted: &Granted, scope: Option<Scope>, org: Option<&str>) -> Secret {
    let asked = ExchangeRequest { scope, org: org.map(|slug| slug.parse().expect("a slug")) };
    let derived = world.authority.logins().exchange(granted.access.expose(), &home(), &asked).await;
    derived.expect("derived").secret
}

/// Makes fifty concurrent attempts, and returns the number of successes.
async fn fifty<T: Send + 'static, E: Send + 'static, F>(attempt: impl Fn() -> F) -> usize
where
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut tries = JoinSet::new();
    for _ in 0..50 {
        tries.spawn(attempt());
    }
    tries.join_all().await.iter().filter(|outcome| outcome.is_ok()).count()
}

async fn sound(authority: &Authority) {
    let checked = authority.operator().check(&CONSOLE).await.expect("checked");
    assert!(checked.faults.is_empty(), "{:?}", checked.faults);
}

on_both! {
    async fn an_invitation_works_once_and_sets_a_password(world: &World) {
        let authority = &world.authority;
        let first = authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value;
        let second = authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value;
        let accept = async |code: &str, password: &str| {
            authority.logins().accept_invitation(code, password, &home()).await.map(drop)
        };
        assert_eq!(reason(accept(first.code.expose(), PASSWORD).await), Reason::LinkSpent, "it was replaced");
        for bad in ["short", "password1234"] {
            let why = accept(second.code.expose(), bad).await;
            assert!(matches!(why, Err(AuthorityError::Invalid { field: "password", .. })), "{why:?}");
        }
        accept(second.code.expose(), PASSWORD).await.expect("the password is set");
        assert_eq!(reason(accept(second.code.expose(), PASSWORD).await), Reason::LinkSpent, "it was used");
        assert_eq!(reason(accept("nonsense", "short").await), Reason::LinkSpent);
        assert_eq!(who(world, secret(&world.ada)).await, Err(Reason::SessionRevoked), "what she had ended");

        let sign_in = async |name: &str, password: &str| {
            authority.logins().sign_in(name, password, &home(), None).await.map(|signed_in| signed_in.account.handle)
        };
        for name in ["ada", "ada@example.org", "ADA@Example.ORG", " Ada "] {
            assert_eq!(sign_in(name, PASSWORD).await.expect("signed in"), ada(), "{name}");
        }
        for (name, password) in [("ada", "a walk in the wood"), ("nobody", PASSWORD), ("eve", PASSWORD), ("", "")] {
            assert_eq!(reason(sign_in(name, password).await), Reason::SignInRefused, "{name}");
        }
        let again = ndauth_authority::NewAccount {
            handle: "ada2".parse().expect("a handle"),
            email: "Ada@example.org".parse().expect("an address"),
            name: None,
            operator: false,
        };
        assert_eq!(reason(authority.operator().create_account(&CONSOLE, &again).await), Reason::NameTaken);
        let late = authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value;
        world.clock.set(at(7 * 24 * 60 * 60));
        assert_eq!(reason(accept(late.code.expose(), PASSWORD).await), Reason::LinkSpent, "it is too old");
        sound(authority).await;
    }

    async fn a_link_signs_in_once(world: &World) {
        let authority = &world.authority;
        let before = authority.operator().check(&CONSOLE).await.expect("checked").events;
        let link = authority.logins().sign_in_link(&CONSOLE, &ada()).await.expect("a link");
        let exported = authority.audit().export_at_console(before).await.expect("exported");
        let exported: String = exported.iter().map(ndauth_core::ExportedEvent::to_line).collect();
        assert!(exported.contains("account.sign_in_link_issued") && exported.contains("console"), "{exported}");
        assert!(!exported.contains(link.code.expose()), "{exported}");
        assert_eq!(authority.logins().account_of_link(link.code.expose()).await.expect("hers").handle, ada());
        let invitation = authority.logins().accept_invitation(link.code.expose(), PASSWORD, &home()).await;
        assert_eq!(reason(invitation), Reason::LinkSpent, "it sets no password");
        let code = link.code.expose().to_owned();
        let shared = std::sync::Arc::clone(authority);
        let signed_in = fifty(|| {
            let (authority, code) = (std::sync::Arc::clone(&shared), code.clone());
            async move { authority.logins().sign_in_by_link(&code, &home(), None).await }
        });
        assert_eq!(signed_in.await, 1);
    }

    async fn a_cookie_is_a_browsers_and_changes_at_each_login(world: &World) {
        let authority = &world.authority;
        let first = ada_signed_in(world).await;
        assert_eq!(authority.logins().visit(&first.secret, &home()).await.expect("signed in").account.handle, ada());
        let second = authority.logins().sign_in("ada", PASSWORD, &home(), Some(&first.secret)).await.expect("signed in");
        let visit = async |cookie: &Secret| authority.logins().visit(cookie, &home()).await.map(drop);
        assert_eq!(reason(visit(&first.secret).await), Reason::SessionRevoked);
        // A command line's secret opens no page.
        let granted = authorize_program(world, &second.secret).await;
        assert_eq!(reason(visit(&granted.access).await), Reason::NotPermitted);
        assert_eq!(reason(visit(secret(&world.eve)).await), Reason::NotPermitted);

        // It lasts while it is used, up to the longest lifetime.
        let half = 11 * 60 * 60;
        for day in 1..=(30 * 24 * 60 * 60 / half) {
            world.clock.set(at(day * half));
            visit(&second.secret).await.expect("it is used every eleven hours");
        }
        world.clock.set(at(30 * 24 * 60 * 60));
        assert_eq!(reason(visit(&second.secret).await), Reason::SessionExpired);
        let third = authority.logins().sign_in("ada", PASSWORD, &home(), None).await.expect("signed in");
        world.clock.set(at(30 * 24 * 60 * 60 + 12 * 60 * 60));
        assert_eq!(reason(visit(&third.secret).await), Reason::SessionExpired, "it was idle");
        sound(authority).await;
    }

    async fn codes_are_redeemed_once_and_only_by_their_client(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let asked_for = code(world, &cookie).await;
        let redeem = async |code: &str, redirect: &str, verifier: &str| {
            authority.logins().redeem_code(code, redirect, verifier, &home()).await
        };
        let altered = VERIFIER.replace('d', "e");
        for (code, redirect, verifier) in [
            (asked_for.expose(), REDIRECT, ""),
            (asked_for.expose(), REDIRECT, altered.as_str()),
            (asked_for.expose(), "http://127.0.0.1:4712/callback", VERIFIER),
            ("nonsense", REDIRECT, VERIFIER),
        ] {
            assert_eq!(grant_error(redeem(code, redirect, verifier).await), "InvalidGrant");
        }
        let granted = redeem(asked_for.expose(), REDIRECT, VERIFIER).await.expect("redeemed");
        assert_eq!((granted.access.kind(), granted.refresh.kind()), (SecretKind::Session, SecretKind::Refresh));
        assert_eq!(granted.lasts, Duration::from_secs(15 * 60));
        who(world, &granted.access).await.expect("it serves");
        // Redeeming it again ends the session of the first time (RFC 6749, section 4.1.2).
        assert_eq!(grant_error(redeem(asked_for.expose(), REDIRECT, VERIFIER).await), "InvalidGrant");
        assert_eq!(who(world, &granted.access).await, Err(Reason::SessionRevoked));

        let late = code(world, &cookie).await;
        world.clock.set(at(61));
        assert_eq!(grant_error(redeem(late.expose(), REDIRECT, VERIFIER).await), "InvalidGrant");
        // Signing out everywhere also ends a code that is not redeemed yet.
        let underway = code(world, &cookie).await;
        authority.operator().sign_out(&CONSOLE, &ada()).await.expect("signed out");
        assert_eq!(grant_error(redeem(underway.expose(), REDIRECT, VERIFIER).await), "InvalidGrant");
        sound(authority).await;
    }

    /// A cookie is only valid for pages.
    async fn a_cookie_is_no_credential_of_the_api(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let (caller, authority) = (presented(&cookie), &world.authority);
        assert_eq!(reason(authority.tokens().create(&caller, MINE, &new_token("ci")).await), Reason::NotPermitted);
        assert_eq!(reason(authority.validation().who_am_i(&caller).await), Reason::NotPermitted);
        assert_eq!(reason(authority.orgs().get(&caller, &"ops".parse().expect("a slug")).await), Reason::NotPermitted);
        let asked = ExchangeRequest { scope: None, org: None };
        let exchanged = authority.logins().exchange(cookie.expose(), &home(), &asked).await;
        assert_eq!(grant_error(exchanged), "NOT_PERMITTED");
        authority.logins().visit(&cookie, &home()).await.expect("it is let in by the pages");
        let granted = authorize_program(world, &cookie).await;
        assert_eq!(reason(authority.logins().visit(&granted.access, &home()).await), Reason::NotPermitted);
        who(world, &granted.access).await.expect("a program's is a credential");
    }

    /// A browser's session acts by its cookie alone, and a program's never does.
    async fn a_browser_acts_by_its_cookie(world: &World) {
        let secret = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let cookie = |secret: &Secret| Credential::Cookie { secret: secret.clone(), from: home().address };
        let made = authority.tokens().create(&cookie(&secret), MINE, &new_token("ci")).await.expect("created");
        let id = made.value.view.token.id;
        assert_eq!(reason(authority.tokens().create(&presented(&secret), MINE, &new_token("cd")).await), Reason::NotPermitted);
        let visit = authority.logins().open_visit(&secret, &home()).await.expect("signed in");
        let visit = Credential::Visit(std::sync::Arc::new(visit));
        let shown = authority.tokens().get(&visit, MINE, &Which::Id(id)).await.expect("shown");
        assert_eq!(shown.view.token.id, id);
        // A change is judged anew, in the state that it changes.
        authority.logins().sign_out_here(&secret).await.expect("signed out");
        let revoked = authority.tokens().revoke(&visit, MINE, &Which::Id(id), UNNEEDED).await;
        assert_eq!(reason(revoked), Reason::SessionRevoked);
        let secret = ada_signed_in(world).await.secret;
        let program = authorize_program(world, &secret).await.access;
        assert_eq!(reason(authority.tokens().create(&cookie(&program), MINE, &new_token("cd")).await), Reason::NotPermitted);
        assert!(authority.logins().visit(&made.value.secret, &home()).await.is_err(), "a token is no session");
        sound(authority).await;
    }

    /// A presented secret ends what it belongs to, and nothing else. An unknown secret counts as ended.
    async fn possession_revokes(world: &World) {
        let authority = &world.authority;
        let show = async |secret: &Secret| authority.logins().revoke_presented(secret.expose(), &home()).await;
        // The current secret of each kind of token.
        let cookie = ada_signed_in(world).await.secret;
        let ada = world.log_in("ada").await;
        let derived = derive(world, &authorize_program(world, &cookie).await, None, None).await;
        let personal = world.make(&ada, MINE, &new_token("personal")).await.secret;
        let first = world.make(&ada, MINE, &token_with("waits", |new| new.pending = true)).await.secret;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("own", &["read:assets"])).await.secret;
        for secret in [&derived, &personal, &first, &own] {
            assert_eq!(world.refused_permission(secret, "read:assets").await, None, "{secret:?}");
            show(secret).await.expect("ended");
            assert_eq!(world.refused_permission(secret, "read:assets").await, Some(Reason::TokenRevoked), "{secret:?}");
            show(secret).await.expect("it has ended");
        }
        let listed = authority.tokens().get(&ada, MINE, &Which::Name("personal".to_owned())).await;
        let revocation = listed.expect("shown").view.revocation.expect("its owner may see it");
        assert_eq!(revocation.reason, ndauth_core::RevocationReason::Possession);
        let note = revocation.note.expect("from where").to_string();
        assert!(note.contains(&personal.prefix().to_string()) && note.contains("192.0.2.7"), "{note}");
        // In a rotation, the new secret and the old one only end themselves.
        let old = world.make(&ada, MINE, &new_token("ci")).await.secret;
        let rotate = async || {
            let hour = Duration::from_secs(60 * 60);
            let rotated = authority.tokens().rotate(&ada, MINE, &named("ci"), hour, None).await;
            rotated.expect("rotated").value.secret
        };
        show(&rotate().await).await.expect("dropped");
        assert_eq!(world.refused(&old).await, None, "it lives on");
        let new = rotate().await;
        authority.tokens().confirm_rotation(&ada, MINE, &named("ci"), None).await.expect("confirmed");
        show(&old).await.expect("retired");
        assert_eq!(world.refused(&old).await, Some(Reason::SecretReplaced));
        assert_eq!(world.refused(&new).await, None, "it lives on");
        show(&old).await.expect("noted");
        authority.validation().follow_up().await.expect("recorded");
        assert_eq!(world.refused(&new).await, None);
        // An unknown secret, and a service's.
        let unknown = Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn");
        show(&unknown).await.expect("it has ended");
        authority.logins().revoke_presented("nonsense", &home()).await.expect("it has ended");
        for known in [true, false] {
            let Credential::Secret { secret, .. } = &world.service else { panic!("a secret") };
            let drawn = Secret::mint(SecretKind::Service, &mut SysRng).expect("drawn");
            let outcome = show(if known { secret } else { &drawn }).await;
            assert_eq!(reason(outcome), Reason::SecretKindNotAccepted, "{known}");
        }
        assert_eq!(world.refused(&new).await, None, "the service asks on");
        sound(authority).await;
    }

    /// An authorization by a browser's session that is not redeemed yet ends with the session, whichever way
    /// that ends.
    async fn authorizations_of_a_session_end_with_it(world: &World) {
        let authority = &world.authority;
        for everywhere in [false, true] {
            let cookie = ada_signed_in(world).await.secret;
            let underway = code(world, &cookie).await;
            let begun = authority.logins().begin_device(&home()).await.expect("it waits");
            let typed = begun.user_code.to_string();
            authority.logins().decide_device(&cookie, &home(), &typed, true).await.expect("let in");
            if everywhere {
                authority.operator().sign_out(&CONSOLE, &ada()).await.expect("signed out");
            } else {
                authority.logins().sign_out_here(&cookie).await.expect("signed out");
            }
            let device = authority.logins().poll_device(begun.device_code.expose(), &home()).await;
            assert_eq!(grant_error(device), "InvalidGrant", "{everywhere}");
            let redeemed = authority.logins().redeem_code(underway.expose(), REDIRECT, VERIFIER, &home()).await;
            assert_eq!(grant_error(redeemed), "InvalidGrant", "{everywhere}");
        }
        sound(authority).await;
    }

    /// The last login is the last proof of identity. A consent and a device's code prove nothing.
    async fn a_consent_is_no_login(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let last_login = async || {
            let accounts = authority.operator().list_accounts(&CONSOLE).await.expect("listed").rows;
            accounts.into_iter().find(|account| account.handle == ada()).and_then(|account| account.last_login_at)
        };
        world.clock.set(at(60 * 60));
        authorize_program(world, &cookie).await;
        let begun = authority.logins().begin_device(&home()).await.expect("it waits");
        authority.logins().decide_device(&cookie, &home(), &begun.user_code.to_string(), true).await.expect("let in");
        authority.logins().poll_device(begun.device_code.expose(), &home()).await.expect("let in");
        assert_eq!(last_login().await, Some(at(0)));
        authority.logins().sign_in("ada", PASSWORD, &home(), None).await.expect("signed in");
        assert_eq!(last_login().await, Some(at(60 * 60)));
    }

    /// SEC-14: of fifty concurrent attempts, one succeeds.
    async fn sec_14_single_use_codes_work_once_of_fifty(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let asked_for = code(world, &cookie).await.expose().to_owned();
        let authority = std::sync::Arc::clone(&world.authority);
        let redeemed = fifty(|| {
            let (authority, code) = (std::sync::Arc::clone(&authority), asked_for.clone());
            async move { authority.logins().redeem_code(&code, REDIRECT, VERIFIER, &home()).await }
        });
        assert_eq!(redeemed.await, 1, "codes");

        let begun = authority.logins().begin_device(&home()).await.expect("it waits");
        let (device_code, user_code) = (begun.device_code.expose().to_owned(), begun.user_code.to_string());
        let decided = fifty(|| {
            let (authority, code) = (std::sync::Arc::clone(&authority), user_code.clone());
            let cookie: Secret = cookie.expose().parse().expect("a secret");
            async move { authority.logins().decide_device(&cookie, &home(), &code, true).await }
        });
        assert_eq!(decided.await, 1, "decisions");
        let polled = fifty(|| {
            let (authority, code) = (std::sync::Arc::clone(&authority), device_code.clone());
            async move { authority.logins().poll_device(&code, &home()).await }
        });
        assert_eq!(polled.await, 1, "device codes");

        let link = authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value.code.expose().to_owned();
        let mut tries = JoinSet::new();
        // Each hashes a password, so a few are enough.
        for _ in 0..4 {
            let (authority, code) = (std::sync::Arc::clone(&authority), link.clone());
            tries.spawn(async move { authority.logins().accept_invitation(&code, PASSWORD, &home()).await.is_ok() });
        }
        assert_eq!(tries.join_all().await.into_iter().filter(|accepted| *accepted).count(), 1, "invitations");
        sound(&world.authority).await;
    }

    /// SEC-14: however many refresh at once, one pair of secrets is valid afterwards.
    async fn sec_14_of_fifty_refreshes_one_pair_serves(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let granted = authorize_program(world, &cookie).await;
        let mut tries = JoinSet::new();
        for _ in 0..50 {
            let authority = std::sync::Arc::clone(&world.authority);
            let refresh = granted.refresh.expose().to_owned();
            tries.spawn(async move { authority.logins().refresh(&refresh).await.ok() });
        }
        let given: Vec<Granted> = tries.join_all().await.into_iter().flatten().collect();
        let mut serving = 0;
        for granted in &given {
            serving += usize::from(who(world, &granted.access).await.is_ok());
        }
        assert_eq!(serving, 1, "of {} that were given", given.len());
        assert_eq!(who(world, &granted.access).await, Err(Reason::SessionExpired));
    }

    async fn refresh_secrets_change_at_each_use_and_reuse_ends_the_session(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let refresh = async |secret: &Secret| authority.logins().refresh(secret.expose()).await;
        let first = authorize_program(world, &cookie).await;
        world.clock.set(at(15 * 60));
        assert_eq!(who(world, &first.access).await, Err(Reason::SessionExpired), "at that very instant");
        let lost = refresh(&first.refresh).await.expect("refreshed");
        // The response was lost: within 30 s, while its secrets are unused, the refresh secret may be
        // exchanged again.
        world.clock.set(at(15 * 60 + 30));
        let second = refresh(&first.refresh).await.expect("refreshed");
        assert_eq!(who(world, &lost.access).await, Err(Reason::SessionExpired), "what was lost serves nobody");
        who(world, &second.access).await.expect("it serves");
        world.clock.set(at(15 * 60 + 31));
        let third = refresh(&second.refresh).await.expect("refreshed");
        who(world, &third.access).await.expect("it serves");
        // Its successor was used, so somebody has copied it.
        world.clock.set(at(15 * 60 + 32));
        assert_eq!(grant_error(refresh(&first.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &third.access).await, Err(Reason::SessionRevoked));
        assert_eq!(grant_error(refresh(&third.refresh).await), "InvalidGrant");

        // This also holds at once.
        let granted = authorize_program(world, &cookie).await;
        let next = refresh(&granted.refresh).await.expect("refreshed");
        let last = refresh(&next.refresh).await.expect("refreshed");
        assert_eq!(grant_error(refresh(&granted.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &last.access).await, Err(Reason::SessionRevoked));

        // This also holds if the access secret of the response was used, because the response arrived.
        let granted = authorize_program(world, &cookie).await;
        let next = refresh(&granted.refresh).await.expect("refreshed");
        who(world, &next.access).await.expect("it serves");
        assert_eq!(grant_error(refresh(&granted.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &next.access).await, Err(Reason::SessionRevoked));

        // A retry that comes too late is refused, too.
        let granted = authorize_program(world, &cookie).await;
        let next = refresh(&granted.refresh).await.expect("refreshed");
        world.clock.set(at(15 * 60 + 32 + 31));
        assert_eq!(grant_error(refresh(&granted.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &next.access).await, Err(Reason::SessionRevoked));
        // So is a secret that was replaced.
        let granted = authorize_program(world, &cookie).await;
        let lost = refresh(&granted.refresh).await.expect("refreshed");
        let kept = refresh(&granted.refresh).await.expect("refreshed");
        assert_eq!(grant_error(refresh(&lost.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &kept.access).await, Err(Reason::SessionRevoked));
        // This holds however long ago it was used.
        let granted = authorize_program(world, &cookie).await;
        let mut last = refresh(&granted.refresh).await.expect("refreshed");
        for half in 1..=5 {
            world.clock.set(at(15 * 60 + 63 + half * 11 * 60 * 60));
            last = refresh(&last.refresh).await.expect("refreshed");
        }
        assert_eq!(grant_error(refresh(&granted.refresh).await), "InvalidGrant");
        assert_eq!(who(world, &last.access).await, Err(Reason::SessionRevoked));
        for nonsense in ["", "ndref_x", granted.access.expose(), cookie.expose()] {
            assert_eq!(grant_error(authority.logins().refresh(nonsense).await), "InvalidGrant");
        }
        sound(authority).await;
    }

    async fn a_session_ends_when_it_is_idle_and_after_the_longest(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let idle = authorize_program(world, &cookie).await;
        let mut used = authorize_program(world, &cookie).await;
        let refresh = async |secret: &Secret| world.authority.logins().refresh(secret.expose()).await;
        let half = 11 * 60 * 60;
        world.clock.set(at(12 * 60 * 60));
        assert_eq!(grant_error(refresh(&idle.refresh).await), "InvalidGrant");
        let cookie = world.authority.logins().sign_in("ada", PASSWORD, &home(), None).await.expect("signed in").secret;
        let begun = 12 * 60 * 60;
        used = match refresh(&used.refresh).await {
            Err(_) => authorize_program(world, &cookie).await,
            Ok(granted) => granted,
        };
        for step in 1..=(30 * 24 * 60 * 60 / half) {
            world.clock.set(at(begun + step * half));
            used = refresh(&used.refresh).await.expect("it is used every eleven hours");
        }
        world.clock.set(at(begun + 30 * 24 * 60 * 60));
        assert_eq!(grant_error(refresh(&used.refresh).await), "InvalidGrant");
        sound(&world.authority).await;
    }

    async fn a_device_waits_for_its_person(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let remote = Visitor { address: "198.51.100.9".parse().ok(), device: "ndcli on a server".parse().ok() };
        let begun = authority.logins().begin_device(&remote).await.expect("it waits");
        assert_eq!((begun.lasts.as_secs(), begun.interval.as_secs()), (600, 5));
        let poll = async || authority.logins().poll_device(begun.device_code.expose(), &remote).await;
        assert_eq!(grant_error(poll().await), "Pending");
        assert_eq!(grant_error(poll().await), "SlowDown", "it asked at once again");
        world.clock.set(at(11));
        assert_eq!(grant_error(poll().await), "Pending", "it waited ten seconds");

        let typed = begun.user_code.to_string().to_lowercase().replace('-', " ");
        let shown = authority.logins().find_waiting_device(&cookie, &home(), &typed).await.expect("it is found");
        assert_eq!((shown.name(), shown.address), ("ndcli on a server", remote.address));
        authority.logins().decide_device(&cookie, &home(), &typed, true).await.expect("let in");
        assert_eq!(
            reason(authority.logins().decide_device(&cookie, &home(), &typed, false).await),
            Reason::NotFound,
            "once"
        );
        let granted = poll().await.expect("let in");
        who(world, &granted.access).await.expect("it serves");
        assert_eq!(grant_error(poll().await), "InvalidGrant", "once");

        let denied = authority.logins().begin_device(&remote).await.expect("it waits");
        authority.logins().decide_device(&cookie, &home(), &denied.user_code.to_string(), false).await.expect("kept out");
        let outcome = authority.logins().poll_device(denied.device_code.expose(), &remote).await;
        assert_eq!(grant_error(outcome), "Denied");
        let late = authority.logins().begin_device(&remote).await.expect("it waits");
        world.clock.set(at(11 + 600));
        assert_eq!(grant_error(authority.logins().poll_device(late.device_code.expose(), &remote).await), "Expired");
        let decided = authority.logins().decide_device(&cookie, &home(), &late.user_code.to_string(), true).await;
        assert_eq!(reason(decided), Reason::NotFound);
        assert_eq!(grant_error(authority.logins().poll_device("nonsense", &remote).await), "InvalidGrant");
        sound(authority).await;
    }

    async fn device_codes_are_limited_in_tries_and_number(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let guess = async |code: &str| authority.logins().find_waiting_device(&cookie, &home(), code).await.map(drop);
        for _ in 0..10 {
            assert_eq!(reason(guess("BCDF-GHJK").await), Reason::NotFound);
        }
        assert_eq!(reason(guess("BCDF-GHJK").await), Reason::TooManyTries);
        for _ in 0..100 {
            authority.logins().begin_device(&home()).await.expect("it waits");
        }
        assert_eq!(grant_error(authority.logins().begin_device(&home()).await), "TOO_MANY_TRIES");
        authority.logins().begin_device(&from("198.51.100.9")).await.expect("others are let be");
    }

    async fn a_login_by_a_devices_code_is_never_recent_and_others_are_for_15_minutes(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        world.member("ops", "ada", Role::Admin).await;
        let begun = authority.logins().begin_device(&home()).await.expect("it waits");
        authority.logins().decide_device(&cookie, &home(), &begun.user_code.to_string(), true).await.expect("let in");
        let device = authority.logins().poll_device(begun.device_code.expose(), &home()).await.expect("let in");
        let cli = authorize_program(world, &cookie).await;
        let ops = "ops".parse().expect("a slug");
        let policy = ndauth_authority::NewPolicy {
            policy: OrgPolicy::OPEN,
            effective_in: Duration::ZERO,
            announced: ndauth_authority::Announced::Keep,
            expected: None,
        };
        let endless = token_with("endless", |new| {
            new.expiry = ndauth_core::ExpiryChoice::In(Lifetime::Endless);
        });
        let at_once = presented(&cli.access);
        let mut never = endless.clone();
        never.name = "endures".parse().expect("a name");
        authority.tokens().create(&at_once, MINE, &never).await.expect("made");
        let all = async |secret: &Secret, name: &str| {
            let caller = presented(secret);
            let rotated = authority.tokens().rotate(&caller, MINE, &named("endures"), Duration::ZERO, None).await;
            if rotated.is_ok() {
                authority.tokens().drop_rotation(&caller, MINE, &named("endures")).await.expect("dropped");
            }
            let mut endless = endless.clone();
            endless.name = name.parse().expect("a name");
            [
                rotated.map(drop),
                authority.tokens().create(&caller, MINE, &endless).await.map(drop),
                authority.orgs().set_member(&caller, &ops, &"eve".parse().expect("a handle"), Role::Admin).await.map(drop),
                authority.orgs().set_policy(&caller, &ops, &policy).await.map(drop),
                authority.orgs().freeze(&caller, &ops).await.map(drop),
                authority.orgs().unfreeze(&caller, &ops).await.map(drop),
            ]
        };
        for outcome in all(&device.access, "by a device").await {
            assert_eq!(reason(outcome), Reason::LoginNotRecent);
        }
        // It may do everything else.
        authority.tokens().create(&presented(&device.access), MINE, &new_token("ends")).await.expect("made");
        for outcome in all(&cli.access, "at once").await {
            outcome.expect("it is recent");
        }
        world.clock.set(at(15 * 60));
        let cli = authority.logins().refresh(cli.refresh.expose()).await.expect("refreshed");
        for outcome in all(&cli.access, "at the very end").await {
            outcome.expect("it is recent still");
        }
        world.clock.set(at(15 * 60 + 1));
        for outcome in all(&cli.access, "too late").await {
            assert_eq!(reason(outcome), Reason::LoginNotRecent);
        }
        // A new code from the same browser proves nothing new.
        let again = authorize_program(world, &cookie).await;
        assert_eq!(reason(all(&again.access, "x").await.into_iter().next().expect("five")), Reason::LoginNotRecent);
    }

    async fn derived_tokens_do_no_more_than_requested_and_manage_nothing(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let granted = authorize_program(world, &cookie).await;
        let authority = &world.authority;
        let all = derive(world, &granted, None, None).await;
        let read_ops = derive(world, &granted, Some(Scope::Ro), Some("ops")).await;
        assert_eq!(all.kind(), SecretKind::Access);
        let may = async |secret: &Secret, org: &str, access: Scope| {
            let verdict = world.ask(&world.service, secret.expose(), &needs(org, access, None)).await;
            verdict.outcome.map(|allowed| allowed.owner).map_err(|refusal| refusal.reason())
        };
        assert_eq!(may(&all, "ops", Scope::Rw).await, Ok("ada".to_owned()));
        assert_eq!(may(&all, "dev", Scope::Rw).await, Err(Reason::RoleTooLow), "her role bounds it");
        assert_eq!(may(&read_ops, "ops", Scope::Ro).await, Ok("ada".to_owned()));
        assert_eq!(may(&read_ops, "ops", Scope::Rw).await, Err(Reason::ScopeTooNarrow));
        assert_eq!(may(&read_ops, "dev", Scope::Ro).await, Err(Reason::OrgNotCovered));

        let exchange = async |subject: &str, org: Option<&str>| {
            let org = org.map(|slug| slug.parse().expect("a slug"));
            authority.logins().exchange(subject, &home(), &ExchangeRequest { scope: None, org }).await.map(drop)
        };
        assert_eq!(grant_error(exchange(granted.access.expose(), Some("nowhere")).await), "InvalidTarget");
        // SEC-03: a secret that is narrower than its owner cannot become wider here.
        let narrow = token_with("narrow", |new| new.scope = Some(Scope::Ro));
        let narrow = authority.tokens().create(&presented(&granted.access), MINE, &narrow).await.expect("made").value.secret;
        for subject in [narrow.expose(), all.expose(), granted.refresh.expose(), "nonsense"] {
            assert_eq!(grant_error(exchange(subject, None).await), "InvalidGrant");
        }
        // It is valid for services, and manages nothing here.
        assert_eq!(who(world, &all).await, Err(Reason::SecretKindNotAccepted));
        let made = authority.tokens().create(&presented(&all), MINE, &new_token("x")).await;
        assert_eq!(reason(made), Reason::SecretKindNotAccepted);
        // It is in no list, and does not count towards the 25.
        let every = ndauth_authority::TokenQuery::all(true, 100);
        let listed = authority.tokens().list(&presented(&granted.access), MINE, &every).await.expect("listed").views;
        let names: Vec<String> =
            listed.iter().map(|view| view.token.name.to_string()).collect();
        assert_eq!(names, ["narrow"]);
        world.clock.set(at(15 * 60));
        assert_eq!(may(&all, "ops", Scope::Rw).await, Err(Reason::TokenExpired));
        sound(authority).await;
    }

    /// SEC-11: however a session ends, everything that it gave ends with it: cookies, secrets, and derived
    /// tokens.
    async fn sec_11_everything_a_session_gave_ends_with_it(world: &World) {
        let authority = &world.authority;
        let mut cookie = ada_signed_in(world).await.secret;
        for how in ["one", "all", "revoked", "signed out", "password", "disabled"] {
            let granted = authorize_program(world, &cookie).await;
            let derived = derive(world, &granted, None, None).await;
            let identity = async || {
                let verdict = world.ask(&world.service, derived.expose(), &Requirement::Identity).await;
                verdict.outcome.map(drop).map_err(|refusal| refusal.reason())
            };
            assert_eq!(identity().await, Ok(()), "{how}");
            let caller = presented(&granted.access);
            let listed = authority.logins().list_my_sessions(&caller).await.expect("listed").rows;
            let current = listed.iter().find(|row| row.current).expect("itself").session.clone();
            assert_eq!(current.device.as_ref().map(ToString::to_string).as_deref(), Some("ndcli 0.1.0 on vm"));
            let mut only_it = true;
            match how {
                "one" => {
                    let ended = authority.logins().revoke_sessions(&caller, &WhichSessions::One(current.id)).await;
                    assert_eq!(ended.expect("ended").value, 1);
                }
                "revoked" => authority.logins().revoke_presented(granted.refresh.expose(), &home()).await.expect("ended"),
                "all" => {
                    let ended = authority.logins().revoke_sessions(&caller, &WhichSessions::All).await.expect("ended").value;
                    assert_eq!(ended, listed.len() as u64);
                    only_it = false;
                }
                "signed out" => {
                    authority.operator().sign_out(&CONSOLE, &ada()).await.expect("ended");
                    only_it = false;
                }
                "password" => {
                    let link = authority.logins().invite(&CONSOLE, &ada()).await.expect("a link").value;
                    authority.logins().accept_invitation(link.code.expose(), PASSWORD, &home()).await.expect("set");
                    only_it = false;
                }
                _ => {
                    authority.operator().disable_account(&CONSOLE, &ada()).await.expect("disabled");
                    only_it = false;
                }
            }
            let (session, token) = match how {
                "disabled" => (Reason::AccountDisabled, Reason::TokenRevoked),
                _ => (Reason::SessionRevoked, Reason::TokenRevoked),
            };
            assert_eq!(who(world, &granted.access).await, Err(session), "{how}");
            assert_eq!(grant_error(authority.logins().refresh(granted.refresh.expose()).await), "InvalidGrant");
            assert_eq!(identity().await, Err(token), "{how}");
            let visit = authority.logins().visit(&cookie, &home()).await.map(drop);
            if only_it {
                visit.expect("the browser's goes on");
            } else {
                assert_eq!(reason(visit), session, "{how}");
                authority.operator().enable_account(&CONSOLE, &ada()).await.expect("enabled");
                assert_eq!(who(world, &granted.access).await, Err(Reason::SessionRevoked), "{how}: for good");
                assert_eq!(identity().await, Err(Reason::TokenRevoked), "{how}: for good");
                cookie = authority.logins().sign_in("ada", PASSWORD, &home(), None).await.expect("signed in").secret;
            }
            sound(authority).await;
        }
    }

    async fn nobody_ends_anothers_session(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let granted = authorize_program(world, &cookie).await;
        let rows = world.authority.logins().list_my_sessions(&presented(&granted.access)).await.expect("listed").rows;
        for row in &rows {
            let ended = world.authority.logins().revoke_sessions(&world.eve, &WhichSessions::One(row.session.id)).await;
            assert_eq!(reason(ended), Reason::NotFound);
        }
        assert!(who(world, &granted.access).await.is_ok());
    }

    async fn strangers_do_not_lock_an_owner_out(world: &World) {
        let authority = &world.authority;
        ada_signed_in(world).await;
        let sign_in = async |name: &str, password: &str, address: &str| {
            authority.logins().sign_in(name, password, &from(address), None).await.map(drop)
        };
        // Ten tries of one name from one place, however the name is written.
        for number in 0..10 {
            let name = ["ada", "ADA ", " Ada"][number % 3];
            assert_eq!(reason(sign_in(name, "wrong", "198.51.100.9").await), Reason::SignInRefused);
        }
        let refused = sign_in("ada", PASSWORD, "198.51.100.9").await.expect_err("too many");
        assert!(matches!(refused, AuthorityError::TooManyTries { after } if after <= Duration::from_secs(900)));
        // The count does not reveal that a handle and an address belong to one person.
        assert_eq!(reason(sign_in("ada@example.org", "wrong", "198.51.100.9").await), Reason::SignInRefused);
        sign_in("ada", PASSWORD, "192.0.2.7").await.expect("her own place is let be");
        // One network of IPv6 is one place.
        for number in 0..10 {
            let address = format!("2001:db8::{number}");
            assert_eq!(reason(sign_in("ada", "wrong", &address).await), Reason::SignInRefused);
        }
        assert_eq!(reason(sign_in("ada", "wrong", "2001:db8::ffff").await), Reason::TooManyTries);
        world.clock.set(at(90));
        sign_in("ada", PASSWORD, "198.51.100.9").await.expect("a try is back");
    }

    /// Tries from many networks share a limit, and the wait is short. The owner is not limited by it in a
    /// browser that was hers.
    async fn strangers_do_not_delay_the_owner(world: &World) {
        let authority = &world.authority;
        let cookie = ada_signed_in(world).await.secret;
        authority.logins().sign_out_here(&cookie).await.expect("signed out");
        for number in 0..200 {
            let stranger = from(&format!("2001:db8:0:{:x}::1", number / 10));
            let refused = authority.logins().sign_in("ada", "wrong", &stranger, None).await;
            assert_eq!(reason(refused), Reason::SignInRefused, "{number}");
        }
        let elsewhere = from("198.51.100.9");
        let sign_in = async |cookie: Option<&Secret>| {
            authority.logins().sign_in("ada", PASSWORD, &elsewhere, cookie).await.map(drop)
        };
        let refused = sign_in(None).await.expect_err("strangers wait");
        assert!(matches!(refused, AuthorityError::TooManyTries { after } if after <= Duration::from_millis(4500)));
        let another = Secret::mint(SecretKind::Session, &mut SysRng).expect("drawn");
        assert_eq!(reason(sign_in(Some(&another)).await), Reason::TooManyTries, "a cookie of nobody's");
        sign_in(Some(&cookie)).await.expect("her own browser");
        world.clock.set(at(5));
        let stranger = from("2001:db8:1::1");
        let tried = authority.logins().sign_in("ada", "wrong", &stranger, None).await;
        assert_eq!(reason(tried), Reason::SignInRefused, "one is back");
    }

    async fn a_person_of_another_provider_is_known_by_issuer_and_subject(world: &World) {
        let authority = &world.authority;
        let identity = |issuer: &str, subject: &str| Identity { issuer: issuer.into(), subject: subject.into() };
        let hers = identity("https://idp.example", "248289761001");
        authority.logins().identify_account(&CONSOLE, &ada(), &hers).await.expect("hers");
        let taken = authority.logins().identify_account(&CONSOLE, &"eve".parse().expect("a handle"), &hers).await;
        assert_eq!(reason(taken), Reason::NameTaken);
        let signed_in = authority.logins().sign_in_identified(&hers, &home(), None).await.expect("signed in");
        assert_eq!(signed_in.account.handle, ada());
        for stranger in [
            identity("https://other.example", "248289761001"),
            identity("https://idp.example", "ada@example.org"),
            identity("https://idp.example", "ada"),
        ] {
            let refused = authority.logins().sign_in_identified(&stranger, &home(), None).await;
            assert_eq!(reason(refused), Reason::SignInRefused);
        }
    }

    /// A permitted action has a rate limit for each caller, which does not affect others.
    async fn logins_refreshes_and_derived_tokens_are_bounded(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let authority = &world.authority;
        let mut granted = authorize_program(world, &cookie).await;
        let asked = ExchangeRequest { scope: None, org: None };
        let exchange = async |granted: &Granted| {
            authority.logins().exchange(granted.access.expose(), &home(), &asked).await.map(drop)
        };
        for _ in 0..200 {
            exchange(&granted).await.expect("derived");
        }
        // Ending the session and beginning another does not evade the limit.
        authority.logins().revoke_presented(granted.refresh.expose(), &home()).await.expect("ended");
        granted = authorize_program(world, &cookie).await;
        assert_eq!(grant_error(exchange(&granted).await), "TOO_MANY_TRIES");
        world.clock.set(at(15 * 60));
        for _ in 0..60 {
            granted = authority.logins().refresh(granted.refresh.expose()).await.expect("refreshed");
        }
        exchange(&granted).await.expect("the first are over");
        assert_eq!(grant_error(authority.logins().refresh(granted.refresh.expose()).await), "TOO_MANY_TRIES");
        who(world, &granted.access).await.expect("it serves");

        let identity = Identity { issuer: "https://idp.example".into(), subject: "248289761001".into() };
        authority.logins().identify_account(&CONSOLE, &ada(), &identity).await.expect("hers");
        let sign_in = async || authority.logins().sign_in_identified(&identity, &home(), None).await.map(drop);
        for _ in 0..120 {
            sign_in().await.expect("signed in");
        }
        assert_eq!(reason(sign_in().await), Reason::TooManyTries);
        world.clock.set(at(60 * 60));
        sign_in().await.expect("the while is over");
        sound(authority).await;
    }

    /// A stored hash that cannot be parsed is not a wrong password.
    async fn a_damaged_password_is_not_a_wrong_one(world: &World) {
        ada_signed_in(world).await;
        let store = Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        execute(&store, "UPDATE password SET phc = '$argon2id$nonsense'").await;
        store.close().await.expect("closed");
        let refused = world.authority.logins().sign_in("ada", PASSWORD, &home(), None).await;
        assert_eq!(reason(refused), Reason::Internal);
    }

    async fn sessions_dead_for_a_day_are_removed(world: &World) {
        let cookie = ada_signed_in(world).await.secret;
        let granted = authorize_program(world, &cookie).await;
        derive(world, &granted, None, None).await;
        world.clock.set(at(31 * 24 * 60 * 60));
        let tidied = world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied");
        assert_eq!(tidied.tokens, 1, "{tidied:?}");
        assert!(tidied.sessions >= 2, "{tidied:?}");
        sound(&world.authority).await;
    }
}

fn secret(credential: &Credential) -> &Secret {
    let Credential::Secret { secret, .. } = credential else { panic!("a secret") };
    secret
}
