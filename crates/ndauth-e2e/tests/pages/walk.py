"""Visits every page of an installation, and checks each. With a folder, also draws them."""

import pathlib

from checks import Checks, file_name
from chromium import chromium
from installation import Installation
from person import Person

DRAWN = [(width, dark) for width in (360, 1280, 2560) for dark in (False, True)]


def main():
    at = Installation()
    checks = Checks(at.facts["packages"], at.facts["folder"])
    with chromium() as browser:
        for who, places in at.facts["places"]:
            browser.start_over(scripts=True)
            browser.cdp("Network.setCacheDisabled", cacheDisabled=True)
            person = Person(browser, at)
            if who:
                person.sign_in(who)
            for place in places:
                person.open(place["path"])
                if person.code() != place["status"]:
                    checks.faults[place["name"]] = [f"status {person.code()}: {person.text()}"]
                    continue
                draw(at.facts["pictures"], place["name"], browser)
                checks.examine(place["name"], browser)
    checks.validate()
    at.report(faults=checks.faults, bytes=checks.bytes)


def draw(folder, name, browser):
    """Draws a page as it is on each screen."""
    for width, dark in DRAWN if folder else []:
        browser.screen(width, height=width * 10 // 16 if width > 600 else 780, dark=dark)
        scheme = "dark" if dark else "light"
        browser.picture(pathlib.Path(folder, f"{file_name(name)}-{width}-{scheme}.webp"), quality=60)
    browser.screen()


main()
