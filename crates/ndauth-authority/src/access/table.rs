//! The access table: which kind of caller may perform which operation, by the owner of the things that it
//! concerns. An operation without a row is refused.

use ndauth_core::{Role, SecretState};

/// The owner of the things that an operation concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The caller's own, or nobody's.
    Mine,
    /// An org's.
    Org,
    /// Anybody's: for operators.
    Anyone,
}

/// A cell of the table: the rule for one kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Not permitted.
    No,
    /// Not permitted, although a person who is logged in may.
    Login,
    /// Permitted.
    Yes,
    /// Only a browser's session is permitted, by its cookie. Pages alone read the cookie, so another site cannot
    /// use it to call the API.
    Browser,
    /// A session may, if the person logged in within the last 15 minutes.
    RecentLogin,
    /// A session may, if its account is an operator's and the person logged in within the last 15 minutes.
    Operator,
    /// A token may, if it may do this, `action:type`, to its owner's account.
    Account(&'static str),
    /// As [`Rule::Account`]. A token without the permission may only act on itself.
    AccountOrItself(&'static str),
    /// A token may, but only on itself.
    Itself,
    /// As [`Rule::Itself`], if the token is used within its networks and its services do not exclude ndauth.
    ItselfInside,
    /// As [`Rule::Itself`], if the token is self-rotating and presents such a secret.
    SelfRotating(Holding),
    /// A session may, if its account has at least this role in the org that is concerned.
    Member(Role),
    /// As [`Rule::Member`], and the person logged in within the last 15 minutes.
    Recent(Role),
    /// A token may, if it has any power in the org that is concerned.
    Power,
    /// A token may, if it may do this, `action:type`, in the org that is concerned.
    Granted(&'static str),
}

/// The secret that a self-rotating token must present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// The current one.
    Current,
    /// The pending one, or the current one, which its first use may just have confirmed.
    New,
    /// A confirmed one: current or retiring.
    Confirmed,
}

impl Holding {
    /// Returns true if a secret in this state satisfies the rule.
    pub(crate) fn fits(self, state: SecretState) -> bool {
        match state {
            SecretState::Current => true,
            SecretState::Pending => self == Holding::New,
            SecretState::Retiring => self == Holding::Confirmed,
            SecretState::Retired(_) | SecretState::Expired(_) => false,
        }
    }
}

/// An operation's effect, and the databases on which it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It changes nothing.
    Reads,
    /// It changes something.
    Changes,
    /// It changes nothing, and is also allowed on a restored copy that nobody has put into service yet.
    ReadsCopies,
    /// It puts a restored copy into service.
    SettlesCopies,
}

impl Does {
    /// Returns true if a call whose response is lost may have changed something.
    pub fn changes(self) -> bool {
        match self {
            Does::Changes | Does::SettlesCopies => true,
            Does::Reads | Does::ReadsCopies => false,
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The operation.
    pub operation: Operation,
    /// The owner of the things that it concerns.
    pub kind: Kind,
    /// The operation's effect.
    pub does: Does,
    /// The operation as messages name it, after "may not".
    pub verb: &'static str,
    /// The RPCs that perform it, as `package.Service/Method` (`*` stands for every method), and its HTTP
    /// routes, as `METHOD /path`.
    pub calls: &'static [&'static str],
    /// The rule for callers without a credential.
    pub nobody: Rule,
    /// The rule for the console, at the database's machine.
    pub console: Rule,
    /// The rule for sessions.
    pub session: Rule,
    /// The rule for personal tokens.
    pub token: Rule,
    /// The rule for an org's tokens.
    pub org_token: Rule,
    /// The rule for services.
    pub service: Rule,
}

/// Defines the operations and their rows from one list.
macro_rules! operations {
    ($($operation:ident $does:ident $calls:tt {
        $($kind:ident $verb:literal [$nobody:expr, $console:expr, $session:expr, $token:expr, $org_token:expr, $service:expr])+
    })*) => {
        /// An operation of the authority. Its rows in [`TABLE`] describe it.
        #[expect(missing_docs, reason = "its row says what it is")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation { $($operation,)* }

        /// The table.
        pub const TABLE: &[Row] = &[$($(Row {
            operation: Operation::$operation,
            kind: Kind::$kind,
            does: Does::$does,
            verb: $verb,
            calls: &$calls,
            nobody: $nobody,
            console: $console,
            session: $session,
            token: $token,
            org_token: $org_token,
            service: $service,
        },)+)*];

        impl Operation {
            /// Returns the operation's name, for logs and metrics.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Operation::$operation => stringify!($operation),)* }
            }
        }
    };
}

