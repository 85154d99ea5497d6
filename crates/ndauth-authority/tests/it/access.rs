use std::path::Path;
use std::time::Duration;

use ndauth_authority::access::{Operation, TABLE};
use ndauth_authority::{
    AnyToken, Authority, AuthorityError, Credential, NewAccount, NewOrg, NewService, Question, Settlement,
    TokenName, TokenPage,
};
use ndauth_core::{Actions, Grant, Grants, Orgs, Reason, Requirement, Role, Secret, SecretKind, Timestamp};

use crate::on_both;
use crate::world::{CONSOLE, days, new_token, presented, reason};

const PAGE: TokenPage = TokenPage { include_revoked: false, after: None, limit: 100 };

/// Calls an operation in the most harmless way there is, about the token of this name.
async fn call(
    authority: &Authority,
    caller: &Credential,
    operation: Operation,
    token: &str,
) -> Result<(), AuthorityError> {
    let name = TokenName::Name(token.parse().expect("a name"));
    let (handle, slug) = ("ada".parse().expect("a handle"), "ops".parse().expect("a slug"));
    match operation {
        Operation::CreateToken => authority.create_token(caller, &new_token("made")).await.map(drop),
        Operation::ListTokens => authority.list_tokens(caller, PAGE).await.map(drop),
        Operation::GetToken => authority.get_token(caller, &name).await.map(drop),
        Operation::RevokeToken => authority.revoke_token(caller, &name).await.map(drop),
        Operation::ValidateToken => {
            let question = Question { secret: "", requirement: &Requirement::Identity, client_address: None };
            authority.validate(caller, &question).await.map(drop)
        }
        Operation::WhoAmI => authority.who_am_i(caller).await.map(drop),
        Operation::ListOrgs => authority.list_orgs(caller).await.map(drop),
        Operation::CreateAccount => {
            let new = NewAccount {
                handle: "new".parse().expect("a handle"),
                email: "new@example.org".parse().expect("an address"),
                name: None,
                operator: true,
            };
            authority.create_account(caller, &new).await.map(drop)
        }
        Operation::DisableAccount => authority.enable_account(caller, &handle).await.map(drop),
        Operation::CreateOrg => {
            let new = NewOrg { slug: "new".parse().expect("a slug"), name: None };
            authority.create_org(caller, &new).await.map(drop)
        }
        Operation::DeleteOrg => authority.delete_org(caller, &"new".parse().expect("a slug")).await,
        Operation::SetMember => authority.set_member(caller, &slug, &handle, Role::Rw).await,
        Operation::RemoveMember => {
            authority.remove_member(caller, &slug, &"eve".parse().expect("a handle")).await
        }
        Operation::IssueSession => authority.issue_session(caller, &handle, days(1)).await.map(drop),
        Operation::CreateService => {
            let new = NewService { name: "new".parse().expect("a name"), orgs: Orgs::All };
            authority.create_service(caller, &new).await.map(drop)
        }
        Operation::RevokeService => authority.revoke_service(caller, &"new".parse().expect("a name")).await,
        Operation::Inspect => authority.list_accounts(caller).await.map(drop),
        Operation::ExportEvents => authority.export_events(caller, 0).await.map(drop),
        // What PostgreSQL cannot do is told behind the door; who may not comes no further.
        Operation::Backup => match authority.back_up(caller, Path::new("/nonexistent/copy.db")).await {
            Err(AuthorityError::Copy(_)) => Ok(()),
            other => other.map(drop),
        },
        Operation::AfterRestore => {
            let none = Settlement::NotBefore(Timestamp::MIN);
            authority.after_restore(caller, &none).await.map(drop)
        }
        Operation::SignOut => authority.sign_out(caller, &"eve".parse().expect("a handle")).await.map(drop),
        Operation::RevokeAnyToken => {
            let name = AnyToken::Of(handle, token.parse().expect("a name"));
            authority.revoke_any_token(caller, &name).await.map(drop)
        }
        Operation::RotateService => {
            let name = "ops only".parse().expect("a name");
            authority.rotate_service(caller, &name, Duration::ZERO).await.map(drop)
        }
        // The surface serves these by itself.
        Operation::CheckHealth | Operation::Reflect => Ok(()),
    }
}

fn granted(resource_type: &str, action: &str) -> Grants {
    Grants::only([Grant {
        resource_type: resource_type.parse().expect("a resource type"),
        resource_ids: "*".parse().expect("resource ids"),
        actions: Actions::Only([action.parse().expect("an action")].into()),
    }])
    .expect("grants")
}

