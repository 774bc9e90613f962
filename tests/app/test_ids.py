"""Public ids and page tokens: the same wherever they appear, of no use in any other spelling, account or listing."""

from __future__ import annotations

import base64

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import ID_CHARACTERS_MAX, PAGE_CHARACTERS_MAX, IdCodec
from connectors.core.frames import CURSOR_CHARACTERS_MAX
from connectors.core.resources import Kind, RawId, Ref, VersionId
from tests.fuzzing import fuzz
from tests.servers.api import Api, Caller

CODEC = IdCodec(bytes(range(64)))
KINDS: list[Kind] = ["file", "folder"]
NAMES = st.text(st.characters(), min_size=1, max_size=300)


@fuzz(100)
@given(raw_id=NAMES, account_id=st.integers(0, 2**53 - 1), kind=st.sampled_from(KINDS))
def test_id_names_what_it_was_made_for(raw_id: str, account_id: int, kind: Kind) -> None:
    ref = Ref(kind, RawId(raw_id))
    public_id = CODEC.encode(account_id, ref)
    assert CODEC.decode(account_id, public_id) == ref
    assert CODEC.decode(account_id, public_id + "==") == ref
    assert CODEC.encode(account_id, ref) == public_id
    assert set(public_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert CODEC.decode(account_id + 1, public_id) is None
    assert IdCodec(bytes(64)).decode(account_id, public_id) is None


@fuzz(100)
@given(
    raw_ids=st.lists(st.text(st.characters(), min_size=0, max_size=90), max_size=40),
    key=st.binary(min_size=64, max_size=64),
    account_id=st.integers(0, 2**53 - 1),
)
def test_ids_of_a_page_are_those_that_are_made_one_by_one(raw_ids: list[str], key: bytes, account_id: int) -> None:
    codec = IdCodec(key)
    refs = [Ref(KINDS[number % 2], RawId(raw_id)) for number, raw_id in enumerate(raw_ids)]
    made = codec.encode_all(account_id, [(ref.kind, ref.raw_id) for ref in refs])
    assert made == [codec.encode(account_id, ref) for ref in refs]


@fuzz(100)
@given(cursor=NAMES, scope=NAMES, account_id=st.integers(1, 2**53 - 1))
def test_page_token_names_its_place_in_its_listing_only(cursor: str, scope: str, account_id: int) -> None:
    token = CODEC.encode_page(account_id, scope, cursor)
    assert CODEC.decode_page(account_id, scope, token) == cursor
    assert CODEC.decode_page(account_id + 1, scope, token) is None
    assert CODEC.decode_page(account_id, scope + "x", token) is None
    assert CODEC.decode(account_id, token) is None


def test_page_token_may_be_longer_than_an_id() -> None:
    cursor = "x" * (PAGE_CHARACTERS_MAX * 3 // 4 - 17)  # with the version and the seal
    longest, longer = CODEC.encode_page(1, "contents", cursor), CODEC.encode_page(1, "contents", cursor + "x")
    assert len(longest) == PAGE_CHARACTERS_MAX < len(longer)
    assert CODEC.decode_page(1, "contents", longest) == cursor
    assert CODEC.decode_page(1, "contents", longer) is None
    assert len(CODEC.encode_page(1, "recursive", "x" * CURSOR_CHARACTERS_MAX)) < PAGE_CHARACTERS_MAX
    assert CODEC.decode(1, CODEC.encode(1, Ref("file", RawId("x" * 8000)))) is None


@fuzz(100)
@given(file=NAMES, version=NAMES, account_id=st.integers(1, 2**53 - 1))
def test_version_id_names_a_version_of_its_file_only(file: str, version: str, account_id: int) -> None:
    public_id = CODEC.encode_version(account_id, RawId(file), VersionId(version))
    assert CODEC.decode_version(account_id, RawId(file), public_id) == version
    assert CODEC.decode_version(account_id, RawId(file), public_id + "=") == version
    assert CODEC.decode_version(account_id, RawId(file + "x"), public_id) is None
    assert CODEC.decode_version(account_id + 1, RawId(file), public_id) is None
    assert CODEC.decode(account_id, public_id) is None


@fuzz(100)
@given(text=st.text(max_size=100))
def test_nothing_is_named_by_a_text_that_was_made_up(text: str) -> None:
    assert CODEC.decode(1, text) is None
    assert CODEC.decode_page(1, "contents", text) is None
    assert CODEC.decode_version(1, RawId("1"), text) is None


@fuzz(100)
@given(size_bytes=st.integers(1, 60), place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_nothing_is_named_by_an_id_with_a_changed_byte(size_bytes: int, place: int, change: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(CODEC.encode(1, Ref("file", RawId("x" * size_bytes))) + "==="))
    data[place % len(data)] ^= change
    assert CODEC.decode(1, base64.urlsafe_b64encode(data).rstrip(b"=").decode()) is None


@pytest.fixture
def listed(caller: Caller, client: httpx.Client) -> dict[str, dict[str, str]]:
    """A file whose id's last character carries unused bits, and a folder; by type."""
    (caller.folder / "sub").mkdir()
    for length in range(3):
        (caller.folder / ("f" * (length + 1))).write_text("x")
    objects = client.get(f"{caller.storage_url}/folders/root/contents").json()["objects"]
    file = next(entry for entry in objects if entry["type"] == "file" and len(entry["id"]) % 4)
    return {"file": file, "folder": next(entry for entry in objects if entry["type"] == "folder")}


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize(
    "change",
    [
        "{start}{flipped}",
        "x{id}",
        "{id}AAAA",
        "{short}",
        " {id}",
        "{id}%0A",
        "{start}%2F{last}",
        "%00",
        "{id}%00",
        "=",
        "{long}",
        "../{id}",
        "{id}\u00fc",
        "0",
    ],
)
def test_nothing_is_found_when_an_id_is_not_exactly_as_it_was_given(
    caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]], kind: str, change: str
) -> None:
    public_id = listed[kind]["id"]
    changed = change.format(
        id=public_id,
        start=public_id[:-1],
        last=public_id[-1],
        flipped="A" if public_id[-1] != "A" else "Q",
        short=public_id[:-4],
        long="A" * (ID_CHARACTERS_MAX + 4),
    )
    answer = client.get(f"{caller.storage_url}/{kind}s/{changed}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


def test_other_spelling_of_the_same_bytes_is_not_found(
    caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]]
) -> None:
    public_id = listed["file"]["id"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spelled = public_id[:-1] + letters[letters.index(public_id[-1]) ^ 1]
    padding = "=" * (-len(public_id) % 4)
    assert base64.urlsafe_b64decode(spelled + padding) == base64.urlsafe_b64decode(public_id + padding)
    assert client.get(f"{caller.storage_url}/files/{spelled}").status_code == 404


@pytest.mark.parametrize("ending", ["=", "==", "%3D", "/"])
def test_file_is_found_when_its_id_is_padded_or_quoted(
    caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]], ending: str
) -> None:
    public_id = listed["file"]["id"]
    for spelled in (public_id + ending, "".join(f"%{ord(character):02x}" for character in public_id)):
        answer = client.get(f"{caller.storage_url}/files/{spelled}")
        assert (answer.status_code, answer.json()["id"]) == (200, public_id)


