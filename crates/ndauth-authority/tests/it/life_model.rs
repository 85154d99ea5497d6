//! Any order of rotations, confirmations, renewals, uses, policies and time, against a model of a few lines.
//! The authority's answers and the reach of each secret are those of the model, and never more.

use std::time::Duration;

use ndauth_authority::{Announced, Engine, NewPolicy, Renewing, Settling};
use ndauth_core::{Lifetime, OrgPolicy, Reason, Secret};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::world::{MINE, World, at, days, named, ops, orgs, settle, token_with};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
const PENDING: i64 = 15 * 60;
/// The lifetime that the token was made for.
const MADE_FOR: i64 = 60 * DAY;

#[derive(Clone, Debug)]
enum Step {
    Rotate {
        overlap_hours: i64,
        days: Option<i64>,
    },
    /// The index of a secret so far, counted from the newest.
    Use(usize),
    Confirm,
    Drop,
    Retire,
    Renew,
    Wait(i64),
    Policy(Option<i64>),
}

/// A secret as the model has it, in seconds from the beginning.
#[derive(Clone, Debug)]
struct Modelled {
    minted: i64,
    confirmed: bool,
    ends: Option<i64>,
    overlap: i64,
    token_ends: i64,
}

/// The token as the model has it.
struct Model {
    now: i64,
    ends: i64,
    longest: Option<i64>,
    secrets: Vec<Modelled>,
}

impl Modelled {
    fn serves(&self, now: i64) -> bool {
        self.ends.is_none_or(|end| now < end)
    }
}

impl Model {
    fn pending(&self) -> Option<usize> {
        self.secrets.iter().position(|secret| !secret.confirmed && secret.serves(self.now))
    }

    fn retiring(&self) -> Option<usize> {
        let retiring =
            |secret: &Modelled| secret.confirmed && secret.ends.is_some() && secret.serves(self.now);
        self.secrets.iter().position(retiring)
    }

    fn current(&self) -> Option<usize> {
        self.secrets.iter().position(|secret| secret.confirmed && secret.ends.is_none())
    }

    fn dead(&self) -> bool {
        self.now >= self.ends
    }

    fn verdict(&self, which: usize) -> Result<(), Reason> {
        let secret = &self.secrets[which];
        if !secret.serves(self.now) {
            return Err(if secret.confirmed { Reason::SecretReplaced } else { Reason::SecretExpired });
        }
        if self.dead() {
            return Err(Reason::TokenExpired);
        }
        let span = secret.ends.unwrap_or(i64::MAX).min(self.ends) - secret.minted;
        if self.longest.is_some_and(|longest| span > longest) { Err(Reason::LifetimeTooLong) } else { Ok(()) }
    }

    fn confirm(&mut self, which: usize) {
        let Modelled { overlap, token_ends, .. } = self.secrets[which];
        let retires = (self.now + overlap).min(self.ends);
        let now = self.now;
        for (other, secret) in self.secrets.iter_mut().enumerate() {
            if other != which && secret.serves(now) {
                secret.ends = Some(secret.ends.map_or(retires, |end| end.min(retires)));
            }
        }
        let secret = &mut self.secrets[which];
        (secret.confirmed, secret.ends) = (true, None);
        self.ends = token_ends;
    }

    fn rotate(&mut self, overlap: i64, days: Option<i64>) -> Result<(), Reason> {
        if self.dead() {
            return Err(Reason::TokenDead);
        }
        if self.pending().is_some() {
            return Err(Reason::RotationPending);
        }
        if self.retiring().is_some() {
            return Err(Reason::OverlapRuns);
        }
        let lifetime = days.map_or(MADE_FOR, |days| days * DAY);
        if days.is_some() && self.longest.is_some_and(|longest| lifetime > longest) {
            return Err(Reason::LifetimeTooLong);
        }
        if lifetime > MADE_FOR {
            return Err(Reason::InvalidArgument);
        }
        let lifetime = self.longest.map_or(lifetime, |longest| lifetime.min(longest));
        let (now, token_ends) = (self.now, self.now + lifetime);
        self.secrets.push(Modelled {
            minted: now,
            confirmed: false,
            ends: Some(now + PENDING),
            overlap,
            token_ends,
        });
        Ok(())
    }

    fn settle(&mut self, step: &Step) -> Result<(), Reason> {
        if self.dead() && matches!(step, Step::Confirm) {
            return Err(Reason::TokenDead);
        }
        match step {
            Step::Confirm => self.pending().map(|which| self.confirm(which)),
            Step::Drop => self.pending().map(|which| self.secrets[which].ends = Some(self.now)),
            _ => self.retiring().map(|which| self.secrets[which].ends = Some(self.now)),
        }
        .ok_or(Reason::NoRotation)
    }

