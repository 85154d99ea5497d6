"""A person at a browser: Debian's Chromium, driven by its own driver.

    browser.py [--no-scripts] [--shots FOLDER] password URL PASSWORD
    browser.py ... login URL NAME PASSWORD allow|deny
    browser.py ... device URL CODE NAME PASSWORD allow|deny

It prints JSON: the URL, the title and the text of each page, and the attributes of the cookies.
"""

import json
import os
import sys
import tempfile

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = [
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=800,900",
    "--ignore-certificate-errors",
]


PATIENCE = 30


def started(options):
    """Starts a browser. Retries, because another process may take the port that the driver has chosen."""
    for left in reversed(range(3)):
        try:
            return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        except WebDriverException as error:
            print(f"no browser, {left} tries left: {error}", file=sys.stderr)
            if not left:
                raise


class Person:
    def __init__(self, scripts, shots, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = started(options)
        self.shots = shots
        self.seen = []

    def prove_scripts(self, run):
        """Checks that scripts run, or do not run, as requested."""
        self.driver.get("data:text/html,<title>off</title><script>document.title = 'on'</script>")
        assert self.driver.title == ("on" if run else "off"), self.driver.title

    def look(self):
        text = self.driver.find_element(By.TAG_NAME, "body").text
        self.seen.append({"url": self.driver.current_url.split("?")[0], "title": self.driver.title, "text": text})
        if self.shots:
            self.driver.save_screenshot(os.path.join(self.shots, f"{len(self.seen)}.png"))
        return text

    def open(self, url):
        self.driver.get(url)
        return self.look()

    def then(self, act):
        """Performs an action, and waits until another page is loaded."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        act()

        def other(driver):
            try:
                page.is_enabled()
                return False
            except Exception:
                return driver.find_elements(By.TAG_NAME, "body")

        WebDriverWait(self.driver, PATIENCE).until(other)
        return self.look()

    def focused(self, name):
        """Returns the field that has the focus, which the browser sets shortly after the page is loaded."""

        def field(driver):
            element = driver.switch_to.active_element
            return element if element.get_attribute("name") == name else False

        return WebDriverWait(self.driver, PATIENCE).until(field, f"{name} has not the focus")

    # Everything is done with the keyboard only: the first field to fill has the focus.

    def set_password(self, password):
        self.focused("password").send_keys(password, Keys.TAB)
        self.focused("password_again").send_keys(password)
        return self.enter()

    def sign_in(self, name, password):
        self.focused("name").send_keys(name, Keys.TAB)
        self.focused("password").send_keys(password)
        return self.enter()

    def type_code(self, code):
        self.focused("user_code").send_keys(code)
        return self.enter()

    def decide(self, decision):
        WebDriverWait(self.driver, PATIENCE).until(lambda driver: driver.find_elements(By.TAG_NAME, "button"))
        for _ in range(10):
            focused = self.driver.switch_to.active_element
            if focused.get_attribute("value") == decision:
                return self.enter()
            focused.send_keys(Keys.TAB)
        raise AssertionError(f"the keyboard leads to no button {decision}")

    def enter(self):
        focused = self.driver.switch_to.active_element
        return self.then(lambda: focused.send_keys(Keys.ENTER))


def main(words):
    scripts, shots = True, None
    while words and words[0].startswith("--"):
        word = words.pop(0)
        if word == "--no-scripts":
            scripts = False
        elif word == "--shots":
            shots = words.pop(0)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        person = Person(scripts, shots, profile)
        try:
            person.prove_scripts(scripts)
            visit(person, *words)
        finally:
            person.driver.quit()


def visit(person, what, url, *rest):
    person.open(url)
    if what == "password":
        (password,) = rest
        person.set_password(password)
    elif what == "login":
        name, password, decision = rest
        person.sign_in(name, password)
        person.decide(decision)
    elif what == "device":
        code, name, password, decision = rest
        person.sign_in(name, password)
        person.type_code(code)
        person.decide(decision)
    cookies = [
        {"name": c["name"], "http_only": c["httpOnly"], "secure": c["secure"], "same_site": c.get("sameSite"),
         "path": c["path"]}
        for c in person.driver.get_cookies()
    ]
    print(json.dumps({"pages": person.seen, "cookies": cookies}))


main(sys.argv[1:])
