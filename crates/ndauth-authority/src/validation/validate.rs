//! Validation: a service asks whether secrets may do something, and is answered from the mirror.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    Allowed, Asker, ClientName, Effective, Expiry, Grants, Inputs, LastUse, OrgView, Orgs, Reason, Refusal,
    Requirement, RulesVersion, Scope, Secret, SecretHash, SecretKind, SecretRecord, Service, Timestamp,
    decide,
};
use ndauth_store::StoreError;

use crate::access::{Kind, Operation, held};
use crate::limits::{ClientNetwork, CountedAs};
use crate::observations::uses::ReportedUse;
use crate::validation::mirror::effects::{Effect, Effects};
use crate::validation::mirror::{self, Found, Known, Stale, StaleCause, View, asking};
use crate::{AuthorityError, Caller, Credential, ValidationWing};

/// The number of questions that are answered before other tasks go first.
const CHUNK: usize = 32;

/// A service's question about a secret.
pub struct Question<'a> {
    /// The text that the service was shown as a secret.
    pub secret: &'a str,
    /// The requirement.
    pub requirement: &'a Requirement,
    /// The address of its client, as the service states it.
    pub client_address: Option<IpAddr>,
    /// The client's name, as the service states it. No decision depends on it.
    pub client: Option<ClientName>,
}

/// The verdict about one secret, and how long it may be cached.
#[derive(Debug)]
pub struct CacheableVerdict<'a> {
    /// The secret's effective power, or its refusal.
    pub outcome: Result<Allowed<'a>, Refusal>,
    /// The kind of the secret; `None` where the text is none.
    pub kind: Option<SecretKind>,
    /// The service that asks.
    pub service: &'a Service,
    /// The time for which it may be kept, counted from the sending of the question.
    pub max_cache_age: Duration,
}

impl CacheableVerdict<'_> {
    /// Returns the access and the grants of a token that is allowed, as far as the service may learn them: in the org in
    /// question, or, of an identity, as the token offers them. Those of an identity may be for orgs that the service may
    /// not ask about, so only a service for all orgs learns the grants.
    pub fn visible_power(&self) -> Option<(Scope, Option<&Grants>)> {
        let Allowed { token, effective, .. } = self.outcome.as_ref().ok()?;
        Some(match effective {
            Effective::Access { access, grants, .. } => (*access, Some(grants)),
            Effective::Identity => (token.scope, (self.service.orgs == Orgs::All).then_some(&token.grants)),
        })
    }
}

/// A response, and the state that it is based on.
#[derive(Debug)]
pub struct Answer<T> {
    /// The value that was made of the verdicts.
    pub value: T,
    /// The sequence of the last event that the verdicts take into account.
    pub sequence: u64,
    /// The instant at which they were judged.
    pub evaluated_at: Timestamp,
    /// True if the state is older than the bound, within the operator's grace; see
    /// [`Freshness::stale_grace`](crate::Freshness::stale_grace).
    pub stale: bool,
}

impl<T> Answer<T> {
    /// Splits the value from the state that it is based on.
    pub fn split(self) -> (T, Answer<()>) {
        let Answer { value, sequence, evaluated_at, stale } = self;
        (value, Answer { value: (), sequence, evaluated_at, stale })
    }
}

/// The inputs of a verdict, for a service to cache.
#[derive(Debug)]
pub struct Resolved {
    /// The inputs that concern the secret.
    pub inputs: Inputs,
    /// The version of the rules that it was judged by.
    pub rules: RulesVersion,
    /// The id of the loaded state that it is based on.
    pub state: u64,
}

/// The value made of one verdict, and the reason if it is a refusal.
type VerdictResult<T> = Result<(T, Option<Reason>), AuthorityError>;

/// A response found in the mirror, or the reason why there is none.
type Judged<T> = Found<Result<Answer<T>, AuthorityError>>;

/// A question whose secret was parsed.
struct ParsedQuestion<'a> {
    question: &'a Question<'a>,
    secret: Result<SecretHash, Refusal>,
    kind: Option<SecretKind>,
}

impl<'a> ParsedQuestion<'a> {
    fn new(question: &'a Question<'a>) -> ParsedQuestion<'a> {
        let secret = question.secret.parse::<Secret>().map_err(Refusal::Malformed);
        ParsedQuestion {
            question,
            kind: secret.as_ref().ok().map(Secret::kind),
            secret: secret.and_then(|secret| secret.judge_kind_for_services().map(|()| secret.hash())),
        }
    }
}

