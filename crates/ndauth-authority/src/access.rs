//! The access table: which kind of caller may call what. What has no row is refused.

use ndauth_core::{Grants, Owner, Permission, Role, TokenId};

use crate::{AuthorityError, Caller};

/// Something that can be asked of the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Make a personal token.
    CreateToken,
    /// List one's personal tokens.
    ListTokens,
    /// Show one of one's personal tokens.
    GetToken,
    /// Revoke one of one's personal tokens.
    RevokeToken,
    /// Give one of one's tokens a new secret.
    RotateToken,
    /// Confirm or drop a new secret of one of one's tokens, or retire the old one.
    SettleRotation,
    /// Move the end of one of one's tokens.
    RenewToken,
    /// Take the power of one of one's tokens for now.
    SuspendToken,
    /// Give it back.
    ResumeToken,
    /// Shut out all of one's tokens that were minted before an instant.
    RevokeAllTokens,
    /// Shut out all of somebody's tokens that were minted before an instant.
    RevokeAccountTokens,
    /// Ask why a token may or may not do a thing.
    ExplainToken,
    /// Ask whether a secret may do a thing.
    ValidateToken,
    /// Ask of many secrets whether they may do a thing.
    ValidateTokens,
    /// Ask whether a secret may do a thing, and what that follows from.
    Resolve,
    /// Hear what changes of that which was asked about.
    WatchRevocations,
    /// Ask who one is.
    WhoAmI,
    /// List the orgs one is a member of.
    ListOrgs,
    /// List the permissions there are.
    ListPermissions,
    /// Show an org.
    GetOrg,
    /// List the members of an org.
    ListMembers,
    /// Show the policy of an org.
    GetOrgPolicy,
    /// Give an org a policy.
    SetOrgPolicy,
    /// Make a token of an org.
    CreateOrgToken,
    /// List the tokens of an org.
    ListOrgTokens,
    /// Show a token of an org.
    GetOrgToken,
    /// Revoke a token of an org.
    RevokeOrgToken,
    /// Give a token of an org a new secret.
    RotateOrgToken,
    /// Confirm or drop a new secret of a token of an org, or retire the old one.
    SettleOrgRotation,
    /// Move the end of a token of an org.
    RenewOrgToken,
    /// Take a token's power in an org for now.
    SuspendOrgToken,
    /// Give it back.
    ResumeOrgToken,
    /// Shut out of an org all tokens that were minted before an instant.
    RevokeAllOrgTokens,
    /// List the personal tokens that may have power in an org.
    ListPersonalTokens,
    /// Freeze an org.
    FreezeOrg,
    /// End that.
    UnfreezeOrg,
    /// Replace the catalogue.
    ApplyCatalogue,
    /// Make an account.
    CreateAccount,
    /// Take an account's power, or give it back.
    DisableAccount,
    /// Make an org.
    CreateOrg,
    /// Delete an org.
    DeleteOrg,
    /// Give a role in an org.
    SetMember,
    /// Take someone out of an org.
    RemoveMember,
    /// Begin a session for an account.
    IssueSession,
    /// Register a service.
    CreateService,
    /// Revoke a service.
    RevokeService,
    /// List what everyone has, and check it.
    Inspect,
    /// Read the log.
    ExportEvents,
    /// Copy the database.
    Backup,
    /// Put a restored copy into service.
    AfterRestore,
    /// End an account's sessions.
    SignOut,
    /// Revoke anybody's token.
    RevokeAnyToken,
    /// Take the power of anybody's token for now, or give it back.
    SuspendAnyToken,
    /// Remove what is long dead.
    TidyUp,
    /// Give a service a new secret, and settle that.
    RotateService,
    /// List one's sessions.
    ListSessions,
    /// End one's sessions.
    RevokeSessions,
    /// Ask where the endpoints are, and what they take.
    Discover,
    /// Sign a browser in or out.
    SignIn,
    /// Let a program have a session.
    Authorize,
    /// Let a device have a session, by its code.
    LetDeviceIn,
    /// Wait as a device to be let in.
    AskForDevice,
    /// Get a session's secrets, or a token that is derived from one.
    IssueTokens,
    /// End the session of a secret.
    RevokeLogin,
    /// Make a link by which an account's person sets a password.
    Invite,
    /// Make a link by which an account's person signs in.
    IssueLink,
    /// Make a person of another identity provider an account's.
    IdentifyAccount,
    /// Ask whether the server serves.
    CheckHealth,
    /// Ask what the server's interface is.
    Reflect,
}

