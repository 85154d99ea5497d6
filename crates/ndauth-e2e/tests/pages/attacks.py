"""What another site may not do, and what a text may not become."""

import contextlib
import http.server
import threading

PAGE = """<!doctype html><html lang="en"><title>Another site</title>{body}"""

FORM = """<form method="post" action="{action}">{fields}<button>Win a prize</button></form>"""


@contextlib.contextmanager
def another_site(body, headers=None):
    """Serves a page on another port of this machine. Provides its URLs: of the same site by the rules of cookies, and of
    another."""

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
