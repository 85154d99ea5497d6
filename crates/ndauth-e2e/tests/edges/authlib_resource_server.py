"""A resource server over Flask and authlib, which asks ndauth about each token by introspection.

    authlib_resource_server.py ISSUER SERVICE     (the service's secret is in ASSETS_NDAUTH_SECRET)

`/orgs/<org>/assets` needs access to the org: RO to read, RW for all else. `/me` needs a secret that lives, and confers
nothing. It prints its address once it listens.
"""

import os
import sys
from urllib.parse import urlencode

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from flask import Flask, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.serving import make_server

issuer, service = sys.argv[1:]
metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=2).json()
assert metadata["issuer"] == issuer, metadata
endpoint = metadata["introspection_endpoint"]


class Introspection(IntrospectTokenValidator):
    """Asks about one token. `question` returns the further parameters."""

    def __init__(self, question):
        super().__init__()
        self.question = question

    def introspect_token(self, token_string):
        client = OAuth2Session(service, os.environ["ASSETS_NDAUTH_SECRET"])
        try:
            answer = client.introspect_token(endpoint, token_string, token_type_hint="access_token",
                                             body=self.question(), timeout=2)
            answer.raise_for_status()
        except requests.RequestException as why:
            # Neither a yes nor a no, whatever the status: that of a 401 is about this service's own secret.
            print(f"could not decide: {why}", file=sys.stderr, flush=True)
            raise ServiceUnavailable(retry_after=1) from why
        return answer.json()


def access():
    reads = request.method in ("GET", "HEAD", "OPTIONS")
    return urlencode({"org": request.view_args["org"], "access": "RO" if reads else "RW"})


def protected(question):
    protector = ResourceProtector()
    protector.register_token_validator(Introspection(question))
    return protector


lives, allowed = protected(lambda: ""), protected(access)
app = Flask("assets")


@app.get("/me")
@lives()
def me():
    return dict(current_token)


@app.route("/orgs/<org>/assets", methods=["GET", "POST"])
@allowed()
def assets(org):
    return dict(current_token)


server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"127.0.0.1:{server.port}", flush=True)
server.serve_forever()
