from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.properties.schemas import PROPERTIES_MAX, VALUE_CHARACTERS_MAX
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, read_json
from tests.app.sharing import SharingDrive
from tests.servers.api import Caller


@dataclass(frozen=True)
class Described:
    """A file, and requests for its properties."""

    drive: SharingDrive
    file: dict[str, Any]

    @property
    def url(self) -> str:
        return f"{self.file['href']}/properties"

    def ask(self, method: str, body: object = None) -> httpx.Response:
        return self.drive.client.request(method, self.url, json=body)

    def read(self, method: str = "GET", body: object = None) -> dict[str, str]:
        """Keys and values of the answer, whose envelope is what the official clients need."""
        reply = read_json(self.ask(method, body))
        assert (reply["type"], reply["api"], reply["next_page"]) == ("object_list", "storage", None)
        assert reply["properties"] == reply["objects"]
        assert reply["count"] == len(reply["objects"])
        return {entry["key"]: entry["value"] for entry in reply["properties"]}


@pytest.fixture
def described(sharing: SharingDrive) -> Described:
    return Described(sharing, sharing.upload("a.txt", b"bytes"))


def test_file_has_no_properties_at_first(described: Described) -> None:
    assert described.read() == {}


def test_property_says_when_it_was_made_as_far_as_known(described: Described) -> None:
    (entry,) = read_json(described.ask("PATCH", [{"key": "a", "value": "1"}]))["properties"]
    assert entry == {"key": "a", "value": "1", "created": None, "modified": "2026-03-04T05:06:07.890000Z"}


def test_patch_sets_some_deletes_others_and_leaves_the_rest(described: Described) -> None:
    assert described.read("PATCH", [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]) == {"a": "1", "b": "2"}
    changed = described.read("PATCH", [{"key": "a", "value": None}, {"key": "c", "value": "é \N{SNOWMAN}"}])
    assert changed == described.read() == {"b": "2", "c": "é \N{SNOWMAN}"}
    assert described.read("PATCH", [{"key": "b", "value": ""}]) == {"b": "", "c": "é \N{SNOWMAN}"}
    assert described.read("PATCH", []) == described.read()


def test_deleting_what_is_not_there_is_no_error(described: Described) -> None:
    assert described.read("PATCH", [{"key": "a", "value": None}]) == {}


@pytest.mark.parametrize("name", ["properties", "objects"])
def test_reply_that_is_sent_back_changes_nothing(described: Described, name: str) -> None:
    described.read("PATCH", [{"key": "a", "value": "1"}])
    reply = read_json(described.ask("GET"))
    assert read_json(described.ask("PATCH", {name: reply[name], "type": "object_list"})) == reply


def test_delete_removes_all_and_can_be_repeated(described: Described) -> None:
    described.read("PATCH", [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    for _ in range(2):
        deleted = described.ask("DELETE")
        assert (deleted.status_code, deleted.content) == (204, b"")
    assert described.read() == {}


def test_bytes_and_id_of_the_file_stay(described: Described) -> None:
    described.read("PATCH", [{"key": "a", "value": "1"}])
    assert described.drive.read(described.file["id"]) == b"bytes"
    assert read_json(described.drive.client.get(described.file["href"])) == described.file


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"key": "a", "value": 1}], ["0.value", "string"]),
        ([{"key": "a", "value": True}], ["0.value", "string"]),
        ([{"key": "a", "value": {"b": "c"}}], ["0.value", "string"]),
        ([{"key": "a"}], ["0.value", "required"]),
        ([{"value": "1"}], ["0.key", "required"]),
        ([{"key": "", "value": "1"}], ["0.key"]),
        ([{"key": None, "value": "1"}], ["0.key"]),
        ([{"key": 7, "value": "1"}], ["0.key"]),
        ([{"key": "a\0b", "value": "1"}], ["0.key"]),
        ([{"key": "a", "value": "\0"}], ["0.value"]),
        ([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}, {"key": "a", "value": None}], ["'a'", "twice"]),
        (["a"], ["0"]),
        ({"a": "1"}, ["list"]),
        ("a", ["list"]),
        (None, ["required"]),
        ([{"key": "a", "value": "x" * (VALUE_CHARACTERS_MAX + 1)}], ["0.value", str(VALUE_CHARACTERS_MAX)]),
        ([{"key": str(n), "value": None} for n in range(PROPERTIES_MAX + 1)], [str(PROPERTIES_MAX)]),
        ([{"key": "k" * 21, "value": "1"}], ["kkk", "20"]),
        ([{"key": "a", "value": "v" * 51}], ["'a'", "50"]),
        ([{"key": str(n), "value": "1"} for n in range(4)], ["3 properties"]),
    ],
)
def test_change_that_makes_no_sense_is_400_that_says_why(described: Described, body: object, words: list[str]) -> None:
    refused = described.ask("PATCH", body)
    assert read_error(refused) == (400, "invalid_parameters")
    assert [word for word in words if word not in refused.json()["message"]] == []
    assert described.read() == {}


METHODS = ("GET", "PATCH", "DELETE")
CHANGE = [{"key": "a", "value": "1"}]


@pytest.mark.parametrize("method", METHODS)
def test_file_of_another_account_is_404(described: Described, method: str) -> None:
    described.read("PATCH", CHANGE)
    foreign = described.drive.caller.api.create_caller()
    with foreign.client() as stranger:
        for url in (described.url, f"{foreign.storage_url}/files/{described.file['id']}/properties"):
            assert read_error(stranger.request(method, url, json=CHANGE)) == (404, "not_found")
    assert described.read() == {"a": "1"}


@pytest.mark.parametrize("method", METHODS)
def test_file_that_is_gone_is_404_and_a_folder_400(described: Described, method: str) -> None:
    folder = described.drive.create_folder("folder")
    url = described.drive.url(f"files/{folder['id']}/properties")
    refused = described.drive.client.request(method, url, json=CHANGE)
    assert read_error(refused) == (400, "invalid_resource_type")
    assert described.drive.client.delete(described.file["href"]).status_code == 204
    assert read_error(described.ask(method, CHANGE)) == (404, "not_found")


@pytest.mark.parametrize("method", METHODS)
def test_properties_are_501_where_the_storage_has_none(caller: Caller, described: Described, method: str) -> None:
    drive = Drive(caller, described.drive.client)
    refused = drive.client.request(method, f"{drive.upload('a.txt')['href']}/properties", json=CHANGE)
    assert read_error(refused) == (501, "not_implemented")
    assert "properties" in refused.json()["message"]


def test_error_of_the_storage_reaches_the_client(described: Described) -> None:
    described.drive.store.faults["update_properties"] = [ConnectorError(ErrorKind.QUOTA_EXCEEDED, "full")]
    assert read_error(described.ask("PATCH", CHANGE)) == (507, "insufficient_storage")
