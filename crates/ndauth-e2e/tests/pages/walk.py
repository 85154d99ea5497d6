"""Visits every page of an installation, and checks each. With a folder, also draws them."""

import pathlib
import traceback

from checks import Checks, file_name
from chromium import chromium
from forms import FORMS, REFUSALS
from installation import Installation
from person import Person

DRAWN = [(width, dark) for width in (360, 1280, 2560) for dark in (False, True)]


def main():
    at = Installation()
    checks = Checks(at.facts["packages"], at.facts["folder"])
    with chromium() as browser:
        for who, places in at.facts["places"]:
            person = visitor(who, browser, at)
            for place in places:
                person.open(place["path"])
                look(place["name"], place["status"], person, checks)
        for who, forms in FORMS:
            person = visitor(who, browser, at)
            for form in forms:
                name = form.__name__.replace("_", " ")
                try:
                    form(person)
                    look(name, person.code() if form in REFUSALS else 200, person, checks)
                except Exception:
                    checks.faults[name] = [f"{traceback.format_exc()}\n{person.text()}"]
    checks.validate()
    at.report(faults=checks.faults, bytes=checks.bytes)


def visitor(handle, browser, at):
    """Returns a person at a browser that was never used, signed in if they have a handle."""
    browser.start_over(scripts=True)
    # Each page is weighed with all that it loads.
    browser.cdp("Network.setCacheDisabled", cacheDisabled=True)
    person = Person(browser, at)
    if handle:
        person.sign_in(handle)
    return person


def look(name, status, person, checks):
    """Checks the page that a person sees, and draws it."""
    if person.code() != status or status >= 500:
        checks.faults[name] = [f"status {person.code()}: {person.text()}"]
        return
    draw(person.installation.facts["pictures"], name, person.browser)
    checks.examine(name, person.browser)


def draw(folder, name, browser):
    """Draws a page as it is on each screen."""
    for width, dark in DRAWN if folder else []:
        browser.screen(width, height=width * 10 // 16 if width > 600 else 780, dark=dark)
        scheme = "dark" if dark else "light"
        browser.picture(pathlib.Path(folder, f"{file_name(name)}-{width}-{scheme}.webp"), quality=60)
    browser.screen()


main()
