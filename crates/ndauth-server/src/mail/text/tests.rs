use expect_test::{Expect, expect};
use ndauth_authority::LateTries;
use ndauth_core::{
    Account, AccountId, Grants, Lifetime, MailId, Networks, OrgId, Orgs, Owner, RevocationReason, Role,
    Scope, SecretId, SecretRecord, SecretView, Services, Token, TokenId, VisibleUses,
};
use uuid::Uuid;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn now() -> Timestamp {
    at("2027-01-24T12:00:00Z")
}

fn account() -> Account {
    Account {
        id: AccountId::from_uuid(Uuid::from_u128(1)),
        handle: "ada".parse().expect("a handle"),
        email: "ada@example.org".parse().expect("an address"),
        name: None,
        operator: false,
        created_at: Timestamp::MIN,
        last_login_at: None,
        disabled_at: None,
        not_before: Timestamp::MIN,
    }
}

fn token(name: &str) -> Box<TokenView> {
    let account = account();
    let record = SecretRecord::first(
        SecretId::from_uuid(Uuid::from_u128(4)),
        "ndpat_Jj8IYR".parse().expect("a prefix"),
        at("2026-11-02T12:00:00Z"),
    );
    let last_use = LastUse { at: at("2027-01-23T08:11:00Z"), address: "192.0.2.7".parse().ok() };
    let secret = SecretView { record, last_use: Some(last_use), reused_at: None, succession: None };
    Box::new(TokenView {
        token: Token {
            id: TokenId::from_uuid(Uuid::from_u128(3)),
            owner: Owner::Account(account.id),
            name: name.parse().expect("a name"),
            description: None,
            scope: Scope::Rw,
            grants: Grants::All,
            orgs: Orgs::All,
            services: Services::All,
            networks: Networks::All,
            created_at: at("2026-11-02T12:00:00Z"),
            lifetime: Lifetime::For(Duration::from_secs(90 * 86400)),
            expires_at: Expiry::At(at("2027-01-31T12:00:00Z")),
            revoked_at: None,
            self_rotating_until: None,
            suspensions: [].into(),
        },
        owner_org: None,
        orgs: Orgs::Only(
            ["ops".parse().expect("a slug"), "dev".parse().expect("a slug")].into_iter().collect(),
        ),
        services: Services::All,
        owner_account: Some(account.handle),
        suspended_in: Vec::new(),
        secrets: vec![secret],
        not_before: Timestamp::MIN,
        revocation: None,
        used_from: Vec::new(),
        policy_warnings: Vec::new(),
        uses: VisibleUses::All,
    })
}

fn org_token(name: &str) -> Box<TokenView> {
    let view = *token(name);
    let owner = Owner::Org(OrgId::from_uuid(Uuid::from_u128(9)));
    let (token, owner_org) = (Token { owner, ..view.token.clone() }, "ops".parse().ok());
    Box::new(TokenView { token, owner_org, owner_account: None, ..view })
}

fn letter(contents: Vec<(NoticeKind, NoticeContent)>) -> Letter {
    Letter {
        id: MailId::from_uuid(Uuid::from_u128(7)),
        to: account(),
        told: contents.into_iter().map(|(kind, content)| Told { kind, at: now(), content }).collect(),
        made_at: now(),
        attempts: 0,
        refusals: 0,
        now: now(),
    }
}

