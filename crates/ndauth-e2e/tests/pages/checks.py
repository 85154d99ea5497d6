"""The checks that every page must pass."""

import json
import pathlib
import re
import subprocess
import urllib.parse

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from person import SECRET

SCREENS = [(320, False), (320, True), (1280, False), (1280, True)]

CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary"

# The decision about a program leads back to the program, on this machine.
CONSENT_ACTION = re.compile(r"'self' http://127\.0\.0\.1:\d+")

# Returns the controls that the Tab key must reach, in the order of the page: of a group of radio buttons, one.
TABBED = """
    const groups = new Set();
    const tabbed = [...document.querySelectorAll(arguments[0])].filter(control => {
        if (control.disabled || control.tabIndex < 0) return false;
        if (!control.checkVisibility({ visibilityProperty: true })) return false;
        if (control.type !== 'radio') return true;
        const group = [...document.querySelectorAll(`input[type=radio]`)]
            .filter(other => other.name === control.name && other.form === control.form);
        const reached = group.find(other => other.checked) ?? group[0];
        return control === reached;
    });
"""

# Records each control that gets the focus, and whether that can be seen.
WATCH_FOCUS = TABBED + """
    window.focused = [];
    document.addEventListener('focusin', event => {
        const control = event.target, style = getComputedStyle(control), box = control.getBoundingClientRect();
        const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        const shown = outlined || style.boxShadow !== 'none';
        const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0;
        window.focused.push([tabbed.indexOf(control), shown && inside, describe(control)]);
    });
    function describe(control) {
        return control.outerHTML.slice(0, 90);
    }
    const body = document.body;
    body.tabIndex = -1;
    body.focus();
    body.removeAttribute('tabindex');
    window.focused = [];
    return tabbed.map(describe);
"""

# Opens all that is folded away, also where opening one part closes the others.
UNFOLD = """
    for (const details of document.querySelectorAll('details')) {
        details.removeAttribute('name');
        details.open = true;
    }
"""

AXE = """
    const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then(
        results => done(results.violations.map(found => `${found.id}: ${found.help}: `
            + found.nodes.map(node => `${node.target} ${node.failureSummary}`).join('; '))),
        error => done([String(error)]),
    );
"""


class Checks:
    """What was found on the pages so far."""

    def __init__(self, packages, folder):
        self.axe = pathlib.Path(packages, "axe-core/axe.min.js").read_text()
        self.vnu = pathlib.Path(packages, "vnu-jar/build/dist/vnu.jar")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.faults = {}
        self.bytes = {}

    def examine(self, name, browser):
        """Checks the page that a browser shows, once for each name."""
        if name in self.bytes:
            return
        self.bytes[name] = weight(browser)
        faults = [*log_faults(browser), *header_faults(browser.page())]
        (self.folder / f"{file_name(name)}.html").write_text(browser.source())
        # What is folded away must be as good as the rest.
        browser.js(UNFOLD)
        browser.js(self.axe)
        found = {}
        for width, dark in SCREENS:
            browser.screen(width, dark=dark)
            screen = f"{width} pixels {'dark' if dark else 'light'}"
            if browser.overflow() > 0:
                found.setdefault(f"it is {browser.overflow()} pixels too wide: {widest(browser)}", []).append(screen)
            for violation in browser.driver.execute_async_script(AXE):
                found.setdefault(f"axe: {violation}", []).append(screen)
        faults += [f"{fault} ({', '.join(screens)})" for fault, screens in found.items()]
        browser.screen()
        faults += keyboard_faults(browser)
        if faults:
            self.faults[name] = faults
            browser.picture(self.folder / f"{file_name(name)}.png")

    def validate(self):
        """Checks the HTML of all pages at once."""
        names = {f"{file_name(name)}.html": name for name in self.bytes}
        validator = subprocess.run(
            ["java", "-jar", self.vnu, "--format", "json", "--exit-zero-always", *sorted(names)],
            capture_output=True, text=True, check=True, cwd=self.folder,
        )
        for message in json.loads(validator.stderr)["messages"]:
            name = names[pathlib.PurePath(urllib.parse.urlsplit(message["url"]).path).name]
            line = f"vnu, line {message.get('lastLine')}: {message['message']}: {message.get('extract')}"
            self.faults.setdefault(name, []).append(line)


