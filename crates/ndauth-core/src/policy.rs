//! Org policy: the limits that an org's admins set for tokens that touch it.

use serde::{Deserialize, Serialize};

use crate::{Lifetime, Networks, Timestamp};

/// The limits on tokens in an org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgPolicy {
    /// The longest lifetime of a secret, from its minting to its end. Only [`Lifetime::Endless`] admits one
    /// that never ends.
    pub longest_lifetime: Lifetime,
    /// True if personal tokens have any power in the org.
    pub personal_tokens: bool,
    /// The networks from which tokens may be used.
    pub networks: Networks,
    /// The maximum age of the last login of a personal token's owner.
    pub login_within: Lifetime,
    /// True if a token is suspended in the org once one of its retired secrets is presented.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend_on_reuse: bool,
    /// Admits only tokens that carry a set of grants, never all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_grants: bool,
    /// Admits only tokens that name the org, never those for all orgs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_all_org_tokens: bool,
}

/// A policy with its dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedPolicy {
    /// The instant at which it was set.
    pub set_at: Timestamp,
    /// The instant from which it applies.
    pub takes_hold_at: Timestamp,
    /// The limits.
    pub policy: OrgPolicy,
}

/// A policy that is to apply from an instant on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedPolicy {
    /// The instant from which it holds.
    pub takes_hold_at: Timestamp,
    /// The policy itself.
    pub policy: OrgPolicy,
}

/// The history of an org's policies. Of those that apply already, the one that was set last is in force.
///
/// An announced policy is therefore withdrawn by setting another, unless it is set again after that:
/// [`Policies::rebased_onto`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policies(Vec<DatedPolicy>);

impl OrgPolicy {
    /// No limits: the policy in force if none was set.
    pub const OPEN: OrgPolicy = OrgPolicy {
        longest_lifetime: Lifetime::Endless,
        personal_tokens: true,
        networks: Networks::All,
        login_within: Lifetime::Endless,
        suspend_on_reuse: false,
        require_grants: false,
        no_all_org_tokens: false,
    };
}

impl OrgPolicy {
    /// This policy as it reads if the one that it followed, `before`, becomes `after`. A limit that it tightened is the
    /// stricter of its own and that of `after`; one that it loosened stays its own; the rest is as in `after`.
    fn rebased(&self, before: &OrgPolicy, after: &OrgPolicy) -> OrgPolicy {
        fn limit<T: Clone + PartialEq>([own, before, after]: [&T; 3], stricter: impl Fn(&T, &T) -> T) -> T {
            if own == before {
                after.clone()
            } else if stricter(own, before) == *own {
                stricter(own, after)
            } else {
                own.clone()
            }
        }
        fn shorter(a: &Lifetime, b: &Lifetime) -> Lifetime {
            *a.min(b)
        }
        fn both(a: &bool, b: &bool) -> bool {
            *a && *b
        }
        fn either(a: &bool, b: &bool) -> bool {
            *a || *b
        }
        let three = [self, before, after];
        OrgPolicy {
            longest_lifetime: limit(three.map(|policy| &policy.longest_lifetime), shorter),
            personal_tokens: limit(three.map(|policy| &policy.personal_tokens), both),
            networks: limit(three.map(|policy| &policy.networks), |own, other| {
                // Those of the other stay if the two have none in common: an announcement never shuts everyone out.
                match own.overlap(other) {
                    Networks::Only(none) if none.is_empty() => other.clone(),
                    both => both,
                }
            }),
            login_within: limit(three.map(|policy| &policy.login_within), shorter),
            suspend_on_reuse: limit(three.map(|policy| &policy.suspend_on_reuse), either),
            require_grants: limit(three.map(|policy| &policy.require_grants), either),
            no_all_org_tokens: limit(three.map(|policy| &policy.no_all_org_tokens), either),
        }
    }

    /// Returns the policy without the names of its networks, and those names: they are among an event's
    /// personal bytes.
    pub fn apart(&self) -> (OrgPolicy, Option<String>) {
        match &self.networks {
            Networks::All => (self.clone(), None),
            Networks::Only(some) => {
                let names = some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                (OrgPolicy { networks: Networks::Only([].into()), ..self.clone() }, Some(names))
            }
        }
    }

    /// Puts the two together again. If the names were erased, no network is left.
    pub fn together(self, names: Option<&str>) -> OrgPolicy {
        match self.networks {
            Networks::All => self,
            Networks::Only(_) => {
                let some = names.unwrap_or_default().split_ascii_whitespace();
                let networks = Networks::Only(some.filter_map(|name| name.parse().ok()).collect());
                OrgPolicy { networks, ..self }
            }
        }
    }
}

impl Policies {
    /// Returns the history of an org's policies, which may be given in any order.
    pub fn new(policies: impl IntoIterator<Item = DatedPolicy>) -> Policies {
        let mut policies: Vec<DatedPolicy> = policies.into_iter().collect();
        policies.sort_by_key(|policy| std::cmp::Reverse(policy.set_at));
        Policies(policies)
    }

