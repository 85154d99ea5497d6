//! `ValidationService`.

use ndauth_authority::{Allowed, OwnerName, Question};
use ndauth_core::Problem;
use ndauth_proto::v1::validate_token_response::Outcome;
use ndauth_proto::v1::validation_service_server::ValidationService;
use ndauth_proto::v1::{self, ValidateTokenRequest, ValidateTokenResponse};
use ndauth_proto::{
    duration_to_proto, effective_to_proto, expiry_to_proto, refusal_to_proto, requirement_from_proto,
    timestamp_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::{Service, credential, refused, status};

#[async_trait]
impl ValidationService for Service {
    async fn validate_token(
        &self,
        request: Request<ValidateTokenRequest>,
    ) -> Result<Response<ValidateTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let requirement = requirement_from_proto(&request).map_err(refused)?;
        let client_address = match request.client_address.as_str() {
            "" => None,
            address => Some(address.parse().map_err(|_| {
                refused(Problem::invalid("client_address", "expected an IPv4 or IPv6 address"))
            })?),
        };
        let question = Question { secret: &request.secret, requirement: &requirement, client_address };
        let verdict =
            self.authority.validate(&credential, &question).await.map_err(|error| status(&error))?;
        let outcome = match &verdict.outcome {
            Ok(allowed) => Outcome::Allowed(allowed_to_proto(allowed)),
            Err(refusal) => Outcome::Refused(refusal_to_proto(refusal)),
        };
        Ok(Response::new(ValidateTokenResponse {
            outcome: Some(outcome),
            sequence: verdict.sequence,
            evaluated_at: Some(timestamp_to_proto(verdict.evaluated_at)),
            max_cache_age: Some(duration_to_proto(verdict.max_cache_age)),
        }))
    }
}

fn allowed_to_proto(allowed: &Allowed) -> v1::Allowed {
    let owner = match &allowed.owner {
        OwnerName::Account(account) => v1::allowed::Owner::Account(v1::OwnerAccount {
            id: account.id.to_string(),
            handle: account.handle.to_string(),
        }),
        OwnerName::Org(org) => {
            v1::allowed::Owner::Org(v1::OwnerOrg { id: org.id.to_string(), slug: org.slug.to_string() })
        }
    };
    v1::Allowed {
        token_id: allowed.token.id.to_string(),
        token_name: allowed.token.name.to_string(),
        owner: Some(owner),
        expiry: Some(expiry_to_proto(allowed.token.expires_at)),
        effective: allowed
            .access
            .as_ref()
            .and_then(|(org, ..)| effective_to_proto(&allowed.effective(), &org.slug)),
    }
}