use Rule::{
    Account, AccountOrItself, Browser, Granted, Itself, ItselfInside, Login, Member, No, Operator, Power,
    Recent, RecentLogin, SelfRotating, Yes,
};

const ADMIN: Rule = Member(Role::Admin);
const RECENT: Rule = Recent(Role::Admin);
const MEMBER: Rule = Member(Role::Ro);
const READ_MEMBERS: Rule = Granted("read:members");
const READ_POLICY: Rule = Granted("read:policy");
const READ_AUDIT: Rule = Granted("read:audit");
const READ_TOKENS: Rule = Account("read:tokens");
const READ_OR_ITSELF: Rule = AccountOrItself("read:tokens");
const CURRENT: Rule = SelfRotating(Holding::Current);
const NEW: Rule = SelfRotating(Holding::New);
const CONFIRMED: Rule = SelfRotating(Holding::Confirmed);

//  operation          does     calls
//      kind  verb                                     nobody console session   token         org's token   service
operations! {
    CreateToken Changes ["ndauth.v1.TokenService/CreateToken", "POST /tokens", "POST /orgs/{org}/tokens"] {
        Mine   "create tokens"                         [No,  No,  Yes,      Login,        Login,        No]
        Org    "create an org's tokens"                [No,  No,  ADMIN,    Login,        Login,        No]
    }
    ListTokens Reads ["ndauth.v1.TokenService/ListTokens", "GET /tokens", "GET /orgs/{org}/tokens"] {
        Mine   "list tokens"                           [No,  No,  Yes,      READ_TOKENS,  No,           No]
        Org    "list an org's tokens"                  [No,  No,  ADMIN,    Login,        Login,        No]
    }
    GetToken Reads ["ndauth.v1.TokenService/GetToken", "GET /tokens/{token}", "GET /orgs/{org}/tokens/{token}"] {
        Mine   "show other tokens"                     [No,  No,  Yes,      READ_OR_ITSELF, ItselfInside, No]
        Org    "show an org's tokens"                  [No,  No,  ADMIN,    Login,        Login,        No]
    }
    UpdateToken Changes ["ndauth.v1.TokenService/UpdateToken", "POST /tokens/{token}/describe", "POST /orgs/{org}/tokens/{token}/describe"] {
        Mine   "describe tokens"                       [No,  No,  Yes,      Login,        Login,        No]
        Org    "describe an org's tokens"              [No,  No,  ADMIN,    Login,        Login,        No]
    }
    RevokeToken Changes ["ndauth.v1.TokenService/RevokeToken", "POST /tokens/{token}/revoke", "POST /orgs/{org}/tokens/{token}/revoke"] {
        Mine   "revoke other tokens"                   [No,  No,  Yes,      Itself,       Itself,       No]
        Org    "revoke an org's tokens"                [No,  No,  ADMIN,    Login,        Login,        No]
        Anyone "revoke anybody's tokens"               [No,  Yes, No,       No,           No,           No]
    }
    RotateToken Changes ["ndauth.v1.TokenService/RotateToken", "POST /tokens/{token}/rotate", "POST /orgs/{org}/tokens/{token}/rotate"] {
        Mine   "rotate tokens"                         [No,  No,  Yes,      CURRENT,      CURRENT,      No]
        Org    "rotate an org's tokens"                [No,  No,  ADMIN,    Login,        Login,        No]
    }
    ConfirmRotation Changes ["ndauth.v1.TokenService/ConfirmRotation", "POST /tokens/{token}/confirm", "POST /orgs/{org}/tokens/{token}/confirm"] {
        Mine   "confirm rotations"                     [No,  No,  Yes,      NEW,          NEW,          No]
        Org    "confirm rotations of an org's tokens"  [No,  No,  ADMIN,    Login,        Login,        No]
    }
    DropRotation Changes ["ndauth.v1.TokenService/DropRotation", "POST /tokens/{token}/drop", "POST /orgs/{org}/tokens/{token}/drop"] {
        Mine   "drop rotations"                        [No,  No,  Yes,      CONFIRMED,    CONFIRMED,    No]
        Org    "drop rotations of an org's tokens"     [No,  No,  ADMIN,    Login,        Login,        No]
    }
    RetireSecret Changes ["ndauth.v1.TokenService/RetireSecret", "POST /tokens/{token}/retire", "POST /orgs/{org}/tokens/{token}/retire"] {
        Mine   "retire secrets"                        [No,  No,  Yes,      CONFIRMED,    CONFIRMED,    No]
        Org    "retire secrets of an org's tokens"     [No,  No,  ADMIN,    Login,        Login,        No]
    }
    RenewToken Changes ["ndauth.v1.TokenService/RenewToken", "POST /tokens/{token}/renew", "POST /orgs/{org}/tokens/{token}/renew"] {
        Mine   "renew tokens"                          [No,  No,  Yes,      CURRENT,      CURRENT,      No]
        Org    "renew an org's tokens"                 [No,  No,  ADMIN,    Login,        Login,        No]
    }
    SuspendToken Changes ["ndauth.v1.TokenService/SuspendToken", "POST /tokens/{token}/suspend", "POST /orgs/{org}/tokens/{token}/suspend"] {
        Mine   "suspend tokens"                        [No,  No,  Yes,      Login,        Login,        No]
        Org    "suspend an org's tokens"               [No,  No,  ADMIN,    Login,        Login,        No]
        Anyone "suspend anybody's tokens"              [No,  Yes, No,       No,           No,           No]
    }
    ResumeToken Changes ["ndauth.v1.TokenService/ResumeToken", "POST /tokens/{token}/resume", "POST /orgs/{org}/tokens/{token}/resume"] {
        Mine   "resume tokens"                         [No,  No,  Yes,      Login,        Login,        No]
        Org    "resume an org's tokens"                [No,  No,  ADMIN,    Login,        Login,        No]
        Anyone "resume anybody's tokens"               [No,  Yes, No,       No,           No,           No]
    }
    RevokeAllTokens Changes ["ndauth.v1.TokenService/RevokeAllTokens"] {
        Mine   "revoke all tokens"                     [No,  No,  Yes,      Login,        Login,        No]
        Org    "revoke all tokens in an org"           [No,  No,  RECENT,   Login,        Login,        No]
        Anyone "revoke all tokens of others"           [No,  Yes, Operator, Login,        Login,        No]
    }
    ExplainToken Reads ["ndauth.v1.TokenService/ExplainToken", "POST /tokens/preview", "POST /orgs/{org}/tokens/preview", "GET /tokens/{token}/explain", "GET /orgs/{org}/tokens/{token}/explain"] {
        Mine   "explain other tokens"                  [No,  No,  Yes,      ItselfInside, ItselfInside, No]
        Org    "explain an org's tokens"               [No,  No,  ADMIN,    Login,        Login,        No]
    }
    WhoAmI Reads ["ndauth.v1.AccountService/WhoAmI"] {
        Mine   "ask who others are"                    [No,  No,  Yes,      Itself,       Itself,       Yes]
    }
    ListOrgs Reads ["ndauth.v1.AccountService/ListOrgs", "GET /orgs"] {
        Mine   "list orgs"                             [No,  No,  Yes,      Yes,          Yes,          No]
    }
    ListSessions Reads ["ndauth.v1.AccountService/ListSessions", "GET /me"] {
        Mine   "list sessions"                         [No,  No,  Yes,      Login,        Login,        No]
    }
    RevokeSessions Changes ["ndauth.v1.AccountService/RevokeSessions", "POST /me/sessions/end",
                            "POST /me/sessions/{session}/end"] {
        Mine   "end sessions"                          [No,  No,  Yes,      Login,        Login,        No]
    }
    GetNotices Reads ["ndauth.v1.AccountService/GetNotices"] {
        Mine   "ask which notices are mailed"          [No,  No,  Yes,      Login,        Login,        No]
    }
    SetNotices Changes ["ndauth.v1.AccountService/SetNotices", "POST /me/notices"] {
        Mine   "choose which notices are mailed"       [No,  No,  Yes,      Login,        Login,        No]
    }
    SetPassword Changes ["POST /me/password"] {
        Mine   "set a password"                        [No,  No,  RecentLogin, Login,     Login,        No]
    }
    ListPermissions Reads ["ndauth.v1.PermissionService/ListPermissions", "GET /tokens/new",
                           "GET /orgs/{org}/tokens/new"] {
        Mine   "list permissions"                      [No,  Yes, Yes,      Yes,          Yes,          Yes]
    }
    // One question, by four protocols: gRPC, introspection, a proxy's request, and Envoy's own.
    ValidateToken Reads ["ndauth.v1.ValidationService/ValidateToken", "POST /oauth2/introspect", "GET /edge/verify",
                         "envoy.service.auth.v3.Authorization/Check"] {
        Anyone "validate secrets"                      [No,  No,  No,       No,           No,           Yes]
    }
    ValidateTokens Reads ["ndauth.v1.ValidationService/ValidateTokens"] {
        Anyone "validate secrets"                      [No,  No,  No,       No,           No,           Yes]
    }
    Resolve Reads ["ndauth.v1.ValidationService/Resolve"] {
        Anyone "validate secrets"                      [No,  No,  No,       No,           No,           Yes]
    }
    WatchRevocations Reads ["ndauth.v1.WatchService/WatchRevocations"] {
        Anyone "watch what is revoked"                 [No,  No,  No,       No,           No,           Yes]
    }
    CreateOrg Changes ["ndauth.v1.OrgService/CreateOrg", "POST /operator/orgs"] {
        Anyone "create orgs"                           [No,  Yes, Operator, Login,        Login,        No]
    }
    GetOrg Reads ["ndauth.v1.OrgService/GetOrg"] {
        Org    "show an org"                           [No,  No,  MEMBER,   Power,        Power,        No]
    }
    ListMembers Reads ["ndauth.v1.OrgService/ListMembers", "GET /orgs/{org}"] {
        Org    "list members"                          [No,  No,  MEMBER,   READ_MEMBERS, READ_MEMBERS, No]
    }
    AddMember Changes ["ndauth.v1.OrgService/AddMember"] {
        Org    "add members without their consent"     [No,  Yes, Operator, Login,        Login,        No]
    }
    SetMember Changes ["ndauth.v1.OrgService/SetMember", "POST /orgs/{org}/members/{handle}/role"] {
        Org    "change members' roles"                 [No,  No,  RECENT,   Login,        Login,        No]
    }
    RemoveMember Changes ["ndauth.v1.OrgService/RemoveMember", "POST /orgs/{org}/members/{handle}/remove"] {
        Org    "remove members"                        [No,  Yes, ADMIN,    Login,        Login,        No]
    }
    OfferMembership Changes ["ndauth.v1.OrgService/OfferMembership", "POST /orgs/{org}/offers"] {
        Org    "offer memberships"                     [No,  No,  RECENT,   Login,        Login,        No]
    }
    WithdrawMembershipOffer Changes ["ndauth.v1.OrgService/WithdrawMembershipOffer",
                                     "POST /orgs/{org}/offers/{handle}/withdraw"] {
        Org    "withdraw offered memberships"          [No,  No,  ADMIN,    Login,        Login,        No]
    }
    ListMembershipOffers Reads ["ndauth.v1.OrgService/ListMembershipOffers", "GET /offers/{org}"] {
        Mine   "list offered memberships"              [No,  No,  Yes,      Login,        Login,        No]
        Org    "list the memberships an org offers"    [No,  No,  ADMIN,    Login,        Login,        No]
    }
    AcceptMembershipOffer Changes ["ndauth.v1.OrgService/AcceptMembershipOffer", "POST /offers/{org}/accept"] {
        Mine   "accept offered memberships"            [No,  No,  RecentLogin, Login,     Login,        No]
    }
    DeclineMembershipOffer Changes ["ndauth.v1.OrgService/DeclineMembershipOffer", "POST /offers/{org}/decline"] {
        Mine   "decline offered memberships"           [No,  No,  Yes,      Login,        Login,        No]
    }
    GetOrgPolicy Reads ["ndauth.v1.OrgService/GetOrgPolicy", "GET /orgs/{org}/policy"] {
        Org    "read an org's policy"                  [No,  No,  MEMBER,   READ_POLICY,  READ_POLICY,  No]
    }
    SetOrgPolicy Changes ["ndauth.v1.OrgService/SetOrgPolicy", "POST /orgs/{org}/policy"] {
        Org    "change an org's policy"                [No,  No,  RECENT,   Login,        Login,        No]
    }
    FreezeOrg Changes ["ndauth.v1.OrgService/FreezeOrg", "POST /orgs/{org}/freeze"] {
        Org    "freeze an org"                         [No,  Yes, RECENT,   Login,        Login,        No]
    }
    UnfreezeOrg Changes ["ndauth.v1.OrgService/UnfreezeOrg", "POST /orgs/{org}/unfreeze"] {
        Org    "unfreeze an org"                       [No,  Yes, RECENT,   Login,        Login,        No]
    }
    ListPersonalTokens Reads ["ndauth.v1.OrgService/ListPersonalTokens", "GET /orgs/{org}/personal-tokens"] {
        Org    "list the personal tokens of an org's members" [No, No, ADMIN, Login,      Login,        No]
    }
    SuspendPersonalToken Changes ["ndauth.v1.OrgService/SuspendPersonalToken",
                                  "POST /orgs/{org}/personal-tokens/{token}/suspend"] {
        Org    "suspend personal tokens in an org"     [No,  No,  ADMIN,    Login,        Login,        No]
    }
    ResumePersonalToken Changes ["ndauth.v1.OrgService/ResumePersonalToken",
                                 "POST /orgs/{org}/personal-tokens/{token}/resume"] {
        Org    "resume personal tokens in an org"      [No,  No,  ADMIN,    Login,        Login,        No]
    }
    DeleteOrg Changes [] {
        Org    "delete orgs"                           [No,  Yes, No,       No,           No,           No]
    }
    CreateAccount Changes ["ndauth.v1.AdminService/CreateAccount", "POST /operator/accounts"] {
        Anyone "create accounts"                       [No,  Yes, Operator, Login,        Login,        No]
    }
    DisableAccount Changes ["ndauth.v1.AdminService/DisableAccount", "ndauth.v1.AdminService/EnableAccount", "POST /operator/accounts/{handle}/disable", "POST /operator/accounts/{handle}/enable"] {
        Anyone "disable or enable accounts"            [No,  Yes, Operator, Login,        Login,        No]
    }
    UpdateAccount Changes [] {
        Anyone "change addresses and names"            [No,  Yes, No,       No,           No,           No]
    }
    SetOperator Changes [] {
        Anyone "say who is an operator"                [No,  Yes, No,       No,           No,           No]
    }
    IssueSession Changes [] {
        Anyone "issue sessions"                        [No,  Yes, No,       No,           No,           No]
    }
    SignOut Changes ["ndauth.v1.AdminService/SignOutAccount", "POST /operator/accounts/{handle}/sign-out"] {
        Anyone "end sessions of others"                [No,  Yes, Operator, Login,        Login,        No]
    }
    Invite Changes ["ndauth.v1.AdminService/InviteAccount", "POST /operator/accounts/{handle}/invite"] {
        Anyone "invite people"                         [No,  Yes, Operator, Login,        Login,        No]
    }
    IssueLink Changes [] {
        Anyone "make links to sign in"                 [No,  Yes, No,       No,           No,           No]
    }
    IdentifyAccount Changes [] {
        Anyone "say who people are"                    [No,  Yes, No,       No,           No,           No]
    }
    CreateService Changes ["ndauth.v1.AdminService/CreateService", "POST /operator/services"] {
        Anyone "register services"                     [No,  Yes, Operator, Login,        Login,        No]
    }
    RotateService Changes ["ndauth.v1.AdminService/RotateService", "ndauth.v1.AdminService/ConfirmServiceRotation",
                           "ndauth.v1.AdminService/DropServiceRotation", "ndauth.v1.AdminService/RetireServiceSecret", "POST /operator/services/{service}/rotate", "POST /operator/services/{service}/confirm", "POST /operator/services/{service}/drop", "POST /operator/services/{service}/retire"] {
        Anyone "rotate services"                       [No,  Yes, Operator, Login,        Login,        No]
    }
    RevokeService Changes ["ndauth.v1.AdminService/RevokeService", "POST /operator/services/{service}/revoke"] {
        Anyone "revoke services"                       [No,  Yes, Operator, Login,        Login,        No]
    }
    ListAccounts Reads ["ndauth.v1.AdminService/ListAccounts", "ndauth.v1.AdminService/GetAccount", "GET /operator/accounts"] {
        Anyone "list accounts"                         [No,  Yes, Operator, Login,        Login,        No]
    }
    ListAllOrgs Reads ["ndauth.v1.AdminService/ListAllOrgs", "GET /operator/orgs"] {
        Anyone "list all orgs"                         [No,  Yes, Operator, Login,        Login,        No]
    }
    ListServices Reads ["ndauth.v1.AdminService/ListServices", "GET /operator/services"] {
        Anyone "list services"                         [No,  Yes, Operator, Login,        Login,        No]
    }
    GetInstallation Reads ["ndauth.v1.AdminService/GetInstallation", "GET /operator"] {
        Anyone "see the state of the installation"     [No,  Yes, Operator, Login,        Login,        No]
    }
    EraseAccount Changes [] {
        Anyone "erase what is known of people"         [No,  Yes, No,       No,           No,           No]
    }
    PruneEvents Changes [] {
        Anyone "prune the log"                         [No,  Yes, No,       No,           No,           No]
    }
    FindSecret Reads [] {
        Anyone "find what a secret belongs to"         [No,  Yes, No,       No,           No,           No]
    }
    ApplyCatalogue Changes [] {
        Anyone "change the catalogue"                  [No,  Yes, No,       No,           No,           No]
    }
    TidyUp Changes [] {
        Anyone "remove what ended long ago"            [No,  Yes, No,       No,           No,           No]
    }
    Mail Changes [] {
        Anyone "see the mails that wait"               [No,  Yes, No,       No,           No,           No]
    }
    Inspect ReadsCopies [] {
        Anyone "look into everything"                  [No,  Yes, No,       No,           No,           No]
    }
    ListEvents Reads ["ndauth.v1.AuditService/ListEvents", "GET /me/history", "GET /orgs/{org}/history",
                      "GET /operator/history", "GET /tokens/{token}/history", "GET /orgs/{org}/tokens/{token}/history"] {
        Mine   "read the history of its account"       [No,  No,  Yes,      Login,        Login,        No]
        Org    "read the history of an org"            [No,  No,  ADMIN,    READ_AUDIT,   READ_AUDIT,   No]
        Anyone "read the history of everything"        [No,  Yes, Operator, Login,        Login,        No]
    }
    ListRefusedAttempts Reads ["ndauth.v1.AuditService/ListRefusedAttempts"] {
        Mine   "list refused attempts"                 [No,  No,  Yes,      Login,        Login,        No]
        Org    "list an org's refused attempts"        [No,  No,  ADMIN,    READ_AUDIT,   READ_AUDIT,   No]
        Anyone "list all refused attempts"             [No,  Yes, Operator, Login,        Login,        No]
    }
    ExportEvents ReadsCopies ["ndauth.v1.AuditService/ExportEvents"] {
        Mine   "export the history of its account"     [No,  No,  Yes,      Login,        Login,        No]
        Org    "export the history of an org"          [No,  No,  ADMIN,    READ_AUDIT,   READ_AUDIT,   No]
        Anyone "export the log"                        [No,  Yes, Operator, Login,        Login,        No]
    }
    Backup ReadsCopies [] {
        Anyone "copy the database"                     [No,  Yes, No,       No,           No,           No]
    }
    AfterRestore SettlesCopies [] {
        Anyone "put a copy into service"               [No,  Yes, No,       No,           No,           No]
    }
    // The credential of these is in the request itself: a cookie, a password, a code or a refresh secret.
    Discover Reads ["GET /.well-known/oauth-authorization-server", "GET /.well-known/oauth-protected-resource",
                    "GET /openapi.json", "GET /docs"] {
        Mine   "ask for the endpoints"                 [Yes, No,  Yes,      Yes,          Yes,          Yes]
    }
    SignIn Changes ["GET /sign-in", "POST /sign-in", "GET /sign-in/link", "POST /sign-in/link", "GET /invitation",
                    "POST /invitation", "POST /sign-in/again", "POST /sign-out", "GET /signed-out", "GET /",
                    "GET /assets/style.css", "GET /assets/page.js"] {
        Mine   "sign in with a browser"                [Yes, No,  Browser,      No,           No,           No]
    }
    Authorize Changes ["GET /oauth2/authorize", "POST /oauth2/authorize"] {
        Mine   "authorize programs"                    [Yes, No,  Browser,      No,           No,           No]
    }
    LetDeviceIn Changes ["GET /device", "POST /device", "POST /device/decision"] {
        Mine   "authorize devices"                     [Yes, No,  Browser,      No,           No,           No]
    }
    AskForDevice Changes ["POST /oauth2/device_authorization"] {
        Mine   "wait to be authorized"                 [Yes, No,  Yes,      No,           No,           No]
    }
    IssueTokens Changes ["POST /oauth2/token"] {
        Mine   "get a session's secrets"               [Yes, No,  Yes,      No,           No,           No]
    }
    RevokeShown Changes ["POST /oauth2/revoke", "ndauth.v1.TokenService/RevokeSecret"] {
        Mine   "end what is shown"                     [Yes, No,  Yes,      Itself,       Itself,       Yes]
    }
    ReportLeaked Changes ["ndauth.v1.TokenService/ReportLeaked"] {
        Mine   "report leaked secrets"                 [Yes, No,  Yes,      Itself,       Itself,       Yes]
    }
    CheckHealth Reads ["grpc.health.v1.Health/*"] {
        Mine   "check the health"                      [Yes, Yes, Yes,      Yes,          Yes,          Yes]
    }
    Reflect Reads ["grpc.reflection.v1.ServerReflection/*", "grpc.reflection.v1alpha.ServerReflection/*"] {
        Mine   "ask for the interface"                 [Yes, Yes, Yes,      Yes,          Yes,          Yes]
    }
}

impl Operation {
    /// Returns the operation's row for this kind, if it has one.
    pub(crate) fn row(self, kind: Kind) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.operation == self && row.kind == kind)
    }

    /// Returns the operation's first row, for columns that do not differ by kind.
    fn any_row(self) -> &'static Row {
        TABLE.iter().find(|row| row.operation == self).expect("the enum is written from the table")
    }

    /// Returns true if the operation mints a token's secret.
    pub(crate) fn mints(self) -> bool {
        matches!(self, Operation::CreateToken | Operation::RotateToken)
    }

    /// Returns true if the operation changes nothing.
    pub(crate) fn reads(self) -> bool {
        !self.any_row().does.changes()
    }

    /// Returns true if the operation is also allowed on a restored copy that nobody has put into service yet.
    pub(crate) fn serves_copies(self) -> bool {
        matches!(self.any_row().does, Does::ReadsCopies | Does::SettlesCopies)
    }
}
