"""Signing in and out, and sessions that end while their person works."""


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
    assert handle not in person.text(), "the page is not kept"


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
