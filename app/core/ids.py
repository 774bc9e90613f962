"""Public ids of files, folders and versions, and page tokens: the provider's own, encrypted for one account.

Made only here. AES-SIV is deterministic, so an id is the same wherever it appears; another account's id does not open.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from connectors.core.resources import Kind, RawId, Ref, VersionId

ID_CHARACTERS_MAX = 8192
PAGE_CHARACTERS_MAX = 32_768
"""A token may hold a place in a whole tree; a request's head has room for two."""

ROOT_ID = "root"
"""An account's top folder, in place of an id (contract 1.6)."""
_VERSION = b"\x01"
_FILE, _FOLDER = b"f", b"d"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class IdCodec:
    """Makes and reads ids with one key."""

    def __init__(self, id_key: bytes) -> None:
        self._cipher = AESSIV(id_key)

    def encode(self, account_id: int, ref: Ref) -> str:
        """The public id of a file or folder in that account."""
        return self.build_encoder(account_id)(ref.kind, ref.raw_id)

    def build_encoder(self, account_id: int) -> Callable[[Kind, RawId], str]:
        """`encode` for many ids of one account: what they have in common is made once."""
        encrypt, associated = self._cipher.encrypt, [b"resource:%d" % account_id]

        def encode(kind: Kind, raw_id: RawId) -> str:
            plain = (_FILE if kind == "file" else _FOLDER) + raw_id.encode("utf-8", "surrogatepass")
            return _write_base64(_VERSION + encrypt(plain, associated))

        return encode

    def encode_all(self, account_id: int, refs: Sequence[tuple[Kind, RawId]]) -> list[str]:
        """`encode` for a page."""
        encode = self.build_encoder(account_id)
        return [encode(kind, raw_id) for kind, raw_id in refs]

    def decode(self, account_id: int, public_id: str) -> Ref | None:
        """What an id names; None if it is not one of that account's. Padding at the end is accepted."""
        plain = self._open(public_id.rstrip("="), b"resource:%d" % account_id, ID_CHARACTERS_MAX)
        if plain is None:
            return None
        raw_id = RawId(plain[1:].decode("utf-8", "surrogatepass"))
        return Ref("file", raw_id) if plain[:1] == _FILE else Ref("folder", raw_id)

    def encode_page(self, account_id: int, scope: str, cursor: str) -> str:
        """A page token for one listing (`scope` says which)."""
        return self._seal(
            cursor.encode("utf-8", "surrogatepass"),
            b"page:%d:" % account_id + scope.encode("utf-8", "surrogatepass"),
        )

    def decode_page(self, account_id: int, scope: str, token: str) -> str | None:
        """The provider's cursor; None for a token of another listing or account, or no token at all."""
        associated = b"page:%d:" % account_id + scope.encode("utf-8", "surrogatepass")
        plain = self._open(token, associated, PAGE_CHARACTERS_MAX)
        return None if plain is None else plain.decode("utf-8", "surrogatepass")

    def encode_version(self, account_id: int, file: RawId, version: VersionId) -> str:
        """The public id of one version of a file; it says nothing for any other file."""
        return self._seal(version.encode("utf-8", "surrogatepass"), _bind_to_file(account_id, file))

    def decode_version(self, account_id: int, file: RawId, public_id: str) -> VersionId | None:
        """The version that an id names; None if it is not one of that file's. Padding at the end is accepted."""
        plain = self._open(public_id.rstrip("="), _bind_to_file(account_id, file), ID_CHARACTERS_MAX)
        return None if plain is None else VersionId(plain.decode("utf-8", "surrogatepass"))

    def _seal(self, plain: bytes, associated: bytes) -> str:
        return _write_base64(_VERSION + self._cipher.encrypt(plain, [associated]))

    def _open(self, text: str, associated: bytes, characters_max: int) -> bytes | None:
        if not text or len(text) > characters_max or not text.isascii():
            return None
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        # Base64 has several spellings of some byte strings; only the one we make counts.
        if data[:1] != _VERSION or _write_base64(data) != text:
            return None
        try:
            return self._cipher.decrypt(data[1:], [associated])
        except InvalidTag:
            return None


def _bind_to_file(account_id: int, file: RawId) -> bytes:
    return b"version:%d:" % account_id + file.encode("utf-8", "surrogatepass")


def _write_base64(data: bytes) -> str:
    """The letters that are safe in a URL, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")
