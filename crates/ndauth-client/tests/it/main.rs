//! The library against a server of a later version than its own, which the tests play.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ndauth_client::core::{
    AccountId, Catalogue, CatalogueDocument, Expiry, Grants, Head, InputOwner, InputPlace, Inputs, Lifetime,
    Networks, Org, OrgId, OrgWithPolicies, Orgs, Owner, Policies, Role, Rules, Scope, SecretId, SecretRecord,
    Service, ServiceId, Services, Timestamp, Token, TokenId,
};
use ndauth_client::proto::v1::validation_service_server::{ValidationService, ValidationServiceServer};
use ndauth_client::proto::v1::watch_service_server::{WatchService, WatchServiceServer};
use ndauth_client::proto::{
    duration_to_proto, head_to_proto, inputs_to_proto, rules_to_proto, timestamp_to_proto, v1,
};
use ndauth_client::{Credentials, Requirement, Verdict, Verifier, VerifierOptions};
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming, async_trait};
use uuid::Uuid;

const SERVICE: &str = "ndsvc_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4";
const TOKEN: &str = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
const INSTANCE: u64 = 7;

/// A server that allows everything, by decisions of a chosen version.
#[derive(Clone, Default)]
struct Later {
    decision: Arc<AtomicU32>,
    asked: Arc<AtomicU64>,
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x019a_8b2e_7c00_7000_8000_0000_0000_0000 + n)
}

fn now() -> Timestamp {
    "2027-01-31T12:00:00Z".parse().expect("an instant")
}

fn rules() -> Rules {
    Rules {
        version: [1; 32],
        service: Service {
            id: ServiceId::from_uuid(id(1)),
            name: "registry".parse().expect("a name"),
            orgs: Orgs::All,
            states_address: false,
            created_at: now(),
            revoked_at: None,
        },
        catalogue: Catalogue::new(&CatalogueDocument::default()).expect("a catalogue"),
        not_before: Timestamp::MIN,
    }
}

fn inputs() -> Inputs {
    let account = AccountId::from_uuid(id(2));
    let org = Org {
        id: OrgId::from_uuid(id(3)),
        slug: "ops".parse().expect("a slug"),
        name: None,
        created_at: now(),
        deleted_at: None,
        not_before: Timestamp::MIN,
        frozen_at: None,
    };
    Inputs {
        secret: SecretRecord::first(
            SecretId::from_uuid(id(4)),
            "ndpat_Jj8IYR".parse().expect("a prefix"),
            now(),
        ),
        token: Token {
            id: TokenId::from_uuid(id(5)),
            owner: Owner::Account(account),
            name: "ci".parse().expect("a name"),
            description: None,
            scope: Scope::Rw,
            grants: Grants::All,
            orgs: Orgs::All,
            services: Services::All,
            networks: Networks::All,
            created_at: now(),
            lifetime: Lifetime::Endless,
            expires_at: Expiry::Never,
            revoked_at: None,
            self_rotating_until: None,
            suspensions: [].into(),
        },
        owner: InputOwner::Account {
            id: account,
            handle: "ada".parse().expect("a handle"),
            disabled_at: None,
            last_login_at: None,
            not_before: Timestamp::MIN,
        },
        places: vec![InputPlace::In(
            Arc::new(OrgWithPolicies { org, policies: Policies::default() }),
            Some(Role::Rw),
        )],
    }
}

#[async_trait]
impl ValidationService for Later {
    async fn validate_token(
        &self,
        _: Request<v1::ValidateTokenRequest>,
    ) -> Result<Response<v1::ValidateTokenResponse>, Status> {
        Err(Status::unimplemented("it is not asked"))
    }

    async fn validate_tokens(
        &self,
        _: Request<v1::ValidateTokensRequest>,
    ) -> Result<Response<v1::ValidateTokensResponse>, Status> {
        Err(Status::unimplemented("it is not asked"))
    }

    async fn resolve(&self, _: Request<v1::ResolveRequest>) -> Result<Response<v1::ResolveResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let allowed = v1::Allowed {
            token_id: id(5).to_string(),
            token_name: "ci".to_owned(),
            owner: Some(v1::Owner {
                kind: Some(v1::owner::Kind::Account(v1::OwnerAccount {
                    id: id(2).to_string(),
                    handle: "ada".to_owned(),
                })),
            }),
            expiry: Some(v1::Expiry { kind: Some(v1::expiry::Kind::Never(v1::Never {})) }),
            effective: None,
        };
        let verdict = v1::ValidateTokenResponse {
            outcome: Some(v1::validate_token_response::Outcome::Allowed(allowed)),
            sequence: 5,
            evaluated_at: Some(timestamp_to_proto(now())),
            max_cache_age: Some(duration_to_proto(Duration::from_secs(1))),
            stale: false,
        };
        let inputs = v1::Inputs {
            decision_version: self.decision.load(Ordering::SeqCst),
            ..inputs_to_proto(&inputs(), &rules().version)
        };
        Ok(Response::new(v1::ResolveResponse {
            verdict: Some(verdict),
            inputs: Some(inputs),
            instance: INSTANCE,
        }))
    }
}

#[async_trait]
impl WatchService for Later {
    type WatchRevocationsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchRevocationsResponse, Status>> + Send>>;

    async fn watch_revocations(
        &self,
        request: Request<Streaming<v1::WatchRevocationsRequest>>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let mut probes = request.into_inner();
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(Ok(probe)) = probes.next().await {
                let first = probe.probe == 1;
                let confirmed = v1::Confirmed {
                    probe: probe.probe,
                    position: Some(head_to_proto(Head { sequence: 5, hash: [5; 32] })),
                    age: Some(duration_to_proto(Duration::ZERO)),
                    now: Some(timestamp_to_proto(now())),
                    bound: Some(duration_to_proto(Duration::from_secs(2))),
                    instance: INSTANCE,
                };
                let answer = v1::WatchRevocationsResponse {
                    reset: first,
                    rules: first.then(|| rules_to_proto(&rules())),
                    changes: Vec::new(),
                    confirmed: Some(confirmed),
                };
                if sender.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// A later version of the decision may read inputs that this version ignores, so the server decides.
#[tokio::test]
async fn a_later_decision_version_is_left_to_the_server() {
    let later = Later::default();
    later.decision.store(u32::MAX, Ordering::SeqCst);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = tonic::transport::Server::builder()
        .add_service(ValidationServiceServer::new(later.clone()))
        .add_service(WatchServiceServer::new(later.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let serving = tokio::spawn(serving);
    let credentials = Credentials::given(&SERVICE.parse().expect("a secret"));
    let options = VerifierOptions::new(url.parse().expect("a URL"), credentials);
    let verifier = Verifier::start(options).expect("it starts");
    verifier.ready().await;
    let requirement =
        Requirement::Access { org: "ops".parse().expect("a slug"), access: Scope::Rw, permission: None };
    let ask = async |times: u64| {
        let before = later.asked.load(Ordering::SeqCst);
        for _ in 0..times {
            assert!(matches!(verifier.validate(TOKEN, &requirement).await, Ok(Verdict::Allowed(_))));
        }
        later.asked.load(Ordering::SeqCst) - before
    };
    assert_eq!(ask(3).await, 3, "each time");
    assert_eq!(verifier.figures().kept, 0);
    later.decision.store(ndauth_client::core::DECISION_VERSION, Ordering::SeqCst);
    assert_eq!(ask(3).await, 1, "one that it knows is decided here");
    assert_eq!(verifier.figures().kept, 1);
    serving.abort();
}
