//! The texts of mails: what happened, to which token, and what to type. Nothing in them is a link.

use std::time::Duration;

use ndauth_authority::{Letter, NoticeContent, Told};
use ndauth_core::{Among, Expiry, LastUse, NoticeKind, Timestamp, TokenView};

use super::plain::{name, words, wrapped};

/// The part of a mail about one thing.
struct Section {
    headline: String,
    facts: Vec<(&'static str, String)>,
    /// Somebody else's words.
    quoted: Option<String>,
    advice: &'static str,
    commands: Vec<String>,
}

/// The most characters of a subject.
const SUBJECT: usize = 120;
/// The facts that a mail about many things leaves in.
const BRIEF: [&str; 4] = ["Prefix", "Last use", "From", "By"];
/// The width of the column of facts' names.
const COLUMN: usize = 12;

/// Returns the subject of a mail.
pub(super) fn subject(letter: &Letter) -> String {
    let text = match letter.told.as_slice() {
        [only] => section(only, letter.now).headline.trim_end_matches('.').to_owned(),
        many => format!("{} notices about your account and its tokens", many.len()),
    };
    match text.char_indices().nth(SUBJECT) {
        Some((end, _)) => format!("ndauth: {}…", &text[..end]),
        None => format!("ndauth: {text}"),
    }
}

/// Returns the text of a mail.
pub(super) fn body(letter: &Letter) -> String {
    let mut text = String::new();
    match letter.told.as_slice() {
        [only] => section(only, letter.now).write(&mut text),
        many => {
            text += &wrapped(&format!("{} things happened, or are about to.", many.len()), "", "");
            for told in many {
                text.push('\n');
                section(told, letter.now).write_briefly(told.at, &mut text);
            }
        }
    }
    text += "\n--\n";
    footer(letter, &mut text);
    text
}

impl Section {
    fn write(&self, text: &mut String) {
        // A headline holds a name, which would begin a line if it were wrapped.
        *text += &format!("{}\n\n", self.headline);
        for (fact, value) in &self.facts {
            *text += &wrapped(value, &format!("  {:COLUMN$}", format!("{fact}:")), &" ".repeat(COLUMN + 2));
        }
        if let Some(quoted) = &self.quoted {
            text.push('\n');
            *text += &wrapped(quoted, "  > ", "  > ");
        }
        if !self.advice.is_empty() {
            text.push('\n');
            *text += &wrapped(self.advice, "", "");
        }
        if !self.commands.is_empty() {
            text.push('\n');
            self.commands.iter().for_each(|command| *text += &format!("  {command}\n"));
        }
    }

