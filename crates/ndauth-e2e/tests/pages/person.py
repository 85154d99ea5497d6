"""A person at the pages. Every name by which a test finds something on a page is in this file."""

import html
import re
import urllib.parse

from selenium.common.exceptions import ElementClickInterceptedException, ElementNotInteractableException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

SECRET = re.compile(r"nd(?:pat|org|ses|ref|svc|acc)_[A-Za-z0-9_-]{43}")


class Person:
    def __init__(self, browser, installation):
        self.browser = browser
        self.driver = browser.driver
        self.installation = installation
        self.url = installation.url

    # Going to a page.

    def open(self, path):
        """Opens a page, and returns its text."""
        self.driver.get(urllib.parse.urljoin(self.url, path))
        return self.text()

    def sign_in(self, handle, to="/"):
        """Signs in by the password that every account of a test has."""
        self.open("/sign-in" if to == "/" else f"/sign-in?to={urllib.parse.quote(to, safe='')}")
        self.submit("/sign-in", name=handle, password=self.installation.facts["password"])

    def sign_in_here(self, handle):
        """Signs in by the form of the page, whichever it is."""
        password = self.installation.facts["password"]
        if self.has_form("/sign-in/again"):
            self.submit("/sign-in/again", sign_in_name=handle, sign_in_password=password)
        else:
            self.submit("/sign-in", name=handle, password=password)

    def prove_again(self, password):
        """Types the password again in mid-act."""
        self.submit("/sign-in/again", sign_in_password=password)

    def join(self, handle):
        """Accepts an invitation, which signs in."""
        self.open("/" + self.installation.admin(f"account invite {handle}").split("/", 3)[3])
        password = self.installation.facts["password"]
        self.submit("/invitation", password=password, password_again=password)

    def sign_out(self):
        self.submit("/sign-out")

    def follow(self, text):
        """Follows the link with this text."""
        link = self.named("a", text)
        self.browser.then(link.click)
        return self.text()

    # Seeing.

    def text(self):
        return self.browser.text()

    def link(self, part):
        """Returns the URL on the page, as a link or in a field, that has this part."""
        found = re.findall(r"https?://[^\s\"'<>]+", html.unescape(self.driver.page_source))
        return next(url for url in found if part in url)

    def cookie(self):
        """Returns the cookie of the session."""
        return next(cookie for cookie in self.driver.get_cookies() if cookie["name"].endswith("ndauth"))

    def set_cookie(self, cookie):
        self.driver.delete_all_cookies()
        self.driver.add_cookie(cookie)

    def path(self):
        parts = urllib.parse.urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def status(self):
        """Returns the text that reports a completed act."""
        return "\n".join(part.text for part in self.browser.all("[role=status]"))

    def alert(self):
        """Returns the text of an error."""
        return "\n".join(part.text for part in self.browser.all("[role=alert]"))

    def code(self):
        """Returns the HTTP status of the page."""
        return self.browser.page().status

    def page_headers(self):
        return self.browser.page().headers

    def expiry(self):
        """Returns the expiry that the page of a token shows, as a program reads it."""
        row = self.driver.find_element(By.XPATH, "//dt[normalize-space()='Expires']/following-sibling::dd//time")
        return row.get_attribute("datetime")

    def secrets(self):
        """Returns the secrets that the page holds, wherever in it they are."""
        held = self.browser.js("""
            const values = [...document.querySelectorAll('input, textarea')].map(field => field.value);
            return document.documentElement.outerHTML + ' ' + values.join(' ');
        """)
        return sorted(set(SECRET.findall(held)))

    def secret(self):
        """Returns the one secret that the page shows."""
        secrets = self.secrets()
        assert len(secrets) == 1, f"{len(secrets)} secrets on the page:\n{self.text()}"
        assert secrets[0] in self.text() or self.browser.js(
            "return [...document.querySelectorAll('input, textarea')].some(field => field.value === arguments[0])",
            secrets[0],
        ), "the secret can be seen"
        return secrets[0]

    def preview(self):
        """Returns the text of what the token of the form could do, in one line."""
        return " ".join(self.driver.find_element(By.ID, "preview").text.split())

    def forms(self):
        """Returns the paths to which the forms of the page are sent, but for signing out."""
        forms = {self.action(form) for form in self.browser.all("form[method=post]")}
        return sorted(forms - {"/sign-out"})

    def token(self, name, base="/tokens"):
        """Opens the page of a token by the list, and returns its text."""
        self.open(f"{base}?show=all")
        return self.follow(name)

    def shows_soon(self, path, text):
        """Opens a page until it shows a text: what follows a request is written after its answer."""

        def shown(_):
            return text in self.open(path)

        WebDriverWait(self.driver, 10).until(shown, f"{path} never shows “{text}”")
        return self.text()

    def create_token(self, name, base="/tokens", **fields):
        """Creates a token by the form, and returns its secret."""
        self.open(f"{base}/new")
        self.submit(base, button="Create token", name=name, **fields)
        return self.secret()

    def values(self, *names):
        """Returns the values of fields, as the form would send them."""
        return self.browser.js("""
            const sent = {};
            for (const form of document.forms) {
                for (const [name, value] of new FormData(form)) {
                    if (arguments[0].includes(name)) (sent[name] ??= []).push(value);
                }
            }
            return sent;
        """, list(names))

    # Acting.

    def named(self, tag, text, within=None):
        """Returns the visible element of this kind with this text."""
        found = (within or self.driver).find_elements(By.XPATH, f".//{tag}[normalize-space()={quoted(text)}]")
        visible = [element for element in found if element.is_displayed()]
        assert visible, f"there is no {tag} “{text}” on the page:\n{self.text()}"
        return visible[0]

    def form(self, action, near=""):
        """Returns the form that is sent to a path, which may be given by its end, in a section with this text."""
        forms = [form for form in self.browser.all("form[method=post]") if self.action(form).endswith(action)]
        if near:
            section = f"ancestor::section[contains(., {quoted(near)})]"
            forms = [form for form in forms if form.find_elements(By.XPATH, section)]
        assert forms, f"there is no form for {action} on the page:\n{self.text()}"
        return forms[0]

    def has_form(self, action):
        return any(self.action(form).endswith(action) for form in self.browser.all("form[method=post]"))

    def action(self, form):
        return urllib.parse.urlsplit(form.get_attribute("action")).path

    def fill(self, within, **fields):
        for name, value in fields.items():
            self.set(within, name, value)

    def set(self, within, name, value):
        """Sets a field: types a text, or chooses a value, or some."""
        controls = within.find_elements(By.CSS_SELECTOR, f'[name="{name}"]:not([type=hidden])')
        assert controls, f"there is no field {name} on the page:\n{self.text()}"
        self.unfold(controls[0])
        kind = controls[0].get_attribute("type") or controls[0].tag_name
        if kind in ("radio", "checkbox"):
            there = {control.get_attribute("value") for control in controls}
            wanted = there if value is True else {value} if isinstance(value, str) else set(value)
            assert wanted <= there, f"{name} can be {sorted(there)}, not {sorted(wanted - there)}"
            for control in controls:
                chosen = control.get_attribute("value") in wanted
                if control.is_selected() != chosen and (chosen or kind == "checkbox"):
                    self.click(control)
        elif kind.startswith("select"):
            select = Select(controls[0])
            for each in [value] if isinstance(value, str) else value:
                select.select_by_value(each)
        else:
            controls[0].clear()
            controls[0].send_keys(value if isinstance(value, str) else " ".join(value))

    def submit(self, action, button=None, near="", **fields):
        """Fills a form and sends it, by its first button or by the one with this text. Returns the next page's text."""
        form = self.form(action, near)
        self.unfold(form)
        self.fill(form, **fields)
        buttons = "button:not([type=button])"
        press = self.named("button", button, form) if button else form.find_element(By.CSS_SELECTOR, buttons)
        self.unfold(press)
        self.browser.then(lambda: self.click(press))
        return self.text()

    def post(self, path, **fields):
        """Sends a form that no page has, from a page of this server. Returns the next page's text."""
        self.browser.then(lambda: self.browser.js("""
            const form = document.createElement('form');
            form.method = 'post';
            form.action = arguments[0];
            for (const [name, value] of Object.entries(arguments[1])) {
                const field = document.createElement('input');
                field.name = name;
                field.value = value;
                form.append(field);
            }
            document.body.append(form);
            form.submit();
        """, path, fields))
        return self.text()

    def unfold(self, element):
        """Opens the closed parts of the page that an element is in, the outer ones first."""
        closed = element.find_elements(By.XPATH, "ancestor::details[not(@open)]")
        for details in closed:
            details.find_element(By.TAG_NAME, "summary").click()

    def click(self, element):
        """Clicks an element, or its label if the label is what can be seen."""
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            self.browser.js("return arguments[0].labels[0]", element).click()


def expect_text(text, *parts):
    """Fails unless a text has all these parts."""
    for part in parts:
        assert part in text, f"“{part}” is missing in:\n{text}"


def quoted(text):
    """Returns a text as XPath writes it."""
    return f'"{text}"' if '"' not in text else f"'{text}'"
