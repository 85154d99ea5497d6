"""Orgs: what a role may see and do, and an admin's acts."""

from person import expect_text


def a_member_neither_sees_nor_does_what_admins_do(person):
    at = person.installation
    admin, member = at.account(acme="ADMIN"), at.account(acme="RO")
    person.join(member)
    expect_text(person.open("/orgs/acme"), admin, member)
    assert person.forms() == [], "a member has no acts"
    for path in ["/orgs/acme/tokens", "/orgs/acme/personal-tokens"]:
        person.open(path)
        assert person.code() in (403, 404), f"{path}: {person.code()}"
    person.open("/orgs/acme/policy")
    assert person.code() == 200 and not person.forms(), "a member reads the policy"
    for path, fields in [
        ("/orgs/acme/freeze", {}),
        (f"/orgs/acme/members/{member}/role", {"role": "ADMIN"}),
        (f"/orgs/acme/members/{admin}/remove", {}),
        ("/orgs/acme/offers", {"handle": "friend", "role": "ADMIN"}),
        ("/orgs/acme/tokens", {"name": "by-hand", "scope": "RW", "expiry": "30d"}),
        ("/operator/accounts", {"handle": "friend", "email": "friend@example.org"}),
    ]:
        person.open("/orgs/acme")
        person.post(path, **fields)
        assert person.code() in (403, 404) and not person.secrets(), f"{path}: {person.code()} {person.text()}"
    person.open("/orgs/acme")
    assert "rozen" not in person.text() and person.path() == "/orgs/acme", person.text()


def a_stranger_learns_nothing_of_an_org(person):
    at = person.installation
    person.join(at.account())
    texts = []
    for org in ["acme", "no-such-org"]:
        for path in ["", "/tokens", "/policy", "/personal-tokens"]:
            texts.append((person.open(f"/orgs/{org}{path}").replace(org, "ORG"), person.code()))
    assert texts[:4] == texts[4:] and {code for _, code in texts} == {404}, texts


def a_membership_is_offered_accepted_changed_and_removed(person):
    at = person.installation
    org = at.org()
    admin, friend = at.account(**{org: "ADMIN"}), at.account()
    person.join(friend)
    secret = person.create_token("everywhere", scope="RW", orgs="all")
    assert not at.allows(secret, org)
    person.sign_out()
    person.join(admin)
    person.open(f"/orgs/{org}")
    person.submit(f"/orgs/{org}/offers", handle=friend, role="RW")
    assert person.status(), person.text()
    expect_text(person.text(), friend)
    person.sign_out()
    person.sign_in(friend)
    person.open("/orgs")
    expect_text(person.text(), org)
    expect_text(person.open(f"/offers/{org}"), "everywhere", "RW", admin)
    person.submit(f"/offers/{org}/accept")
    assert person.status() and at.allows(secret, org, "RW"), person.text()
    person.sign_out()
    person.sign_in(admin)
    person.open(f"/orgs/{org}?member={friend}")
    person.submit(f"/members/{friend}/role", role="RO")
    assert person.status() and not at.allows(secret, org, "RW") and at.allows(secret, org)
    person.open(f"/orgs/{org}?member={friend}")
    person.submit(f"/members/{friend}/remove")
    assert person.status() and not at.allows(secret, org), person.text()


def a_policy_is_tried_before_it_is_set(person):
    at = person.installation
    org = at.org()
    person.join(at.account(**{org: "ADMIN"}))
    secret = person.create_token("broad", scope="RW", orgs="all")
    person.open(f"/orgs/{org}/policy")
    person.submit("/policy", button="Preview", require_grants=True, login_within="30d")
    expect_text(person.text(), "broad")
    assert at.allows(secret, org), "nothing is set yet"
    assert person.values("login_within") == {"login_within": ["30d"]}, "and nothing typed is lost"
    person.submit("/policy", button="Set policy")
    assert person.status() and not at.allows(secret, org), person.text()
    person.open(f"/orgs/{org}/policy")
    person.submit("/policy", button="Preview", longest_lifetime="soon")
    assert person.browser.all("[aria-invalid=true]"), person.text()


def an_org_is_frozen_and_unfrozen(person):
    at = person.installation
    org = at.org()
    person.join(at.account(**{org: "ADMIN"}))
    secret = person.create_token("ci", scope="RW", orgs="all")
    person.open(f"/orgs/{org}")
    person.submit("/freeze")
    assert person.status() and not at.allows(secret, org, "RW"), person.text()
    person.submit("/unfreeze")
    assert person.status() and at.allows(secret, org, "RW"), person.text()


def an_admin_suspends_a_member_s_token(person):
    at = person.installation
    org = at.org()
    admin, member = at.account(**{org: "ADMIN"}), at.account(**{org: "RW"})
    person.join(member)
    secret = person.create_token("of-a-member", scope="RW", orgs="all")
    person.sign_out()
    person.join(admin)
    expect_text(person.open(f"/orgs/{org}/personal-tokens"), "of-a-member", member)
    person.submit("/suspend")
    assert person.status() and not at.allows(secret, org), person.text()
    person.submit("/resume")
    assert person.status() and at.allows(secret, org), person.text()


def an_org_has_tokens_of_its_own(person):
    at = person.installation
    org = at.org()
    person.join(at.account(**{org: "ADMIN"}))
    person.open(f"/orgs/{org}/tokens/new")
    choices = person.driver.execute_script("return [...document.querySelectorAll('input[type=radio]')].map(i => i.value)")
    assert not {"RW", "RO", "never", "all"} & set(choices), f"an org's token cannot have them: {choices}"
    permission = "resolve:artifact"
    secret = person.create_token("deploy", f"/orgs/{org}/tokens", scope="named", permission=permission, expiry="30d")
    assert secret.startswith("ndorg_"), "it is the org's"
    assert permission in person.token("deploy", f"/orgs/{org}/tokens") or "artifact" in person.text()
    assert at.knows(secret)
    person.submit("/revoke")
    assert person.status() and not at.knows(secret), person.text()
