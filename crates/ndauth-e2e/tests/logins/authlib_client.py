"""A client of ndauth over an independent library: everything that a client does, and two requests that must fail.

    authlib_client.py ISSUER NAME PASSWORD
"""

import re
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

issuer, name, password = sys.argv[1:]
redirect_uri = "http://127.0.0.1:4711/callback"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()
assert metadata["issuer"] == issuer, metadata

browser = requests.Session()
signed_in = browser.post(f"{issuer}/sign-in", {"name": name, "password": password, "to": "/"}, timeout=10)
assert signed_in.status_code == 200, signed_in.text

client = OAuth2Session("ndcli", token_endpoint_auth_method="none", redirect_uri=redirect_uri,
                       code_challenge_method="S256")
verifier = generate_token(48)
url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
page = browser.get(url, timeout=10)
fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
fields = {key: value.replace("&#38;", "&").replace("&amp;", "&") for key, value in fields.items()}
answer = browser.post(metadata["authorization_endpoint"], {**fields, "decision": "allow"},
                      headers={"origin": issuer}, allow_redirects=False, timeout=10)
assert answer.status_code == 303, answer.text
callback = answer.headers["location"]
assert parse_qs(urlsplit(callback).query)["iss"] == [issuer], callback



def refused(attempt):
    """Returns the error that the library reports for a refused attempt."""
    try:
        attempt()
    except OAuthError as error:
        return error.error
    raise AssertionError("it went through")


def redeem(verifier):
    return client.fetch_token(metadata["token_endpoint"], authorization_response=callback, code_verifier=verifier,
                              state=state)


assert refused(lambda: redeem(generate_token(48))) == "invalid_grant", "another verifier"
token = redeem(verifier)
assert token["access_token"].startswith("ndses_") and token["token_type"] == "Bearer", token
token = client.refresh_token(metadata["token_endpoint"], token["refresh_token"])
derived = requests.post(metadata["token_endpoint"], {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "ndcli", "scope": "RO",
    "subject_token": token["access_token"], "subject_token_type": ACCESS_TOKEN,
}, timeout=10).json()
assert derived["access_token"].startswith("ndacc_"), derived
revoked = client.revoke_token(metadata["revocation_endpoint"], token["refresh_token"], token_type_hint="refresh_token")
assert revoked.status_code == 200, revoked.text
again = refused(lambda: client.refresh_token(metadata["token_endpoint"], token["refresh_token"]))
assert again == "invalid_grant", again

begun = requests.post(metadata["device_authorization_endpoint"], {"client_id": "ndcli"}, timeout=10).json()
wait = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun["device_code"]}
pending = refused(lambda: client.fetch_token(metadata["token_endpoint"], **wait))
assert pending == "authorization_pending", pending
browser.post(f"{issuer}/device/decision", {"user_code": begun["user_code"], "decision": "allow"}, timeout=10)
token = client.fetch_token(metadata["token_endpoint"], **wait)
assert token["access_token"].startswith("ndses_"), token
print("all of it went well")
