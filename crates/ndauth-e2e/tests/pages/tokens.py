"""The whole life of a token, and what its pages do not do."""

import urllib.parse

from person import expect_text


def a_token_lives_from_its_creation_to_its_end(person):
    at = person.installation
    person.join(at.account(acme="RW"))
    person.open("/tokens/new")
    person.submit("/tokens", button="Preview", name="ci", description="Builds", scope="RO", expiry="30d")
    expect_text(person.preview(), "acme RO")
    assert person.values("name", "scope") == {"name": ["ci"], "scope": ["RO"]}
    person.submit("/tokens", button="Preview", scope="RW")
    expect_text(person.preview(), "acme RW")
    assert not person.secrets(), person.text()
    person.submit("/tokens", button="Create token")
    first = person.secret()
    assert at.allows(first, "acme", "RW")

    expect_text(person.token("ci"), "ci", "Builds", first[:12])
    page = person.path()
    person.submit("/rotate")
    second = person.secret()
    assert second != first and at.allows(first, "acme"), "the old secret works on"
    expect_text(person.open(page), "Confirm the new secret")
    assert at.allows(second, "acme"), "its use confirms it"
    person.shows_soon(page, "Retire the old secret")
    assert "ot yet safe to retire" in person.text(), person.text()
    person.submit("/retire", anyway=True)
    assert person.status() and at.allows(second, "acme") and not at.allows(first, "acme")

    before = person.expiry()
    person.submit("/renew")
    assert person.status() and person.expiry() > before, "30 days later"
    person.submit("/suspend")
    assert person.status() and not at.allows(second, "acme")
    person.submit("/resume")
    assert person.status() and at.allows(second, "acme")
    revoke = person.form("/revoke")
    person.unfold(revoke)
    expect_text(revoke.text, "ci", "ast used")
    person.submit("/revoke", reason="leaked", note="found in a log")
    assert person.status() and not at.allows(second, "acme")
    assert not [path for path in person.forms() if path.startswith(page)], "nothing can be done to it"
    expect_text(person.open(page), "evoked", "found in a log")


def a_rotation_can_be_dropped(person):
    at = person.installation
    person.join(at.account(acme="RO"))
    first = person.create_token("ci", scope="RO")
    person.token("ci")
    page = person.path()
    person.submit("/rotate")
    second = person.secret()
    person.open(page)
    person.submit("/drop")
    assert person.status() and at.allows(first, "acme") and not at.allows(second, "acme")


def a_secret_is_shown_once(person):
    at = person.installation
    handle = at.account(acme="RW")
    person.join(handle)
    person.open("/tokens")
    secret = person.create_token("once", scope="RW")
    assert person.page_headers()["cache-control"] == "no-store"

    def hidden(when):
        assert secret not in person.browser.js("return document.documentElement.outerHTML"), when
        assert not person.secrets(), f"{when}: another secret"

    person.driver.refresh()
    hidden("after a reload")
    person.open("/tokens?show=all")
    assert person.text().count("once") == 1, "no second token"
    person.driver.back()
    hidden("after going back")
    person.driver.back()
    hidden("at the form")
    person.driver.forward()
    hidden("after going forward")
    person.open("/tokens?show=all")
    assert person.text().count("once") == 1, "no second token"
    assert at.allows(secret, "acme", "RW"), "it is still the only one"


def a_form_that_is_sent_twice_makes_one_token(person):
    person.join(person.installation.account(acme="RW"))
    person.create_token("twice", scope="RW")
    person.driver.back()
    person.submit("/tokens", button="Create token", name="twice", scope="RW")
    assert not person.secrets() and person.alert(), person.text()
    assert person.open("/tokens?show=all").count("twice") == 1, person.text()


def a_reload_rotates_nothing_again(person):
    at = person.installation
    person.join(at.account(acme="RW"))
    person.create_token("ci", scope="RW")
    person.token("ci")
    person.submit("/rotate")
    copied = person.secret()
    person.driver.refresh()
    assert not person.secrets(), person.text()
    assert at.allows(copied, "acme"), "the copied secret is the new one still"


def a_link_fills_the_form_and_needs_a_click(person):
    at = person.installation
    person.join(at.account(acme="RW", labs="RW"))
    fields = {"name": "from-a-link", "description": "For <i>deploys</i>", "scope": "RO", "org": "acme", "expiry": "7d"}
    person.open(f"/tokens/new?{urllib.parse.urlencode(fields)}")
    shown = person.values(*fields)
    assert shown == {name: [value] for name, value in fields.items()}, shown
    expect_text(person.text(), "link filled in this form")
    person.open("/tokens?show=all")
    assert "from-a-link" not in person.text(), "nothing is made before a click"
    person.open(f"/tokens/new?{urllib.parse.urlencode(fields)}")
    person.submit("/tokens", button="Create token")
    secret = person.secret()
    assert at.allows(secret, "acme") and not at.allows(secret, "labs") and not at.allows(secret, "acme", "RW")


def a_link_only_narrows(person):
    person.join(person.installation.account(acme="RW"))
    form = ("scope", "permission", "grants", "orgs", "org", "expiry", "expiry_other", "self_rotating", "until")
    person.open("/tokens/new")
    empty = person.values(*form)
    wide = ["expiry=365d", "expiry=never", "self_rotating=yes&until=365d", "scope=everything", "scope=RW&orgs=all"]
    for query in wide:
        person.open(f"/tokens/new?{query}")
        assert person.values(*form) == empty, f"{query}: {person.values(*form)}"
    for query, name, values in [
        ("expiry=7d", "expiry", ["7d"]),
        ("expiry=45d", "expiry_other", ["45d"]),
        ("scope=RO", "scope", ["RO"]),
        ("scope=RW&permission=resolve:artifact", "scope", ["named"]),
        ("permission=resolve:artifact&permission=list:artifact", "permission", ["list:artifact", "resolve:artifact"]),
        ("permission=resolve:artifact:prod-1", "grants", ["resolve:artifact:prod-1"]),
        ("org=acme", "orgs", ["only"]),
        ("org=elsewhere", "orgs", ["only"]),
    ]:
        person.open(f"/tokens/new?{query}")
        assert sorted(person.values(*form).get(name, [])) == values, f"{query}: {person.values(*form)}"


def an_error_keeps_what_was_typed(person):
    at = person.installation
    person.join(at.account(acme="RW"))
    person.create_token("taken", scope="RW")
    person.open("/tokens/new")
    typed = {"name": "taken", "description": "A second one", "scope": "RO", "expiry": "30d"}
    person.submit("/tokens", button="Create token", **typed)
    assert person.code() in (400, 409, 422) and not person.secrets(), person.text()
    assert person.values(*typed) == {name: [value] for name, value in typed.items()}
    assert person.alert() or person.browser.all("[aria-invalid=true]"), person.text()
    field = person.browser.all("[name=name]")[0]
    assert field.get_attribute("aria-invalid") == "true", "the field is marked"
    described = field.get_attribute("aria-describedby").split()[0]
    assert person.browser.all(f"#{described}")[0].text, "by the error"
    person.submit("/tokens", button="Create token", name="free")
    person.secret()


def another_tab_revokes_first(person):
    person.join(person.installation.account(acme="RW"))
    person.create_token("ci", scope="RW")
    person.token("ci")
    first, page = person.driver.current_window_handle, person.path()
    person.browser.new_tab()
    person.open(page)
    person.submit("/revoke")
    assert person.status()
    person.driver.switch_to.window(first)
    person.submit("/rotate")
    assert not person.secrets() and person.alert(), person.text()
    expect_text(person.text(), "evoked")