/// Whether a kind of caller may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It may not.
    No,
    /// It may not, but a person who is logged in may.
    Login,
    /// It may.
    Yes,
    /// A session may, if its account is an operator's.
    Operator,
    /// A token may, if its grants are all or name `read:tokens`.
    ReadTokens,
    /// As [`Rule::ReadTokens`]; without them, only where it concerns itself.
    ReadTokensOrItself,
    /// Only where it concerns itself.
    Itself,
    /// As [`Rule::Itself`], if it was made to rotate itself.
    SelfRotating,
    /// A session may, if its account has at least this role in the org that is concerned.
    Member(Role),
    /// As [`Rule::Member`], and the person logged in lately.
    Recent(Role),
    /// A token may, if it has any power in the org that is concerned.
    Power,
    /// A token may, if it may do this, `action:type`, in the org that is concerned.
    Granted(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// What is asked.
    pub operation: Operation,
    /// The RPCs that ask it, as `package.Service/Method`; `*` stands for every method. And the routes of HTTP, as
    /// `METHOD /path`.
    pub rpcs: &'static [&'static str],
    /// Whether anyone may, without a credential.
    pub nobody: Rule,
    /// Whether whoever sits at the database's machine may.
    pub console: Rule,
    /// Whether a session may.
    pub session: Rule,
    /// Whether a personal token may.
    pub token: Rule,
    /// Whether an org's token may.
    pub org_token: Rule,
    /// Whether a service may.
    pub service: Rule,
}

/// How far an admitted caller reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All that the operation is about and its account owns.
    All,
    /// This token alone: the caller itself.
    Itself(TokenId),
}

use Operation as O;
use Rule::{
    Granted, Itself, Login, Member, No, Operator, Power, ReadTokens, ReadTokensOrItself as ReadOrItself,
    Recent, SelfRotating, Yes,
};

#[rustfmt::skip]
const fn row(
    operation: Operation, rpcs: &'static [&'static str],
    [nobody, console, session, token, org_token, service]: [Rule; 6],
) -> Row {
    Row { operation, rpcs, nobody, console, session, token, org_token, service }
}

const ADMIN: Rule = Member(Role::Admin);
const RECENT: Rule = Recent(Role::Admin);
const MEMBER: Rule = Member(Role::Ro);
const READ_MEMBERS: Rule = Granted("read:members");
const READ_POLICY: Rule = Granted("read:policy");