    /// Returns the policy in force at an instant.
    pub fn at(&self, now: Timestamp) -> &OrgPolicy {
        self.ruling(now).map_or(&OrgPolicy::OPEN, |policy| &policy.policy)
    }

    /// Returns the policy in force at an instant, if one was set.
    pub fn ruling(&self, now: Timestamp) -> Option<&DatedPolicy> {
        self.0.iter().find(|policy| policy.takes_hold_at <= now)
    }

    /// Returns the announced policies that will come into force, the earliest first.
    pub fn to_come(&self, now: Timestamp) -> Vec<&DatedPolicy> {
        let later = self.0.iter().take_while(|policy| policy.takes_hold_at > now);
        let mut later: Vec<&DatedPolicy> = later.collect();
        // A policy never comes into force if another that was set after it applies from the same instant or
        // an earlier one.
        let mut soonest = None;
        later.retain(|policy| {
            let comes = soonest.is_none_or(|soonest| policy.takes_hold_at < soonest);
            if comes {
                soonest = Some(policy.takes_hold_at);
            }
            comes
        });
        later.reverse();
        later
    }

    /// Returns the announced policies that apply later than `new` does, to be set again beside it. Each keeps
    /// its changes to its predecessor, and takes the other limits from the policy that now precedes it.
    pub fn rebased_onto(&self, new: &AnnouncedPolicy, now: Timestamp) -> Vec<AnnouncedPolicy> {
        let mut before = self.at(now);
        let mut after = new.policy.clone();
        let mut kept = Vec::new();
        for DatedPolicy { takes_hold_at, policy, .. } in self.to_come(now) {
            if *takes_hold_at > new.takes_hold_at {
                after = policy.rebased(before, &after);
                kept.push(AnnouncedPolicy { takes_hold_at: *takes_hold_at, policy: after.clone() });
            }
            before = policy;
        }
        kept
    }

    /// Returns the policies that are in force at an instant or will come into force later.
    #[must_use]
    pub fn since(&self, now: Timestamp) -> Policies {
        Policies::new(self.ruling(now).into_iter().chain(self.to_come(now)).cloned())
    }

    /// Returns those that were set before an instant.
    #[must_use]
    pub fn set_before(&self, instant: Timestamp) -> Policies {
        Policies::new(self.0.iter().filter(|policy| policy.set_at < instant).cloned())
    }

    /// Returns all of them, the one that was set last first.
    pub fn iter(&self) -> impl Iterator<Item = &DatedPolicy> {
        self.0.iter()
    }

    /// Returns true if both have the same policies in the same order, regardless of when they were set.
    pub fn has_same_policies_as(&self, other: &Policies) -> bool {
        let is_same = |own: &DatedPolicy, other: &DatedPolicy| {
            let (own_at, at) = (own.takes_hold_at, other.takes_hold_at);
            own_at == at && (own.policy == other.policy || own.policy == other.policy.apart().0)
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(own, other)| is_same(own, other))
    }

    /// Returns the number of policies that were ever set. A change may state this number, so that it fails if
    /// another came before it.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the instant at which the last one was set.
    pub fn last_set_at(&self) -> Option<Timestamp> {
        self.0.first().map(|policy| policy.set_at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).expect("an instant")
    }

    /// Returns policies from rows: the instants at which each is set and applies, and its longest lifetime in
    /// seconds.
    fn policies(rows: &[(i64, i64, u64)]) -> Policies {
        Policies::new(rows.iter().map(|(set, holds, seconds)| DatedPolicy {
            set_at: at(*set),
            takes_hold_at: at(*holds),
            policy: OrgPolicy {
                longest_lifetime: Lifetime::For(Duration::from_secs(*seconds)),
                ..OrgPolicy::OPEN
            },
        }))
    }

    #[test]
    fn the_last_set_of_the_applicable_policies_is_in_force() {
        /// The rows, an instant, the policy in force then, and the instants at which others come into force.
        type Row<'a> = (&'a [(i64, i64, u64)], i64, Option<u64>, &'a [i64]);
        let rows: [Row<'_>; 9] = [
            (&[], 5, None, &[]),
            (&[(1, 1, 10)], 5, Some(10), &[]),
            (&[(1, 1, 10)], 0, None, &[1]),
            (&[(1, 1, 10), (2, 2, 20)], 5, Some(20), &[]),
            // Announced, and not yet in force.
            (&[(1, 1, 10), (2, 9, 20)], 5, Some(10), &[9]),
            (&[(1, 1, 10), (2, 9, 20)], 9, Some(20), &[]),
            // Withdrawn by one that was set later and holds at once.
            (&[(1, 1, 10), (2, 9, 20), (3, 3, 30)], 9, Some(30), &[]),
            // One after the other.
            (&[(1, 1, 10), (2, 7, 20), (3, 9, 30)], 5, Some(10), &[7, 9]),
            // The earlier of these never comes into force.
            (&[(1, 1, 10), (2, 9, 20), (3, 8, 30)], 5, Some(10), &[8]),
        ];
        for (rows, now, expected, to_come) in rows {
            let policies = policies(rows);
            let rules = policies.ruling(at(now)).map(|policy| policy.policy.longest_lifetime);
            assert_eq!(
                rules,
                expected.map(|seconds| Lifetime::For(Duration::from_secs(seconds))),
                "{rows:?} {now}"
            );
            let coming: Vec<i64> =
                policies.to_come(at(now)).iter().map(|policy| policy.takes_hold_at.micros()).collect();
            assert_eq!(coming, to_come, "{rows:?} {now}");
        }
        assert_eq!(Policies::default().at(at(1)), &OrgPolicy::OPEN);
    }