    fn write_briefly(&self, at: Timestamp, text: &mut String) {
        *text += &format!("* {}: {}\n", at.minute(), self.headline);
        let facts = self.facts.iter().filter(|(fact, _)| BRIEF.contains(fact));
        let facts: Vec<String> =
            facts.map(|(fact, value)| format!("{}: {value}", fact.to_lowercase())).collect();
        if !facts.is_empty() {
            *text += &wrapped(&facts.join("; "), "  ", "  ");
        }
        if let Some(quoted) = &self.quoted {
            *text += &wrapped(quoted, "  > ", "  > ");
        }
        self.commands.iter().take(1).for_each(|command| *text += &format!("    {command}\n"));
    }
}

/// Returns what is said of one thing.
fn section(told: &Told, now: Timestamp) -> Section {
    match &told.content {
        NoticeContent::Created { token, by, address } => {
            let mut facts = facts(token, now);
            facts.retain(|(fact, _)| *fact != "Last use");
            facts.extend([("By", by.clone()), ("From", known(address.as_deref()))]);
            facts.extend(powers(token));
            Section {
                headline: format!("{} was created.", of(token)),
                facts,
                quoted: None,
                advice: "If nobody whom you know made it, revoke it, and end all sessions of your account:",
                commands: vec![command(token, "revoke", now), END_SESSIONS.to_owned()],
            }
        }
        NoticeContent::Expiring { token, renewed } => {
            let mut facts = facts(token, now);
            facts.extend(renewed.map(|end| ("Renewal", format!("until {}", end.minute()))));
            let renew = renewed.map(|_| command(token, "renew", now));
            Section {
                headline: format!("{} ends {}.", of(token), left(token, now)),
                facts,
                quoted: None,
                advice: match renewed {
                    Some(_) => {
                        "What uses it fails from then on. A renewal keeps its secret and moves its end; a rotation \
                         gives it a new secret for a new lifetime:"
                    }
                    None => {
                        "What uses it fails from then on. A rotation gives it a new secret for a new lifetime:"
                    }
                },
                commands: renew.into_iter().chain([command(token, "rotate", now)]).collect(),
            }
        }
        NoticeContent::StillTried { token, tries } => {
            let mut facts = facts(token, now);
            let times = if tries.count == 1 { "once".to_owned() } else { format!("{} times", tries.count) };
            facts.push(("Tried", format!("{times} since, last about {}", tries.last_at.minute())));
            Section {
                headline: format!("{} has ended, and something still tries it.", of(token)),
                facts,
                quoted: None,
                advice: "Find what still has it, and give it a new token:",
                commands: vec![create(token, now)],
            }
        }
        NoticeContent::Rotated { token, others_end_at } => {
            let mut facts = facts(token, now);
            let until = if *others_end_at <= now {
                "its earlier secrets work no more".to_owned()
            } else {
                format!("its earlier secrets work until {}", others_end_at.minute())
            };
            facts.push(("New secret", until));
            Section {
                headline: format!("{} was rotated.", of(token)),
                facts,
                quoted: None,
                advice: "If nobody whom you know did it, revoke the token, and end all sessions of your account:",
                commands: vec![command(token, "revoke", now), END_SESSIONS.to_owned()],
            }
        }
        NoticeContent::Reused { token, prefix, reported, address, suspended } => {
            let mut facts = facts(token, now);
            facts.extend(prefix.clone().map(|prefix| ("Retired", prefix)));
            facts.push(("From", known(address.as_deref())));
            if !suspended.is_empty() {
                facts.push(("Suspended", format!("by {}", suspended.join(", "))));
            }
            let how = if *reported { "reported as leaked" } else { "presented" };
            Section {
                headline: format!("A retired secret of {} was {how}.", lower(&of(token))),
                facts,
                quoted: None,
                advice: "Either something never got the new secret, or somebody else has the old one. Look where the \
                         token was used; if you know the place, give it the new secret, and if not, revoke the token:",
                commands: vec![command(token, "show", now), command(token, "revoke", now)],
            }
        }
        NoticeContent::Revoked { token, by, reason, note } => {
            let mut facts = facts(token, now);
            facts.extend([("By", by.clone()), ("Reason", reason.to_string())]);
            Section {
                headline: format!("{} was revoked.", of(token)),
                facts,
                quoted: note.as_deref().map(words),
                advice: "It can do nothing any more. If something still needs a token, make another:",
                commands: vec![create(token, now)],
            }
        }
        NoticeContent::AllRevoked { org, by, reason, not_before } => Section {
            headline: match org {
                None => "All your tokens were revoked.".to_owned(),
                Some(org) => format!("All tokens lost their power in the org `{org}`."),
            },
            facts: vec![
                ("Concerns", format!("what was made before {}", not_before.minute())),
                ("By", by.clone()),
                ("Reason", reason.to_string()),
            ],
            quoted: None,
            advice: "Tokens that are made from now on work. Those that you have are listed by:",
            commands: vec!["ndcli auth token list".to_owned()],
        },
        NoticeContent::Suspended { token, by, only_in } => {
            let mut facts = facts(token, now);
            facts.push(("By", by.clone()));
            Section {
                headline: match only_in {
                    Some(org) => format!("{} was suspended in the org `{org}`.", of(token)),
                    None => format!("{} was suspended.", of(token)),
                },
                facts,
                quoted: None,
                advice: "It has no power there until it is resumed. See what it may do now:",
                commands: vec![command(token, "explain", now)],
            }
        }
        NoticeContent::SignIn { device, address, by } => Section {
            headline: match by {
                Some(by) => format!("A session of your account was made by {by}."),
                None => "A new device signed in to your account.".to_owned(),
            },
            facts: vec![
                ("At", told.at.minute()),
                ("Device", device.as_deref().map_or("unknown".to_owned(), |device| name(&words(device)))),
                ("From", known(address.as_deref())),
            ],
            quoted: None,
            advice: "If it was not you, end all sessions of your account, and set a new password:",
            commands: vec![END_SESSIONS.to_owned()],
        },
        NoticeContent::Policy { token, org, takes_hold_at, why } => {
            let mut facts = facts(token, now);
            facts.extend([("From", takes_hold_at.minute()), ("Because", words(why))]);
            let will = if *takes_hold_at <= now { "refuses" } else { "will refuse" };
            Section {
                headline: format!("A policy of the org `{org}` {will} {}.", lower(&of(token))),
                facts,
                quoted: None,
                advice: "Make a token that the policy admits, or ask an admin of the org. The policy, and what it means \
                         for this one:",
                commands: vec![format!("ndcli org policy show --org {org}"), command(token, "explain", now)],
            }
        }
        NoticeContent::Offer { org, role, by, ends_at } => Section {
            headline: format!("A membership of the org `{org}` is offered to you."),
            facts: vec![("Role", role.to_string()), ("By", by.clone()), ("Open until", ends_at.minute())],
            quoted: None,
            advice: "Its admins will see your tokens that work there. Accept it only if you expected it:",
            commands: vec![format!("ndcli offers accept {org}"), format!("ndcli offers decline {org}")],
        },
    }
}

const END_SESSIONS: &str = "ndcli auth sessions revoke --all";

/// Names a token by its owner, at the beginning of a sentence.
fn of(token: &TokenView) -> String {
    let shown = name(token.token.name.as_str());
    match &token.owner_org {
        Some(org) => format!("The token `{shown}` of the org `{org}`"),
        None => format!("Your token `{shown}`"),
    }
}

/// Returns a text that does not begin a sentence.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// Returns the facts that name a token.
fn facts(token: &TokenView, now: Timestamp) -> Vec<(&'static str, String)> {
    let ends = match token.token.expires_at {
        Expiry::At(end) => end.minute(),
        Expiry::Never => "never".to_owned(),
    };
    vec![
        ("Token", name(token.token.name.as_str())),
        ("Prefix", token.shown(now).record.prefix.to_string()),
        ("Ends", ends),
        ("Last use", token.last_use().map_or("never".to_owned(), last_use)),
    ]
}

fn last_use(last: LastUse) -> String {
    match last.address {
        Some(address) => format!("{}, from {address}", last.at.minute()),
        None => last.at.minute(),
    }
}

/// Returns what a token may do.
fn powers(token: &TokenView) -> Vec<(&'static str, String)> {
    let mut powers = vec![("Access", token.token.scope.to_string())];
    if token.owner_org.is_none() {
        powers.push(("Orgs", among(&token.orgs)));
    }
    powers.extend([
        ("May", words(&token.token.grants.to_string())),
        ("Services", among(&token.services)),
        ("Networks", among(&token.token.networks)),
    ]);
    powers
}

fn among<T: ToString + Ord>(some: &Among<T>) -> String {
    match some {
        Among::All => "all".to_owned(),
        Among::Only(some) => {
            let names: Vec<String> = some.iter().take(10).map(|one| name(&one.to_string())).collect();
            let more = some.iter().count().saturating_sub(names.len());
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            format!("{}{more}", names.join(", "))
        }
    }
}

/// Returns the command that does something with a token, which it names by its prefix: that needs no quotes.
fn command(token: &TokenView, verb: &str, now: Timestamp) -> String {
    let prefix = token.shown(now).record.prefix;
    match &token.owner_org {
        Some(org) => format!("ndcli token {verb} {prefix} --org {org}"),
        None => format!("ndcli auth token {verb} {prefix}"),
    }
}

/// Returns the command that makes another token with the same settings.
fn create(token: &TokenView, now: Timestamp) -> String {
    let (prefix, name) = (token.shown(now).record.prefix, token.token.name.as_str());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    // A revocation frees the name.
    let is_free = token.token.revoked_at.is_some() && name.chars().all(is_plain);
    let name = if is_free { name } else { "NAME" };
    match &token.owner_org {
        Some(org) => format!("ndcli token create --name {name} --like {prefix} --org {org}"),
        None => format!("ndcli auth token create --name {name} --like {prefix}"),
    }
}

/// Returns when a token ends, from now.
fn left(token: &TokenView, now: Timestamp) -> String {
    const HOUR: u64 = 60 * 60;
    let left = match token.token.expires_at {
        Expiry::At(end) => end.since(now),
        Expiry::Never => Duration::MAX,
    };
    let hours = (left.as_secs() + HOUR / 2) / HOUR;
    match hours {
        0..=1 => "within an hour".to_owned(),
        2..=35 => format!("in {hours} hours"),
        _ => format!("in {} days", (hours + 12) / 24),
    }
}

fn known(address: Option<&str>) -> String {
    address.unwrap_or("an unknown address").to_owned()
}

fn footer(letter: &Letter, text: &mut String) {
    let mut kinds: Vec<NoticeKind> = letter.told.iter().map(|told| told.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.retain(|kind| !kind.is_about_security());
    let off = if kinds.is_empty() {
        "What is about the security of your account cannot be turned off."
    } else {
        "To get no more of these:"
    };
    let begin = format!(
        "From ndauth to `{}`. No mail of ndauth has links: type the commands yourself.",
        letter.to.handle
    );
    *text += &wrapped(&format!("{begin} {off}"), "", "");
    if !kinds.is_empty() {
        text.push('\n');
        kinds.iter().for_each(|kind| *text += &format!("  ndcli auth notices --off {kind}\n"));
    }
}

#[cfg(test)]
mod tests;