/// The table.
#[rustfmt::skip]
pub const TABLE: [Row; 69] = [
    //                                                                          nobody console session  token         org's token   service
    row(O::CreateToken,     &["ndauth.v1.TokenService/CreateToken"],           [No,  No,  Yes,      Login,        Login,        No]),
    row(O::ListTokens,      &["ndauth.v1.TokenService/ListTokens"],            [No,  No,  Yes,      ReadTokens,   No,           No]),
    row(O::GetToken,        &["ndauth.v1.TokenService/GetToken"],              [No,  No,  Yes,      ReadOrItself, Itself,       No]),
    row(O::RevokeToken,     &["ndauth.v1.TokenService/RevokeToken"],           [No,  No,  Yes,      Itself,       Itself,       No]),
    row(O::RotateToken,     &["ndauth.v1.TokenService/RotateToken"],           [No,  No,  Yes,      SelfRotating, SelfRotating, No]),
    row(O::SettleRotation,  &["ndauth.v1.TokenService/SettleRotation"],        [No,  No,  Yes,      SelfRotating, SelfRotating, No]),
    row(O::RenewToken,      &["ndauth.v1.TokenService/RenewToken"],            [No,  No,  Yes,      SelfRotating, SelfRotating, No]),
    row(O::SuspendToken,    &["ndauth.v1.TokenService/SuspendToken"],          [No,  No,  Yes,      Login,        Login,        No]),
    row(O::ResumeToken,     &["ndauth.v1.TokenService/ResumeToken"],           [No,  No,  Yes,      Login,        Login,        No]),
    row(O::RevokeAllTokens, &["ndauth.v1.TokenService/RevokeAllTokens"],       [No,  No,  Yes,      Login,        Login,        No]),
    row(O::ListSessions,    &["ndauth.v1.AccountService/ListSessions"],        [No,  No,  Yes,      Login,        Login,        No]),
    row(O::RevokeSessions,  &["ndauth.v1.AccountService/RevokeSessions"],      [No,  No,  Yes,      Login,        Login,        No]),
    row(O::RevokeAccountTokens, &["ndauth.v1.AccountService/RevokeAccountTokens"], [No, Yes, Operator, Login,     Login,        No]),
    row(O::ExplainToken,    &["ndauth.v1.TokenService/ExplainToken"],          [No,  No,  Yes,      Itself,       Itself,       No]),
    row(O::ValidateToken,   &["ndauth.v1.ValidationService/ValidateToken"],    [No,  No,  No,       No,           No,           Yes]),
    row(O::ValidateTokens,  &["ndauth.v1.ValidationService/ValidateTokens"],   [No,  No,  No,       No,           No,           Yes]),
    row(O::Resolve,         &["ndauth.v1.ValidationService/Resolve"],          [No,  No,  No,       No,           No,           Yes]),
    row(O::WatchRevocations, &["ndauth.v1.WatchService/WatchRevocations"],     [No,  No,  No,       No,           No,           Yes]),
    row(O::WhoAmI,          &["ndauth.v1.AccountService/WhoAmI"],              [No,  No,  Yes,      Itself,       Itself,       Yes]),
    row(O::ListOrgs,        &["ndauth.v1.AccountService/ListOrgs"],            [No,  No,  Yes,      Yes,          Yes,          No]),
    row(O::ListPermissions, &["ndauth.v1.PermissionService/ListPermissions"],  [No,  Yes, Yes,      Yes,          Yes,          Yes]),
    row(O::CreateOrg,       &["ndauth.v1.OrgService/CreateOrg"],               [No,  Yes, Operator, Login,        Login,        No]),
    row(O::GetOrg,          &["ndauth.v1.OrgService/GetOrg"],                  [No,  No,  MEMBER,   Power,        Power,        No]),
    row(O::ListMembers,     &["ndauth.v1.OrgService/ListMembers"],             [No,  No,  MEMBER,   READ_MEMBERS, READ_MEMBERS, No]),
    row(O::SetMember,       &["ndauth.v1.OrgService/SetMember"],               [No,  Yes, RECENT,   Login,        Login,        No]),
    row(O::RemoveMember,    &["ndauth.v1.OrgService/RemoveMember"],            [No,  Yes, ADMIN,    Login,        Login,        No]),
    row(O::GetOrgPolicy,    &["ndauth.v1.OrgService/GetOrgPolicy"],            [No,  No,  MEMBER,   READ_POLICY,  READ_POLICY,  No]),
    row(O::SetOrgPolicy,    &["ndauth.v1.OrgService/SetOrgPolicy"],            [No,  No,  RECENT,   Login,        Login,        No]),
    row(O::CreateOrgToken,  &["ndauth.v1.OrgTokenService/CreateOrgToken"],     [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::ListOrgTokens,   &["ndauth.v1.OrgTokenService/ListOrgTokens"],      [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::GetOrgToken,     &["ndauth.v1.OrgTokenService/GetOrgToken"],        [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::RevokeOrgToken,  &["ndauth.v1.OrgTokenService/RevokeOrgToken"],     [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::RotateOrgToken,  &["ndauth.v1.OrgTokenService/RotateOrgToken"],     [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::SettleOrgRotation, &["ndauth.v1.OrgTokenService/SettleOrgRotation"], [No, No,  ADMIN,    Login,        Login,        No]),
    row(O::RenewOrgToken,   &["ndauth.v1.OrgTokenService/RenewOrgToken"],      [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::SuspendOrgToken, &["ndauth.v1.OrgTokenService/SuspendOrgToken"],    [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::ResumeOrgToken,  &["ndauth.v1.OrgTokenService/ResumeOrgToken"],     [No,  No,  ADMIN,    Login,        Login,        No]),
    row(O::RevokeAllOrgTokens, &["ndauth.v1.OrgTokenService/RevokeAllOrgTokens"], [No, No, RECENT,  Login,        Login,        No]),
    row(O::ListPersonalTokens, &["ndauth.v1.OrgTokenService/ListPersonalTokens"], [No, No, ADMIN,   Login,        Login,        No]),
    row(O::FreezeOrg,       &["ndauth.v1.OrgService/FreezeOrg"],               [No,  Yes, RECENT,   Login,        Login,        No]),
    row(O::UnfreezeOrg,     &["ndauth.v1.OrgService/UnfreezeOrg"],             [No,  Yes, RECENT,   Login,        Login,        No]),
    row(O::CreateAccount,   &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::DisableAccount,  &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::DeleteOrg,       &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::IssueSession,    &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::CreateService,   &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::RevokeService,   &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::ApplyCatalogue,  &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::Inspect,         &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::ExportEvents,    &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::Backup,          &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::AfterRestore,    &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::SignOut,         &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::RevokeAnyToken,  &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::SuspendAnyToken, &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::TidyUp,          &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::RotateService,   &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::Invite,          &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::IssueLink,       &[],                                               [No,  Yes, No,       No,           No,           No]),
    row(O::IdentifyAccount, &[],                                               [No,  Yes, No,       No,           No,           No]),
    // What these take is in the request itself: a cookie, a password, a code, a secret that refreshes.
    row(O::Discover,        &["GET /.well-known/oauth-authorization-server"],  [Yes, No,  Yes,      Yes,          Yes,          Yes]),
    row(O::SignIn,          &["GET /sign-in", "POST /sign-in", "GET /sign-in/link", "POST /sign-in/link", "GET /invitation",
                              "POST /invitation", "POST /sign-out", "GET /signed-out", "GET /", "GET /assets/style.css"],
                                                                               [Yes, No,  Yes,      No,           No,           No]),
    row(O::Authorize,       &["GET /oauth2/authorize", "POST /oauth2/authorize"], [Yes, No, Yes,    No,           No,           No]),
    row(O::LetDeviceIn,     &["GET /device", "POST /device", "POST /device/decision"], [Yes, No, Yes, No,         No,           No]),
    row(O::AskForDevice,    &["POST /oauth2/device_authorization"],            [Yes, No,  Yes,      No,           No,           No]),
    row(O::IssueTokens,     &["POST /oauth2/token"],                           [Yes, No,  Yes,      No,           No,           No]),
    row(O::RevokeLogin,     &["POST /oauth2/revoke"],                          [Yes, No,  Yes,      No,           No,           No]),
    row(O::CheckHealth,     &["grpc.health.v1.Health/*"],                      [Yes, Yes, Yes,      Yes,          Yes,          Yes]),
    row(O::Reflect,         &["grpc.reflection.v1.ServerReflection/*", "grpc.reflection.v1alpha.ServerReflection/*"],
                                                                               [Yes, Yes, Yes,      Yes,          Yes,          Yes]),
];

/// What the table says of a caller and an operation.
pub(crate) fn rule(operation: Operation, caller: &Caller) -> Rule {
    let Some(row) = TABLE.iter().find(|row| row.operation == operation) else { return No };
    match caller {
        Caller::Console => row.console,
        Caller::Session { .. } => row.session,
        Caller::Token { held, .. } => match held.token.owner {
            Owner::Account(_) => row.token,
            Owner::Org(_) => row.org_token,
        },
        Caller::Service { .. } => row.service,
    }
}

/// Whether a caller may ask for an operation that concerns no org, and how far it reaches. What concerns
/// an org is refused here: it is admitted where the org is known.
pub(crate) fn admit(operation: Operation, caller: &Caller) -> Result<Reach, AuthorityError> {
    let token = match caller {
        Caller::Token { held, .. } => Some(&held.token),
        Caller::Console | Caller::Session { .. } | Caller::Service { .. } => None,
    };
    let at_home = || match caller {
        Caller::Token { at_home, .. } => at_home.clone().map_err(AuthorityError::from),
        Caller::Console | Caller::Session { .. } | Caller::Service { .. } => Ok(()),
    };
    match (rule(operation, caller), token) {
        (Yes, _) => at_home().map(|()| Reach::All),
        (Operator, None) if caller.account().is_some_and(|account| account.operator) => Ok(Reach::All),
        (Login, _) => Err(AuthorityError::SessionRequired { caller: caller.kind(), operation }),
        (Itself, Some(token)) => Ok(Reach::Itself(token.id)),
        (ReadTokens | ReadOrItself, Some(token)) if may_read_tokens(&token.grants) => {
            at_home().map(|()| Reach::All)
        }
        (ReadOrItself, Some(token)) => Ok(Reach::Itself(token.id)),
        // From where it does not serve, it is stolen.
        (SelfRotating, Some(token)) if token.self_rotating => at_home().map(|()| Reach::Itself(token.id)),
        (SelfRotating, Some(_)) => Err(AuthorityError::SessionRequired { caller: caller.kind(), operation }),
        (Operator, None) if caller.account().is_some() => {
            Err(AuthorityError::NotPermitted { caller: "an account that is no operator", operation })
        }
        (
            No | Operator | Itself | SelfRotating | ReadTokens | ReadOrItself | Member(_) | Recent(_) | Power
            | Granted(_),
            _,
        ) => Err(AuthorityError::NotPermitted { caller: caller.kind(), operation }),
    }
}

/// A token may list its owner's tokens where it carries all grants, or the one that says so.
fn may_read_tokens(grants: &Grants) -> bool {
    let read_tokens: Permission = "read:tokens".parse().expect("it is a permission");
    *grants == Grants::All || grants.permits(&read_tokens)
}

impl Reach {
    /// Refuses what is beyond the reach.
    pub(crate) fn require(
        self,
        token: TokenId,
        caller: &Caller,
        operation: Operation,
    ) -> Result<(), AuthorityError> {
        match self {
            Reach::All => Ok(()),
            Reach::Itself(itself) if itself == token => Ok(()),
            Reach::Itself(_) => Err(AuthorityError::SessionRequired { caller: caller.kind(), operation }),
        }
    }
}

impl Operation {
    /// Whether it changes nothing.
    pub(crate) fn reads(self) -> bool {
        matches!(
            self,
            O::ListTokens
                | O::GetToken
                | O::ExplainToken
                | O::WhoAmI
                | O::ListOrgs
                | O::ListPermissions
                | O::GetOrg
                | O::ListMembers
                | O::GetOrgPolicy
                | O::ListSessions
        )
    }

    /// Whether it is done on a copy that nobody has put into service yet, too.
    pub(crate) fn waits_for_nobody(self) -> bool {
        matches!(self, O::Inspect | O::ExportEvents | O::Backup | O::AfterRestore)
    }

    /// What is done, for people.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            O::CreateToken => "create tokens",
            O::ListTokens => "list tokens",
            O::GetToken => "show other tokens",
            O::RevokeToken => "revoke other tokens",
            O::RotateToken => "rotate tokens",
            O::SettleRotation => "settle a rotation",
            O::RenewToken => "renew tokens",
            O::SuspendToken => "suspend tokens",
            O::ResumeToken => "resume tokens",
            O::RevokeAllTokens => "revoke all tokens",
            O::RevokeAccountTokens => "revoke all tokens of others",
            O::RotateOrgToken => "rotate an org's tokens",
            O::SettleOrgRotation => "settle a rotation of an org's token",
            O::RenewOrgToken => "renew an org's tokens",
            O::SuspendOrgToken => "suspend tokens in an org",
            O::ResumeOrgToken => "resume tokens in an org",
            O::RevokeAllOrgTokens => "shut tokens out of an org",
            O::ListPersonalTokens => "list the personal tokens of an org's members",
            O::FreezeOrg => "freeze an org",
            O::UnfreezeOrg => "unfreeze an org",
            O::SuspendAnyToken => "suspend anybody's tokens",
            O::TidyUp => "remove what is long dead",
            O::ExplainToken => "explain other tokens",
            O::ValidateToken | O::ValidateTokens | O::Resolve => "validate secrets",
            O::WatchRevocations => "watch what is revoked",
            O::WhoAmI => "ask who others are",
            O::ListOrgs => "list orgs",
            O::ListPermissions => "list permissions",
            O::GetOrg => "show an org",
            O::ListMembers => "list members",
            O::GetOrgPolicy => "read an org's policy",
            O::SetOrgPolicy => "change an org's policy",
            O::CreateOrgToken => "create an org's tokens",
            O::ListOrgTokens => "list an org's tokens",
            O::GetOrgToken => "show an org's tokens",
            O::RevokeOrgToken => "revoke an org's tokens",
            O::ApplyCatalogue => "change the catalogue",
            O::CreateAccount => "create accounts",
            O::DisableAccount => "disable or enable accounts",
            O::CreateOrg => "create orgs",
            O::DeleteOrg => "delete orgs",
            O::SetMember => "set members",
            O::RemoveMember => "remove members",
            O::IssueSession => "issue sessions",
            O::CreateService => "register services",
            O::RevokeService => "revoke services",
            O::Inspect => "look into everything",
            O::ExportEvents => "read the log",
            O::Backup => "copy the database",
            O::AfterRestore => "put a copy into service",
            O::SignOut => "end sessions",
            O::RevokeAnyToken => "revoke anybody's tokens",
            O::RotateService => "rotate services",
            O::ListSessions => "list sessions",
            O::RevokeSessions => "end sessions",
            O::Discover => "ask for the endpoints",
            O::SignIn => "sign in with a browser",
            O::Authorize => "let programs in",
            O::LetDeviceIn => "let devices in",
            O::AskForDevice => "wait to be let in",
            O::IssueTokens => "get a session's secrets",
            O::RevokeLogin => "end a login",
            O::Invite => "invite people",
            O::IssueLink => "make links to sign in",
            O::IdentifyAccount => "say who people are",
            O::CheckHealth => "check the health",
            O::Reflect => "ask for the interface",
        }
    }
}