def test_id_of_the_other_kind_is_refused_with_its_own_code(
    caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]]
) -> None:
    for kind, other in (("file", "folder"), ("folder", "file")):
        answer = client.get(f"{caller.storage_url}/{kind}s/{listed[other]['id']}")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_resource_type")


def test_id_of_another_account_is_not_found(api: Api, caller: Caller, listed: dict[str, dict[str, str]]) -> None:
    other = api.create_caller()
    (other.folder / listed["file"]["name"]).write_text("y")
    with other.client() as client:
        answer = client.get(f"{other.storage_url}/files/{listed['file']['id']}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


@pytest.mark.parametrize("parent", ["junk", "", "%", "\0", "file", "foreign", "x" * (ID_CHARACTERS_MAX + 1)])
def test_parent_is_refused_when_it_is_no_folder_of_the_account(
    api: Api, caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]], parent: str
) -> None:
    foreign = api.state.ids.encode(caller.account_id + 1, Ref("folder", RawId("/sub")))
    parent_id = {"file": listed["file"]["id"], "foreign": foreign}.get(parent, parent)
    answer = client.post(f"{caller.storage_url}/folders", json={"name": "new", "parent_id": parent_id})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parent_folder")


def test_page_token_is_refused_in_another_folder_or_account(
    api: Api, caller: Caller, client: httpx.Client, listed: dict[str, dict[str, str]]
) -> None:
    url = f"{caller.storage_url}/folders/root/contents"
    token = client.get(url, params={"page_size": 1}).json()["next_page"]
    assert client.get(url, params={"page": token, "page_size": 1}).status_code == 200
    other = api.create_caller()
    tried = [
        (client, f"{caller.storage_url}/folders/{listed['folder']['id']}/contents", token),
        (client, url, token + "="),
        (client, url, token[:-1]),
        (client, url, "2"),
        (client, url, listed["file"]["id"]),
    ]
    with other.client() as stranger:
        tried.append((stranger, f"{other.storage_url}/folders/root/contents", token))
        for asker, place, page in tried:
            answer = asker.get(place, params={"page": page})
            assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
