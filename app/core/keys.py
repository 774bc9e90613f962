"""The server's keys: sealing secrets at rest (AES-256-GCM, newest first) and making ids (never rotated)."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

NONCE_BYTES = 12
ID_KEY_BYTES = 64  # AES-SIV with two 256-bit halves
SEALING_KEY_BYTES = 32
SEAL_VERSION = "1"
SEALED_PREFIX = "sealed_"
"""How the names of all columns begin that hold sealed secrets."""
CHECK_LABEL = b"kloudless: which id key is this"
CHECK_BYTES = 8


class KeysError(Exception):
    """The keys are missing, unreadable, or not the ones that sealed this database."""


class SealingKey(Struct, frozen=True):
    """One key for secrets at rest."""

    id: str
    key: str  # base64, 256 bits


class Keys(Struct, frozen=True):
    """What the key file holds."""

    id_key: str  # base64, 512 bits for AES-SIV; changing it would change every id that applications stored
    sealing_keys: tuple[SealingKey, ...]  # newest first; the first one seals


def _random(size_bytes: int) -> str:
    return base64.b64encode(secrets.token_bytes(size_bytes)).decode()


def generate_keys() -> Keys:
    """Fresh keys for a new installation."""
    return Keys(id_key=_random(ID_KEY_BYTES), sealing_keys=(_new_sealing_key(),))


def _new_sealing_key() -> SealingKey:
    return SealingKey(id=secrets.token_hex(4), key=_random(SEALING_KEY_BYTES))


class KeyRing:
    """Seals and opens. A file that was replaced meanwhile is read again: rotation needs no restart."""

    def __init__(self, keys: Keys, *, path: Path | None = None) -> None:
        self._path = path
        self._stamp = _read_stamp(path) if path is not None else None
        self._load(keys)

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Keys given as JSON; KeysError if they are not."""
        return cls(_parse(text.encode()))

    @classmethod
    def from_file(cls, path: Path, *, create: bool = False) -> KeyRing:
        """Keys kept in a file of mode 0600; made if missing and `create`. KeysError says what is wrong."""
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, generate_keys())
        try:
            return cls(_parse(path.read_bytes()), path=path)
        except OSError as error:
            raise KeysError(
                f"the key file {path} cannot be read ({error.strerror}); bring it here from the first server, "
                "or make one for a new installation: kloudless keys create"
            ) from error

    def _load(self, keys: Keys) -> None:
        try:
            id_key = base64.b64decode(keys.id_key, validate=True)
            sealing_keys = {key.id: base64.b64decode(key.key, validate=True) for key in keys.sealing_keys}
        except ValueError as error:
            raise KeysError("a key is not base64") from error
        sizes_bytes = {len(key) for key in sealing_keys.values()}
        if len(id_key) != ID_KEY_BYTES or sizes_bytes != {SEALING_KEY_BYTES}:
            raise KeysError("the keys need an id_key of 512 bits and one or more sealing keys of 256 bits")
        self.keys, self.id_key = keys, id_key
        self._ciphers = {key_id: AESGCM(key) for key_id, key in sealing_keys.items()}

    def _follow_file(self) -> None:
        """Takes over the keys of a file that another process has replaced."""
        if self._path is None:
            return
        try:
            stamp = _read_stamp(self._path)
            if stamp != self._stamp:
                self._load(_parse(self._path.read_bytes()))
                self._stamp = stamp
        except OSError as error:
            raise KeysError(f"the key file {self._path} cannot be read ({error.strerror})") from error

    def seal(self, plain: bytes, *, purpose: str) -> str:
        """Encrypts; `purpose` names row and column, and only the same purpose opens it again."""
        self._follow_file()  # a key that was forgotten meanwhile must seal nothing more
        key_id = self.keys.sealing_keys[0].id
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[key_id].encrypt(nonce, plain, purpose.encode())
        return f"{SEAL_VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, purpose: str) -> bytes:
        """Decrypts; KeysError when the key is gone or the text was tampered with."""
        version, _, rest = sealed.partition(".")
        key_id, _, data = rest.partition(".")
        if version != SEAL_VERSION:
            raise KeysError("a stored secret has an unknown format")
        if key_id not in self._ciphers:
            self._follow_file()
        if key_id not in self._ciphers:
            raise KeysError(
                f"the sealing key {key_id} is missing; bring back the key file that belongs to this database"
            )
        try:
            raw = base64.urlsafe_b64decode(data)
            return self._ciphers[key_id].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise KeysError("a stored secret does not open; it was altered or belongs to another row") from error

    def is_current(self, sealed: str) -> bool:
        """True if the newest key sealed this."""
        return get_key_id(sealed) == self.keys.sealing_keys[0].id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of the sealing keys, newest first. No secret."""
        return tuple(key.id for key in self.keys.sealing_keys)

    @property
    def id_key_check(self) -> str:
        """Tells one id key from another without telling the key. No secret."""
        return hmac.digest(self.id_key, CHECK_LABEL, "sha256")[:CHECK_BYTES].hex()

    def to_text(self) -> str:
        """The keys as JSON on one line, as `from_text` takes them. Secret."""
        return msgspec.json.encode(self.keys).decode()

    def rotated(self) -> KeyRing:
        """A ring with a new first sealing key and the same id key; kept in the same file, if there is one."""
        keys = Keys(self.keys.id_key, (_new_sealing_key(), *self.keys.sealing_keys))
        return self._replaced(keys)

    def pruned(self) -> KeyRing:
        """A ring with only the newest sealing key, for after everything was sealed anew."""
        return self._replaced(Keys(self.keys.id_key, self.keys.sealing_keys[:1]))

    def _replaced(self, keys: Keys) -> KeyRing:
        if self._path is not None:
            _write(self._path, keys)
        return KeyRing(keys, path=self._path)


def get_key_id(sealed: str) -> str:
    """Which key sealed this."""
    return sealed.split(".", 2)[1]


def _parse(data: bytes) -> Keys:
    try:
        return msgspec.json.decode(data, type=Keys)
    except msgspec.DecodeError as error:
        raise KeysError(f"the keys are not in the expected form: {error}") from error


def _read_stamp(path: Path) -> tuple[int, int]:
    """Tells one version of the file from the next."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _write(path: Path, keys: Keys) -> None:
    """Replaces the file at once, so that a crash leaves the old keys or the new."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
