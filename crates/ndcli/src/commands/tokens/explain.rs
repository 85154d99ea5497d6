//! `ndcli auth token explain` and `ndcli token explain`, and what `create --preview` shows.

use std::net::IpAddr;

use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use ndauth_core::{Label, Permission};
use ndauth_proto::v1::explanation::Outcome;
use ndauth_proto::v1::{self, explain_token_request};
use ndauth_proto::{
    factor_from_proto, grants_from_proto, permission_to_proto, reason_from_proto, role_from_proto,
    scope_from_proto,
};
use ndauth_terminal::{
    Failure, Rows, aside, detailed, hint, nonsense, print, print_message, shown, who_can_change,
};

use super::aim::{OwnerArguments, OwnerChoice};
use crate::commands::candidates;
use crate::connection::{ServerConnection, connect};
use crate::settings::values::{permission, service};
use crate::settings::{CommonOptions, Format};
use crate::terminal::secret_from_stdin;

#[derive(clap::Args)]
pub(crate) struct Explain<W: OwnerArguments> {
    /// Token: its name, its id, the beginning of its id, or its prefix [default: the credential]
    #[arg(value_name = "TOKEN", conflicts_with = "secret_stdin", add = ArgValueCandidates::new(candidates::token_names))]
    name: Option<String>,

    /// Read the token's secret from standard input
    #[arg(long)]
    secret_stdin: bool,

    /// Permission needed, such as write:assets or write:assets:ID
    #[arg(long, value_name = "NAME", value_parser = permission, add = ArgValueCandidates::new(candidates::permissions))]
    permission: Option<Permission>,

    /// Access needed [default: what the permission needs]
    #[arg(long, ignore_case = true)]
    access: Option<ExplainAccess>,

    /// Explain for this service
    #[arg(long, value_name = "NAME", value_parser = service)]
    as_service: Option<Label>,

    /// Explain for use from this address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,

    #[command(flatten)]
    owner: W,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExplainAccess {
    /// List and query
    Ro,
    /// Also change
    Rw,
}

/// Explains a token. That it may not is an answer, and exit code 1.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    explain: &Explain<W>,
) -> Result<(), Failure> {
    use explain_token_request::Token;
    let asked_in = explain.owner.asked_in();
    if asked_in.is_none() && (explain.permission.is_some() || explain.access.is_some()) {
        let message = "`--permission` and `--access` need an org";
        return Err(Failure::usage(message, "use `--org NAME`"));
    }
    let secret = if explain.secret_stdin { Some(secret_from_stdin()?) } else { None };
    let server = connect(common).await?;
    let (whose, token) = match (&explain.name, secret) {
        (_, Some(secret)) => (OwnerChoice::Mine, Token::Secret(v1::PresentedSecret { secret })),
        (Some(name), None) => (explain.owner.whose()?, Token::Which(v1::Which::name(name))),
        (None, None) => {
            let secret = &server.credential.secret;
            if !matches!(secret.kind(), ndauth_core::SecretKind::Personal | ndauth_core::SecretKind::Org) {
                let hint = "`explain NAME`, or `--secret-stdin` for one whose secret you hold";
                return Err(Failure::usage("no token is named", hint));
            }
            (OwnerChoice::Mine, Token::Secret(v1::PresentedSecret { secret: secret.expose().to_owned() }))
        }
    };
    let access = match (explain.access, &explain.permission) {
        (Some(ExplainAccess::Rw), _) => Some(v1::Scope::Rw.into()),
        (Some(ExplainAccess::Ro), _) | (None, Some(_)) => Some(v1::Scope::Ro.into()),
        (None, None) => None,
    };
    let request = v1::ExplainTokenRequest {
        owner: Some(whose.to_proto()),
        token: Some(token),
        org: asked_in.map(ToString::to_string),
        access,
        permission: explain.permission.as_ref().map(permission_to_proto),
        service: explain.as_service.as_ref().map(ToString::to_string),
        client_address: explain.from.map(|address| address.to_string()),
    };
    let answer = ask(&server, request).await?;
    let explanations = read(&answer)?;
    match common.format {
        Format::Table => {
            for explanation in &explanations {
                print(&explanation.table())?;
            }
        }
        Format::Simple => print(&explanations.iter().map(ExplanationShown::line).collect::<String>())?,
        Format::Detailed => {
            for explanation in &explanations {
                print(&explanation.detailed())?;
            }
        }
        Format::Json => print_message(&answer)?,
    }
    let mut refused = explanations.iter().filter_map(|explanation| explanation.outcome.as_ref().err());
    match refused.next() {
        None => Ok(()),
        Some(only)
            if explain.from.is_none() && reason(only) == ndauth_core::Reason::AddressUnknown.code() =>
        {
            Err(Failure::without_message(Some("give the client's address: `--from ADDRESS`")))
        }
        // A single refusal has a next step.
        Some(only) if refused.next().is_none() => {
            Err(Failure::without_message(Some(only.hint.as_str()).filter(|hint| !hint.is_empty())))
        }
        Some(_) => Err(Failure::without_message(None)),
    }
}

