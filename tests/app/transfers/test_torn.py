"""Sources that change, end early or fail while they are read."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId
from tests.app.drive import read_error, read_json
from tests.app.transfers.conftest import Account, OpenAccount
from tests.app.transfers.vault import PART_BYTES, Vault

OLD = random.Random(3).randbytes(4 * PART_BYTES + 17)
NEW = random.Random(4).randbytes(3 * PART_BYTES + 5)
SAME_SIZE = random.Random(5).randbytes(len(OLD))

ABLE = [{}, {"download_if_match": False}, {"download_range": False}, {"has_etags": False, "download_if_match": False}]


def change(vault: Vault, data: bytes) -> Callable[[], None]:
    def put() -> None:
        vault.put("big", data)

    return put


@pytest.mark.parametrize("able", ABLE)
@pytest.mark.parametrize("data", [NEW, SAME_SIZE])
@pytest.mark.parametrize("reads", [0, 1, 6, 14])
def test_one_version_arrives_whole_when_source_changes_meanwhile(
    open_account: OpenAccount, target: Account, able: dict[str, bool], data: bytes, reads: int
) -> None:
    source = open_account(**able)
    file = source.vault.put("big", OLD)
    source.vault.before["read"] = [*[lambda: None] * reads, change(source.vault, data)]
    read_json(source.copy(file, target), status=201)
    # Who is read in one stream gives the version that was there when it began: whole, too, if not the newest.
    assert target.vault.tree() in [{"big": data}, *([{"big": OLD}] if "download_range" in able else [])]
    assert target.vault.uploads == {}
    assert source.load()[0].outcomes == {"verified": 1}


def test_newest_version_arrives_when_source_changed_before_it_was_reached(source: Account, target: Account) -> None:
    file = source.vault.put("small", b"old")
    source.vault.before["open_download"] = [lambda: source.vault.put("small", b"newer")]
    read_json(source.copy(file, target), status=201)
    assert target.vault.tree() == {"small": b"newer"}


def test_file_fails_when_source_never_stays_the_same(source: Account, target: Account) -> None:
    file = source.vault.put("big", OLD)
    versions = [change(source.vault, OLD + bytes([number])) for number in range(100)]
    source.vault.before["read"] = [action for version in versions for action in (version, *[lambda: None] * 3)]
    reply = source.copy(file, target)
    assert read_error(reply) == (400, "request_failed")
    assert "did not stay the same" in reply.json()["message"]
    assert source.load_ended()[0].state == "failed"
    assert target.vault.tree() == {}
    assert target.vault.uploads == {}


@pytest.mark.parametrize("size_bytes", [len(OLD), 500])
@pytest.mark.parametrize("start_upload", [True, False])
def test_nothing_is_stored_when_source_ends_early(
    open_account: OpenAccount, source: Account, size_bytes: int, start_upload: bool
) -> None:
    target = open_account(start_upload=start_upload, list_uploads=start_upload)
    file = source.vault.put("big", OLD[:size_bytes])

    class Short(bytes):
        """Says one length and gives less."""

        def __len__(self) -> int:
            return size_bytes + 10

    source.vault.nodes[file].data = Short(OLD[:size_bytes])
    assert read_error(source.copy(file, target))[0] == 400
    assert source.load_ended()[0].state == "failed"
    assert target.vault.tree() == {}
    assert target.vault.uploads == {}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectorError(ErrorKind.PERMISSION_DENIED, "not for you"), (403, "permission_denied")),
        (ConnectorError(ErrorKind.NOT_FOUND, "it is gone"), (404, "not_found")),
        (ConnectorError(ErrorKind.GRANT_REVOKED, "reconnect it"), (401, "service_unauthorized")),
    ],
)
@pytest.mark.parametrize("data", [OLD, b"small"])
def test_error_is_the_sources_own_when_reading_it_fails(
    source: Account, target: Account, data: bytes, error: ConnectorError, expected: tuple[int, str]
) -> None:
    file = source.vault.put("big", data)
    source.vault.before["read"] = [error.restated()]
    reply = source.copy(file, target)
    assert read_error(reply) == expected
    assert error.message in reply.json()["message"]
    assert source.load_ended()[0].state == "failed"
    assert target.vault.tree() == {}
    assert target.vault.uploads == {}


def test_file_that_may_not_be_downloaded_fails_and_says_so(source: Account, target: Account) -> None:
    source.vault.put("top/a", b"x")
    source.vault.downloadable = False
    reply = source.copy(source.vault.put("top"), target)
    assert "top/a (its storage does not let it be downloaded)" in reply.json()["message"]


def test_file_that_is_gone_does_not_stop_the_others(source: Account, target: Account) -> None:
    gone, top = source.vault.put("top/gone", b"x"), source.vault.put("top")
    source.vault.put("top/stays", b"y")
    target.vault.before["create_folder"] = [lambda: source.vault.nodes.pop(gone)]
    reply = source.copy(top, target)
    assert read_error(reply) == (400, "request_failed")
    assert target.vault.tree() == {"top": None, "top/stays": b"y"}


def test_root_of_an_account_can_be_copied_but_not_moved(source: Account, target: Account) -> None:
    source.vault.put("a.txt", b"x")
    root = RawId("root")
    copied = source.drive.client.post(source.drive.url("folders/root/copy"), json={"account": target.id})
    assert read_json(copied, status=201)["name"] == "vault"
    assert target.vault.tree() == {"vault": None, "vault/a.txt": b"x"}
    moved = source.drive.client.patch(source.drive.url("folders/root"), json={"account": target.id})
    assert read_error(moved) == (403, "permission_denied")
    assert root in source.vault.nodes
