"""Finds secrets of ndauth: a plugin for detect-secrets.

    detect-secrets scan --plugin detect_secrets_ndauth.py
"""

import re

from detect_secrets.plugins.base import RegexBasedDetector

# The samples of ndauth's documentation, and placeholders that repeat one character. Nobody was ever given one.
SAMPLES = re.compile(
    r"nd[a-z]{3}_(?:"
    r"Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U|pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw"
    r"|9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4|zStRV0EOTe5K8rNPQwoHNEfeY2wOgGyVe6aE1kMfteo"
    r"|jzm6dv74yQxRAfvmz5pI1bDAoT2pAKatyz1kBpSBviE|uvIP0n7PFMAR7SAfg2MgrbmLqxaGoo2YASEMdzbz7sU"
    r"|-__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-_8|(.)\1{42})"
)


class NdauthDetector(RegexBasedDetector):
    """Finds the six kinds of secrets. `docs/token-format.md` describes them."""

    secret_type = "ndauth Secret"

    denylist = [
        re.compile(
            r"nd(?:pat|org|ses|ref|svc|acc)_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048](?![A-Za-z0-9])"
        )
    ]

    def analyze_string(self, string):
        for secret in super().analyze_string(string):
            if not SAMPLES.fullmatch(secret):
                yield secret
