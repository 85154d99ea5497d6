//! The access table: which kind of caller may call what. What has no row is refused.

use ndauth_core::{Grants, Permission, TokenId};

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
    /// Ask whether a secret may do a thing.
    ValidateToken,
    /// Ask who one is.
    WhoAmI,
    /// List the orgs one is a member of.
    ListOrgs,
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
    /// Give a service a new secret.
    RotateService,
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
    /// A token may, if its grants are all or name `read:tokens`.
    ReadTokens,
    /// As [`Rule::ReadTokens`]; without them, only where it concerns itself.
    ReadTokensOrItself,
    /// Only where it concerns itself.
    Itself,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// What is asked.
    pub operation: Operation,
    /// The RPCs that ask it, as `package.Service/Method`; `*` stands for every method.
    pub rpcs: &'static [&'static str],
    /// Whether anyone may, without a credential.
    pub nobody: Rule,
    /// Whether whoever sits at the database's machine may.
    pub console: Rule,
    /// Whether a session may.
    pub session: Rule,
    /// Whether a personal token may.
    pub token: Rule,
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
use Rule::{Itself, Login, No, ReadTokens, ReadTokensOrItself, Yes};

#[rustfmt::skip]
const fn row(
    operation: Operation, rpcs: &'static [&'static str],
    [nobody, console, session, token, service]: [Rule; 5],
) -> Row {
    Row { operation, rpcs, nobody, console, session, token, service }
}

/// The table.
#[rustfmt::skip]
pub const TABLE: [Row; 25] = [
    //                                                              nobody console session token              service
    row(O::CreateToken,    &["ndauth.v1.TokenService/CreateToken"],        [No,  No,  Yes, Login,              No]),
    row(O::ListTokens,     &["ndauth.v1.TokenService/ListTokens"],         [No,  No,  Yes, ReadTokens,         No]),
    row(O::GetToken,       &["ndauth.v1.TokenService/GetToken"],           [No,  No,  Yes, ReadTokensOrItself, No]),
    row(O::RevokeToken,    &["ndauth.v1.TokenService/RevokeToken"],        [No,  No,  Yes, Itself,             No]),
    row(O::ValidateToken,  &["ndauth.v1.ValidationService/ValidateToken"], [No,  No,  No,  No,                 Yes]),
    row(O::WhoAmI,         &["ndauth.v1.AccountService/WhoAmI"],           [No,  No,  Yes, Yes,                Yes]),
    row(O::ListOrgs,       &["ndauth.v1.AccountService/ListOrgs"],         [No,  No,  Yes, Yes,                No]),
    row(O::CreateAccount,  &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::DisableAccount, &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::CreateOrg,      &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::DeleteOrg,      &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::SetMember,      &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::RemoveMember,   &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::IssueSession,   &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::CreateService,  &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::RevokeService,  &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::Inspect,         &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::ExportEvents,    &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::Backup,          &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::AfterRestore,    &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::SignOut,         &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::RevokeAnyToken,  &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::RotateService,   &[],                                            [No,  Yes, No,  No,                 No]),
    row(O::CheckHealth,    &["grpc.health.v1.Health/*"],                   [Yes, Yes, Yes, Yes,                Yes]),
    row(O::Reflect,        &["grpc.reflection.v1.ServerReflection/*", "grpc.reflection.v1alpha.ServerReflection/*"],
                                                                           [Yes, Yes, Yes, Yes,                Yes]),
];

/// The row of an RPC, by its path `/package.Service/Method`. Without one, the RPC is refused.
pub fn row_of_rpc(path: &str) -> Option<&'static Row> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    TABLE.iter().find(|row| {
        row.rpcs.iter().any(|rpc| match rpc.split_once('/') {
            Some((of, "*")) => of == service && !method.is_empty() && !method.contains('/'),
            Some((of, name)) => of == service && name == method,
            None => false,
        })
    })
}

/// Whether a caller may ask for an operation, and how far it reaches.
pub fn admit(operation: Operation, caller: &Caller) -> Result<Reach, AuthorityError> {
    let row = TABLE
        .iter()
        .find(|row| row.operation == operation)
        .ok_or(AuthorityError::NotPermitted { caller: caller.kind(), operation })?;
    let (rule, token) = match caller {
        Caller::Console => (row.console, None),
        Caller::Session { .. } => (row.session, None),
        Caller::Token { token, .. } => (row.token, Some(token)),
        Caller::Service { .. } => (row.service, None),
    };
    let refused = AuthorityError::NotPermitted { caller: caller.kind(), operation };
    match (rule, token) {
        (Yes, _) => Ok(Reach::All),
        (Login, _) => Err(AuthorityError::SessionRequired { operation }),
        (Itself, Some(token)) => Ok(Reach::Itself(token.id)),
        (ReadTokens | ReadTokensOrItself, Some(token)) if may_read_tokens(&token.grants) => Ok(Reach::All),
        (ReadTokensOrItself, Some(token)) => Ok(Reach::Itself(token.id)),
        (No | Itself | ReadTokens | ReadTokensOrItself, _) => Err(refused),
    }
}

/// A token may list its owner's tokens where it carries all grants, or the one that says so.
fn may_read_tokens(grants: &Grants) -> bool {
    let read_tokens: Permission = "read:tokens".parse().expect("it is a permission");
    *grants == Grants::All || grants.permits(&read_tokens)
}

impl Reach {
    /// Refuses what is beyond the reach.
    pub(crate) fn require(self, token: TokenId, operation: Operation) -> Result<(), AuthorityError> {
        match self {
            Reach::All => Ok(()),
            Reach::Itself(itself) if itself == token => Ok(()),
            Reach::Itself(_) => Err(AuthorityError::SessionRequired { operation }),
        }
    }
}

impl Operation {
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
            O::ValidateToken => "validate secrets",
            O::WhoAmI => "ask who it is",
            O::ListOrgs => "list orgs",
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
            O::CheckHealth => "check the health",
            O::Reflect => "ask for the interface",
        }
    }
}
