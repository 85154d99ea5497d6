"""A client that openapi-python-client makes of the document:

    client.py URL SESSION SERVICE
"""

import sys

from ndauth_api import AuthenticatedClient
from ndauth_api.api.token_service import confirm_rotation, create_token, get_token, revoke_token, rotate_token
from ndauth_api.api.validation_service import validate_token
from ndauth_api.models import (
    Access, ConfirmRotationRequest, NewToken, Problem, RevocationReason, RevokeTokenRequest, RotateTokenRequest, Scope,
    ValidateTokenRequest,
)

url, session, service = sys.argv[1:]
owner = AuthenticatedClient(base_url=url, token=session)
registry = AuthenticatedClient(base_url=url, token=service)


def done(answer):
    if answer is None or isinstance(answer, Problem):
        raise SystemExit(f"failed: {answer}")
    return answer


def ask(secret):
    question = ValidateTokenRequest(
        secret=secret, org="ops", required_access=Access.RO, required_permission="read:assets"
    )
    verdict = done(validate_token.sync(client=registry, body=question))
    return verdict.allowed.effective.access.value if verdict.allowed else verdict.refused.reason.value


planned = NewToken(
    name="python", scope=Scope.RW, orgs=["ops"], grants="all", expiry="90d", services="all", networks="all"
)
created = done(create_token.sync(client=owner, body=planned))
token = created.token.id
print("created:", created.token.status.value, ask(created.secret))

rotated = done(rotate_token.sync(token, client=owner, body=RotateTokenRequest(overlap="0s")))
done(confirm_rotation.sync(token, client=owner, body=ConfirmRotationRequest()))
print("rotated:", ask(rotated.secret), ask(created.secret))

revocation = RevokeTokenRequest(reason=RevocationReason.NO_LONGER_NEEDED)
revoked = done(revoke_token.sync(token, client=owner, body=revocation))
print("revoked:", revoked.token.status.value, ask(rotated.secret))

again = get_token.sync_detailed("00000000-0000-7000-8000-000000000000", client=owner)
print("failed:", again.status_code.value, again.parsed.reason.value)