impl ValidationWing<'_> {
    /// Validates a secret against a requirement. `convert` converts the verdict to the response. It may be
    /// called more than once, and the last call counts. An error means that the verdict could not be decided.
    pub async fn validate<T>(
        self,
        credential: &Credential,
        question: &Question<'_>,
        convert: impl Fn(CacheableVerdict<'_>) -> T,
    ) -> Result<Answer<T>, AuthorityError> {
        let asked = ParsedQuestion::new(question);
        let judge = self.judge(credential, Operation::ValidateToken, self.one(&asked, convert))?;
        let client = |_| question.client.as_ref();
        self.counted(self.ask(Stale::WithinGrace, judge, credential.from(), client).await??)
    }

    /// As [`ValidationWing::validate`], if it can be answered at once. `None` if it takes a fresher state,
    /// which the caller must wait for.
    pub fn validate_now<T>(
        self,
        credential: &Credential,
        question: &Question<'_>,
        convert: impl Fn(CacheableVerdict<'_>) -> T,
    ) -> Option<Result<Answer<T>, AuthorityError>> {
        let asked = ParsedQuestion::new(question);
        let judge = match self.judge(credential, Operation::ValidateToken, self.one(&asked, convert)) {
            Ok(judge) => judge,
            Err(error) => return Some(Err(error)),
        };
        let answer = self.ask_now(judge, |_| question.client.as_ref())?;
        Some(answer.and_then(|answer| self.counted(answer)))
    }

    /// Judges one secret, and passes the verdict to `convert`.
    fn one<T>(
        self,
        asked: &ParsedQuestion<'_>,
        convert: impl Fn(CacheableVerdict<'_>) -> T,
    ) -> impl for<'v> Fn(&View<'v>, &'v Service, &mut Effects<'v>) -> (VerdictResult<T>, bool) {
        move |view, service, effects| {
            let mut missed = false;
            let verdict = self.verdict(view, service, (0, asked), &mut missed, effects);
            (verdict.map(|(verdict, reason)| (convert(verdict), reason)), missed)
        }
    }

    fn counted<T>(self, answer: Answer<VerdictResult<T>>) -> Result<Answer<T>, AuthorityError> {
        let Answer { value, sequence, evaluated_at, stale } = answer;
        let (value, reason) = value?;
        self.0.tally.count(reason);
        Ok(Answer { value, sequence, evaluated_at, stale })
    }

    /// Validates many secrets, each against its own requirement. Every verdict takes at least the event of
    /// the answer's `sequence` into account. An error for one of them means that its verdict is not known,
    /// because a stored row is corrupt or the state is too old.
    pub async fn validate_all<T>(
        self,
        credential: &Credential,
        questions: &[Question<'_>],
        convert: impl Fn(CacheableVerdict<'_>) -> T,
    ) -> Result<Answer<Vec<Result<T, AuthorityError>>>, AuthorityError> {
        let mut chunks = questions.chunks(CHUNK);
        let mut all = self.validate_chunk(credential, chunks.next().unwrap_or_default(), &convert).await?;
        for chunk in chunks {
            // Other tasks go first.
            tokio::task::yield_now().await;
            let Answer { value, sequence, evaluated_at, stale } =
                self.validate_chunk(credential, chunk, &convert).await?;
            all.value.extend(value);
            // Another state may have been loaded, of a rewound log.
            all.sequence = all.sequence.min(sequence);
            all.evaluated_at = all.evaluated_at.min(evaluated_at);
            all.stale |= stale;
        }
        Ok(all)
    }

    /// Validates a few secrets as of one state. If the state changes meanwhile, only these are judged again.
    async fn validate_chunk<T>(
        self,
        credential: &Credential,
        questions: &[Question<'_>],
        convert: &impl Fn(CacheableVerdict<'_>) -> T,
    ) -> Result<Answer<Vec<Result<T, AuthorityError>>>, AuthorityError> {
        let asked: Vec<ParsedQuestion<'_>> = questions.iter().map(ParsedQuestion::new).collect();
        let judge = self.judge(credential, Operation::ValidateTokens, |view, service, effects| {
            let mut missed = false;
            let verdict = |asked| {
                let verdict = self.verdict(view, service, asked, &mut missed, effects);
                verdict.map(|(verdict, reason)| (convert(verdict), reason))
            };
            (asked.iter().enumerate().map(verdict).collect::<Vec<VerdictResult<T>>>(), missed)
        })?;
        let client = |index: usize| questions.get(index).and_then(|question| question.client.as_ref());
        let Answer { value, sequence, evaluated_at, stale } =
            self.ask(Stale::WithinGrace, judge, credential.from(), client).await??;
        let counted = |(value, reason)| {
            self.0.tally.count(reason);
            value
        };
        let value = value.into_iter().map(|verdict| verdict.map(counted)).collect();
        Ok(Answer { value, sequence, evaluated_at, stale })
    }

    /// Validates a secret, and returns the inputs of the verdict if the service may cache them. The state
    /// takes at least the event `at_least` into account.
    pub async fn resolve<T>(
        self,
        credential: &Credential,
        question: &Question<'_>,
        at_least: u64,
        convert: impl Fn(CacheableVerdict<'_>, Option<Resolved>) -> T,
    ) -> Result<Answer<T>, AuthorityError> {
        let asked = ParsedQuestion::new(question);
        let judge = self.judge(credential, Operation::Resolve, |view, service, effects| {
            // In a rewound log there may never be such an event.
            let mut missed = view.sequence < at_least;
            let verdict = self.verdict(view, service, (0, &asked), &mut missed, effects);
            let value = verdict.and_then(|(verdict, reason)| {
                let kept = match &verdict.outcome {
                    Err(refusal) if refusal.is_final() => None,
                    Ok(_) | Err(_) => self.kept(view, service, &asked)?,
                };
                Ok((convert(verdict, kept), reason))
            });
            (value, missed)
        })?;
        let client = |_| question.client.as_ref();
        self.counted(self.ask(Stale::WithinGrace, judge, credential.from(), client).await??)
    }

    /// Returns what a service may cache about a secret, if the service receives the events that concern it.
    fn kept(
        self,
        view: &View<'_>,
        service: &Service,
        asked: &ParsedQuestion<'_>,
    ) -> Result<Option<Resolved>, AuthorityError> {
        let Ok(hash) = &asked.secret else { return Ok(None) };
        match view.secret(hash) {
            Some(Known::Token(family, which, _))
                if !view.stale && view.may_ask(&service.orgs, family.token.owner) =>
            {
                let inputs = view.inputs(service, family, *which, asked.question.requirement.org())?;
                Ok(Some(Resolved { inputs, rules: view.rules_version(), state: view.state_id() }))
            }
            _ => Ok(None),
        }
    }

    /// Returns the caller to whose share of the calls a call is counted. A secret that is dead counts to the network that it
    /// comes from: its owner's share is not used up with it. `None` for a call from an unknown address.
    pub fn counted_as(self, credential: &Credential, network: ClientNetwork) -> Option<CountedAs> {
        let elsewhere = network.map(CountedAs::Network);
        let Credential::Secret { secret, .. } = credential else { return elsewhere };
        let (_, state) = self.0.mirror.confirmed_state();
        let hash = secret.hash();
        let known = asking(|view, _| match view.secret(&hash) {
            Some(Known::Token(family, which, _)) => {
                let caller = view.token_caller(family, *which, credential.from());
                caller.ok().map(|_| CountedAs::Owner(family.token.owner))
            }
            Some(Known::Service(known)) => {
                let caller = view.judge_service(&known.1, &known.0);
                caller.ok().map(|()| CountedAs::Service(known.1.id))
            }
            Some(Known::Dead(..) | Known::Broken) | None => None,
        });
        self.0.mirror.look(&state, SinceBoot::now(), known, |_| {}).flatten().or(elsewhere)
    }

    /// Refuses a caller that may not ask, before its question is read.
    pub async fn admit(self, credential: &Credential, operation: Operation) -> Result<(), AuthorityError> {
        let judge = self.judge(credential, operation, |_, _, _| ((), false))?;
        self.ask(Stale::WithinGrace, judge, credential.from(), |_| None).await?.map(drop)
    }

    /// Notes the uses that a service reports, of secrets that it may ask about and up to its limit.
    pub(crate) fn note_reported_uses(self, secret: &SecretHash, reported: &[ReportedUse]) {
        let (_, state) = self.0.mirror.confirmed_state();
        let moment = SinceBoot::now();
        let known = asking(|view, _| match view.secret(secret) {
            Some(Known::Service(known)) => {
                let service = &known.1;
                let passed = |reported: &ReportedUse| view.passed(service, reported);
                Some((service.id, reported.iter().filter_map(passed).collect::<Vec<_>>()))
            }
            _ => None,
        });
        let Some(Some((service, passed))) = self.0.mirror.look(&state, moment, known, |_| {}) else { return };
        let most = self.0.uses.admit_reports(service, passed.len(), moment);
        passed.into_iter().take(most).for_each(|(used, org)| self.0.uses.note(used, org));
    }

    /// Returns the secret of a service that may ask, as far as that is known without a look-up.
    pub(crate) fn service_secret(
        self,
        credential: &Credential,
        operation: Operation,
    ) -> Result<(SecretHash, Option<IpAddr>), AuthorityError> {
        // The console and sessions are refused here, live or not, without a look-up.
        let no_service = |caller| Err(AuthorityError::not_permitted(caller, operation, Kind::Anyone));
        let (secret, from) = match credential {
            Credential::Nothing => return Err(AuthorityError::CredentialMissing),
            Credential::Console => return no_service("the console"),
            Credential::Cookie { .. } | Credential::Visit(_) => return no_service("a browser's session"),
            Credential::Secret { secret, from, .. } => (secret, *from),
        };
        match secret.kind() {
            SecretKind::Service | SecretKind::Personal | SecretKind::Org => {}
            SecretKind::Session => return no_service("a session"),
            kind @ (SecretKind::Refresh | SecretKind::Access) => return Err(Refusal::Kind(kind).into()),
        }
        Ok((secret.hash(), from))
    }

    /// Returns a question to the mirror that identifies and admits the service before it asks. `ask` also
    /// returns true if it missed a secret.
    pub(crate) fn judge<T>(
        self,
        credential: &Credential,
        operation: Operation,
        ask: impl for<'v> Fn(&View<'v>, &'v Service, &mut Effects<'v>) -> (T, bool),
    ) -> Result<impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Judged<T>, AuthorityError> {
        let (hash, from) = self.service_secret(credential, operation)?;
        Ok(asking(move |view, effects| {
            let service = match self.admit_service(view, &hash, from, operation, effects) {
                Ok(service) => service,
                Err(error @ AuthorityError::Refused(Refusal::Unknown)) => return Found::Missed(Err(error)),
                Err(error) => return Found::Held(Err(error)),
            };
            if credential.service_name().is_some_and(|stated| stated != service.name.as_str()) {
                let caller = "a service under the name of another";
                return Found::Held(Err(AuthorityError::not_permitted(caller, operation, Kind::Anyone)));
            }
            let (value, missed) = ask(view, service, effects);
            let answer = Answer { value, sequence: view.sequence, evaluated_at: view.now, stale: view.stale };
            if missed { Found::Missed(Ok(answer)) } else { Found::Held(Ok(answer)) }
        }))
    }

    /// Returns the service that presents this secret, if it may ask.
    pub(crate) fn admit_service<'v>(
        self,
        view: &View<'v>,
        hash: &SecretHash,
        from: Option<IpAddr>,
        operation: Operation,
        effects: &mut Effects<'v>,
    ) -> Result<&'v Service, AuthorityError> {
        self.0.standing.admit(operation, view.installation())?;
        match view.secret(hash).ok_or(Refusal::Unknown)? {
            Known::Service(known) => {
                let (record, service) = &**known;
                judge_service(view, service, record, from, effects)?;
                Ok(service)
            }
            Known::Token(family, which, _) => {
                let caller = token_caller(view, family, *which, from, effects)?;
                Err(AuthorityError::not_permitted(caller.kind(), operation, Kind::Anyone))
            }
            Known::Dead(death, dead) => Err(refuse_dead(view, *death, dead, from, effects).into()),
            Known::Broken => Err(broken(hash)),
        }
    }

    /// Judges the secret of one question, given with its index. Returns the verdict, and the reason if it is
    /// a refusal. Sets `missed` if the secret is not known.
    fn verdict<'v: 'a, 'a>(
        self,
        view: &View<'v>,
        service: &'v Service,
        (index, asked): (usize, &'a ParsedQuestion<'a>),
        missed: &mut bool,
        effects: &mut Effects<'v>,
    ) -> Result<(CacheableVerdict<'a>, Option<Reason>), AuthorityError> {
        let ParsedQuestion { question, secret, kind } = asked;
        let kind = *kind;
        let refused = |refusal: Refusal| {
            let (reason, max_cache_age) = (refusal.reason(), self.keepable(view));
            let verdict = CacheableVerdict { outcome: Err(refusal), kind, service, max_cache_age };
            Ok((verdict, Some(reason)))
        };
        let hash = match secret {
            Ok(hash) => hash,
            Err(refusal) => return refused(refusal.clone()),
        };
        let too_old = || AuthorityError::Stale { age: Some(view.age()), cause: StaleCause::Unreachable };
        let (family, which, noted) = match view.secret(hash) {
            Some(Known::Token(family, which, noted)) => (family, *which, noted),
            // The secret may have been made since.
            None if view.stale => return Err(too_old()),
            known @ (None | Some(Known::Service(_))) => {
                *missed |= known.is_none();
                return refused(Refusal::Unknown);
            }
            Some(Known::Dead(death, dead)) => {
                let from = question.client_address.filter(|_| service.states_address);
                return refused(refuse_dead(view, *death, dead, from, effects));
            }
            Some(Known::Broken) => return Err(broken(hash)),
        };
        let about = held::TokenQuestion {
            judging: view.judging(),
            requirement: question.requirement,
            asker: Asker::Service(service),
            address: question.client_address.filter(|_| service.states_address),
        };
        let (record, token) = (family.secret(which), &family.token);
        let (owner, org) = (view.owner(token)?, about.requirement.org());
        let ground = org.map_or(Ok(OrgView::None), |slug| view.ground(token.owner, slug))?;
        let effective_grants = view.effective_grants(family);
        let mut case = about.about(record, token, owner, ground);
        case.effective_grants = effective_grants.as_ref().map(|known| &known.1);
        let access = case.needed_access();
        if view.stale && access == Scope::Rw {
            return Err(too_old());
        }
        let keepable = self.keepable(view);
        let max_cache_age = match case.changes_at() {
            Expiry::At(instant) => keepable.min(instant.since(view.now)),
            Expiry::Never => keepable,
        };
        let outcome = decide(&case);
        match &outcome {
            Ok(_) => {
                let last = LastUse { at: view.now, address: about.address };
                let org = match ground {
                    OrgView::Org(org, ..) => Some(org.id),
                    OrgView::None => None,
                };
                effects.add(Effect::Passed { noted, family, which, access, last, org, question: index });
            }
            Err(refusal) => effects.add_refused(record.id, refusal, view.now, about.address),
        }
        let reason = outcome.as_ref().err().map(Refusal::reason);
        let outcome = outcome.map(|effective| Allowed { secret: record, token, owner, effective, org });
        Ok((CacheableVerdict { outcome, kind, service, max_cache_age }, reason))
    }
}

/// Judges a service by the secret that it presents, and adds the effects.
pub(crate) fn judge_service<'v>(
    view: &View<'v>,
    service: &Service,
    record: &'v SecretRecord,
    from: Option<IpAddr>,
    effects: &mut Effects<'v>,
) -> Result<(), AuthorityError> {
    let judged = view.judge_service(service, record);
    match &judged {
        Ok(()) => effects.add_used(record, view.now),
        Err(AuthorityError::Refused(refusal)) => effects.add_refused(record.id, refusal, view.now, from),
        Err(_) => {}
    }
    judged
}

/// Returns the caller that presents a token's secret. If it is refused, adds the effects.
pub(crate) fn token_caller<'v>(
    view: &View<'v>,
    family: &'v mirror::TokenFamily,
    which: u32,
    from: Option<IpAddr>,
    effects: &mut Effects<'v>,
) -> Result<Caller, AuthorityError> {
    let caller = view.token_caller(family, which, from);
    if let Err(AuthorityError::Refused(refusal)) = &caller {
        effects.add_refused(family.secret(which).id, refusal, view.now, from);
    }
    caller
}

/// Returns the refusal of a secret that is long dead, and adds its effects.
pub(crate) fn refuse_dead(
    view: &View<'_>,
    death: mirror::Death,
    dead: &mirror::DeadSecret,
    from: Option<IpAddr>,
    effects: &mut Effects<'_>,
) -> Refusal {
    let refusal = dead.refusal(death, view.now);
    effects.add_refused(dead.id, &refusal, view.now, from);
    refusal
}

/// Returns the error for a secret whose rows are corrupt. The details were logged when they were read.
pub(crate) fn broken(hash: &SecretHash) -> AuthorityError {
    let id = hash.bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    StoreError::Corrupt { table: "secret", column: "hash", id }.into()
}
