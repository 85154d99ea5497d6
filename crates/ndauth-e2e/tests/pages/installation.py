"""The installation under test. The Rust test owns it; this program asks for things by lines of JSON on its standard
output, and reads the answers from its standard input. The first line that it reads holds the facts of the test."""

import json
import sys


class Installation:
    def __init__(self):
        self.facts = json.loads(sys.stdin.readline())
        self.url = self.facts["url"]
        self.people = 0

    def ask(self, what, **details):
        print(json.dumps({"ask": what, **details}), flush=True)
        return json.loads(sys.stdin.readline())

    def admin(self, words):
        """Runs a command of `ndauthd admin`, which must succeed. Returns its output."""
        ended = self.ask("admin", words=words)
        assert ended["code"] == 0, f"{words}: {ended}"
        return ended["out"]

    def ndcli(self, words, secret, stdin=""):
        """Runs `ndcli` with a secret. Returns its exit code and its output."""
        ended = self.ask("ndcli", words=words, secret=secret, stdin=stdin)
        return ended["code"], ended["out"] + ended["err"]

    def allows(self, secret, org, access="ro"):
        """Asks as a service whether a secret may do something, which confirms a pending one."""
        words = ["validate", "--secret-stdin", "--org", org, "--access", access]
        code, said = self.ndcli(words, self.facts["service"], stdin=secret)
        assert code in (0, 1), said
        return code == 0

    def sql(self, statement):
        """Changes the database behind the server's back."""
        self.ask("sql", statement=statement)

    def account(self, **roles):
        """Creates an account with these roles in these orgs. Returns its handle."""
        self.people += 1
        handle = f"person-{self.people}"
        self.admin(f"account create {handle} --email {handle}@example.org")
        for org, role in roles.items():
            self.admin(f"member set {org} {handle} {role}")
        return handle

    def report(self, **findings):
        """Ends the test."""
        print(json.dumps({"report": findings}), flush=True)