    fn renew(&mut self) -> Result<(), Reason> {
        if self.dead() {
            return Err(Reason::TokenDead);
        }
        if self.pending().is_some() {
            return Err(Reason::RotationPending);
        }
        let minted = self.current().map_or(0, |which| self.secrets[which].minted);
        let limit = self.longest;
        let end =
            (self.ends + 30 * DAY).min(365 * DAY).min(limit.map_or(i64::MAX, |longest| minted + longest));
        if end <= self.ends {
            return Err(Reason::NotRenewable);
        }
        self.ends = end;
        Ok(())
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let days = proptest::option::of(prop_oneof![1..60_i64, Just(61)]);
    let step = prop_oneof![
        4 => (prop_oneof![Just(0), 1..48_i64], days).prop_map(|(overlap_hours, days)| Step::Rotate { overlap_hours, days }),
        6 => (0..4_usize).prop_map(Step::Use),
        2 => Just(Step::Confirm),
        1 => Just(Step::Drop),
        2 => Just(Step::Retire),
        2 => Just(Step::Renew),
        4 => prop_oneof![1..20_i64, (1..30_i64).prop_map(|hours| hours * 60), (1..25_i64).prop_map(|days| days * 24 * 60)]
            .prop_map(|minutes| Step::Wait(minutes * 60)),
        1 => proptest::option::of(1..120_i64).prop_map(Step::Policy),
    ];
    proptest::collection::vec(step, 1..40)
}

async fn play(engine: Engine, steps: &[Step]) {
    let mut world = World::new(engine).await;
    let made = token_with("ci", |new| {
        new.orgs = Some(orgs(&["ops"]));
        new.expiry = days(60);
    });
    let mut secrets: Vec<Secret> = vec![world.create(&made).await.secret];
    // A rotation is never at the instant of the creation.
    world.clock.set(at(1));
    let mut model = Model {
        now: 1,
        ends: MADE_FOR,
        longest: None,
        secrets: vec![Modelled { minted: 0, confirmed: true, ends: None, overlap: 0, token_ends: MADE_FOR }],
    };
    for (number, step) in steps.iter().enumerate() {
        let outcome: Result<(), Reason> = match step {
            Step::Rotate { overlap_hours, days: chosen } => {
                let overlap = Duration::from_secs(overlap_hours.unsigned_abs() * 60 * 60);
                let expiry = chosen.map(|count| days(count.unsigned_abs()));
                let rotated =
                    world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), overlap, expiry).await;
                let expected = model.rotate(overlap_hours * HOUR, *chosen);
                let outcome =
                    rotated.map(|rotated| secrets.push(rotated.value.secret)).map_err(|error| error.reason());
                assert_eq!(outcome, expected, "step {number} of {steps:?}");
                outcome
            }
            Step::Use(back) => {
                let which = secrets.len().saturating_sub(1 + back % secrets.len());
                let expected = model.verdict(which);
                let outcome = world.refused(&secrets[which]).await.map_or(Ok(()), Err);
                assert_eq!(outcome, expected, "step {number} of {steps:?}");
                world.authority.validation().follow_up().await.expect("followed up");
                if outcome.is_ok() && model.pending() == Some(which) {
                    model.confirm(which);
                }
                outcome
            }
            Step::Confirm | Step::Drop | Step::Retire => {
                let settling = match step {
                    Step::Confirm => Settling::Confirm(None),
                    Step::Drop => Settling::Drop,
                    _ => Settling::Retire { anyway: true },
                };
                let settled = settle(&world.authority, &world.ada, &named("ci"), &settling).await;
                let outcome = settled.map(drop).map_err(|error| error.reason());
                assert_eq!(outcome, model.settle(step), "step {number} of {steps:?}");
                outcome
            }
            Step::Renew => {
                let renewed =
                    world.authority.tokens().renew(&world.ada, MINE, &named("ci"), Renewing::default()).await;
                let outcome = renewed.map(drop).map_err(|error| error.reason());
                assert_eq!(outcome, model.renew(), "step {number} of {steps:?}");
                outcome
            }
            Step::Wait(seconds) => {
                model.now += seconds;
                world.clock.set(at(model.now));
                world.ada = world.log_in("ada").await;
                world.eve = world.log_in("eve").await;
                Ok(())
            }
            Step::Policy(longest) => {
                let longest_lifetime = longest.map_or(Lifetime::Endless, |days| {
                    Lifetime::For(Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60))
                });
                let policy = OrgPolicy { longest_lifetime, ..OrgPolicy::OPEN };
                let new = NewPolicy {
                    policy,
                    effective_in: Duration::ZERO,
                    announced: Announced::Keep,
                    expected: None,
                };
                let set = world.authority.orgs().set_policy(&world.eve, &ops(), &new).await;
                model.longest = longest.map(|days| days * DAY);
                set.map(drop).map_err(|error| error.reason())
            }
        };
        let _ = outcome;
        for (which, secret) in secrets.iter().enumerate() {
            // The pending secret is skipped, because asking would confirm it.
            if model.pending() != Some(which) {
                let verdict = world.refused(secret).await.map_or(Ok(()), Err);
                assert_eq!(verdict, model.verdict(which), "secret {which} after step {number} of {steps:?}");
            }
        }
        let serving = (0..secrets.len()).filter(|which| model.secrets[*which].serves(model.now)).count();
        assert!(serving <= 2, "never more than two serve: {steps:?}");
    }
    let checked = world.authority.operator().check(&crate::world::CONSOLE).await.expect("checked");
    assert_eq!(checked.faults, Vec::<String>::new(), "{steps:?}");
}

fn check(engine: Engine, cases: u32) {
    let runtime = Runtime::new().expect("a runtime");
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(play(engine, &steps));
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

#[test]
fn rotate_and_renew_never_widen_on_sqlite() {
    check(Engine::Sqlite, 40);
}

#[test]
fn rotate_and_renew_never_widen_on_postgres() {
    check(Engine::Postgres, 12);
}
