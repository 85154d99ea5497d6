"""Plays scenes with a person at the pages, each in a browser that was never used, with scripts and without."""

import pathlib
import time
import traceback

import attacks
import sessions
from checks import file_name, log_faults
from chromium import chromium
from installation import Installation
from person import Person

SCENES = [
    attacks.another_site_cannot_act_for_a_person,
    attacks.another_site_cannot_frame_a_page,
    sessions.a_wrong_password_keeps_the_typed_name,
    sessions.a_page_is_gone_after_signing_out,
    sessions.signing_out_in_one_tab_signs_out_the_other,
]


def main():
    at = Installation()
    folder = pathlib.Path(at.facts["folder"])
    faults, played = {}, []
    with chromium() as browser:
        for scene in SCENES:
            for scripts in at.facts["scripts"]:
                name = f"{scene.__name__} {'with' if scripts else 'without'} scripts"
                began = time.monotonic()
                browser.start_over(scripts)
                person = Person(browser, at)
                try:
                    scene(person)
                    found = log_faults(browser)
                    assert not found, found
                except Exception:
                    shot = folder / f"{file_name(name)}.png"
                    browser.picture(shot)
                    told = f"{traceback.format_exc()}\nat {browser.driver.current_url}, drawn in {shot}:\n{browser.text()}"
                    faults[name] = [told]
                played.append([name, round(time.monotonic() - began, 1)])
    at.report(faults=faults, played=played)


main()