/// Shows what a token that is not made yet could do, org by org.
pub(crate) async fn preview(
    format: Format,
    server: &ServerConnection,
    whose: v1::Whose,
    planned: explain_token_request::Token,
) -> Result<(), Failure> {
    let request = v1::ExplainTokenRequest { owner: Some(whose), token: Some(planned), ..Default::default() };
    let answer = ask(server, request).await?;
    let explanations = read(&answer)?;
    match format {
        Format::Table => {
            let titles = ["ORG", "ROLE", "ACCESS", "MAY"];
            let rows = explanations.iter().map(ExplanationShown::row).collect();
            print(&Rows { titles, rows, last_width: 0 }.table())?;
        }
        Format::Simple => print(&explanations.iter().map(ExplanationShown::line).collect::<String>())?,
        Format::Detailed => {
            for explanation in &explanations {
                print(&explanation.detailed())?;
            }
        }
        Format::Json => return print_message(&answer),
    }
    aside("nothing was made: leave `--preview` out to make the token");
    let useless = explanations.iter().all(|explanation| match &explanation.outcome {
        Ok(allowed) => allowed.is_empty,
        Err(_) => true,
    });
    if useless {
        hint("it could do nothing anywhere: `-f detailed` shows why");
    }
    Ok(())
}

/// The decision about a token in an org, as it is shown.
struct ExplanationShown {
    /// Empty where only the token itself was judged.
    org: String,
    findings: Vec<FindingShown>,
    outcome: Result<EffectiveShown, v1::Refused>,
}

struct FindingShown {
    factor: String,
    allows: String,
    refused: Option<v1::Refused>,
}

struct EffectiveShown {
    role: &'static str,
    access: &'static str,
    /// The effective permissions, for people.
    may: String,
    /// True if there are none.
    is_empty: bool,
}

async fn ask(
    server: &ServerConnection,
    request: v1::ExplainTokenRequest,
) -> Result<v1::ExplainTokenResponse, Failure> {
    server.ask(async |client| client.explain_token(request.clone()).await).await
}

fn read(answer: &v1::ExplainTokenResponse) -> Result<Vec<ExplanationShown>, Failure> {
    answer.explanations.iter().cloned().map(ExplanationShown::read).collect()
}

impl ExplanationShown {
    fn read(message: v1::Explanation) -> Result<ExplanationShown, Failure> {
        let finding = |finding: v1::Finding| FindingShown {
            factor: factor_name(finding.factor),
            allows: finding.allows,
            refused: finding.refused,
        };
        let outcome = match message.outcome.ok_or_else(|| nonsense("it is neither a yes nor a no"))? {
            Outcome::Refused(refused) => Err(refused),
            Outcome::Allowed(_) if message.org.is_none() => {
                let may = "show whose it is, and nothing in any org".to_owned();
                Ok(EffectiveShown { role: "-", access: "-", may, is_empty: false })
            }
            Outcome::Allowed(allowed) => Ok(EffectiveShown::read(allowed)?),
        };
        Ok(ExplanationShown {
            org: message.org.unwrap_or_default(),
            findings: message.findings.into_iter().map(finding).collect(),
            outcome,
        })
    }

    fn row(&self) -> [String; 4] {
        let (role, access, may) = match &self.outcome {
            Ok(allowed) => (allowed.role.to_owned(), allowed.access.to_owned(), allowed.may.clone()),
            Err(refused) => ("-".to_owned(), "-".to_owned(), format!("nothing: {}", refused.message)),
        };
        [self.org().to_owned(), role, access, may]
    }

    fn org(&self) -> &str {
        if self.org.is_empty() { "-" } else { &self.org }
    }

    /// The factors in their order, the first that refuses marked.
    fn table(&self) -> String {
        let mut first = true;
        let mut rows = Vec::new();
        for finding in &self.findings {
            let says = match &finding.refused {
                None => "allows".to_owned(),
                Some(_) if std::mem::take(&mut first) => "REFUSES".to_owned(),
                Some(_) => "would refuse".to_owned(),
            };
            rows.push([finding.factor.clone(), says, finding.allows.clone()]);
        }
        let titles = ["FACTOR", "SAYS", "WHAT IT ALLOWS"];
        let head = if self.org.is_empty() { String::new() } else { format!("Org: {}\n", shown(&self.org)) };
        format!("{head}{}{}", Rows { titles, rows, last_width: 0 }.table(), self.verdict())
    }

