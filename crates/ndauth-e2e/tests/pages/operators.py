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
    person.post(f"/operator/accounts/{friend}/invite")
    assert person.code() >= 400 and "code=" not in person.driver.page_source, person.text()
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
    person.submit("/revoke", near=f"{me}-service")
    assert person.status() and not at.knows(secret), person.text()


def nobody_else_sees_the_operator_s_pages(person):
    person.join(person.installation.account(acme="ADMIN"))
    for path in ["/operator", "/operator/accounts", "/operator/orgs", "/operator/services"]:
        person.open(path)
        assert person.code() in (403, 404), f"{path}: {person.code()}"
    person.open("/tokens")
    assert not person.browser.all("nav a[href='/operator']")
