//! `ValidationService`.

use std::net::IpAddr;

use ndauth_authority::access::Operation;
use ndauth_authority::{Answer, AuthorityError, CacheableVerdict, Credential, Question};
use ndauth_core::{Causes, ClientName, Problem, Reason, Requirement};
use ndauth_proto::v1::{
    self, ResolveRequest, ValidateTokenRequest, ValidateTokensRequest, ValidatedToken, validated_token,
};
use ndauth_proto::{
    inputs_to_proto, requirement_from_proto, write_fixed, write_message, write_number, write_timestamp,
};
use prost::Message;
use tonic::Status;

use crate::grpc::fields::address_from_proto;
use crate::grpc::service::{GrpcService, refused, status};
use crate::grpc::unary::{Framed, count_fields, message, unframed};
use crate::verdict::{STATE_SIZE, VERDICT_SIZE, write_state, write_verdict};

/// The most questions of a batch.
const MOST_QUESTIONS: usize = 1000;
/// The largest response to a batch, in bytes. Clients accept 4 MiB; the rest is reserved for the results that
/// do not fit.
const MAX_RESPONSE: usize = 4 * 1024 * 1024 - 128 * MOST_QUESTIONS;

impl GrpcService {
    /// Returns an error if the caller may not validate.
    pub(super) async fn admit(&self, credential: &Credential, operation: Operation) -> Result<(), Status> {
        self.authority.validation().admit(credential, operation).await.map_err(|error| status(&error))
    }

    /// Answers `ValidateToken`.
    pub(super) async fn validate_token(
        &self,
        credential: &Credential,
        request: &ValidateTokenRequest,
    ) -> Result<Framed, Status> {
        let (requirement, client_address, client) = parse_question(request).map_err(refused)?;
        let question =
            Question { secret: &request.secret, requirement: &requirement, client_address, client };
        response(self.authority.validation().validate(credential, &question, frame_verdict).await)
    }

    /// Answers `ValidateToken` if it can be answered at once.
    pub(super) fn validate_token_now(
        &self,
        credential: &Credential,
        request: &ValidateTokenRequest,
    ) -> Option<Result<Framed, Status>> {
        let (requirement, client_address, client) = match parse_question(request) {
            Ok(parse_question) => parse_question,
            Err(problem) => return Some(Err(refused(problem))),
        };
        let question =
            Question { secret: &request.secret, requirement: &requirement, client_address, client };
        self.authority.validation().validate_now(credential, &question, frame_verdict).map(response)
    }

    /// Answers `Resolve`.
    pub(super) async fn resolve(
        &self,
        credential: &Credential,
        request: &ResolveRequest,
    ) -> Result<Framed, Status> {
        let asked = request.question.as_ref().ok_or_else(|| Problem::invalid("question", "it is missing"));
        let asked = asked.map_err(refused)?;
        let (requirement, client_address, client) = parse_question(asked).map_err(refused)?;
        let question = Question { secret: &asked.secret, requirement: &requirement, client_address, client };
        let answer = self.authority.validation().resolve(
            credential,
            &question,
            request.at_least_sequence,
            |verdict, resolved| {
                let mut fields = Vec::with_capacity(VERDICT_SIZE);
                write_verdict(&mut fields, &verdict, 5);
                let inputs = resolved
                    .map(|resolved| (inputs_to_proto(&resolved.inputs, &resolved.rules), resolved.state));
                (fields, inputs)
            },
        );
        let ((mut verdict, inputs), state) = answer.await.map_err(|error| status(&error))?.split();
        write_state(&mut verdict, &state);
        let mut framed = Framed::begin(2 * verdict.len() + VERDICT_SIZE);
        write_message(framed.fields(), 1, |fields| fields.extend_from_slice(&verdict));
        if let Some((inputs, state)) = inputs {
            write_message(framed.fields(), 2, |fields| fields.extend(inputs.encode_to_vec()));
            write_fixed(framed.fields(), 3, state);
        }
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
            return Err(too_many(requests.len()));
        }
        let asked: Vec<_> = requests.iter().map(parse_question).collect();
        let questions: Vec<Question<'_>> = requests
            .iter()
            .zip(&asked)
            .filter_map(|(request, asked)| {
                let (requirement, client_address, client) = asked.as_ref().ok()?;
                let (secret, client_address, client) = (&*request.secret, *client_address, client.clone());
                Some(Question { secret, requirement, client_address, client })
            })
            .collect();
        let answer = self.authority.validation().validate_all(credential, &questions, |verdict| {
            let mut fields = Vec::with_capacity(VERDICT_SIZE);
            write_verdict(&mut fields, &verdict, 4);
            fields
        });
        let Answer { value: verdicts, sequence, evaluated_at, stale } =
            answer.await.map_err(|error| status(&error))?;
        let mut framed = Framed::begin(
            verdicts.iter().flatten().map(|verdict| verdict.len() + 4).sum::<usize>() + STATE_SIZE,
        );
        let fields = framed.fields();
        let mut verdicts = verdicts.into_iter();
        for asked in &asked {
            let one = match asked {
                Ok(_) => match verdicts.next() {
                    Some(Ok(verdict)) if fields.len() + verdict.len() > MAX_RESPONSE => {
                        too_long().encode_to_vec()
                    }
                    Some(Ok(verdict)) => verdict,
                    Some(Err(error)) => undecided(&error).encode_to_vec(),
                    None => {
                        return Err(refused(Problem::new(Reason::Internal, "a question was not answered")));
                    }
                },
                Err(problem) => invalid(problem).encode_to_vec(),
            };
            write_message(fields, 1, |fields| fields.extend_from_slice(&one));
        }
        write_number(fields, 2, sequence);
        write_timestamp(fields, 3, evaluated_at);
        write_number(fields, 4, stale.into());
        Ok(framed)
    }
}

