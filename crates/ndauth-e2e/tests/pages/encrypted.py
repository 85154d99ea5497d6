"""What holds where the pages are served over TLS."""

import urllib.parse


def a_cookie_is_for_this_host_alone(person):
    handle = person.installation.account()
    person.join(handle)
    cookie = person.cookie()
    facts = {name: cookie[name] for name in ("name", "secure", "httpOnly", "sameSite", "path")}
    assert facts == {"name": "__Host-ndauth", "secure": True, "httpOnly": True, "sameSite": "Lax", "path": "/"}, facts
    person.sign_out()
    assert not person.driver.get_cookies(), person.driver.get_cookies()


def every_page_asks_for_encryption(person):
    person.open("/sign-in")
    person.join(person.installation.account())
    for path in ["/", "/device", "/signed-out", "/assets/style.css"]:
        person.open(path)
    person.browser.read_logs()
    responses = [response for response in person.browser.responses if response.url.startswith(person.url)]
    paths = {urllib.parse.urlsplit(response.url).path for response in responses}
    assert {"/sign-in", "/tokens", "/device", "/signed-out", "/assets/style.css"} <= paths, paths
    for response in responses:
        assert response.headers.get("strict-transport-security") == "max-age=31536000", response.url
