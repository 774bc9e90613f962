"""Writing on servers whose ways make it hard: nothing half-written is seen, nothing is lost by trying again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.retry import RetryPolicy
from connectors.core.resources import OnConflict, RawId
from connectors.webdav.traits import Traits
from tests.connectors.behavior.space import FailingSource, refused, stream
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import Fake
from tests.connectors.webdav.servers import APACHE, RCLONE, WSGIDAV
from tests.servers.scripted import Cut, Reply, Seen

ROOT = RawId("/")
HIDING = msgspec.structs.replace(WSGIDAV, keeps_properties=False)
UNKNOWN = Traits()
ALL = pytest.mark.parametrize(
    "traits", [APACHE, HIDING, RCLONE, UNKNOWN], ids=["apache", "wsgidav", "rclone", "unknown"]
)


async def put(connector: Connector, data: bytes = b"new", policy: OnConflict = OnConflict.REPLACE) -> Any:
    return await connector.upload(ROOT, "a.txt", BytesSource(data), on_conflict=policy)


@ALL
@pytest.mark.parametrize("policy", list(OnConflict))
async def test_file_is_stored_when_its_name_is_free(
    open_fake: Open, fake: Fake, traits: Traits, policy: OnConflict
) -> None:
    file = await put(open_fake(traits), policy=policy)
    assert (fake.files, file.name, file.is_replacement) == ({"a.txt": b"new"}, "a.txt", False)


@pytest.mark.parametrize("traits", [HIDING, RCLONE, UNKNOWN], ids=["wsgidav", "rclone", "unknown"])
@pytest.mark.parametrize("policy", list(OnConflict))
async def test_file_has_a_hidden_name_until_it_is_whole(
    open_fake: Open, fake: Fake, traits: Traits, policy: OnConflict
) -> None:
    seen_names: list[str] = []
    fake.answers["MOVE"] = [lambda _: seen_names.extend(fake.files)]
    await put(open_fake(traits), policy=policy)
    (hidden,) = seen_names
    assert hidden.startswith(".kloudless-")
    assert set(fake.files) == {"a.txt"}


@ALL
async def test_file_is_replaced_when_the_server_says_201_to_that(open_fake: Open, fake: Fake, traits: Traits) -> None:
    fake.files["a.txt"] = b"old"
    file = await put(open_fake(traits))
    assert (fake.files, file.is_replacement) == ({"a.txt": b"new"}, True)


@ALL
async def test_existing_file_stays_when_the_server_ignores_conditions(
    open_fake: Open, fake: Fake, traits: Traits
) -> None:
    fake.honours_if_none_match, fake.honours_overwrite = traits.refuses_put_over, traits.refuses_move_over
    fake.files["a.txt"] = b"old"
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await put(open_fake(traits), policy=OnConflict.FAIL)
    assert caught.value.conflict is not None
    renamed = await put(open_fake(traits), policy=OnConflict.RENAME)
    assert fake.files == {"a.txt": b"old", renamed.name: b"new"}


async def test_no_folder_is_made_when_the_server_would_make_one(open_fake: Open, fake: Fake) -> None:
    fake.makes_parents = True
    connector = open_fake(UNKNOWN)
    for call in (
        connector.upload(RawId("/none"), "a.txt", BytesSource(b"x"), on_conflict=OnConflict.FAIL),
        connector.upload(RawId("/none"), "a.txt", BytesSource(b"x"), on_conflict=OnConflict.REPLACE),
        connector.create_folder(RawId("/none"), "b"),
    ):
        with refused(ErrorKind.NOT_FOUND):
            await call
    assert fake.folders == {""}


@ALL
@pytest.mark.parametrize("policy", list(OnConflict))
async def test_nothing_is_left_when_the_source_fails(
    open_fake: Open, fake: Fake, traits: Traits, policy: OnConflict
) -> None:
    with refused(ErrorKind.SOURCE_FAILED):
        source = FailingSource([b"x" * 300_000], size_bytes=None, fails=True)
        traits = msgspec.structs.replace(traits, takes_unknown_size=True)
        await open_fake(traits).upload(ROOT, "a.txt", source, on_conflict=policy)
    assert fake.files == {}


@pytest.mark.parametrize("status", [403, 423, 507, 500])
async def test_nothing_is_left_and_the_old_stays_when_the_place_is_refused(
    open_fake: Open, fake: Fake, status: int
) -> None:
    fake.files["a.txt"] = b"old"
    fake.answers["MOVE"] = [Reply(status)] * 10
    kinds = {
        403: ErrorKind.PERMISSION_DENIED,
        423: ErrorKind.PERMISSION_DENIED,
        500: ErrorKind.UNAVAILABLE,
        507: ErrorKind.QUOTA_EXCEEDED,
    }
    with refused(kinds[status]) as caught:
        await put(open_fake(HIDING))
    assert ("locked" in caught.value.message) == (status == 423)
    assert fake.files == {"a.txt": b"old"}


class TestDoubt:
    @pytest.mark.parametrize("answer", [Cut(), Reply(500), Reply(504)])
    async def test_move_over_something_is_never_repeated(
        self, open_fake: Open, fake: Fake, answer: Reply | Cut
    ) -> None:
        """Some servers delete the target before they find that there is nothing to move to it."""
        fake.files["a.txt"] = b"old"

        def move_and_fail(seen: Seen) -> Reply | Cut:
            fake._answer(seen)
            return answer

        fake.answers["MOVE"] = [move_and_fail]
        file = await put(open_fake(HIDING))
        assert (fake.files, file.is_replacement, fake.count("MOVE")) == ({"a.txt": b"new"}, True, 1)

    @pytest.mark.parametrize("answer", [Cut(), Reply(500)])
    async def test_old_file_stays_when_the_move_over_it_did_not_happen(
        self, open_fake: Open, fake: Fake, answer: Reply | Cut
    ) -> None:
        fake.files["a.txt"] = b"old"
        fake.answers["MOVE"] = [answer]
        with refused(ErrorKind.UNAVAILABLE):
            await put(open_fake(HIDING))
        assert (fake.files, fake.count("MOVE")) == ({"a.txt": b"old"}, 1)

    @pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.RENAME])
    async def test_move_to_a_free_name_is_done_when_its_repeat_finds_nothing_to_move(
        self, open_fake: Open, fake: Fake, policy: OnConflict
    ) -> None:
        def move_and_fail(seen: Seen) -> Reply:
            fake._answer(seen)
            return Reply(500)

        fake.answers["MOVE"] = [move_and_fail, Reply(403)]
        file = await put(open_fake(HIDING), policy=policy)
        assert (file.name, fake.files, fake.count("MOVE")) == ("a.txt", {"a.txt": b"new"}, 2)

    async def test_new_file_is_not_sent_again_when_it_may_have_been_stored(self, open_fake: Open, fake: Fake) -> None:
        fake.answers["PUT"] = [Cut()]
        with refused(ErrorKind.UNAVAILABLE) as caught:
            await put(open_fake(APACHE), policy=OnConflict.FAIL)
        assert (caught.value.maybe_applied, fake.count("PUT")) == (True, 1)

    async def test_folder_is_there_when_making_it_had_worked_without_an_answer(
        self, open_fake: Open, fake: Fake
    ) -> None:
        def make_and_cut(seen: Seen) -> Cut:
            fake._answer(seen)
            return Cut()

        fake.answers["MKCOL"] = [make_and_cut]
        folder = await open_fake(APACHE).create_folder(ROOT, "a")
        assert (folder.name, fake.folders, fake.count("MKCOL")) == ("a", {"", "a"}, 2)

    async def test_rename_is_done_when_its_repeat_finds_nothing_to_rename(self, open_fake: Open, fake: Fake) -> None:
        fake.files["a.txt"] = b"x"

        def move_and_cut(seen: Seen) -> Cut:
            fake._answer(seen)
            return Cut()

        fake.answers["MOVE"] = [move_and_cut]
        connector = open_fake(APACHE)
        renamed = await connector.update((await connector.get_by_path("/a.txt")).ref, name="b.txt")
        assert (renamed.name, fake.files) == ("b.txt", {"b.txt": b"x"})

    async def test_rename_is_in_doubt_when_nobody_can_look_whether_it_was_done(
        self, open_fake: Open, fake: Fake
    ) -> None:
        fake.files["a.txt"] = b"x"

        def move_and_fail(seen: Seen) -> Reply:
            fake._answer(seen)
            fake.answers["PROPFIND"] = [Reply(500)] * RetryPolicy().attempts_max
            return Reply(500)

        fake.answers["MOVE"] = [move_and_fail, Reply(403)]
        connector = open_fake(APACHE)
        file = await connector.get_by_path("/a.txt")
        with refused(ErrorKind.UNAVAILABLE) as caught:
            await connector.update(file.ref, name="b.txt")
        assert (caught.value.maybe_applied, fake.files) == (True, {"b.txt": b"x"})

    @pytest.mark.parametrize("policy", list(OnConflict))
    async def test_unavailable_when_the_server_lost_what_it_was_given(
        self, open_fake: Open, fake: Fake, policy: OnConflict
    ) -> None:
        """A server may remove a file when it notices late that an earlier attempt to write it was broken off."""

        def lose(_: Seen) -> None:
            fake.files.clear()

        fake.answers["MOVE"] = [lose]
        with refused(ErrorKind.UNAVAILABLE):
            await put(open_fake(HIDING), policy=policy)
        assert fake.files == {}


class TestLockedByARequest:
    async def test_name_is_tried_again_when_another_request_has_it_for_a_moment(
        self, open_fake: Open, fake: Fake
    ) -> None:
        fake.answers["MOVE"] = [Reply(423), Reply(423)]
        await put(open_fake(RCLONE))
        assert (fake.files, fake.count("MOVE")) == ({"a.txt": b"new"}, 3)

    async def test_permission_denied_when_it_stays_locked(self, open_fake: Open, fake: Fake) -> None:
        fake.answers["MOVE"] = [Reply(423)] * 20
        with refused(ErrorKind.PERMISSION_DENIED) as caught:
            await put(open_fake(RCLONE))
        assert "locked" in caught.value.message
        assert not caught.value.is_temporary
        assert fake.files == {}


async def test_target_is_named_as_it_would_be_asked_for(connector: Connector, fake: Fake) -> None:
    fake.files["a.txt"] = b"x"
    await connector.update((await connector.get_by_path("/a.txt")).ref, name="ü 1+2;3 %41.txt")
    (moved,) = [seen for seen in fake.seen if seen.method == "MOVE"]
    target = moved.headers["destination"]
    assert target.startswith(f"http://{moved.headers['host']}/dav/")
    assert target.endswith("/%C3%BC%201%2B2%3B3%20%2541.txt")
    assert any(seen.target == target.partition(moved.headers["host"])[2] for seen in fake.seen)


async def test_words_say_what_to_do_when_a_proxy_hides_the_servers_own_name(connector: Connector, fake: Fake) -> None:
    fake.files["a.txt"] = b"x"
    fake.answers["MOVE"] = [Reply(502)]
    with pytest.raises(ConnectorError) as caught:
        await connector.update((await connector.get_by_path("/a.txt")).ref, name="b.txt")
    assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert "Destination" in caught.value.message


class TestPartialFailure:
    BODY = (
        b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/dav/a/in%20use.txt</D:href>'
        b"<D:status>HTTP/1.1 423 Locked</D:status></D:response><D:response><D:href>/dav/a/</D:href>"
        b"<D:status>HTTP/1.1 424 Failed Dependency</D:status></D:response></D:multistatus>"
    )

    @pytest.mark.parametrize("status", [207, 424])
    async def test_error_names_the_first_that_failed_when_a_folder_was_deleted_in_part(
        self, connector: Connector, fake: Fake, status: int
    ) -> None:
        fake.folders.add("a")
        fake.answers["DELETE"] = [Reply(status, self.BODY)]
        with refused(ErrorKind.PERMISSION_DENIED) as caught:
            await connector.delete((await connector.get_by_path("/a")).ref, is_recursive=True)
        assert "/dav/a/in use.txt" in caught.value.message
        assert "locked" in caught.value.message

    async def test_copy_is_unseen_and_removed_when_it_was_made_in_part(self, connector: Connector, fake: Fake) -> None:
        fake.folders.add("a")
        fake.files["a/1"] = b"x"

        def copy_in_part(seen: Seen) -> Reply:
            fake._answer(seen)
            return Reply(207, self.BODY)

        fake.answers["COPY"] = [copy_in_part]
        with refused(ErrorKind.PERMISSION_DENIED):
            await connector.copy((await connector.get_by_path("/a")).ref, parent=ROOT, name="b")
        assert (fake.folders, set(fake.files)) == ({"", "a"}, {"a/1"})

    async def test_folder_not_empty_when_others_put_something_in_while_it_was_deleted(
        self, connector: Connector, fake: Fake
    ) -> None:
        fake.folders.add("a")
        body = self.BODY.replace(b"in%20use.txt", b"").replace(b"423 Locked", b"403 Forbidden")
        fake.answers["DELETE"] = [Reply(207, body)]
        with refused(ErrorKind.FOLDER_NOT_EMPTY):
            await connector.delete((await connector.get_by_path("/a")).ref, is_recursive=True)

    async def test_deleting_succeeds_when_the_multistatus_tells_of_no_failure(
        self, connector: Connector, fake: Fake
    ) -> None:
        fake.folders.add("a")
        body = self.BODY.replace(b"423 Locked", b"200 OK").replace(b"424 Failed Dependency", b"204 No Content")
        fake.answers["DELETE"] = [Reply(207, body)]
        await connector.delete((await connector.get_by_path("/a")).ref, is_recursive=True)


async def test_free_name_is_found_at_once_when_many_are_taken(connector: Connector, fake: Fake) -> None:
    fake.files |= {"a.txt": b"x"} | {f"a ({number}).txt": b"x" for number in range(1, 500)}
    file = await put(connector, policy=OnConflict.RENAME)
    assert file.name == "a (500).txt"
    assert fake.count("MOVE") == 2


@pytest.mark.parametrize("name", ["a;b", "a?b", "a\tb", "a\rb", "a\nb"])
async def test_name_is_refused_when_the_server_would_store_another(open_fake: Open, fake: Fake, name: str) -> None:
    connector = open_fake(HIDING)
    with refused(ErrorKind.INVALID_NAME) as caught:
        await connector.upload(ROOT, name, BytesSource(b"x"), on_conflict=OnConflict.FAIL)
    assert repr(name[1]) in caught.value.message
    assert fake.seen == []


async def test_invalid_name_when_the_path_is_too_long_for_the_server(connector: Connector, fake: Fake) -> None:
    fake.answers["PUT"] = [Reply(414)]
    with refused(ErrorKind.INVALID_NAME):
        await put(connector, policy=OnConflict.FAIL)


@pytest.mark.parametrize("name", [".kloudless-x", ".KLOUDLESS-x"])
async def test_reserved_names_are_refused(connector: Connector, fake: Fake, name: str) -> None:
    with refused(ErrorKind.INVALID_NAME):
        await connector.upload(ROOT, name, BytesSource(b"x"), on_conflict=OnConflict.FAIL)
    with refused(ErrorKind.INVALID_NAME):
        await connector.create_folder(ROOT, name)
    assert fake.writes_count == 0


async def test_upload_of_unknown_size_is_refused_before_it_begins_when_the_server_takes_none(
    open_fake: Open, fake: Fake
) -> None:
    connector = open_fake(msgspec.structs.replace(APACHE, takes_unknown_size=False))
    with refused(ErrorKind.UNSUPPORTED):
        source = StreamSource(stream([b"x"]), size_bytes=None)
        await connector.upload(ROOT, "a.txt", source, on_conflict=OnConflict.FAIL)
    assert fake.seen == []


@pytest.mark.parametrize("traits", [APACHE, HIDING], ids=["apache", "wsgidav"])
@pytest.mark.parametrize("policy", list(OnConflict))
async def test_type_is_that_of_the_name_to_come(
    open_fake: Open, fake: Fake, traits: Traits, policy: OnConflict
) -> None:
    await put(open_fake(traits), policy=policy)
    assert [seen.headers["content-type"] for seen in fake.seen if seen.method == "PUT"] == ["text/plain"]


async def test_file_that_went_is_not_made_anew_when_its_bytes_are_replaced(connector: Connector, fake: Fake) -> None:
    fake.files["a.txt"] = b"old"

    def lose(_: Seen) -> Reply:
        del fake.files["a.txt"]
        return Reply(412)

    fake.answers["PUT"] = [lose]
    with refused(ErrorKind.NOT_FOUND):
        await connector.replace(RawId("/a.txt"), BytesSource(b"new"))
    (put_over,) = [seen for seen in fake.seen if seen.method == "PUT"]
    assert put_over.headers["if-match"] == "*"
    assert fake.files == {}


async def test_unavailable_when_what_has_the_name_keeps_changing(open_fake: Open, fake: Fake) -> None:
    fake.answers["MOVE"] = [Reply(412)] * 10
    with refused(ErrorKind.UNAVAILABLE):
        await put(open_fake(HIDING))
    assert fake.count("MOVE") == 3
    assert fake.files == {}


async def test_body_never_says_that_it_is_a_part(open_fake: Open, fake: Fake) -> None:
    for traits in (APACHE, HIDING, RCLONE):
        await put(open_fake(traits), b"x" * 300_000)
    assert not any("content-range" in seen.headers for seen in fake.seen)
