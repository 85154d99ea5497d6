use super::*;

#[test]
fn labels() {
    let row = |text: &str, expected: Result<&str, InvalidName>| {
        let parsed = text.parse::<Label>();
        assert_eq!(parsed.as_ref().map(Label::as_str), expected.as_ref().copied(), "{text:?}");
    };
    row("github-ci", Ok("github-ci"));
    row("deploy / \"prod\" it's 50%?#", Ok("deploy / \"prod\" it's 50%?#"));
    row("🚀 日本語 العربية", Ok("🚀 日本語 العربية"));
    row("👩\u{200D}💻", Ok("👩\u{200D}💻"));
    row("cafe\u{301}", Ok("café"));
    row("", Err(InvalidName::Empty));
    row(" ci", Err(InvalidName::OuterSpace));
    row("ci\n", Err(InvalidName::OuterSpace));
    row("a\nb", Err(InvalidName::Unshowable('\n')));
    row("\u{1b}]0;x\u{7}", Err(InvalidName::Unshowable('\u{1b}')));
    row("x\u{9b}31m", Err(InvalidName::Unshowable('\u{9b}')));
    row("a\u{202e}b", Err(InvalidName::Unshowable('\u{202e}')));
    row("a\u{200b}b", Err(InvalidName::Unshowable('\u{200b}')));
    row("a\u{200d}b", Err(InvalidName::Unshowable('\u{200d}')));
    row("a\u{a0}b", Err(InvalidName::Unshowable('\u{a0}')));
    row(&"x".repeat(100), Ok(&"x".repeat(100)));
    row(&"x".repeat(101), Err(InvalidName::TooLong { max: 100 }));
    row(&"x".repeat(10_000), Err(InvalidName::TooLong { max: 100 }));
}

#[test]
fn reserved_words_name_no_token_service_org_or_account() {
    for word in ["all", "any", "none", "me", "mine", "self", "null", "never"] {
        let reserved = InvalidName::Reserved(word);
        assert_eq!(word.parse::<OrgSlug>(), Err(reserved));
        assert_eq!(word.parse::<Handle>(), Err(reserved));
        for text in [word, &word.to_uppercase(), &format!("{}{}", word[..1].to_uppercase(), &word[1..])] {
            assert_eq!(text.parse::<Label>(), Err(reserved), "{text}");
            assert_eq!(text.parse::<DisplayName>().as_ref().map(DisplayName::as_str), Ok(text));
        }
        let longer = format!("{word}-ci");
        assert_eq!(longer.parse::<Label>().as_ref().map(Label::as_str), Ok(longer.as_str()));
        assert_eq!(longer.parse::<OrgSlug>().as_ref().map(OrgSlug::as_str), Ok(longer.as_str()));
    }
    assert_eq!(InvalidName::Reserved("all").to_string(), "cannot be `all`, a reserved word");
}

#[test]
fn slugs() {
    for good in ["ops", "a", "team-7", "2024", &"x".repeat(40)] {
        assert_eq!(good.parse::<OrgSlug>().as_ref().map(OrgSlug::as_str), Ok(good));
    }
    for (bad, why) in [
        ("", InvalidName::Empty),
        ("Ops", InvalidName::NotSlug('O')),
        ("a_b", InvalidName::NotSlug('_')),
        ("a--b", InvalidName::NotSlug('-')),
        ("-a", InvalidName::NotSlug('-')),
        ("a-", InvalidName::NotSlug('-')),
        ("a b", InvalidName::NotSlug(' ')),
        ("ops\n", InvalidName::NotSlug('\n')),
        (&"x".repeat(41), InvalidName::TooLong { max: 40 }),
    ] {
        assert_eq!(bad.parse::<OrgSlug>(), Err(why), "{bad:?}");
        assert_eq!(bad.parse::<Handle>(), Err(why), "{bad:?}");
    }
}

#[test]
fn emails() {
    let address = |text: &str| text.parse::<Email>().map(|email| email.to_string());
    assert_eq!(address("Ada+ci@Example.ORG"), Ok("ada+ci@example.org".into()));
    assert_eq!(address("ada@localhost"), Ok("ada@localhost".into()));
    for bad in ["ada", "@example.org", "ada@", "a@b@c", "a b@c.org", "a@b..c", "<a@b.org>", "a@b.org,c@d.org"]
    {
        assert_eq!(address(bad), Err(InvalidName::NotEmail), "{bad}");
    }
    assert_eq!(address("a@b.org\r\nBcc: x@y"), Err(InvalidName::Unshowable('\r')));
}
