//! The limits of an org's policy: in words, and as the fields of a form.

use std::time::Duration;

use ndauth_authority::{Announced, NewPolicy};
use ndauth_core::{ExpiryChoice, InvalidExpiry, InvalidSet, Lifetime, Network, Networks, OrgPolicy};

use crate::http::fields::Fields;
use crate::http::pages::parts::{FieldError, words};

/// The form of a policy as it was filled in, to show it again.
#[derive(Clone, Debug)]
pub(super) struct TypedPolicy {
    pub(super) longest_lifetime: String,
    pub(super) login_within: String,
    /// True if tokens may be used from anywhere.
    pub(super) from_anywhere: bool,
    /// The networks, one on a line.
    pub(super) networks: String,
    pub(super) personal_tokens: bool,
    pub(super) require_grants: bool,
    pub(super) no_all_org_tokens: bool,
    pub(super) suspend_on_reuse: bool,
    /// The time until the policy takes effect. Empty means at once.
    pub(super) effective_in: String,
    pub(super) withdraw_announced: bool,
}

impl TypedPolicy {
    /// Returns the form of a policy.
    pub(super) fn of(policy: &OrgPolicy) -> TypedPolicy {
        TypedPolicy {
            longest_lifetime: policy.longest_lifetime.to_string(),
            login_within: policy.login_within.to_string(),
            from_anywhere: policy.networks == Networks::All,
            networks: match &policy.networks {
                Networks::All => String::new(),
                Networks::Only(some) => joined(some.iter(), "\n"),
            },
            personal_tokens: policy.personal_tokens,
            require_grants: policy.require_grants,
            no_all_org_tokens: policy.no_all_org_tokens,
            suspend_on_reuse: policy.suspend_on_reuse,
            effective_in: String::new(),
            withdraw_announced: false,
        }
    }

    /// Returns what a form sent. Of two choices, the stricter one is meant unless the other is sent. A switch that is
    /// not sent is off, as browsers send it.
    pub(super) fn read(form: &Fields) -> TypedPolicy {
        let text = |name: &str| form.text(name).trim().to_owned();
        let is_on = |name: &str| form.get(name).is_some();
        TypedPolicy {
            longest_lifetime: text("longest_lifetime"),
            login_within: text("login_within"),
            from_anywhere: form.get("from") == Some("anywhere"),
            networks: form.all("network").collect::<Vec<_>>().join("\n"),
            personal_tokens: form.get("personal_tokens") == Some("allowed"),
            require_grants: is_on("require_grants"),
            no_all_org_tokens: is_on("no_all_org_tokens"),
            suspend_on_reuse: is_on("suspend_on_reuse"),
            effective_in: text("effective_in"),
            withdraw_announced: is_on("withdraw_announced"),
        }
    }

    /// Reads the policy to set, or all errors. The form was that of a policy, whose limits it may keep although they
    /// are longer than a person may choose.
    pub(super) fn parse(
        &self,
        before: &OrgPolicy,
        expected: Option<usize>,
    ) -> Result<NewPolicy, Vec<FieldError>> {
        let mut errors = Vec::new();
        let longest_lifetime = limit(&self.longest_lifetime, before.longest_lifetime);
        let longest_lifetime = noted(longest_lifetime, "longest_lifetime", &mut errors);
        let login_within = limit(&self.login_within, before.login_within);
        let login_within = noted(login_within, "login_within", &mut errors);
        let networks = noted(self.allowed_networks(), "networks", &mut errors);
        let effective_in = noted(notice(&self.effective_in), "effective_in", &mut errors);
        match (longest_lifetime, login_within, networks, effective_in) {
            (Some(longest_lifetime), Some(login_within), Some(networks), Some(effective_in)) => {
                let policy = OrgPolicy {
                    longest_lifetime,
                    personal_tokens: self.personal_tokens,
                    networks,
                    login_within,
                    suspend_on_reuse: self.suspend_on_reuse,
                    require_grants: self.require_grants,
                    no_all_org_tokens: self.no_all_org_tokens,
                };
                let announced = if self.withdraw_announced { Announced::Withdraw } else { Announced::Keep };
                Ok(NewPolicy { policy, effective_in, announced, expected })
            }
            _ => Err(errors),
        }
    }

    fn allowed_networks(&self) -> Result<Networks, String> {
        if self.from_anywhere {
            return Ok(Networks::All);
        }
        let mut networks = Vec::new();
        for text in words(&self.networks) {
            networks.push(text.parse::<Network>().map_err(|why| format!("`{text}` is no network: {why}"))?);
        }
        Networks::only(networks).map_err(|why| match why {
            InvalidSet::Empty => "name a network, or allow use from anywhere".to_owned(),
            InvalidSet::TooMany => why.to_string(),
        })
    }
}

/// Returns a value that was read, or notes the error in its field.
fn noted<T>(read: Result<T, String>, field: &'static str, errors: &mut Vec<FieldError>) -> Option<T> {
    read.map_err(|why| errors.push(FieldError::new(field, &why))).ok()
}

/// Parses a limit. The one before may stay, whatever it is.
fn limit(text: &str, before: Lifetime) -> Result<Lifetime, String> {
    if text == before.to_string() {
        return Ok(before);
    }
    match text {
        "never" => Ok(Lifetime::Endless),
        text => {
            duration(text, "expected a number of h, d, w or y, such as `90d`, or `never`").map(Lifetime::For)
        }
    }
}

