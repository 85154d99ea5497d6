"""What another site may not do, and what a text may not become."""

import contextlib
import http.server
import threading
import urllib.parse

from person import expect_text

PAGE = """<!doctype html><html lang="en"><title>Another site</title>{body}"""

FORM = """<form method="post" action="{action}">{fields}<button>Win a prize</button></form>"""


@contextlib.contextmanager
def another_site(body, headers=None):
    """Serves a page on another port of this machine. Provides its URLs: by the rules of cookies, one is of the same
    site, and one is not."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            for name, value in {"content-type": "text/html; charset=utf-8", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(PAGE.format(body=body).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield [f"http://{host}:{server.server_port}/" for host in ("127.0.0.1", "localhost")]
        finally:
            server.shutdown()


def post_from_elsewhere(person, action, **fields):
    """Sends a form from pages of other origins. It must be refused."""
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
    with another_site(FORM.format(action=person.url + action, fields=hidden)) as urls:
        for url in urls:
            person.driver.get(url)
            person.browser.then(person.named("button", "Win a prize").click)
            assert person.code() == 403, f"{url}: {person.code()} {person.text()}"
    forget_others(person)


def forget_others(person):
    """Leaves out of the log the requests that the test itself sent to another site."""
    person.browser.read_logs()
    person.browser.urls = [url for url in person.browser.urls if url.startswith(person.url)]


def another_site_cannot_act_for_a_person(person):
    handle = person.installation.account()
    person.join(handle)
    post_from_elsewhere(person, "/sign-out")
    assert handle in person.open("/"), "still signed in"


def another_site_cannot_frame_a_page(person):
    person.join(person.installation.account())
    with another_site(f'<iframe src="{person.url}/" title="framed"></iframe>') as urls:
        for url in urls:
            person.driver.get(url)
            person.driver.switch_to.frame(0)
            shown = person.driver.execute_script("return document.documentElement.textContent")
            person.driver.switch_to.default_content()
            assert "ndauth" not in shown and "Sign out" not in shown, shown
    forget_others(person)
    # The browser reports that it refused to show the page.
    person.browser.violations()
    assert person.browser.errors and all("frame-ancestors" in error for error in person.browser.errors)
    person.browser.errors.clear()


def another_site_cannot_change_anything(person):
    at = person.installation
    person.join(at.account(acme="ADMIN"))
    secret = person.create_token("ci", scope="RW")
    person.token("ci")
    page = person.path()
    for action, fields in [
        ("/tokens", {"name": "by-another-site", "scope": "RW", "orgs": "all", "expiry": "30d"}),
        (f"{page}/rotate", {}),
        (f"{page}/revoke", {"reason": "LEAKED"}),
        ("/orgs/acme/freeze", {}),
        ("/me/sessions/end", {}),
        ("/me/password", {"password": "chosen by another", "password_again": "chosen by another"}),
    ]:
        post_from_elsewhere(person, action, **fields)
    assert at.allows(secret, "acme", "RW"), "the token works on, and the org is not frozen"
    assert "by-another-site" not in person.open("/tokens?show=all"), person.text()


HOSTILE = (
    "<script>document.title='run'</script>\"><img src=x onerror=\"document.title='run'\">' &lt;b&gt; שלום"
)


def descriptions_and_clients_are_texts(person):
    at = person.installation
    admin = at.account(acme="ADMIN")
    person.join(admin)
    secret = person.create_token("hostile", scope="RW", description=HOSTILE)
    assert at.allows(secret, "acme", client="by-<script>document.title='run'</script>")
    person.token("hostile")
    person.submit("/describe", description=HOSTILE + "x" * 60)
    page = person.path().split("?")[0]
    person.shows_soon(page, "by-<script>")
    for path in [page, "/tokens?show=all", f"{page}/explain"]:
        person.open(path)
        assert person.driver.title != "run" and not person.browser.all("main script, main img"), path
        person.browser.screen(320)
        assert person.browser.overflow() <= 0, f"{path} is too wide: {person.browser.overflow()}"
        person.browser.screen()
    expect_text(person.open(page), "<script>", "x" * 60)


def queries_are_texts(person):
    person.join(person.installation.account(acme="ADMIN"))
    hostile = urllib.parse.quote(HOSTILE)
    for path in [f"/tokens?q={hostile}", f"/tokens?show={hostile}&sort={hostile}&after={hostile}", f"/tokens/{hostile}",
                 f"/tokens/new?name={hostile}&description={hostile}&scope={hostile}", f"/orgs/{hostile}",
                 f"/orgs/acme?member={hostile}", f"/orgs/acme/tokens?q={hostile}&done={hostile}"]:
        person.open(path)
        assert person.code() < 500, f"{path}: {person.code()}"
        assert person.driver.title != "run" and not person.browser.all("main script, main img"), path
