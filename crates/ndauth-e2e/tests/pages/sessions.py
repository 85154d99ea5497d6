"""Signing in and out, and sessions that end while their person works."""

from person import expect_text


def a_wrong_password_keeps_the_typed_name(person):
    handle = person.installation.account()
    person.open("/sign-in")
    person.submit("/sign-in", name=handle, password="not the password")
    assert person.code() == 403 and person.alert(), person.text()
    assert person.values("name", "password") == {"name": [handle], "password": [""]}


def a_page_is_gone_after_signing_out(person):
    handle = person.installation.account()
    person.join(handle)
    assert handle in person.open("/")
    person.sign_out()
    person.driver.back()
    assert person.path().startswith("/sign-in") and handle not in person.text(), "the page is not kept"


def signing_out_in_one_tab_signs_out_the_other(person):
    handle = person.installation.account()
    person.join(handle)
    person.open("/device")
    first = person.driver.current_window_handle
    person.browser.new_tab()
    assert handle in person.open("/")
    person.sign_out()
    person.driver.switch_to.window(first)
    person.submit("/device", user_code="BCDF-GHJK")
    assert person.path().startswith("/sign-in"), person.path()


def an_ended_session_keeps_what_was_typed(person):
    at = person.installation
    handle = at.account(acme="RW")
    person.join(handle)
    person.open("/tokens/new")
    at.admin(f"account sign-out {handle}")
    person.submit("/tokens", button="Create token", name="typed", description="Typed before", scope="RO", expiry="30d")
    assert not person.secrets(), "nothing is done without a session"
    person.sign_in_here(handle)
    if not person.secrets():
        shown = person.values("name", "description", "scope", "expiry")
        assert shown == {"name": ["typed"], "description": ["Typed before"], "scope": ["RO"], "expiry": ["30d"]}, shown
        person.submit("/tokens", button="Create token")
    assert at.allows(person.secret(), "acme")
    expect_text(person.token("typed"), "Typed before")


def somebody_else_does_not_continue_the_form(person):
    """After a session has ended, the form of one person is not sent by another."""
    at = person.installation
    first, second = at.account(acme="RW"), at.account(acme="RW")
    person.join(second)
    person.sign_out()
    person.join(first)
    person.open("/tokens/new")
    at.admin(f"account sign-out {first}")
    person.submit("/tokens", button="Create token", name="of-the-first", scope="RW")
    person.sign_in_here(second)
    assert not person.secrets(), person.text()
    expect_text(person.open("/tokens?show=all"), second)
    assert "of-the-first" not in person.text(), person.text()


def an_endless_token_needs_a_recent_login(person):
    at = person.installation
    handle = at.account(acme="RW")
    person.join(handle)
    person.open("/tokens/new")
    make_logins_old(at)
    person.submit("/tokens", button="Create token", name="endless", description="Typed", scope="RO", expiry="never")
    assert not person.secrets() and person.has_form("/sign-in/again"), person.text()
    assert "password" not in person.path() and "endless" not in person.path(), person.path()
    person.prove_again("not the password")
    assert person.alert() and not person.secrets(), person.text()
    person.prove_again(at.facts["password"])
    assert at.allows(person.secret(), "acme"), "done, without typing it again"
    expect_text(person.token("endless"), "Typed")


def make_logins_old(at):
    """Makes every login older than the 15 minutes for which it is recent."""
    at.sql("UPDATE session SET proved_at = 1000000")


def a_session_is_ended_from_another_browser(person):
    at = person.installation
    handle = at.account()
    person.join(handle)
    cookie = person.cookie()
    person.browser.cdp("Network.setUserAgentOverride", userAgent="<script>document.title='run'</script> \"x\" ' &amp;")
    person.browser.cdp("Network.clearBrowserCookies")
    person.sign_in(handle)
    person.open("/me")
    assert person.driver.title != "run" and not person.browser.all("main script"), "a user agent is a text"
    ends = [path for path in person.forms() if path.startswith("/me/sessions/") and path != "/me/sessions/end"]
    assert len(ends) == 1, "the current session has no such button"
    mine = person.cookie()
    person.set_cookie(cookie)
    expect_text(person.open("/me"), handle)
    person.set_cookie(mine)
    person.open("/me")
    person.submit(ends[0])
    assert person.status(), person.text()
    person.set_cookie(cookie)
    person.open("/me")
    assert person.path().startswith("/sign-in"), person.path()


def all_sessions_are_ended_at_once(person):
    handle = person.installation.account()
    person.join(handle)
    cookies = [person.cookie()]
    person.browser.cdp("Network.clearBrowserCookies")
    person.sign_in(handle)
    cookies.append(person.cookie())
    for cookie in cookies:
        person.set_cookie(cookie)
        expect_text(person.open("/me"), handle)
    person.submit("/me/sessions/end")
    expect_text(person.text(), "programs")
    for cookie in cookies:
        person.set_cookie(cookie)
        person.open("/tokens")
        assert person.path().startswith("/sign-in"), person.path()


def a_password_is_changed(person):
    at = person.installation
    handle = at.account()
    person.join(handle)
    person.open("/me")
    person.submit("/me/password", password="short", password_again="short")
    assert not person.status() and person.browser.all("[aria-invalid=true]"), person.text()
    person.submit("/me/password", password="another walk in the woods", password_again="another walk in the woods")
    assert person.status(), person.text()
    person.sign_out()
    person.sign_in(handle)
    assert person.code() == 403, "the old one no longer works"
    person.submit("/sign-in", name=handle, password="another walk in the woods")
    assert person.path().startswith("/tokens"), person.path()


def notices_are_chosen(person):
    handle = person.installation.account()
    person.join(handle)
    person.open("/me")
    assert len(person.values("on")["on"]) == 5, "all that can be turned off are on"
    person.submit("/me/notices", on=["expiring", "policy"])
    assert person.values("on") == {"on": ["expiring", "policy"]}
    person.submit("/me/notices", on=[])
    assert person.values("on") == {}
    session = person.installation.admin(f"session issue {handle}").strip()
    status, answer = person.installation.api("GET /v1/notices", session)
    assert status == 200, answer
    mailed = [setting["kind"] for setting in answer["settings"] if setting.get("on")]
    assert mailed == ["CREATED", "REUSED", "REVOKED", "SUSPENDED", "SIGN_IN"], answer
