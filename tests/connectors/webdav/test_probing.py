"""What is found out about a server by trying, and that trying leaves nothing behind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.core.connector import Connector
from connectors.core.stack import Runtime
from connectors.webdav.probing import SIGNS
from connectors.webdav.traits import RISKY_CHARACTERS, Traits, choose_capabilities, describe_account, read_traits
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import Fake
from tests.connectors.webdav.servers import APACHE, RCLONE, WSGIDAV, get_credentials, open_account
from tests.servers.apache import SHARED_APACHE, SHARED_APACHE_DIGEST
from tests.servers.rclone import SHARED_RCLONE_WEBDAV
from tests.servers.scripted import Reply, Seen
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV


async def probe(connector: Connector) -> Traits:
    return msgspec.convert((await connector.probe()).learned, Traits)


@pytest.mark.parametrize(
    ("shared", "traits"),
    [
        (SHARED_APACHE, APACHE),
        (SHARED_APACHE_DIGEST, APACHE),
        (SHARED_WSGIDAV, WSGIDAV),
        (SHARED_RCLONE_WEBDAV, RCLONE),
    ],
    ids=["apache", "apache-digest", "wsgidav", "rclone"],
)
async def test_real_server_is_found_out_and_nothing_is_left(
    shared: Shared[WebDavServer], traits: Traits, runtime: Runtime
) -> None:
    server = shared.get()
    before = {path.name for path in server.root.iterdir()}
    assert await probe(open_account(get_credentials(server), runtime)) == traits
    assert {path.name for path in server.root.iterdir()} == before


@pytest.fixture
def unknown(open_fake: Open) -> Connector:
    """An account that was not tried before."""
    return open_fake(None)


async def test_good_server_is_found_out(unknown: Connector, fake: Fake) -> None:
    traits = await probe(unknown)
    assert traits == Traits(
        can_write=True,
        is_put_atomic=True,
        refuses_put_over=True,
        refuses_move_over=True,
        refuses_mkcol_over=True,
        refuses_missing_parent=True,
        copies_files=True,
        copies_folders=True,
        deletes_full_folders=True,
        takes_unknown_size=True,
        gives_ranges=True,
        has_exact_etags=True,
        characters_forbidden="",
    )
    assert (fake.files, fake.folders) == ({}, {""})


@pytest.mark.parametrize(
    ("way", "trait", "learned"),
    [
        ({"takes_chunked": False}, "takes_unknown_size", False),
        ({"gives_ranges": False}, "gives_ranges", False),
        ({"gives_etags": False}, "has_exact_etags", False),
        ({"honours_overwrite": False}, "refuses_move_over", False),
        ({"honours_if_none_match": False}, "refuses_put_over", False),
        ({"makes_parents": True}, "refuses_missing_parent", False),
        ({"deletes_full_folders": False}, "deletes_full_folders", False),
    ],
)
async def test_weakness_is_found_out(
    unknown: Connector, fake: Fake, way: dict[str, bool], trait: str, learned: object
) -> None:
    for name, value in way.items():
        setattr(fake, name, value)
    traits = await probe(unknown)
    assert getattr(traits, trait) == learned
    assert traits.can_write
    assert (fake.files, fake.folders) == ({}, {""})


async def test_etags_are_not_believed_when_two_writes_have_the_same(unknown: Connector, fake: Fake) -> None:
    fake._etag = lambda path: f'"{len(fake.files[path])}"'  # type: ignore[method-assign]  # a server that counts only
    assert not (await probe(unknown)).has_exact_etags


async def test_etags_are_believed_when_the_doubtful_ones_are_called_weak(unknown: Connector, fake: Fake) -> None:
    fake._etag = lambda path: f'W/"{len(fake.files[path])}"'  # type: ignore[method-assign]  # and says so
    assert (await probe(unknown)).has_exact_etags


async def test_characters_are_forbidden_when_they_get_lost(unknown: Connector, fake: Fake) -> None:
    original = fake._read_path

    def lose(target: str) -> str:
        return original(target).partition("?")[0].replace(":", "")

    fake._read_path = lose  # type: ignore[method-assign]  # as some servers read targets
    assert set((await probe(unknown)).characters_forbidden) == {"?", ":"}


async def test_all_control_characters_are_forbidden_when_one_is(unknown: Connector, fake: Fake) -> None:
    original = fake._move

    def refuse(path: str, seen: Seen) -> Reply:
        return Reply(400) if "%01" in seen.headers["destination"] else original(path, seen)

    fake._move = refuse  # type: ignore[method-assign]  # as servers on some systems do
    forbidden = set((await probe(unknown)).characters_forbidden)
    assert {"\x01", "\x02", "\x1f", "\x7f"} <= forbidden
    assert not forbidden & set(SIGNS.replace("\x01", ""))


async def test_ranges_are_found_out_by_any_file_when_nothing_can_be_written(unknown: Connector, fake: Fake) -> None:
    fake.is_writable = False
    fake.files |= {"a.bin": bytes(100)}
    assert await probe(unknown) == Traits(gives_ranges=True)
    assert fake.writes_count == 0


async def test_nothing_is_learned_and_nothing_fails_when_the_server_is_gone(unknown: Connector, fake: Fake) -> None:
    fake.answers = {method: [Reply(500)] * 1000 for method in ("PROPFIND", "MKCOL", "PUT", "GET", "DELETE", "MOVE")}
    assert await probe(unknown) == Traits()


@pytest.mark.parametrize("failing", ["PUT", "GET", "MOVE", "COPY", "PROPPATCH"])
async def test_rest_is_learned_when_some_trials_fail(unknown: Connector, fake: Fake, failing: str) -> None:
    fake.answers = {failing: [Reply(403)] * 1000}
    traits = await probe(unknown)
    assert traits.refuses_mkcol_over
    assert (fake.files, fake.folders) == ({}, {""})


@pytest.mark.parametrize("learned", [{}, {"is_put_atomic": "yes"}, {"unknown": 1}, {"live_properties": 5}])
def test_cautious_ways_are_taken_when_what_was_learned_cannot_be_read(learned: dict[str, Any]) -> None:
    assert read_traits(learned) == Traits()


def test_capabilities_follow_what_was_learned() -> None:
    cautious, apache, rclone = (choose_capabilities(traits) for traits in (Traits(), APACHE, RCLONE))
    assert not any(
        (
            cautious.copy,
            cautious.delete_recursive,
            cautious.get_quota,
            cautious.list_properties,
            cautious.download_range,
            cautious.download_if_match,
            cautious.upload_size_unknown,
            cautious.upload_exclusive,
            cautious.replace_atomic,
        )
    )
    assert (apache.list_properties, apache.upload_exclusive, apache.replace_atomic) == (True, False, True)
    assert (rclone.list_properties, rclone.upload_exclusive, rclone.replace_atomic) == (False, True, False)


def test_limits_follow_what_was_learned() -> None:
    assert set(RISKY_CHARACTERS) <= set(describe_account(Traits()).limits.name_characters_forbidden)
    assert describe_account(APACHE).limits.name_characters_forbidden == "/\0"
