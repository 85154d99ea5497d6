"""The installation under test. The Rust test owns it; this program asks for things by lines of JSON on its standard
output, and reads the answers from its standard input. The first line that it reads holds the facts of the test."""

import json
import sys


class Installation:
    def __init__(self):
        self.facts = json.loads(sys.stdin.readline())
        self.url = self.facts["url"]
        self.made = 0

    def ask(self, what, **details):
        print(json.dumps({"ask": what, **details}), flush=True)
        return json.loads(sys.stdin.readline())

    def admin(self, words):
        """Runs a command of `ndauthd admin`, which must succeed. Returns its output."""
        ended = self.ask("admin", words=words)
        assert ended["code"] == 0, f"{words}: {ended}"
        return ended["out"]

    def api(self, request, secret, body=None):
        """Calls the HTTP API with a secret. Returns the status and the body of the response."""
        more = {} if body is None else {"body": body}
        answered = self.ask("api", request=request, secret=secret, **more)
        return answered["status"], answered["body"]

    def allows(self, secret, org, access="RO", client="a service's client"):
        """Asks as a service whether a secret may do something, which confirms a pending one."""
        question = {"secret": secret, "org": org, "required_access": access, "client": client}
        status, verdict = self.api("POST /v1/secrets:validate", self.facts["service"], question)
        assert status == 200, verdict
        return "allowed" in verdict

    def knows(self, secret):
        """Returns true if a secret authenticates its holder."""
        status, answer = self.api("GET /v1/whoami", secret)
        assert status in (200, 401), answer
        return status == 200

    def sql(self, statement):
        """Changes the database behind the server's back."""
        self.ask("sql", statement=statement)

    def account(self, **roles):
        """Creates an account with these roles in these orgs. Returns its handle."""
        self.made += 1
        handle = f"person-{self.made}"
        self.admin(f"account create {handle} --email {handle}@example.org")
        for org, role in roles.items():
            self.admin(f"member set {org} {handle} {role}")
        return handle

    def org(self):
        """Creates an org. Returns its slug."""
        self.made += 1
        self.admin(f"org create org-{self.made}")
        return f"org-{self.made}"

    def report(self, **findings):
        """Ends the test."""
        print(json.dumps({"report": findings}), flush=True)
