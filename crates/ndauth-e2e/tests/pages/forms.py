"""The pages that only a form leads to."""


def sign_in_refused(person):
    person.open("/sign-in")
    person.submit("/sign-in", name="ada", password="not the password")


def password_refused(person):
    person.open(f"/invitation?code={person.installation.facts['invitation']}")
    person.submit("/invitation", password="password1234", password_again="password1234")


def unknown_code(person):
    person.open("/device")
    person.submit("/device", user_code="BCDF-GHJK")


def device_decision(person):
    person.open("/device")
    person.submit("/device", user_code=person.installation.ask("device"))


def device_authorized(person):
    device_decision(person)
    person.submit("/device/decision", button="Allow")


def device_denied(person):
    device_decision(person)
    person.submit("/device/decision", button="Deny")


def new_token_previewed(person):
    person.open("/tokens/new")
    person.submit("/tokens", button="Preview", name="reader", scope="RO", expiry="30d")


def new_token_refused(person):
    person.open("/tokens/new")
    wrong = {"name": "laptop", "expiry_other": "400d", "network": "10.0.0.0/99"}
    person.submit("/tokens", button="Create token", scope="RO", **wrong)


def created(person):
    person.create_token("reader", description="Reads the assets", scope="RO", expiry="30d")


def rotated(person):
    person.token("reader")
    person.submit("/rotate")


def org_token_created(person):
    path = "/orgs/acme/tokens"
    person.create_token("pages", path, scope="named", permission="resolve:artifact", expiry="30d")


def policy_previewed(person):
    person.open("/orgs/acme/policy")
    person.submit("/policy", button="Preview", longest_lifetime="30d", require_grants=True)


def policy_refused(person):
    person.open("/orgs/acme/policy")
    person.submit("/policy", button="Preview", longest_lifetime="soon", login_within="never")


def service_registered(person):
    person.open("/operator/services")
    person.submit("/operator/services", name="scanner", orgs="all")


def account_invited(person):
    person.open("/operator/accounts")
    person.submit("/operator/accounts", handle="gil", email="gil@example.org")
    person.open("/operator/accounts?account=gil")
    person.submit("/gil/invite")


def account_refused(person):
    person.open("/operator/accounts")
    person.submit("/operator/accounts", handle="Not A Handle", email="nobody@example.org")


def sign_in_again(person):
    person.installation.sql("UPDATE session SET proved_at = 1000000")
    person.open("/tokens/new")
    person.submit("/tokens", button="Create token", name="endless", scope="RO", expiry="never")


# The pages that show a refusal. The others show that an act was done.
REFUSALS = {
    sign_in_refused, password_refused, unknown_code, new_token_refused, policy_refused, account_refused, sign_in_again,
}
# By visitor, in order: some lead to the next.
FORMS = [
    ("", [sign_in_refused, password_refused]),
    ("ada", [unknown_code, device_decision, device_authorized, device_denied]),
    ("ada", [new_token_previewed, new_token_refused, created, rotated, org_token_created]),
    ("ada", [policy_previewed, policy_refused, service_registered, account_invited, account_refused]),
    ("ada", [sign_in_again]),
]
