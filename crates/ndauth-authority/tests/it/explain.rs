use std::time::Duration;

use ndauth_authority::{
    Announced, Explanation, Inquiry, NewPolicy, NewToken, Subject, TokenQuery, Which, Whose,
};
use ndauth_core::{Effective, Factor, Grants, OrgPolicy, Permission, Reason, Role, Scope, Secret, Services};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, World, at, granted, in_org, keep, named, needs, networks, new_token, org_token, orgs,
    presented, reason, token_with,
};

fn about(name: &str) -> Inquiry {
    about_subject(Subject::Token(named(name)))
}

fn about_subject(subject: Subject) -> Inquiry {
    Inquiry { whose: MINE.clone(), subject, org: None, question: None, service: None, address: None }
}

fn asks(inquiry: Inquiry, org: &str, access: Scope, permission: Option<&str>) -> Inquiry {
    let permission = permission.map(|text| text.parse::<Permission>().expect("a permission"));
    Inquiry { org: Some(org.parse().expect("a slug")), question: Some((access, permission)), ..inquiry }
}

async fn explained(world: &World, inquiry: &Inquiry) -> Vec<Explanation> {
    world.authority.tokens().explain(&world.ada, inquiry).await.expect("explained").explanations
}

/// Returns the first factor that refuses, and its reason.
fn first(explanation: &Explanation) -> Option<(Factor, Reason)> {
    let refused = explanation
        .findings
        .iter()
        .find_map(|(factor, _, refusal)| refusal.as_ref().map(|refusal| (*factor, refusal.reason())));
    assert_eq!(
        explanation.outcome.as_ref().err().map(|refusal| (refusal.factor(), refusal.reason())),
        refused
    );
    refused
}

