//! The explanation of a token as a table: each factor of the decision, and the first that refuses.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, Explanation, Inquiry, Shown, Subject, Which};
use ndauth_core::{OrgSlug, Permission, Scope, SecretKind};
use ndauth_proto::refusal_to_proto;

use super::new::{EffectShown, MOST_ORGS, effect};
use super::place::{place, tokens_path};
use crate::http::fields::Fields;
use crate::http::layout::page;
use crate::http::pages::browser::{PagePath as _, PageRequest};
use crate::http::pages::parts::{Choice, Frame, capitalized};
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "token_explain.html")]
struct ExplainPage {
    frame: Frame,
    name: String,
    href: String,
    orgs: Vec<Choice>,
    accesses: Vec<Choice>,
    permission: String,
    permission_error: String,
    explanations: Vec<ShownExplanation>,
    /// The sentence for no explanation.
    nothing: String,
}

/// The decision about the token in one org.
struct ShownExplanation {
    effect: EffectShown,
    findings: Vec<ShownFinding>,
}

struct ShownFinding {
    factor: String,
    allows: String,
    message: String,
    refuses: bool,
    /// True for the first factor that refuses.
    is_first: bool,
}

/// The question about the token, as it was typed.
struct ExplainForm {
    org: Option<OrgSlug>,
    needed: Option<(Scope, Option<Permission>)>,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let (whose, id) = (request.whose()?, request.token()?);
    let credential = request.credential();
    let tokens = site.authority.tokens();
    // The view remembers the roles and the policies of all orgs, which the explanations need one by one.
    let known = site.authority.orgs().list_mine(&credential).await?;
    let mut permission_error = String::new();
    let question = ExplainForm::read(&request.query).unwrap_or_else(|wrong| {
        permission_error = wrong;
        ExplainForm { org: None, needed: None }
    });
    let mut nothing = "The token's owner is a member of no org that the token is for.".to_owned();
    let inquiry = Inquiry {
        whose: whose.clone(),
        subject: Subject::Token(Which::Id(id)),
        org: question.org,
        question: question.needed,
        service: None,
        address: None,
    };
    let (name, explained) = match tokens.explain(&credential, &inquiry).await {
        Ok(explained) => {
            (explained.name.as_ref().map_or_else(String::new, ToString::to_string), Some(explained))
        }
        Err(error @ (AuthorityError::NotFound { .. } | AuthorityError::Invalid { .. })) => {
            // If there is no such token, this fails; otherwise the question was wrong.
            let Shown { view, .. } = tokens.get(&credential, &whose, &Which::Id(id)).await?;
            nothing = PageError::from(error).text;
            (view.token.name.to_string(), None)
        }
        Err(error) => return Err(error.into()),
    };
    let asked = request.query.text("org").to_owned();
    let each =
        if known.len() > MOST_ORGS { format!("The first {MOST_ORGS} orgs") } else { "Each org".to_owned() };
    let mut orgs = vec![Choice::new("", &each, asked.is_empty())];
    let mut explanations = Vec::new();
    if let Some(explained) = &explained {
        let first = explained.explanations.iter().take(MOST_ORGS);
        explanations = first.map(|found| shown(found, explained.kind)).collect();
    }
    let slugs = known.iter().map(|mine| mine.membership.org.slug.to_string());
    orgs.extend(slugs.map(|slug| Choice::new(&slug, &slug, slug == asked)));
    let explain_page = ExplainPage {
        frame: Frame::new(&request.visit, place(&whose).0),
        href: format!("{}/{id}", tokens_path(&whose)),
        name,
        orgs,
        accesses: Choice::of(
            &[("", "Any"), ("ro", "RO: list and query"), ("rw", "RW: change")],
            request.query.text("access"),
        ),
        permission: request.query.text("permission").to_owned(),
        permission_error,
        explanations,
        nothing,
    };
    Ok(page(StatusCode::OK, &explain_page))
}

impl ExplainForm {
    fn read(query: &Fields) -> Result<ExplainForm, String> {
        let org =
            query.get("org").map(str::parse).transpose().map_err(|_| "No org has such a name.".to_owned())?;
        let access = match query.get("access") {
            None => None,
            Some(text) => Some(text.to_uppercase().parse().map_err(|_| "Choose RO or RW.".to_owned())?),
        };
        let permission = query.get("permission").map(str::parse::<Permission>).transpose();
        let permission = permission.map_err(|why| sentence(&format!("it is no permission: {why}")))?;
        let needed = match (access, permission) {
            (None, None) => None,
            // The least access, which the permission's own may exceed.
            (access, permission) => Some((access.unwrap_or(Scope::Ro), permission)),
        };
        match (&org, &needed) {
            (None, Some(_)) => Err("Choose the org in which access is needed.".to_owned()),
            _ => Ok(ExplainForm { org, needed }),
        }
    }
}

fn shown(explanation: &Explanation, kind: SecretKind) -> ShownExplanation {
    let first = explanation.findings.iter().position(|(.., refusal)| refusal.is_some());
    let findings = explanation.findings.iter().enumerate().map(|(number, (factor, allows, refusal))| {
        let message =
            refusal.as_ref().map(|refusal| sentence(&refusal_to_proto(refusal, Some(kind)).message));
        ShownFinding {
            factor: capitalized(&factor.to_string()),
            allows: allows.clone(),
            message: message.unwrap_or_default(),
            refuses: refusal.is_some(),
            is_first: Some(number) == first,
        }
    });
    ShownExplanation { findings: findings.collect(), effect: effect(explanation, kind) }
}
