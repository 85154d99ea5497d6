//! `ValidationService`.

use std::net::IpAddr;

use ndauth_authority::{Allowed, Answer, AuthorityError, Credential, Question, Verdict};
use ndauth_core::{OwnerView, Problem, Reason, Refusal, Requirement};
use ndauth_proto::v1::{
    self, ValidateTokenRequest, ValidateTokenResponse, ValidateTokensRequest, ValidateTokensResponse,
    validate_token_response, validated_token,
};
use ndauth_proto::{
    duration_to_proto, effective_to_proto, expiry_to_proto, refusal_to_proto, requirement_from_proto,
    timestamp_to_proto,
};
use prost::Message;
use tonic::Status;

use crate::grpc::fields::address_from_proto;
use crate::grpc::unary::Framed;
use crate::grpc::{Service, refused, status};

/// What an answer tells of the state that it is of takes no more bytes than this.
const STATE: usize = 48;
/// How many questions are answered at once.
const MOST_QUESTIONS: usize = 1000;

impl Service {
    /// Answers `ValidateToken`.
    pub(super) async fn validate_token(
        &self,
        credential: &Credential,
        request: ValidateTokenRequest,
    ) -> Result<Framed, Status> {
        let (requirement, client_address) = circumstances(&request).map_err(refused)?;
        let question = Question { secret: &request.secret, requirement: &requirement, client_address };
        // Encoded where it is told: what is told is large, and would be moved about.
        let answer = self.authority.validate(credential, &question, |verdict| {
            let Verdict { outcome, max_cache_age } = verdict;
            let outcome = match told(outcome) {
                Ok(allowed) => validate_token_response::Outcome::Allowed(allowed),
                Err(refused) => validate_token_response::Outcome::Refused(refused),
            };
            let part = ValidateTokenResponse {
                outcome: Some(outcome),
                max_cache_age: Some(duration_to_proto(max_cache_age)),
                ..Default::default()
            };
            Framed::begin(&part, STATE)
        });
        let Answer { told: mut framed, sequence, evaluated_at, stale } =
            answer.await.map_err(|error| status(&error))?;
        let evaluated_at = Some(timestamp_to_proto(evaluated_at));
        framed.add(&ValidateTokenResponse { sequence, evaluated_at, stale, ..Default::default() });
        Ok(framed)
    }

    /// Answers `ValidateTokens`.
    pub(super) async fn validate_tokens(
        &self,
        credential: &Credential,
        request: ValidateTokensRequest,
    ) -> Result<Framed, Status> {
        let requests = request.questions;
        if requests.is_empty() || requests.len() > MOST_QUESTIONS {
            let why =
                format!("there are {}: ask at least 1 and at most {MOST_QUESTIONS} at once", requests.len());
            return Err(refused(Problem::invalid("questions", why)));
        }
        let asked: Vec<_> = requests.iter().map(circumstances).collect();
        let questions: Vec<Question<'_>> = requests
            .iter()
            .zip(&asked)
            .filter_map(|(request, asked)| {
                let (requirement, client_address) = asked.as_ref().ok()?;
                Some(Question { secret: &request.secret, requirement, client_address: *client_address })
            })
            .collect();
        let answer = self.authority.validate_all(credential, &questions, |verdict| one(validated(verdict)));
        let Answer { told, sequence, evaluated_at, stale } = answer.await.map_err(|error| status(&error))?;
        let evaluated_at = Some(timestamp_to_proto(evaluated_at));
        let state = ValidateTokensResponse { sequence, evaluated_at, stale, ..Default::default() };
        let room = told.iter().flatten().map(Vec::len).sum::<usize>();
        let mut framed = Framed::begin(&state, room + STATE);
        let mut told = told.into_iter();
        for asked in &asked {
            let answer = match asked {
                Ok(_) => match told.next() {
                    Some(Ok(answer)) => answer,
                    Some(Err(error)) => one(undecided(&error)),
                    None => return Err(refused(Problem::new(Reason::Internal, "a question was left out"))),
                },
                Err(problem) => one(invalid(problem)),
            };
            framed.add_encoded(&answer);
        }
        Ok(framed)
    }
}

/// One answer, as it stands among those of `ValidateTokensResponse`.
fn one(answer: v1::ValidatedToken) -> Vec<u8> {
    ValidateTokensResponse { answers: vec![answer], ..Default::default() }.encode_to_vec()
}

/// What a request asks, and from where its secret came.
fn circumstances(request: &ValidateTokenRequest) -> Result<(Requirement, Option<IpAddr>), Problem> {
    let requirement = requirement_from_proto(request)?;
    Ok((requirement, address_from_proto("client_address", &request.client_address)?))
}

fn validated(verdict: Verdict<'_>) -> v1::ValidatedToken {
    let outcome = match told(verdict.outcome) {
        Ok(allowed) => validated_token::Outcome::Allowed(allowed),
        Err(refused) => validated_token::Outcome::Refused(refused),
    };
    v1::ValidatedToken {
        outcome: Some(outcome),
        max_cache_age: Some(duration_to_proto(verdict.max_cache_age)),
    }
}

/// What is told of one that could not be decided. What failed within is for the log.
fn undecided(error: &AuthorityError) -> v1::ValidatedToken {
    tracing::error!(error = error as &dyn std::error::Error, "could not answer");
    let told = v1::Undecided { message: Problem::from(error).message };
    v1::ValidatedToken { outcome: Some(validated_token::Outcome::Undecided(told)), max_cache_age: None }
}

fn invalid(problem: &Problem) -> v1::ValidatedToken {
    let told = v1::InvalidQuestion {
        field: problem.field.clone().unwrap_or_default(),
        message: problem.message.clone(),
    };
    v1::ValidatedToken { outcome: Some(validated_token::Outcome::Invalid(told)), max_cache_age: None }
}

fn told(outcome: Result<Allowed<'_>, Refusal>) -> Result<v1::Allowed, v1::Refused> {
    outcome.map(|allowed| allowed_to_proto(&allowed)).map_err(|refusal| refusal_to_proto(&refusal))
}

fn allowed_to_proto(allowed: &Allowed<'_>) -> v1::Allowed {
    let owner = match &allowed.owner {
        OwnerView::Account(account) => v1::allowed::Owner::Account(v1::OwnerAccount {
            id: account.id.to_string(),
            handle: account.handle.to_string(),
        }),
        OwnerView::Org(org) => {
            v1::allowed::Owner::Org(v1::OwnerOrg { id: org.id.to_string(), slug: org.slug.to_string() })
        }
    };
    v1::Allowed {
        token_id: allowed.token.id.to_string(),
        token_name: allowed.token.name.to_string(),
        owner: Some(owner),
        expiry: Some(expiry_to_proto(allowed.token.expires_at)),
        effective: allowed.org.and_then(|org| effective_to_proto(&allowed.effective, org)),
    }
}