    /// Each keeps its own changes and takes the rest from the new policy.
    #[test]
    fn announced_policies_keep_what_they_change() {
        let long = |days: u64| Lifetime::For(Duration::from_secs(days * 86_400));
        let barred = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
        let both = OrgPolicy { longest_lifetime: long(30), ..barred.clone() };
        let dated = |set, holds, policy| DatedPolicy { set_at: at(set), takes_hold_at: at(holds), policy };
        let policies = Policies::new([dated(1, 7, barred.clone()), dated(2, 9, both.clone())]);
        let kept = |takes_hold_at, policy: OrgPolicy| -> Vec<(i64, OrgPolicy)> {
            let new = AnnouncedPolicy { takes_hold_at: at(takes_hold_at), policy };
            let kept = policies.rebased_onto(&new, at(5));
            kept.into_iter().map(|kept| (kept.takes_hold_at.micros(), kept.policy)).collect()
        };
        let grants = |policy: &OrgPolicy| OrgPolicy { require_grants: true, ..policy.clone() };
        assert_eq!(kept(5, grants(&OrgPolicy::OPEN)), [(7, grants(&barred)), (9, grants(&both))]);
        // A later policy does not loosen a limit that it tightens itself.
        let shorter = OrgPolicy { longest_lifetime: long(90), ..OrgPolicy::OPEN };
        assert_eq!(
            kept(5, shorter.clone()),
            [(7, OrgPolicy { personal_tokens: false, ..shorter }), (9, both.clone())]
        );
        // A limit that is tighter in the new one than in those that are announced stays so.
        let shortest = OrgPolicy { longest_lifetime: long(7), ..OrgPolicy::OPEN };
        let stays = OrgPolicy { personal_tokens: false, ..shortest.clone() };
        assert_eq!(kept(5, shortest), [(7, stays.clone()), (9, stays)]);
        // What is announced between two is part of what the later one follows.
        assert_eq!(kept(8, grants(&barred)), [(9, grants(&both))]);
        // A policy for the same instant replaces the announced one, and later ones are rebased onto it.
        assert_eq!(
            kept(7, OrgPolicy::OPEN),
            [(9, OrgPolicy { longest_lifetime: long(30), ..OrgPolicy::OPEN })]
        );
        assert_eq!(kept(9, OrgPolicy::OPEN), []);
    }

    #[test]
    fn announced_networks_never_admit_more_than_a_new_policy() {
        let from = |networks: &[&str]| OrgPolicy {
            networks: Networks::only(networks.iter().map(|text| text.parse().expect("a network")))
                .expect("some"),
            ..OrgPolicy::OPEN
        };
        let rows: [(&[&str], &[&str], &[&str]); 4] = [
            (&["10.0.0.0/8"], &["10.1.0.0/16", "192.0.2.0/24"], &["10.1.0.0/16"]),
            (&["10.1.0.0/16"], &["10.0.0.0/8"], &["10.1.0.0/16"]),
            (&["10.1.0.0/16"], &["10.1.0.0/16"], &["10.1.0.0/16"]),
            (&["10.0.0.0/8"], &["192.0.2.0/24"], &["192.0.2.0/24"]),
        ];
        for (announced, new, expected) in rows {
            let announced = from(announced).rebased(&OrgPolicy::OPEN, &from(new));
            assert_eq!(announced, from(expected));
        }
        // One that admits more than the policy before it is meant to.
        assert_eq!(
            from(&["10.0.0.0/8"]).rebased(&from(&["10.1.0.0/16"]), &OrgPolicy::OPEN),
            from(&["10.0.0.0/8"])
        );
    }

    #[test]
    fn names_of_networks_are_kept_apart() {
        let networks = ["10.0.0.0/8", "192.0.2.7/32"].map(|text| text.parse().expect("a network"));
        let policy = OrgPolicy { networks: Networks::Only(networks.into()), ..OrgPolicy::OPEN };
        let (public, names) = policy.apart();
        assert_eq!(names.as_deref(), Some("10.0.0.0/8 192.0.2.7/32"));
        assert!(!format!("{public:?}").contains("10"));
        assert_eq!(public.clone().together(names.as_deref()), policy);
        assert_eq!(public.clone().together(None), public, "erased, it admits none");
        assert_eq!(OrgPolicy::OPEN.apart(), (OrgPolicy::OPEN, None));
    }
}