/// Parses the time until a policy takes effect.
fn notice(text: &str) -> Result<Duration, String> {
    match text {
        "" => Ok(Duration::ZERO),
        text => duration(text, "expected a number of h, d, w or y, such as `14d`, or nothing"),
    }
}

fn duration(text: &str, expected: &str) -> Result<Duration, String> {
    match ExpiryChoice::parse_duration(text) {
        Ok(ExpiryChoice::In(Lifetime::For(duration))) => Ok(duration),
        Err(InvalidExpiry::TooLong) => Err("it is at most 365 days".to_owned()),
        Ok(_) | Err(_) => Err(expected.to_owned()),
    }
}

/// Returns the limits of a policy in words, each with its term.
pub(super) fn limits(policy: &OrgPolicy) -> [(&'static str, String); 7] {
    let limit = |lifetime: Lifetime| match lifetime {
        Lifetime::For(_) => lifetime.to_string(),
        Lifetime::Endless => "any".to_owned(),
    };
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    [
        ("Longest lifetime", limit(policy.longest_lifetime)),
        ("Personal tokens", if policy.personal_tokens { "allowed" } else { "barred" }.to_owned()),
        (
            "Networks",
            match &policy.networks {
                Networks::All => "any".to_owned(),
                Networks::Only(some) => joined(some.iter(), ", "),
            },
        ),
        ("Login within", limit(policy.login_within)),
        ("Suspend on reuse", switch(policy.suspend_on_reuse)),
        ("Require grants", switch(policy.require_grants)),
        ("No all-org tokens", switch(policy.no_all_org_tokens)),
    ]
}

/// Returns the limits in which a policy differs from the one before it.
pub(super) fn changes(before: &OrgPolicy, after: &OrgPolicy) -> String {
    let changed = limits(before).into_iter().zip(limits(after)).filter(|(before, after)| before != after);
    let changed: Vec<String> = changed.map(|(_, (term, limit))| format!("{term}: {limit}")).collect();
    if changed.is_empty() { "No change.".to_owned() } else { format!("{}.", changed.join("; ")) }
}

fn joined<'a>(networks: impl Iterator<Item = &'a Network>, between: &str) -> String {
    networks.map(ToString::to_string).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: u64) -> Lifetime {
        Lifetime::For(Duration::from_secs(days * 86_400))
    }

    fn strict() -> OrgPolicy {
        let networks = ["10.0.0.0/8", "192.0.2.7/32"].map(|text| text.parse::<Network>().expect("a network"));
        OrgPolicy {
            // Longer than a person may choose.
            longest_lifetime: days(730),
            personal_tokens: false,
            networks: Networks::only(networks).expect("some"),
            login_within: days(30),
            suspend_on_reuse: true,
            require_grants: true,
            no_all_org_tokens: true,
        }
    }

    #[test]
    fn a_form_that_nobody_changed_sets_the_same_policy() {
        for policy in [OrgPolicy::OPEN, strict()] {
            let new = TypedPolicy::of(&policy).parse(&policy, Some(3)).expect("it is valid");
            assert_eq!((new.policy, new.effective_in, new.expected), (policy, Duration::ZERO, Some(3)));
            assert_eq!(new.announced, Announced::Keep);
        }
        let longer = TypedPolicy::of(&strict()).parse(&OrgPolicy::OPEN, None).expect_err("it is too long");
        assert_eq!(longer, [FieldError::new("longest_lifetime", "it is at most 365 days")]);
    }

    #[test]
    fn each_field_has_its_error() {
        let form =
            b"longest_lifetime=soon&login_within=0d&from=only&network=10.0.0.0%2F88&effective_in=never";
        let typed = TypedPolicy::read(&Fields::read(form));
        let errors = typed.parse(&OrgPolicy::OPEN, None).expect_err("it is refused");
        let fields: Vec<_> = errors.iter().map(|error| error.field).collect();
        assert_eq!(fields, ["longest_lifetime", "login_within", "networks", "effective_in"]);
        assert!(errors[2].text.contains("10.0.0.0/88"), "{}", errors[2].text);
    }

    #[test]
    fn what_a_form_does_not_say_loosens_nothing() {
        let typed = TypedPolicy::read(&Fields::read(b""));
        assert!(!typed.personal_tokens && !typed.from_anywhere);
        let errors = typed.parse(&strict(), None).expect_err("it is refused");
        let fields: Vec<_> = errors.iter().map(|error| error.field).collect();
        assert_eq!(fields, ["longest_lifetime", "login_within", "networks"]);
    }

    #[test]
    fn an_announced_policy_is_told_by_its_changes() {
        let shorter = OrgPolicy { longest_lifetime: days(60), require_grants: true, ..OrgPolicy::OPEN };
        let rows = [
            (&OrgPolicy::OPEN, &OrgPolicy::OPEN, "No change."),
            (&OrgPolicy::OPEN, &shorter, "Longest lifetime: 60d; Require grants: on."),
            (&shorter, &OrgPolicy::OPEN, "Longest lifetime: any; Require grants: off."),
        ];
        for (before, after, expected) in rows {
            assert_eq!(changes(before, after), expected);
        }
    }
}