on_both! {
    /// For each question of a service, the explanation agrees with the verdict.
    async fn an_explanation_and_the_verdict_agree(world: &World) {
        let make = async |name: &str, change: fn(&mut NewToken)| {
            (name.to_owned(), world.create(&token_with(name, change)).await.secret)
        };
        let tokens = [
            make("anywhere", |_| ()).await,
            make("ro", |new| new.scope = Some(Scope::Ro)).await,
            make("dev", |new| new.orgs = Some(orgs(&["dev"]))).await,
            make("assets", |new| new.grants = granted(&["read:assets"])).await,
            make("here", |new| new.networks = networks("203.0.113.0/24")).await,
            make("there", |new| new.networks = networks("10.0.0.0/8")).await,
            make("registry", |new| {
                new.services = Services::only(["registry".parse().expect("a name")]).expect("services");
            }).await,
            make("others", |new| {
                new.services = Services::only(["ops only".parse().expect("a name")]).expect("services");
            }).await,
        ];
        // A service that is not trusted about addresses, and one for some orgs.
        let gullible = ndauth_authority::NewService {
            name: "gullible".parse().expect("a name"),
            orgs: orgs(&["ops"]),
            states_address: false,
        };
        let gullible = presented(&world.authority.operator().create_service(&CONSOLE, &gullible).await.expect("registered").value);
        let askers = [
            (&world.service, "registry", "203.0.113.9"),
            (&world.service, "registry", ""),
            (&gullible, "gullible", "203.0.113.9"),
        ];
        let mut refused = 0;
        for ((name, secret), (service, service_name, address)) in
            tokens.iter().flat_map(|token| askers.iter().map(move |asker| (token, *asker)))
        {
            for org in ["ops", "dev", "nowhere"] {
                for access in [Scope::Ro, Scope::Rw] {
                    for permission in [None, Some("read:assets"), Some("approve:assets"), Some("read:tokens"), Some("fly:kites")] {
                        let inquiry = Inquiry {
                            service: Some(service_name.parse().expect("a name")),
                            address: address.parse().ok(),
                            ..asks(about(name), org, access, permission)
                        };
                        let explanations = explained(world, &inquiry).await;
                        let requirement = needs(org, access, permission);
                        let question = ndauth_authority::Question {
                            secret: secret.expose(),
                            requirement: &requirement,
                            client_address: address.parse().ok(),
        client: None,
    };
                        let answer = world.authority.validation().validate(service, &question, keep).await.expect("decided");
                        let expected = answer.value.outcome.err();
                        refused += usize::from(expected.is_some());
                        assert_eq!(explanations.len(), 1);
                        assert_eq!(
                            explanations[0].outcome.as_ref().err(),
                            expected.as_ref(),
                            "{name} {service_name} {address} {org} {access} {permission:?}"
                        );
                        assert_eq!(first(&explanations[0]).map(|(_, reason)| reason), expected.map(|refusal| refusal.reason()));
                    }
                }
            }
        }
        assert!(refused > 300 && refused < 720, "both answers come up: {refused}");
    }

    async fn every_org_is_explained_separately(world: &World) {
        world.create(&new_token("ci")).await;
        let explanations = explained(world, &about("ci")).await;
        let orgs: Vec<_> = explanations
            .iter()
            .map(|explanation| {
                let effective = match &explanation.outcome {
                    Ok(Effective::Access { access, role, .. }) => Some((*access, *role)),
                    _ => None,
                };
                (explanation.org.as_ref().map(ToString::to_string), effective)
            })
            .collect();
        assert_eq!(
            orgs,
            [
                (Some("dev".to_owned()), Some((Scope::Ro, Role::Ro))),
                (Some("ops".to_owned()), Some((Scope::Rw, Role::Rw))),
            ]
        );
        assert_eq!(explanations[0].findings.len(), Factor::ALL.len());
    }

    /// A token is explained by its current secret, and not by a newer one that was dropped.
    async fn a_dropped_rotation_refuses_nothing(world: &World) {
        world.create(&new_token("ci")).await;
        let tokens = world.authority.tokens();
        tokens.rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await.expect("rotated");
        tokens.drop_rotation(&world.ada, MINE, &named("ci")).await.expect("dropped");
        for explanation in explained(world, &about("ci")).await {
            assert_eq!(first(&explanation), None);
        }
    }

    async fn a_planned_token_is_explained_and_not_made(world: &World) {
        let planned = |change: fn(&mut NewToken)| {
            about_subject(Subject::Planned(Box::new(token_with("planned", change))))
        };
        let explanations = explained(world, &planned(|new| {
            new.grants = granted(&["read:assets", "write:assets", "approve:assets"]);
            (new.scope, new.networks) = (None, networks("10.0.0.0/8"));
        })).await;
        let effective: Vec<Option<&Grants>> = explanations
            .iter()
            .map(|explanation| match &explanation.outcome {
                Ok(Effective::Access { grants, .. }) => Some(grants),
                _ => None,
            })
            .collect();
        // The grants that the role leaves, org by org.
        let (dev, ops) = (granted(&["read:assets"]), granted(&["read:assets", "write:assets"]));
        assert_eq!(effective, [Some(&dev), Some(&ops)]);
        let strict = NewPolicy {
            policy: OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN },
            effective_in: Duration::ZERO,
            announced: Announced::Keep,
            expected: None,
        };
        world.authority.orgs().set_policy(&world.eve, &"ops".parse().expect("a slug"), &strict).await.expect("set");
        let explanations = explained(world, &planned(|_| ())).await;
        assert_eq!(first(&explanations[1]), Some((Factor::Policy, Reason::PersonalBarred)));
        assert_eq!(first(&explanations[0]), None);
        let wrong = planned(|new| new.grants = granted(&["read:unicorns"]));
        assert_eq!(reason(world.authority.tokens().explain(&world.ada, &wrong).await), Reason::InvalidArgument);
        let all = &TokenQuery::all(true, 10);
        assert_eq!(world.authority.tokens().list(&world.ada, MINE, all).await.expect("listed").views.len(), 0);
    }

    async fn only_owners_and_holders_may_explain_a_token(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        assert_eq!(reason(world.authority.tokens().explain(&world.eve, &about("ci")).await), Reason::NotFound);
        // A caller that has the whole secret may ask, and a token may ask about itself.
        let shown = |secret: &Secret| {
            about_subject(Subject::Secret(secret.expose().parse().expect("a secret")))
        };
        assert!(world.authority.tokens().explain(&world.eve, &shown(&secret)).await.is_ok());
        assert!(world.authority.tokens().explain(&presented(&secret), &shown(&secret)).await.is_ok());
        let other = world.create(&new_token("other")).await.secret;
        let asked = world.authority.tokens().explain(&presented(&secret), &shown(&other)).await;
        assert_eq!(reason(asked), Reason::SessionRequired);
        let planned = Inquiry { subject: Subject::Planned(Box::new(new_token("x"))), ..about("ci") };
        assert_eq!(reason(world.authority.tokens().explain(&presented(&secret), &planned).await), Reason::SessionRequired);
        // An admin asks about an org's token, by its id. It is no account's own.
        let own = org_token("deploy", &["read:assets"]);
        let id = world.make(&world.eve, &in_org("ops"), &own).await.view.token.id;
        let by_id = |whose: &Whose| Inquiry { whose: whose.clone(), ..about_subject(Subject::Token(Which::Id(id))) };
        assert!(world.authority.tokens().explain(&world.eve, &by_id(&in_org("ops"))).await.is_ok());
        assert_eq!(reason(world.authority.tokens().explain(&world.ada, &by_id(&in_org("ops"))).await), Reason::RoleTooLow);
        for person in [&world.eve, &world.ada] {
            assert_eq!(reason(world.authority.tokens().explain(person, &by_id(MINE)).await), Reason::NotFound);
        }
    }

    /// Asking about one's own token does not reveal which orgs there are.
    async fn orgs_stay_hidden_from_outsiders(world: &World) {
        let hidden = ndauth_authority::NewOrg { slug: "hidden".parse().expect("a slug"), name: None, admin: None };
        world.authority.orgs().create(&CONSOLE, &hidden).await.expect("made");
        world.create(&new_token("anywhere")).await;
        world.create(&token_with("dev", |new| new.orgs = Some(orgs(&["dev"])))).await;
        for (name, expected) in
            [("anywhere", (Factor::Role, Reason::NotAMember)), ("dev", (Factor::Orgs, Reason::OrgNotCovered))]
        {
            for org in ["hidden", "nowhere"] {
                let explanations = explained(world, &asks(about(name), org, Scope::Ro, None)).await;
                assert_eq!(first(&explanations[0]), Some(expected), "{name} {org}");
            }
        }
        // A former member may know of it.
        let (ops, ada) = ("ops".parse().expect("a slug"), "ada".parse().expect("a handle"));
        world.authority.orgs().remove_member(&world.eve, &ops, &ada).await.expect("removed");
        let explanations = explained(world, &asks(about("anywhere"), "ops", Scope::Ro, None)).await;
        assert_eq!(first(&explanations[0]), Some((Factor::Role, Reason::NotAMember)));
    }

    /// Only members may read an org's policy, and nobody here may read which orgs a service is for.
    async fn explanations_reveal_no_hidden_facts(world: &World) {
        let policy = NewPolicy {
            policy: OrgPolicy { networks: networks("198.51.100.0/24"), ..OrgPolicy::OPEN },
            effective_in: Duration::ZERO,
            announced: Announced::Keep,
            expected: None,
        };
        let ops = "ops".parse().expect("a slug");
        world.authority.orgs().set_policy(&world.eve, &ops, &policy).await.expect("set");
        let secret = world.create(&new_token("ci")).await.secret;
        let of = |explanation: &Explanation, wanted: Factor| {
            explanation.findings.iter().find(|(factor, ..)| *factor == wanted).expect("it is reported").1.clone()
        };
        let inquiry = || Inquiry { service: Some("ops only".parse().expect("a name")), ..asks(about("ci"), "ops", Scope::Ro, None) };
        let explanations = explained(world, &inquiry()).await;
        assert_eq!(of(&explanations[0], Factor::Policy), "use from 198.51.100.0/24");
        assert_eq!(of(&explanations[0], Factor::Service), "this org");
        let elsewhere = Inquiry { service: Some("ops only".parse().expect("a name")), ..asks(about("ci"), "dev", Scope::Ro, None) };
        assert_eq!(of(&explained(world, &elsewhere).await[0], Factor::Service), "other orgs");
        // A token that is not granted it may not read it, and neither may a former member.
        let shown = || Inquiry {
            subject: Subject::Secret(secret.expose().parse().expect("a secret")),
            ..asks(about("ci"), "ops", Scope::Ro, None)
        };
        let by_itself = world.authority.tokens().explain(&presented(&secret), &shown()).await.expect("explained");
        assert_eq!(of(&by_itself.explanations[0], Factor::Policy), "what the org's policy admits");
        world.authority.orgs().remove_member(&world.eve, &ops, &"ada".parse().expect("a handle")).await.expect("removed");
        let gone = world.authority.tokens().explain(&world.ada, &inquiry()).await;
        assert_eq!(reason(gone), Reason::NotFound, "a service of others");
        for explanation in explained(world, &Inquiry { service: None, ..inquiry() }).await {
            let factors: Vec<Factor> = explanation.findings.iter().map(|(factor, ..)| *factor).collect();
            assert!(!factors.contains(&Factor::Policy) && !factors.contains(&Factor::Lockdown), "{factors:?}");
        }
    }

    /// A caller that presents another's dead secret learns how it died, and nothing about its owner. A token
    /// explains itself from its own networks.
    async fn dead_secrets_do_not_reveal_their_owner(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let show = |secret: &Secret| Inquiry {
            subject: Subject::Secret(secret.expose().parse().expect("a secret")),
            ..asks(about("ci"), "ops", Scope::Ro, None)
        };
        let by_eve = async |secret: &Secret| world.authority.tokens().explain(&world.eve, &show(secret)).await;
        let explanations = by_eve(&made.secret).await.expect("explained").explanations;
        assert_eq!((explanations.len(), first(&explanations[0])), (1, None), "it lives");
        world.revoke(&world.ada, &Which::Id(made.view.token.id)).await.expect("revoked");
        for (by, findings) in [(&world.eve, 1), (&world.ada, Factor::ALL.len())] {
            let answer = world.authority.tokens().explain(by, &show(&made.secret)).await.expect("explained");
            assert_eq!(answer.explanations[0].findings.len(), findings);
            assert_eq!(answer.explanations[0].outcome.as_ref().expect_err("it is dead").reason(), Reason::TokenRevoked);
        }
        let elsewhere = world.create(&token_with("there", |new| new.networks = networks("10.0.0.0/8"))).await.secret;
        let itself = world.authority.tokens().explain(&presented(&elsewhere), &show(&elsewhere)).await;
        assert_eq!(reason(itself), Reason::NetworkNotCovered);
        let explanations = by_eve(&elsewhere).await.expect("explained").explanations;
        assert_eq!(explanations[0].findings.len(), 1, "nor from elsewhere by others");
    }

    /// An explanation of a secret that belongs to no token is about the secret.
    async fn an_unknown_secret_is_explained(world: &World) {
        for (text, expected) in [
            ("ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U", Reason::SecretUnknown),
            ("ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4", Reason::SecretKindNotAccepted),
        ] {
            let subject = Subject::Secret(text.parse().expect("a secret"));
            let explanations = explained(world, &Inquiry { subject, ..about("x") }).await;
            assert_eq!(first(&explanations[0]), Some((Factor::Secret, expected)));
        }
    }

    /// The owner learns why a dead token is refused.
    async fn the_dead_are_explained(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let by_id = || Inquiry { subject: Subject::Token(Which::Id(made.view.token.id)), ..about("ci") };
        world.revoke(&world.ada, &Which::Id(made.view.token.id)).await.expect("revoked");
        let explanations = explained(world, &asks(by_id(), "ops", Scope::Ro, None)).await;
        assert_eq!(first(&explanations[0]), Some((Factor::Life, Reason::TokenRevoked)));
        world.clock.set(at(60));
        let allows = &explanations[0].findings.iter().find(|(factor, ..)| *factor == Factor::Life).expect("it is reported").1;
        assert_eq!(*allows, format!("use until {}", at(0).minute()));
    }
}
