"""Calls from Dropbox to the one address of an application: its proof, and whose files changed.

https://www.dropbox.com/developers/reference/webhooks
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Hints, Notice
from connectors.dropbox.payloads import ChangeNotice

CHALLENGE_CHARACTERS_MAX = 1024
SIGNATURE_HEADER = "x-dropbox-signature"


def read_notice(notice: Notice, secret: str) -> Hints:
    """Accounts to look at, or the challenge to be echoed; `secret` is the client's, which signs every body."""
    if notice.method == "GET":
        challenge = notice.query.get("challenge", "")
        if not 0 < len(challenge) <= CHALLENGE_CHARACTERS_MAX:
            raise ConnectorError(ErrorKind.PERMISSION_DENIED, "a call without a body brings a challenge")
        return Hints(reply=challenge)
    expected = hmac.new(secret.encode(), notice.body, hashlib.sha256).hexdigest()
    given = notice.headers.get(SIGNATURE_HEADER, "")
    if not secret or not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")):
        raise ConnectorError(ErrorKind.PERMISSION_DENIED, "the signature is not Dropbox's")
    try:
        told = msgspec.json.decode(notice.body, type=ChangeNotice)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectorError(ErrorKind.UNEXPECTED, "Dropbox sent a notice of another form") from error
    return Hints(account_keys=tuple(dict.fromkeys(told.list_folder.accounts)))
