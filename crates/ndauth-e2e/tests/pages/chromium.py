"""Debian's Chromium, driven by its own driver: its tabs, its screen, and the log of each page that it loaded."""

import base64
import contextlib
import json
import pathlib
import sys
import tempfile

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

# No name resolves, so a request to another host fails even if nobody looks for it.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--ignore-certificate-errors", "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]

# The limit for a page to load.
TIMEOUT = 30

RECORD_VIOLATIONS = """
    window.violations = [];
    document.addEventListener('securitypolicyviolation',
        event => window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Response:
    """A response to the browser: the page itself, or something that the page loads."""

    def __init__(self, received):
        response = received["response"]
        self.request = received["requestId"]
        self.kind = received["type"]
        self.url = response["url"]
        self.status = response["status"]
        self.headers = {name.lower(): value for name, value in response["headers"].items()}
        self.bytes = 0


class Chromium:
    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        self.driver = started(options)
        self.scripts = True
        self.urls = []
        self.responses = []
        self.errors = []
        self.prepare_tab()

    def prepare_tab(self):
        """Applies the settings of this browser to the tab that is new."""
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=RECORD_VIOLATIONS)
        self.cdp("Emulation.setScriptExecutionDisabled", value=not self.scripts)
        self.cdp("Network.setCacheDisabled", cacheDisabled=False)

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def js(self, script, *arguments):
        """Runs a script of the test, also where the page's own scripts do not run."""
        return self.driver.execute_script(script, *arguments)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def new_tab(self):
        self.driver.switch_to.new_window("tab")
        self.prepare_tab()
        return self.driver.current_window_handle

    def start_over(self, scripts):
        """Becomes a browser that was never used: one tab, no history, no cookies."""
        self.scripts = scripts
        old = self.driver.window_handles
        self.new_tab()
        new = self.driver.current_window_handle
        for tab in old:
            self.driver.switch_to.window(tab)
            self.driver.close()
        self.driver.switch_to.window(new)
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Network.clearBrowserCache")
        self.screen()
        self.read_logs()
        self.urls, self.responses, self.errors = [], [], []

    def screen(self, width=1280, height=900, dark=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = "dark" if dark else "light"
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def overflow(self):
        """Returns the number of pixels by which the page is wider than the screen."""
        return self.js("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def then(self, act):
        """Performs an action, and waits until another page is loaded."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        act()

        def loaded(driver):
            try:
                page.is_enabled()
                return False
            except WebDriverException:
                return driver.execute_script("return document.readyState") == "complete"

        WebDriverWait(self.driver, TIMEOUT).until(loaded, "no other page is loaded")

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def read_logs(self):
        """Reads what the browser has logged since the last time."""
        by_request = {response.request: response for response in self.responses}
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            method, parameters = message["method"], message["params"]
            if method == "Network.requestWillBeSent":
                self.urls.append(parameters["request"]["url"])
            elif method == "Network.responseReceived":
                response = Response(parameters)
                self.responses.append(response)
                by_request[response.request] = response
            elif method == "Network.dataReceived" and parameters["requestId"] in by_request:
                by_request[parameters["requestId"]].bytes += parameters["dataLength"]
        for entry in self.driver.get_log("browser"):
            if entry["source"] != "network":
                self.errors.append(entry["message"])

    def page(self):
        """Returns the response that the current page came with."""
        self.read_logs()
        pages = [response for response in self.responses if response.kind == "Document"]
        return pages[-1] if pages else None

    def source(self):
        """Returns the current page as it was served."""
        body = self.cdp("Network.getResponseBody", requestId=self.page().request)
        return base64.b64decode(body["body"]).decode() if body["base64Encoded"] else body["body"]

    def violations(self):
        """Returns how the current page violated its security policy, and what else went wrong on any page."""
        self.read_logs()
        return [*(self.js("return window.violations") or []), *self.errors]

    def picture(self, path, whole=True, quality=None):
        """Draws the page into a file: WebP of this quality, or PNG."""
        kind = {"format": "png"} if quality is None else {"format": "webp", "quality": quality}
        drawn = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole, **kind)
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_bytes(base64.b64decode(drawn["data"]))


def started(options):
    """Starts a browser. Retries, because another process may take the port that the driver has chosen."""
    for left in reversed(range(3)):
        try:
            return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        except WebDriverException as error:
            print(f"no browser, {left} tries left: {error}", file=sys.stderr)
            if not left:
                raise


@contextlib.contextmanager
def chromium():
    """Provides a browser with an empty profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(profile)
        try:
            yield browser
        finally:
            browser.driver.quit()