def file_name(name):
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def weight(browser):
    """Returns the size of the current page with all that it has loaded, in bytes."""
    page = browser.page()
    loaded = browser.responses[browser.responses.index(page):]
    return sum(response.bytes for response in loaded)


def log_faults(browser):
    """Returns what no page may do: violate its policy, ask another host, show a secret in a URL."""
    faults = [f"policy: {violation}" for violation in browser.violations()]
    own = urllib.parse.urlsplit(browser.page().url).netloc
    for url in browser.urls:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc != own:
            faults.append(f"a request to {url}")
        if SECRET.search(url):
            faults.append(f"a secret in the URL {url[:60]}")
    return faults


def header_faults(page):
    """Returns the faults of a page's headers."""
    faults = []
    policy = page.headers.get("content-security-policy", "")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";") if part)
    strict = {
        "default-src": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'", "form-action": "'self'",
        "style-src": "'self'",
    }
    for name, value in strict.items():
        if parts.get(name) != value and not (name == "form-action" and CONSENT_ACTION.fullmatch(parts.get(name, ""))):
            faults.append(f"the policy has {name} {parts.get(name)}")
    if any(source != "'self'" for name, source in parts.items() if name not in strict):
        faults.append(f"the policy is lax: {policy}")
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-store", "referrer-policy": "same-origin"}
    if urllib.parse.urlsplit(page.url).path == "/docs":
        headers["cache-control"] = "max-age=300"
    for name, value in headers.items():
        if page.headers.get(name) != value:
            faults.append(f"{name}: {page.headers.get(name)}")
    if page.url.startswith("https:") and "strict-transport-security" not in page.headers:
        faults.append("there is no strict-transport-security")
    return faults


def widest(browser):
    """Returns the elements that reach beyond the screen."""
    return browser.js("""
        const width = document.documentElement.clientWidth;
        return [...document.body.querySelectorAll('*')]
            .filter(element => element.getBoundingClientRect().right > width + 0.5)
            .slice(0, 5).map(element => element.outerHTML.slice(0, 120)).join(' ');
    """)


def keyboard_faults(browser):
    """Walks through the page by the Tab key. Returns the controls that it does not reach, in their order, visibly."""
    tabbed = browser.js(WATCH_FOCUS, CONTROLS)
    # Parts of the page that scroll may take the focus in between.
    ActionChains(browser.driver).send_keys(Keys.TAB * (len(tabbed) + 8)).perform()
    focused = browser.js("return window.focused")
    order = [index for index, _, _ in focused if index >= 0][:len(tabbed)]
    faults = []
    if order != list(range(len(tabbed))):
        missed = [tabbed[index] for index in set(range(len(tabbed))) - set(order)]
        faults.append(f"Tab goes {order} of {len(tabbed)} controls and misses {missed}")
    # Once round: behind the last control, the focus comes back from outside of the page.
    first = focused[:len(tabbed)]
    faults += sorted({f"no visible focus: {control}" for index, shown, control in first if index >= 0 and not shown})
    if browser.all("nav:not(main nav)"):
        faults += skip_faults(browser, tabbed)
    return faults


def skip_faults(browser, tabbed):
    """Follows the link that skips the navigation, which must be the first stop of the Tab key."""
    if not (tabbed and 'href="#' in tabbed[0]):
        return [f"the first stop does not skip the navigation: {tabbed[:1]}"]
    browser.js(WATCH_FOCUS, CONTROLS)
    ActionChains(browser.driver).send_keys(Keys.TAB, Keys.ENTER, Keys.TAB).perform()
    inside = browser.js("return document.activeElement.closest('main') !== null || !document.querySelector('main a')")
    return [] if inside else ["the link that skips the navigation does not lead past it"]