on_both! {
    /// Every operation, by every kind of caller: `+` may, anything else is why not.
    async fn the_matrix_holds(world: &World) {
        let all = presented(&world.create(&new_token("all")).await.secret);
        let limited = |name: &str, grants| ndauth_authority::NewToken { grants, ..new_token(name) };
        let reading = presented(&world.create(&limited("reading", granted("tokens", "read"))).await.secret);
        let assets = presented(&world.create(&limited("assets", granted("assets", "read"))).await.secret);
        world.create(&new_token("victim")).await;
        let callers = [
            ("nobody", &Credential::Nothing), ("console", &CONSOLE), ("session", &world.ada),
            ("token", &all), ("token:tokens", &reading), ("token:assets", &assets), ("service", &world.service),
        ];
        let mut matrix = String::new();
        for row in &TABLE {
            matrix.push_str(&format!("{:?}:", row.operation));
            for (name, caller) in &callers {
                let told = match call(&world.authority, caller, row.operation, "victim").await {
                    Ok(()) => format!(" {name}+"),
                    Err(error) => match error.reason() {
                        Reason::CredentialMissing => String::new(),
                        Reason::NotPermitted => " -".to_owned(),
                        Reason::SessionRequired => format!(" {name}:login"),
                        other => format!(" {name}:{}", other.code()),
                    },
                };
                matrix.push_str(&told);
            }
            matrix.push('\n');
        }
        let expected = "\
CreateToken: - session+ token:login token:tokens:login token:assets:login -
ListTokens: - session+ token+ token:tokens+ - -
GetToken: - session+ token+ token:tokens+ token:assets:login -
RevokeToken: - session+ token:NOT_FOUND token:tokens:NOT_FOUND token:assets:NOT_FOUND -
ValidateToken: - - - - - service+
WhoAmI: - session+ token+ token:tokens+ token:assets+ service+
ListOrgs: - session+ token+ token:tokens+ token:assets+ -
CreateAccount: console+ - - - - -
DisableAccount: console+ - - - - -
CreateOrg: console+ - - - - -
DeleteOrg: console+ - - - - -
SetMember: console+ - - - - -
RemoveMember: console+ - - - - -
IssueSession: console+ - - - - -
CreateService: console+ - - - - -
RevokeService: console+ - - - - -
Inspect: console+ - - - - -
ExportEvents: console+ - - - - -
Backup: console+ - - - - -
AfterRestore: console+ - - - - -
SignOut: console+ - - - - -
RevokeAnyToken: console:NOT_FOUND - - - - -
RotateService: console+ - - - - -
CheckHealth: nobody+ console+ session+ token+ token:tokens+ token:assets+ service+
Reflect: nobody+ console+ session+ token+ token:tokens+ token:assets+ service+
";
        assert_eq!(matrix, expected);
    }

    async fn a_token_revokes_itself_and_no_other(world: &World) {
        let token = world.create(&new_token("itself")).await.secret;
        world.create(&new_token("other")).await;
        let revoke = async |name: &str| {
            let name = TokenName::Name(name.parse().expect("a name"));
            world.authority.revoke_token(&presented(&token), &name).await
        };
        assert_eq!(reason(revoke("other").await), Reason::SessionRequired);
        assert!(revoke("itself").await.is_ok());
        assert_eq!(reason(revoke("itself").await), Reason::TokenRevoked);
    }

    async fn a_token_shows_itself_without_any_grant(world: &World) {
        let new = ndauth_authority::NewToken { grants: granted("assets", "read"), ..new_token("narrow") };
        let token = presented(&world.create(&new).await.secret);
        world.create(&new_token("other")).await;
        let get = async |name: &str| {
            world.authority.get_token(&token, &TokenName::Name(name.parse().expect("a name"))).await
        };
        assert!(get("narrow").await.is_ok());
        assert_eq!(reason(get("other").await), Reason::SessionRequired);
    }

    async fn anothers_token_is_as_unknown_as_none(world: &World) {
        let token = world.create(&new_token("mine")).await.view.token;
        let strangers = [TokenName::Id(token.id), TokenName::Name(token.name.clone())];
        for name in &strangers {
            assert_eq!(reason(world.authority.get_token(&world.eve, name).await), Reason::NotFound);
            assert_eq!(reason(world.authority.revoke_token(&world.eve, name).await), Reason::NotFound);
        }
        assert!(world.authority.get_token(&world.ada, &strangers[0]).await.is_ok());
    }

    async fn dead_and_foreign_credentials_are_told_apart(world: &World) {
        let unknown: Secret = "ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret");
        let who = async |credential: &Credential| world.authority.who_am_i(credential).await;
        assert_eq!(reason(who(&presented(&unknown)).await), Reason::SecretUnknown);
        for kind in [SecretKind::Org, SecretKind::Refresh, SecretKind::Access] {
            let text = unknown.expose().replace("ndses_", kind.marker());
            let secret = text.parse().expect("a secret");
            assert_eq!(reason(who(&presented(&secret)).await), Reason::SecretKindNotAccepted);
        }

        world.authority.revoke_service(&CONSOLE, &"registry".parse().expect("a name")).await.expect("revoked");
        assert_eq!(reason(who(&world.service).await), Reason::ServiceRevoked);

        let ada = "ada".parse().expect("a handle");
        let token = presented(&world.create(&new_token("ci")).await.secret);
        assert_eq!(world.authority.disable_account(&CONSOLE, &ada).await.ok(), Some(true));
        assert_eq!(world.authority.disable_account(&CONSOLE, &ada).await.ok(), Some(false));
        assert_eq!(reason(who(&world.ada).await), Reason::AccountDisabled);
        assert_eq!(reason(who(&token).await), Reason::AccountDisabled);
        assert_eq!(reason(world.authority.issue_session(&CONSOLE, &ada, days(1)).await), Reason::AccountDisabled);
        assert_eq!(world.authority.enable_account(&CONSOLE, &ada).await.ok(), Some(true));
        assert!(who(&world.ada).await.is_ok() && who(&token).await.is_ok());

        world.clock.set(crate::world::at(24 * 60 * 60));
        assert_eq!(reason(who(&world.ada).await), Reason::SessionExpired);
    }
}