/// Decodes the questions of a framed request. They are counted first, since each takes far more memory once
/// decoded.
pub(super) fn questions(whole: &[u8]) -> Result<ValidateTokensRequest, Status> {
    match count_fields(unframed(whole)?) {
        0..=MOST_QUESTIONS => message(whole),
        count => Err(too_many(count)),
    }
}

fn too_many(count: usize) -> Status {
    let why = format!("there are {count}: ask at least 1 and at most {MOST_QUESTIONS} at once");
    refused(Problem::invalid("questions", why))
}

/// Frames a verdict at once, since the data that it borrows does not outlive the call.
#[expect(clippy::needless_pass_by_value, reason = "it is passed on by name")]
fn frame_verdict(verdict: CacheableVerdict<'_>) -> Framed {
    let mut framed = Framed::begin(VERDICT_SIZE);
    write_verdict(framed.fields(), &verdict, 5);
    framed
}

fn response(answer: Result<Answer<Framed>, AuthorityError>) -> Result<Framed, Status> {
    let (mut framed, state) = answer.map_err(|error| status(&error))?.split();
    write_state(framed.fields(), &state);
    Ok(framed)
}

/// Reads a question: its requirement, and the address and the name of the client that presented the secret.
fn parse_question(
    request: &ValidateTokenRequest,
) -> Result<(Requirement, Option<IpAddr>, Option<ClientName>), Problem> {
    let requirement = requirement_from_proto(request)?;
    let address = address_from_proto("client_address", &request.client_address)?;
    Ok((requirement, address, ClientName::of_user_agent(&request.client)))
}

/// Returns the result for a question whose verdict does not fit into the response.
fn too_long() -> ValidatedToken {
    let message = "the response would be larger than 4 MiB: ask about this secret again, with fewer others";
    let outcome = v1::Undecided { message: message.to_owned() };
    ValidatedToken { outcome: Some(validated_token::Outcome::Undecided(outcome)), max_cache_age: None }
}

/// Returns the result for a question without a verdict. The cause is only logged.
fn undecided(error: &AuthorityError) -> ValidatedToken {
    tracing::error!(error = %Causes(error), "the request failed");
    let outcome = v1::Undecided { message: Problem::from(error).message };
    ValidatedToken { outcome: Some(validated_token::Outcome::Undecided(outcome)), max_cache_age: None }
}

fn invalid(problem: &Problem) -> ValidatedToken {
    let outcome = v1::InvalidQuestion {
        field: problem.field.clone().unwrap_or_default(),
        message: problem.message.clone(),
    };
    ValidatedToken { outcome: Some(validated_token::Outcome::Invalid(outcome)), max_cache_age: None }
}
