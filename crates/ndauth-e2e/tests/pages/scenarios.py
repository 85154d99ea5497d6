"""Plays scenes with a person at the pages, each in a browser that was never used, with scripts and without."""

import pathlib
import time
import traceback

import attacks
import comforts
import encrypted
import operators
import orgs
import sessions
import tokens
from checks import file_name, log_faults
from chromium import chromium
from installation import Installation
from person import Person

PLAYS = {
    "pages": [
        attacks.another_site_cannot_act_for_a_person,
        attacks.another_site_cannot_frame_a_page,
        sessions.a_wrong_password_keeps_the_typed_name,
        sessions.a_page_is_gone_after_signing_out,
        sessions.signing_out_in_one_tab_signs_out_the_other,
        sessions.an_ended_session_keeps_what_was_typed,
        sessions.somebody_else_does_not_continue_the_form,
        sessions.an_endless_token_needs_a_recent_login,
        sessions.a_session_is_ended_from_another_browser,
        sessions.all_sessions_are_ended_at_once,
        sessions.a_password_is_changed,
        sessions.notices_are_chosen,
        tokens.a_token_lives_from_its_creation_to_its_end,
        tokens.a_rotation_can_be_dropped,
        tokens.a_secret_is_shown_once,
        tokens.a_form_that_is_sent_twice_makes_one_token,
        tokens.a_reload_rotates_nothing_again,
        tokens.a_link_fills_the_form_and_needs_a_click,
        tokens.a_link_only_narrows,
        tokens.an_error_keeps_what_was_typed,
        tokens.another_tab_revokes_first,
        orgs.an_org_has_tokens_of_its_own,
        orgs.a_member_neither_sees_nor_does_what_admins_do,
        orgs.a_stranger_learns_nothing_of_an_org,
        orgs.a_membership_is_offered_accepted_changed_and_removed,
        orgs.a_policy_is_tried_before_it_is_set,
        orgs.an_org_is_frozen_and_unfrozen,
        orgs.an_admin_suspends_a_member_s_token,
        operators.an_operator_makes_an_account_that_its_person_takes_over,
        operators.an_operator_makes_orgs_and_services,
        operators.an_operator_leaves_operators_to_the_console,
        operators.an_operator_signs_somebody_out_after_a_login,
        operators.nobody_else_sees_the_operator_s_pages,
        attacks.another_site_cannot_change_anything,
        attacks.descriptions_and_clients_are_texts,
        attacks.queries_are_texts,
        comforts.a_secret_is_copied_by_its_button,
        comforts.the_preview_follows_the_form,
        comforts.times_are_local,
        comforts.a_token_is_made_by_the_keyboard_alone,
    ],
    "encrypted": [
        encrypted.a_cookie_is_for_this_host_alone,
        encrypted.every_page_asks_for_encryption,
    ],
}


def main():
    at = Installation()
    folder = pathlib.Path(at.facts["folder"])
    faults, played = {}, {}
    with chromium() as browser:
        for scene in PLAYS[at.facts["play"]]:
            for scripts in at.facts["scripts"]:
                if scene in comforts.SCRIPTS_ONLY and not scripts:
                    continue
                name = f"{scene.__name__} {'with' if scripts else 'without'} scripts"
                began = time.monotonic()
                browser.start_over(scripts)
                try:
                    scene(Person(browser, at))
                    found = log_faults(browser)
                    assert not found, found
                except Exception:
                    picture = folder / f"{file_name(name)}.png"
                    browser.picture(picture)
                    place = f"at {browser.driver.current_url}, drawn in {picture}"
                    faults[name] = [f"{traceback.format_exc()}\n{place}:\n{browser.text()}"]
                played[name] = round(time.monotonic() - began, 1)
    at.report(faults=faults, played=played)


main()
