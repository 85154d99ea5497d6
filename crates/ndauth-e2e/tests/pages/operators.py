"""What an operator does for the whole installation."""

from person import SECRET, expect_text


def operator(person):
    """Signs in as a new operator."""
    at = person.installation
    handle = at.account()
    at.admin(f"operator grant {handle}")
    person.join(handle)
    return handle


def an_operator_makes_an_account_that_its_person_takes_over(person):
    at = person.installation
    me = operator(person)
    expect_text(person.open("/operator"), "account")
    person.open("/operator/accounts")
    friend = f"{me}-friend"
    person.submit("/operator/accounts", handle=friend, email=f"{friend}@example.org")
    expect_text(person.open(f"/operator/accounts?account={friend}"), f"{friend}@example.org")
    person.submit(f"/operator/accounts/{friend}/invite")
    link = person.link("/invitation?code=")
    person.sign_out()
    person.open(link)
    person.submit("/invitation", password=at.facts["password"], password_again=at.facts["password"])
    expect_text(person.open("/me"), friend)
    person.sign_out()
    person.sign_in(me)
    person.open(f"/operator/accounts?account={friend}")
    assert not person.has_form(f"/{friend}/invite"), "nobody else makes links to an account that is in use"
    expect_text(person.post(f"/operator/accounts/{friend}/invite"), "has signed in before")
    assert person.code() == 403 and "code=" not in person.driver.page_source, person.text()
    person.open(f"/operator/accounts?account={friend}")
    person.submit(f"/{friend}/disable")
    assert person.status(), person.text()
    person.open(f"/operator/accounts?account={friend}")
    person.submit(f"/{friend}/enable")
    assert person.status(), person.text()


def an_operator_makes_orgs_and_services(person):
    at = person.installation
    me = operator(person)
    person.open("/operator/orgs")
    person.submit("/operator/orgs", slug=f"{me}-org", name="An org")
    expect_text(person.open(f"/orgs/{me}-org"), me, "ADMIN")
    person.open("/operator/services")
    person.submit("/operator/services", name=f"{me}-service", orgs="all")
    secret = person.secret()
    assert secret.startswith("ndsvc_") and at.knows(secret)
    person.driver.refresh()
    assert not SECRET.search(person.driver.page_source), "it is shown once"
    person.open("/operator/services")
    assert person.text().count(f"{me}-service") >= 1 and not person.secrets()
    person.submit("/rotate", near=f"{me}-service", overlap="24h")
    second = person.secret()
    person.open("/operator/services")
    person.submit("/confirm", near=f"{me}-service")
    assert person.status() and at.knows(secret), person.text()
    person.submit("/retire", near=f"{me}-service")
    assert person.code() == 409 and at.knows(secret), "nobody has used the new one"
    person.open("/operator/services")
    person.submit("/retire", near=f"{me}-service", anyway=True)
    assert person.status() and at.knows(second) and not at.knows(secret), person.text()
    person.submit("/revoke", near=f"{me}-service")
    assert person.status() and not at.knows(second), person.text()


def an_operator_leaves_operators_to_the_console(person):
    at = person.installation
    operator(person)
    person.open("/tokens")
    assert person.browser.all("nav a[href='/operator']"), "an operator is led there"
    other = at.account()
    at.admin(f"operator grant {other}")
    expect_text(person.open(f"/operator/accounts?account={other}"), "ndauthd admin")
    assert not [path for path in person.forms() if f"/{other}/" in path], person.forms()
    for act in ["disable", "enable", "sign-out", "invite"]:
        person.open("/operator/accounts")
        expect_text(person.post(f"/operator/accounts/{other}/{act}"), "only the console")
        assert person.code() == 403, f"{act}: {person.code()}"


def an_operator_signs_somebody_out_after_a_login(person):
    at = person.installation
    friend = at.account()
    person.join(friend)
    cookie = person.cookie()
    person.browser.cdp("Network.clearBrowserCookies")
    operator(person)
    person.open(f"/operator/accounts?account={friend}")
    at.sql("UPDATE session SET proved_at = 1000000")
    person.submit(f"/{friend}/sign-out")
    assert person.has_form("/sign-in/again"), person.text()
    person.prove_again(at.facts["password"])
    assert person.status(), person.text()
    at.sql("UPDATE session SET proved_at = 1000000")
    person.open("/operator/accounts")
    assert person.path().startswith("/sign-in"), "the list needs a recent login too"
    person.set_cookie(cookie)
    person.open("/me")
    assert person.path().startswith("/sign-in"), person.path()


def nobody_else_sees_the_operator_s_pages(person):
    person.join(person.installation.account(acme="ADMIN"))
    for path in ["/operator", "/operator/accounts", "/operator/orgs", "/operator/services"]:
        person.open(path)
        assert person.code() in (403, 404), f"{path}: {person.code()}"
    person.open("/tokens")
    assert not person.browser.all("nav a[href='/operator']")
