"""A person at a browser: Debian's Chromium, driven by its own driver.

    login.py [--no-scripts] [--shots FOLDER] password URL PASSWORD
    login.py ... login URL NAME PASSWORD allow|deny
    login.py ... device URL CODE NAME PASSWORD allow|deny

It prints JSON: the URL, the title and the text of each page, and the attributes of the cookies.
"""

import json
import os
import sys

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from chromium import TIMEOUT, chromium


class Person:
    def __init__(self, browser, shots):
        self.browser = browser
        self.driver = browser.driver
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
        self.browser.then(act)
        return self.look()

    def focused(self, name):
        """Returns the field that has the focus, which the browser sets shortly after the page is loaded."""

        def field(driver):
            element = driver.switch_to.active_element
            return element if element.get_attribute("name") == name else False

        return WebDriverWait(self.driver, TIMEOUT).until(field, f"{name} has not the focus")

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
        WebDriverWait(self.driver, TIMEOUT).until(lambda driver: driver.find_elements(By.TAG_NAME, "button"))
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
    with chromium() as browser:
        browser.start_over(scripts)
        person = Person(browser, shots)
        person.prove_scripts(scripts)
        visit(person, *words)


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