fn check(kind: NoticeKind, content: NoticeContent, expected: &Expect) {
    let letter = letter(vec![(kind, content)]);
    let text = format!("Subject: {}\n\n{}", subject(&letter), body(&letter));
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().skip(3).all(|line| line.chars().count() <= 78), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn a_token_that_was_created() {
    check(
        NoticeKind::Created,
        NoticeContent::Created {
            token: token("ci"),
            by: "ada".to_owned(),
            address: Some("192.0.2.7".to_owned()),
        },
        &expect![[r#"
            Subject: ndauth: Your token `ci` was created

            Your token `ci` was created.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              By:         ada
              From:       192.0.2.7
              Access:     RW
              Orgs:       dev, ops
              May:        all
              Services:   all
              Networks:   all

            If nobody whom you know made it, revoke it, and end all sessions of your
            account:

              ndcli auth token revoke ndpat_Jj8IYR
              ndcli auth sessions revoke --all

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn an_orgs_token_that_was_created() {
    check(
        NoticeKind::Created,
        NoticeContent::Created { token: org_token("deploy"), by: "eve".to_owned(), address: None },
        &expect![[r#"
            Subject: ndauth: The token `deploy` of the org `ops` was created

            The token `deploy` of the org `ops` was created.

              Token:      deploy
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              By:         eve
              From:       an unknown address
              Access:     RW
              May:        all
              Services:   all
              Networks:   all

            If nobody whom you know made it, revoke it, and end all sessions of your
            account:

              ndcli token revoke ndpat_Jj8IYR --org ops
              ndcli auth sessions revoke --all

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn a_token_that_ends_soon() {
    check(
        NoticeKind::Expiring,
        NoticeContent::Expiring { token: token("ci"), renewed: Some(at("2027-03-02T12:00:00Z")) },
        &expect![[r#"
            Subject: ndauth: Your token `ci` ends in 7 days

            Your token `ci` ends in 7 days.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              Renewal:    until 2027-03-02 12:00 UTC

            What uses it fails from then on. A renewal keeps its secret and moves
            its end; a rotation gives it a new secret for a new lifetime:

              ndcli auth token renew ndpat_Jj8IYR
              ndcli auth token rotate ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. To get no more of these:

              ndcli auth notices --off expiring
        "#]],
    );
}

#[test]
fn a_token_that_ends_soon_and_cannot_be_renewed() {
    check(
        NoticeKind::Expiring,
        NoticeContent::Expiring { token: token("ci"), renewed: None },
        &expect![[r#"
        Subject: ndauth: Your token `ci` ends in 7 days

        Your token `ci` ends in 7 days.

          Token:      ci
          Prefix:     ndpat_Jj8IYR
          Ends:       2027-01-31 12:00 UTC
          Last use:   2027-01-23 08:11 UTC, from 192.0.2.7

        What uses it fails from then on. A rotation gives it a new secret for a
        new lifetime:

          ndcli auth token rotate ndpat_Jj8IYR

        --
        From ndauth to `ada`. No mail of ndauth has links: type the commands
        yourself. To get no more of these:

          ndcli auth notices --off expiring
    "#]],
    );
}

#[test]
fn a_token_that_ended_and_is_still_tried() {
    check(
        NoticeKind::StillTried,
        NoticeContent::StillTried {
            token: token("ci"),
            tries: LateTries { count: 12, last_at: at("2027-01-24T11:58:00Z") },
        },
        &expect![[r#"
            Subject: ndauth: Your token `ci` has ended, and something still tries it

            Your token `ci` has ended, and something still tries it.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              Tried:      12 times since, last about 2027-01-24 11:58 UTC

            Find what still has it, and give it a new token:

              ndcli auth token create --name NAME --like ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. To get no more of these:

              ndcli auth notices --off still-tried
        "#]],
    );
}

#[test]
fn a_token_that_was_rotated() {
    check(
        NoticeKind::Rotated,
        NoticeContent::Rotated { token: token("ci"), others_end_at: at("2027-01-25T12:00:00Z") },
        &expect![[r#"
            Subject: ndauth: Your token `ci` was rotated

            Your token `ci` was rotated.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              New secret: its earlier secrets work until 2027-01-25 12:00 UTC

            If nobody whom you know did it, revoke the token, and end all sessions
            of your account:

              ndcli auth token revoke ndpat_Jj8IYR
              ndcli auth sessions revoke --all

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. To get no more of these:

              ndcli auth notices --off rotated
        "#]],
    );
}

#[test]
fn a_retired_secret_that_was_presented() {
    check(
        NoticeKind::Reused,
        NoticeContent::Reused {
            token: token("ci"),
            prefix: Some("ndpat_9GV4nf".to_owned()),
            reported: false,
            address: Some("198.51.100.7".to_owned()),
            suspended: vec!["the org `ops`".to_owned()],
        },
        &expect![[r#"
            Subject: ndauth: A retired secret of your token `ci` was presented

            A retired secret of your token `ci` was presented.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              Retired:    ndpat_9GV4nf
              From:       198.51.100.7
              Suspended:  by the org `ops`

            Either something never got the new secret, or somebody else has the old
            one. Look where the token was used; if you know the place, give it the
            new secret, and if not, revoke the token:

              ndcli auth token show ndpat_Jj8IYR
              ndcli auth token revoke ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn a_token_that_was_revoked() {
    let mut revoked = token("ci");
    revoked.token.revoked_at = Some(now());
    check(
        NoticeKind::Revoked,
        NoticeContent::Revoked {
            token: revoked,
            by: "eve".to_owned(),
            reason: RevocationReason::Leaked,
            note: Some(
                "found in a public log, see https://evil.example/?q=1 and reset at evil.example".to_owned(),
            ),
        },
        &expect![[r#"
            Subject: ndauth: Your token `ci` was revoked

            Your token `ci` was revoked.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              By:         eve
              Reason:     leaked

              > found in a public log, see [link removed] and reset at [link
              > removed]

            It can do nothing any more. If something still needs a token, make
            another:

              ndcli auth token create --name ci --like ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn all_tokens_revoked() {
    check(
        NoticeKind::Revoked,
        NoticeContent::AllRevoked {
            org: "ops".parse().ok(),
            by: "eve".to_owned(),
            reason: RevocationReason::Leaked,
            not_before: now(),
        },
        &expect![[r#"
            Subject: ndauth: All tokens lost their power in the org `ops`

            All tokens lost their power in the org `ops`.

              Concerns:   what was made before 2027-01-24 12:00 UTC
              By:         eve
              Reason:     leaked

            Tokens that are made from now on work. Those that you have are listed
            by:

              ndcli auth token list

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn a_token_that_was_suspended() {
    check(
        NoticeKind::Suspended,
        NoticeContent::Suspended { token: token("ci"), by: "eve".to_owned(), only_in: "ops".parse().ok() },
        &expect![[r#"
            Subject: ndauth: Your token `ci` was suspended in the org `ops`

            Your token `ci` was suspended in the org `ops`.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              By:         eve

            It has no power there until it is resumed. See what it may do now:

              ndcli auth token explain ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn a_new_device() {
    check(
        NoticeKind::SignIn,
        NoticeContent::SignIn {
            device: Some("Verify at evil.example now".to_owned()),
            address: Some("198.51.100.7".to_owned()),
            by: None,
        },
        &expect![[r#"
            Subject: ndauth: A new device signed in to your account

            A new device signed in to your account.

              At:         2027-01-24 12:00 UTC
              Device:     Verify at [link removed] now
              From:       198.51.100.7

            If it was not you, end all sessions of your account, and set a new
            password:

              ndcli auth sessions revoke --all

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. What is about the security of your account cannot be turned
            off.
        "#]],
    );
}

#[test]
fn a_policy_that_will_refuse_a_token() {
    check(
        NoticeKind::Policy,
        NoticeContent::Policy {
            token: token("ci"),
            org: "ops".parse().expect("a slug"),
            takes_hold_at: at("2027-01-28T00:00:00Z"),
            why: "the policy of `ops` admits secrets that last 30d at most, and this one lasts 90d"
                .to_owned(),
        },
        &expect![[r#"
            Subject: ndauth: A policy of the org `ops` will refuse your token `ci`

            A policy of the org `ops` will refuse your token `ci`.

              Token:      ci
              Prefix:     ndpat_Jj8IYR
              Ends:       2027-01-31 12:00 UTC
              Last use:   2027-01-23 08:11 UTC, from 192.0.2.7
              From:       2027-01-28 00:00 UTC
              Because:    the policy of `ops` admits secrets that last 30d at most,
                          and this one lasts 90d

            Make a token that the policy admits, or ask an admin of the org. The
            policy, and what it means for this one:

              ndcli org policy show --org ops
              ndcli auth token explain ndpat_Jj8IYR

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. To get no more of these:

              ndcli auth notices --off policy
        "#]],
    );
}

#[test]
fn an_offered_membership() {
    check(
        NoticeKind::Offer,
        NoticeContent::Offer {
            org: "ops".parse().expect("a slug"),
            role: Role::Rw,
            by: "eve".to_owned(),
            ends_at: at("2027-01-31T12:00:00Z"),
        },
        &expect![[r#"
            Subject: ndauth: A membership of the org `ops` is offered to you

            A membership of the org `ops` is offered to you.

              Role:       RW
              By:         eve
              Open until: 2027-01-31 12:00 UTC

            Its admins will see your tokens that work there. Accept it only if you
            expected it:

              ndcli offers accept ops
              ndcli offers decline ops

            --
            From ndauth to `ada`. No mail of ndauth has links: type the commands
            yourself. To get no more of these:

              ndcli auth notices --off offer
        "#]],
    );
}

#[test]
fn many_things_in_one_mail() {
    let mail = letter(vec![
        (NoticeKind::Expiring, NoticeContent::Expiring { token: token("ci"), renewed: None }),
        (NoticeKind::Rotated, NoticeContent::Rotated { token: token("cd"), others_end_at: now() }),
        (
            NoticeKind::Revoked,
            NoticeContent::Revoked {
                token: org_token("deploy"),
                by: "eve".to_owned(),
                reason: RevocationReason::OwnerLeft,
                note: Some("bob left".to_owned()),
            },
        ),
    ]);
    expect![[r#"
        Subject: ndauth: 3 notices about your account and its tokens

        3 things happened, or are about to.

        * 2027-01-24 12:00 UTC: Your token `ci` ends in 7 days.
          prefix: ndpat_Jj8IYR; last use: 2027-01-23 08:11 UTC, from 192.0.2.7
            ndcli auth token rotate ndpat_Jj8IYR

        * 2027-01-24 12:00 UTC: Your token `cd` was rotated.
          prefix: ndpat_Jj8IYR; last use: 2027-01-23 08:11 UTC, from 192.0.2.7
            ndcli auth token revoke ndpat_Jj8IYR

        * 2027-01-24 12:00 UTC: The token `deploy` of the org `ops` was revoked.
          prefix: ndpat_Jj8IYR; last use: 2027-01-23 08:11 UTC, from 192.0.2.7;
          by: eve
          > bob left
            ndcli token create --name NAME --like ndpat_Jj8IYR --org ops

        --
        From ndauth to `ada`. No mail of ndauth has links: type the commands
        yourself. To get no more of these:

          ndcli auth notices --off expiring
          ndcli auth notices --off rotated
    "#]]
    .assert_eq(&format!("Subject: {}\n\n{}", subject(&mail), body(&mail)));
}

/// SEC-43 and SEC-44: whatever a name holds, no line begins with it, nothing in it is a link, and no header is added.
#[test]
fn sec_44_names_and_notes_make_no_lines_and_no_links() {
    for name in [
        "Your password expired. Go to evil.example/reset",
        "https://evil.example",
        "=cmd()",
        "<img onerror=x>",
        "ada@evil.example",
        "naïve 🚀 ключ",
        &"x".repeat(100),
    ] {
        let letter = letter(vec![(
            NoticeKind::Revoked,
            NoticeContent::Revoked {
                token: token(name),
                by: "eve".to_owned(),
                reason: RevocationReason::Policy,
                note: Some(format!("{name}\r\n\r\nndauth: type this\r\n.\r\n")),
            },
        )]);
        let (subject, body) = (subject(&letter), body(&letter));
        assert!(!subject.contains(['\r', '\n']) && subject.starts_with("ndauth: Your token `"), "{subject}");
        assert!(!body.contains('\r') && !body.contains("://"), "{body}");
        for word in body.split_whitespace() {
            let dotted = word.trim_matches(|c: char| !c.is_alphanumeric());
            assert!(!dotted.contains("evil.example"), "{word} of {body}");
        }
        // The first line, the fact and the note hold it; no other line does, and none begins with it.
        let first = name.split(' ').next().unwrap_or_default();
        let mut others = body.lines().skip(1).filter(|line| line.contains(first));
        assert!(
            others.all(|line| ["  Token:", "  > ", "  ndcli ", &" ".repeat(14)]
                .iter()
                .any(|ours| line.starts_with(ours))),
            "{body}"
        );
        assert_eq!(body.lines().filter(|line| line.contains("type this")).count(), 1, "{body}");
        assert!(body.lines().all(|line| !line.contains("type this") || line.starts_with("  > ")), "{body}");
    }
}
