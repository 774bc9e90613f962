"""Secrets at rest: sealed for one purpose, opened after rotation, never with the wrong key."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from app.core.keys import KeyRing, KeysError, generate_keys
from app.core.state import State
from app.models import Account, ApiKey, IdempotentRequest, Link, ServiceKey, UploadSession
from app.resealing import RESEALERS, reseal_all
from tests.servers.api import Api, Caller


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inner" / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing.from_file(path, create=True)


@pytest.mark.parametrize("plain", [b"", b"secret", bytes(range(256)) * 100])
def test_sealed_secret_opens_for_its_purpose_only(ring: KeyRing, plain: bytes) -> None:
    sealed = ring.seal(plain, purpose="here")
    assert ring.open(sealed, purpose="here") == plain
    assert not plain or plain.hex() not in sealed.encode().hex()
    with pytest.raises(KeysError, match="does not open"):
        ring.open(sealed, purpose="there")


def test_same_secret_looks_different_each_time(ring: KeyRing) -> None:
    assert ring.seal(b"secret", purpose="here") != ring.seal(b"secret", purpose="here")


def test_secret_does_not_open_when_any_letter_was_changed(ring: KeyRing) -> None:
    sealed = ring.seal(b"a secret", purpose="here")
    for place in range(len(sealed)):
        letter = "A" if sealed[place] != "A" else "B"
        with pytest.raises(KeysError):
            ring.open(sealed[:place] + letter + sealed[place + 1 :], purpose="here")


@pytest.mark.parametrize("cut", [0, 1, 2, 12, 13, 20])
def test_secret_does_not_open_when_it_was_cut(ring: KeyRing, cut: int) -> None:
    with pytest.raises(KeysError):
        ring.open(ring.seal(b"a secret", purpose="here")[:cut], purpose="here")


def test_old_secrets_open_and_new_ones_use_the_new_key_when_keys_are_rotated(ring: KeyRing) -> None:
    old = ring.seal(b"old", purpose="here")
    rotated = ring.rotated()
    assert rotated.open(old, purpose="here") == b"old"
    assert (rotated.is_current(old), rotated.is_current(rotated.seal(b"new", purpose="here"))) == (False, True)
    assert rotated.id_key == ring.id_key


def test_old_secrets_are_lost_when_old_keys_are_forgotten(ring: KeyRing, path: Path) -> None:
    old = ring.seal(b"old", purpose="here")
    new = ring.rotated().seal(b"new", purpose="here")
    pruned = KeyRing.from_file(path).pruned()
    assert pruned.open(new, purpose="here") == b"new"
    assert len(json.loads(path.read_text())["sealing_keys"]) == 1
    with pytest.raises(KeysError, match="is missing; bring back the key file"):
        pruned.open(old, purpose="here")


def test_other_process_follows_when_the_file_is_rotated(ring: KeyRing, path: Path) -> None:
    new = KeyRing.from_file(path).rotated().seal(b"new", purpose="here")
    assert ring.open(new, purpose="here") == b"new"


def test_other_process_seals_with_no_forgotten_key(ring: KeyRing, path: Path) -> None:
    KeyRing.from_file(path).rotated().pruned()
    sealed = ring.seal(b"sealed after the old key was forgotten", purpose="here")
    assert KeyRing.from_file(path).open(sealed, purpose="here") == b"sealed after the old key was forgotten"


@pytest.mark.parametrize("content", [None, b"", b"half a fi"])
def test_known_secrets_still_open_when_the_file_is_damaged(ring: KeyRing, path: Path, content: bytes | None) -> None:
    sealed = ring.seal(b"secret", purpose="here")
    foreign = KeyRing(generate_keys()).seal(b"foreign", purpose="here")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeysError):
        ring.open(foreign, purpose="here")
    with pytest.raises(KeysError):
        ring.seal(b"secret", purpose="here")
    assert ring.open(sealed, purpose="here") == b"secret"


def test_file_is_private_and_kept_when_it_exists(ring: KeyRing, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.from_file(path, create=True).keys == ring.keys
    ring.rotated()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_keys_are_carried_as_text(ring: KeyRing) -> None:
    sealed = ring.seal(b"secret", purpose="here")
    carried = KeyRing.from_text(ring.to_text())
    assert carried.open(sealed, purpose="here") == b"secret"
    assert carried.rotated().pruned().id_key == ring.id_key


def test_missing_file_is_named_with_what_to_do(path: Path) -> None:
    with pytest.raises(KeysError, match="keys create"):
        KeyRing.from_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"id_key": 7, "sealing_keys": []}',
        '{"id_key": "AAAA", "sealing_keys": [{"id": "a", "key": "AAAA"}]}',
        '{"id_key": "%s", "sealing_keys": []}' % ("A" * 86 + "=="),
        '{"id_key": "%s", "sealing_keys": [{"id": "a", "key": "AAAA"}]}' % ("A" * 86 + "=="),
        '{"id_key": "%s", "sealing_keys": [{"id": "a", "key": "no base64"}]}' % ("A" * 86 + "=="),
    ],
)
def test_keys_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(KeysError) as caught:
        KeyRing.from_text(text)
    assert "AAAA" not in str(caught.value)


async def _rotate(state: State, *, forgetting: bool) -> int:
    """As another process would: with a ring of its own on the same file."""
    ring = KeyRing.from_file(state.settings.keys_path).rotated()
    other = State(**{name: getattr(state, name) for name in State.__slots__} | {"keys": ring})
    count = await reseal_all(other)
    if forgetting:
        ring.pruned()
    return count


@pytest.mark.parametrize("forgetting", [False, True])
def test_ids_survive_and_the_running_server_goes_on_when_another_process_rotates(
    api: Api, caller: Caller, *, forgetting: bool
) -> None:
    url = f"{caller.storage_url}/multipart"
    with caller.client() as client, caller.client(caller.developer_header) as developer:
        (caller.folder / "a.txt").write_text("content")
        before = client.get(f"{caller.storage_url}/folders/root/contents").json()
        upload = client.post(url, json={"name": "b.bin", "parent_id": "root"}).json()
        key = {"Idempotency-Key": "before"}
        token = client.post(f"{caller.account_url}/tokens", headers=key).json()
        oauth_client = {"service": "local", "client_id": "me", "client_secret": "a secret of sixteen 1234"}
        developer.post(f"/v1/meta/applications/{caller.application_id}/service_keys", json=oauth_client)
        link = client.post(f"{caller.storage_url}/links", json={"file_id": before["objects"][0]["id"]}).json()
        assert api.run(_rotate(api.state, forgetting=forgetting)) >= 6
        api.state.cache.clear()
        made = developer.post(f"/v1/meta/applications/{caller.application_id}/apikeys").json()["key"]
        assert client.get(f"{caller.storage_url}/folders/root/contents").json() == before
        assert client.get(before["objects"][0]["href"] + "/contents").content == b"content"
        assert client.get(link["href"]).json() == link
        assert client.get(f"{link['url']}/download").content == b"content"
        assert client.put(f"{url}/{upload['id']}", params={"part_number": 1}, content=b"part").status_code == 200
        assert client.post(f"{url}/{upload['id']}/complete").status_code == 201
        assert client.post(f"{caller.account_url}/tokens", headers=key).json() == token
        listed = developer.get(f"/v1/meta/applications/{caller.application_id}/service_keys").json()["objects"]
        assert [entry["client_secret"] for entry in listed] == ["********1234"]
        listed = developer.get(f"/v1/meta/applications/{caller.application_id}/apikeys").json()["objects"]
        assert [entry["key"] for entry in listed] == [caller.api_key, made]

    async def read() -> set[str]:
        async with api.state.db.reading() as session:
            sealed = [
                *(
                    await session.scalars(
                        select(Account.sealed_credentials).where(Account.sealed_credentials.is_not(None))
                    )
                ),
                *(await session.scalars(select(ApiKey.sealed_key))),
                *(await session.scalars(select(UploadSession.sealed_state))),
                *(await session.scalars(select(ServiceKey.sealed_secret))),
                *(
                    await session.scalars(
                        select(IdempotentRequest.sealed_reply).where(IdempotentRequest.sealed_reply.is_not(None))
                    )
                ),
                *(await session.scalars(select(Link.sealed_token))),
            ]
        return {str(text).split(".")[1] for text in sealed}

    assert api.run(read()) == {KeyRing.from_file(api.settings.keys_path).keys.sealing_keys[0].id}
    assert api.run(_rotate(api.state, forgetting=False)) > 0


def test_nothing_is_sealed_anew_when_all_is_current(api: Api, caller: Caller) -> None:
    async def reseal() -> int:
        ring = KeyRing.from_file(api.state.settings.keys_path)
        other = State(**{name: getattr(api.state, name) for name in State.__slots__} | {"keys": ring})
        return sum([await reseal(other, batch_count=1) for reseal in RESEALERS])

    api.run(reseal())
    assert api.run(reseal()) == 0


def test_request_fails_plainly_when_the_key_of_a_secret_is_gone(api: Api, caller: Caller) -> None:
    async def swap(sealed: str | None) -> str | None:
        async with api.state.db.writing() as session:
            account = await session.get_one(Account, caller.account_id)
            old, account.sealed_credentials = account.sealed_credentials, sealed
            session.note_change(f"account:{account.id}")
            return old

    sealed = api.run(swap("1.00000000.AAAA"))
    with caller.client() as client:
        answer = client.get(f"{caller.storage_url}/folders/root")
        assert (answer.status_code, answer.json()["error_code"]) == (500, "internal_error")
        assert "key" not in answer.json()["message"]
        api.run(swap(sealed))
        assert client.get(f"{caller.storage_url}/folders/root").status_code == 200