    /// Returns the result, and who can change a refusal.
    fn verdict(&self) -> String {
        match &self.outcome {
            Ok(allowed) => format!("✓ Allowed: {}\n", shown(&allowed.may)),
            Err(refused) => {
                let mut text = format!("✗ Refused ({}): {}\n", reason(refused), shown(&refused.message));
                if let Some(missing) = missing(refused) {
                    text += &format!("Missing: {}\n", shown(&missing));
                }
                if let Some(who) = who_can_change(refused) {
                    text += &format!("Who can change it: {who}\n");
                }
                text
            }
        }
    }

    fn detailed(&self) -> String {
        let mut fields = vec![("Org", self.org().to_owned())];
        match &self.outcome {
            Ok(allowed) => {
                fields.push(("Result", "allowed".to_owned()));
                fields.push(("Role", allowed.role.to_owned()));
                fields.push(("Access", allowed.access.to_owned()));
                fields.push(("May", allowed.may.clone()));
            }
            Err(refused) => {
                fields.push(("Result", "refused".to_owned()));
                fields.push(("Reason", reason(refused).to_owned()));
                fields.push(("Message", refused.message.clone()));
                fields.extend(missing(refused).map(|missing| ("Missing", missing)));
                fields.extend(who_can_change(refused).map(|who| ("Who can change it", who.to_owned())));
            }
        }
        let findings = self.findings.iter().map(|finding| {
            let says = match &finding.refused {
                None => finding.allows.clone(),
                Some(refused) => format!("refuses: {}", refused.message),
            };
            (finding.factor.as_str(), says)
        });
        fields.extend(findings);
        detailed(&fields)
    }

    fn line(&self) -> String {
        match &self.outcome {
            Ok(allowed) => format!(
                "• {} allowed role:{} access:{} {}\n",
                shown(self.org()),
                allowed.role,
                allowed.access,
                shown(&allowed.may)
            ),
            Err(refused) => format!(
                "• {} refused reason:{} factor:{} {}\n",
                shown(self.org()),
                reason(refused),
                factor_name(refused.factor),
                shown(&refused.message)
            ),
        }
    }
}

impl EffectiveShown {
    fn read(message: v1::Effective) -> Result<EffectiveShown, Failure> {
        let grants = grants(message.grants)?;
        let access = scope_from_proto("access", message.access)?.as_str();
        let may = match &grants {
            None => "nothing: this role allows none of its grants".to_owned(),
            Some(ndauth_core::Grants::All) => "all permissions except ndauth's own".to_owned(),
            Some(some) => some.to_string(),
        };
        Ok(EffectiveShown {
            role: role_from_proto("role", message.role)?.as_str(),
            access,
            may,
            is_empty: grants.is_none(),
        })
    }
}

/// The effective permissions: none where a role leaves nothing of what a token carries.
fn grants(message: Option<v1::Grants>) -> Result<Option<ndauth_core::Grants>, Failure> {
    if let Some(v1::Grants { kind: Some(v1::grants::Kind::Only(set)) }) = &message
        && set.grants.is_empty()
    {
        return Ok(None);
    }
    Ok(Some(grants_from_proto("grants", message)?))
}

/// A factor, for people.
pub(crate) fn factor_name(factor: i32) -> String {
    factor_from_proto(factor).map_or("-".to_owned(), |factor| factor.to_string())
}

fn reason(refused: &v1::Refused) -> &'static str {
    reason_from_proto(refused.reason).map_or("UNKNOWN", |reason| reason.code())
}

/// Returns the permissions, scope and role that are missing.
fn missing(refused: &v1::Refused) -> Option<String> {
    let mut missing: Vec<String> = refused
        .missing_permissions
        .iter()
        .filter_map(|permission| ndauth_proto::permission_from_proto("permission", permission).ok())
        .map(|permission| permission.to_string())
        .collect();
    let scope = refused.missing_scope.and_then(|scope| scope_from_proto("scope", scope).ok());
    missing.extend(scope.map(|scope| format!("the scope {scope}")));
    let role = refused.missing_role.and_then(|role| role_from_proto("role", role).ok());
    missing.extend(role.map(|role| format!("the role {role}")));
    if missing.is_empty() { None } else { Some(missing.join(", ")) }
}
