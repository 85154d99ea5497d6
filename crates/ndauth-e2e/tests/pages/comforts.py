"""What the script of the pages adds, and what the keyboard does alone."""

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SCRIPTS_ONLY = set()


def needs_scripts(scene):
    """Marks a scene of what only scripts do."""
    SCRIPTS_ONLY.add(scene)
    return scene


@needs_scripts
def a_secret_is_copied_by_its_button(person):
    person.join(person.installation.account(acme="RW"))
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    person.browser.cdp("Browser.grantPermissions", origin=person.url.rstrip("/"), permissions=allowed)
    secret = person.create_token("ci", scope="RW")
    person.named("button", "Copy").click()
    read = "navigator.clipboard.readText().then(arguments[0], error => arguments[0](String(error)))"
    WebDriverWait(person.driver, 10).until(lambda driver: driver.execute_async_script(read) == secret)


@needs_scripts
def the_preview_follows_the_form(person):
    person.join(person.installation.account(acme="RW"))
    person.open("/tokens/new")
    form = person.form("/tokens")
    person.fill(form, name="ci", scope="RO", expiry="30d")
    WebDriverWait(person.driver, 10).until(lambda _: "acme RO" in person.preview(), "the preview shows RO")
    person.fill(form, scope="RW")
    WebDriverWait(person.driver, 10).until(lambda _: "acme RW" in person.preview(), "the preview shows RW")
    assert "ci" not in person.open("/tokens?show=all").split(), "nothing is made"


@needs_scripts
def times_are_local(person):
    person.join(person.installation.account())
    person.browser.cdp("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    person.open("/me")
    times = person.browser.js("""
        return [...document.querySelectorAll('time[data-local]')].map(time => [time.dateTime, time.textContent]);
    """)
    assert times, person.text()
    for machine, shown in times:
        minutes = int(machine[14:16])
        assert ":" not in shown or int(shown[-2:]) == (minutes + 45) % 60, f"{machine} is shown as {shown}"


def a_token_is_made_by_the_keyboard_alone(person):
    person.join(person.installation.account(acme="RW"))
    person.open("/tokens/new")
    name = tab_to(person, "name")
    name.send_keys("by-keyboard")
    tab_to(person, "scope").send_keys(Keys.SPACE)
    tab_to(person, "expiry")
    create = tab_to(person, text="Create token")
    person.browser.then(lambda: create.send_keys(Keys.ENTER))
    person.secret()


def tab_to(person, name=None, text=None):
    """Presses Tab until a field of this name, or a control with this text, has the focus."""
    for _ in range(200):
        focused = person.driver.switch_to.active_element
        if focused.get_attribute("name") == name if name else focused.text == text:
            return focused
        focused.send_keys(Keys.TAB)
    raise AssertionError(f"Tab does not lead to {name or text}")
