"""The official Python SDK lives an ordinary life with files on the simulator."""

from __future__ import annotations

import threading
from datetime import datetime

import dropbox
import pytest
from dropbox import files
from dropbox.exceptions import ApiError
from dropbox.file_transfer import (
    UPLOAD_CHUNK_SIZE,
    Bytes,
    BytesUpload,
    Downloader,
    DownloadOptions,
    Uploader,
    UploadOptions,
)

from tests.servers.dropbox import Place

BLOCK_BYTES = 4 * 1024 * 1024


def test_all_pages_are_listed_when_a_folder_has_more_than_two(sdk: dropbox.Dropbox) -> None:
    names = {f"note {number:03}.txt" for number in range(25)}
    for name in names:
        sdk.files_upload(name.encode(), f"/Notes/{name}")
    page = sdk.files_list_folder("/notes", limit=10)
    pages = [page]
    while page.has_more:
        page = sdk.files_list_folder_continue(page.cursor)
        pages.append(page)
    assert len(pages) == 3
    assert {entry.name for page in pages for entry in page.entries} == names


def test_uploaded_bytes_come_back_with_what_was_said_of_them(sdk: dropbox.Dropbox) -> None:
    modified_at = datetime(2020, 5, 4, 3, 2, 1)  # noqa: DTZ001 - the SDK's times have no zone
    written = sdk.files_upload(b"0123456789", "/A Ü.txt", client_modified=modified_at)
    metadata, reply = sdk.files_download("/a ü.TXT")
    assert reply.content == b"0123456789"
    assert metadata == written
    assert (written.path_lower, written.path_display) == ("/a ü.txt", "/A Ü.txt")
    assert written.client_modified == modified_at
    reply.close()


def test_bytes_are_the_same_when_the_sdk_moves_ranges_side_by_side(sdk: dropbox.Dropbox) -> None:
    data = bytes(range(256)) * (2 * UPLOAD_CHUNK_SIZE // 256) + b"end"
    source, target = BytesUpload(data), Bytes()
    Uploader(sdk).upload(source, files.CommitInfo("/ranges.bin"), UploadOptions(parallel_uploads=2))
    Downloader(sdk).download("/ranges.bin", target, DownloadOptions(parallel_downloads=2))
    assert target.bytes() == data


def test_a_large_file_is_stored_when_it_comes_in_pieces(sdk: dropbox.Dropbox) -> None:
    data = bytes(range(256)) * 4096
    start = sdk.files_upload_session_start(data[:400_000])
    cursor = files.UploadSessionCursor(start.session_id, 400_000)
    sdk.files_upload_session_append_v2(data[400_000:800_000], cursor)
    with pytest.raises(ApiError) as refused:
        sdk.files_upload_session_append_v2(data[400_000:800_000], cursor)
    assert refused.value.error.get_incorrect_offset().correct_offset == 800_000
    cursor.offset = 800_000
    finished = sdk.files_upload_session_finish(data[800_000:], cursor, files.CommitInfo("/big.bin"))
    assert finished.size == len(data)
    _, reply = sdk.files_download("/big.bin")
    assert reply.content == data
    reply.close()


def test_a_file_is_stored_when_its_pieces_come_side_by_side(sdk: dropbox.Dropbox) -> None:
    pieces = [bytes([number]) * BLOCK_BYTES for number in (1, 2)]
    session_type = files.UploadSessionType.concurrent
    session_id = sdk.files_upload_session_start(b"", session_type=session_type).session_id
    sdk.files_upload_session_append_v2(pieces[1], files.UploadSessionCursor(session_id, BLOCK_BYTES))
    last = files.UploadSessionCursor(session_id, 2 * BLOCK_BYTES)
    sdk.files_upload_session_append_v2(b"end", last, close=True)
    end = files.UploadSessionCursor(session_id, 2 * BLOCK_BYTES + 3)
    with pytest.raises(ApiError) as refused:
        sdk.files_upload_session_finish(b"", end, files.CommitInfo("/side.bin"))
    assert refused.value.error.is_concurrent_session_missing_data()
    with pytest.raises(ApiError) as odd:
        sdk.files_upload_session_append_v2(b"odd", files.UploadSessionCursor(session_id, 0))
    assert odd.value.error.is_concurrent_session_invalid_data_size()
    sdk.files_upload_session_append_v2(pieces[0], files.UploadSessionCursor(session_id, 0))
    finished = sdk.files_upload_session_finish(b"", end, files.CommitInfo("/side.bin"))
    _, reply = sdk.files_download("/side.bin")
    assert reply.content == b"".join(pieces) + b"end"
    assert finished.size == len(reply.content)
    reply.close()


def test_many_files_are_stored_at_once_when_their_sessions_are_closed(sdk: dropbox.Dropbox) -> None:
    ids = sdk.files_upload_session_start_batch(2).session_ids
    for session_id, data in zip(ids, (b"one", b"two"), strict=True):
        sdk.files_upload_session_append_v2(data, files.UploadSessionCursor(session_id, 0), close=True)
    open_id = sdk.files_upload_session_start(b"open").session_id
    entries = [
        files.UploadSessionFinishArg(files.UploadSessionCursor(session_id, length), files.CommitInfo(path))
        for session_id, length, path in ((ids[0], 3, "/1.txt"), (ids[1], 3, "/2.txt"), (open_id, 4, "/3.txt"))
    ]
    results = sdk.files_upload_session_finish_batch_v2(entries).entries
    assert [result.is_success() for result in results] == [True, True, False]
    assert results[2].get_failure().get_lookup_failed().is_not_closed()


def test_ids_stay_when_files_and_folders_move(sdk: dropbox.Dropbox) -> None:
    file = sdk.files_upload(b"x", "/Old/deep/File.txt")
    folder = sdk.files_get_metadata("/old")
    moved = sdk.files_move_v2("/Old", "/New/Place").metadata
    assert (moved.id, moved.path_display) == (folder.id, "/New/Place")
    found = sdk.files_get_metadata(file.id)
    assert (found.path_display, found.content_hash) == ("/New/Place/deep/File.txt", file.content_hash)
    assert found.rev != file.rev
    with pytest.raises(ApiError) as gone:
        sdk.files_get_metadata("/old/deep/file.txt")
    assert gone.value.error.get_path().is_not_found()


def test_a_copy_has_ids_of_its_own(sdk: dropbox.Dropbox) -> None:
    file = sdk.files_upload(b"x", "/a/b.txt")
    sdk.files_copy_v2("/a", "/c")
    copied = sdk.files_get_metadata("/c/b.txt")
    assert copied.content_hash == file.content_hash
    assert copied.id != file.id


def test_batches_report_each_entry_when_their_job_is_done(sdk: dropbox.Dropbox) -> None:
    for number in range(5):
        sdk.files_upload(b"x", f"/{number}.txt")
    entries = [files.RelocationPath(f"/{number}.txt", f"/to/{number}.txt") for number in range(5)]
    entries[2] = files.RelocationPath("/missing", "/to/2.txt")
    job_id = sdk.files_move_batch_v2(entries).get_async_job_id()
    assert sdk.files_move_batch_check_v2(job_id).is_in_progress()
    results = sdk.files_move_batch_check_v2(job_id).get_complete().entries
    assert [result.is_success() for result in results] == [True, True, False, True, True]
    assert results[2].get_failure().get_relocation_error().get_from_lookup().is_not_found()
    deleting = sdk.files_delete_batch([files.DeleteArg("/to"), files.DeleteArg("/nothing")]).get_async_job_id()
    sdk.files_delete_batch_check(deleting)
    deleted = sdk.files_delete_batch_check(deleting).get_complete().entries
    assert [result.is_success() for result in deleted] == [True, False]
    made = sdk.files_create_folder_batch(["/x/y", "/x/y"]).get_complete().entries
    assert [result.get_success().metadata.path_display for result in made] == ["/x/y"]


def test_deleted_files_come_back_when_a_revision_is_restored(sdk: dropbox.Dropbox) -> None:
    first = sdk.files_upload(b"first", "/doc.txt")
    second = sdk.files_upload(b"second", "/doc.txt", mode=files.WriteMode.update(first.rev))
    assert second.id == first.id
    sdk.files_delete_v2("/doc.txt")
    revisions = sdk.files_list_revisions("/doc.txt")
    assert revisions.is_deleted
    assert [entry.rev for entry in revisions.entries] == [second.rev, first.rev]
    assert sdk.files_list_folder("", include_deleted=True).entries[0].name == "doc.txt"
    restored = sdk.files_restore("/doc.txt", first.rev)
    assert restored.content_hash == first.content_hash
    metadata, reply = sdk.files_download(f"rev:{second.rev}")
    assert (metadata.rev, reply.content) == (second.rev, b"second")
    reply.close()


def test_a_deleted_file_is_known_by_its_id_and_has_it_again_when_it_comes_back(sdk: dropbox.Dropbox) -> None:
    first = sdk.files_upload(b"first", "/Docs/Deep/doc.txt")
    sdk.files_delete_v2("/Docs")
    gone = sdk.files_list_folder("", recursive=True, include_deleted=True, include_restorable_info=True).entries
    assert [(entry.path_display, entry.is_restorable) for entry in gone] == [
        ("/Docs", False),
        ("/docs/Deep", False),
        ("/docs/deep/doc.txt", True),
    ]
    revisions = sdk.files_list_revisions(first.id, mode=files.ListRevisionsMode.id)
    assert (revisions.is_deleted, [entry.rev for entry in revisions.entries]) == (True, [first.rev])
    with pytest.raises(ApiError):
        sdk.files_get_metadata(first.id)
    other = sdk.files_restore("/elsewhere.txt", first.rev)
    restored = sdk.files_restore(revisions.entries[0].path_display, first.rev)
    assert (other.id == first.id, restored.id == first.id) == (False, True)
    assert not sdk.files_list_revisions(first.id, mode=files.ListRevisionsMode.id).is_deleted


def test_conflicts_follow_the_mode_of_the_write(sdk: dropbox.Dropbox) -> None:
    first = sdk.files_upload(b"first", "/a.txt")
    assert sdk.files_upload(b"first", "/A.TXT").rev == first.rev
    with pytest.raises(ApiError) as refused:
        sdk.files_upload(b"second", "/a.txt")
    failed = refused.value.error.get_path()
    assert failed.reason.get_conflict().is_file()
    kept = files.UploadSessionCursor(failed.upload_session_id, 6)
    assert sdk.files_upload_session_finish(b"", kept, files.CommitInfo("/b.txt")).size == 6
    assert sdk.files_upload(b"second", "/a.txt", autorename=True).name == "a (1).txt"
    stale = files.WriteMode.update("0123456789ab")
    assert sdk.files_upload(b"third", "/a.txt", mode=stale, autorename=True).name == "a (conflicted copy).txt"
    assert sdk.files_upload(b"fourth", "/a.txt", mode=files.WriteMode.overwrite).id == first.id
    with pytest.raises(ApiError) as below:
        sdk.files_create_folder_v2("/a.txt/folder")
    assert below.value.error.get_path().get_conflict().is_file_ancestor()
    assert sdk.files_create_folder_v2("/Folder").metadata.name == "Folder"
    with pytest.raises(ApiError) as there:
        sdk.files_create_folder_v2("/FOLDER")
    assert there.value.error.get_path().get_conflict().is_folder()
    assert sdk.files_create_folder_v2("/folder", autorename=True).metadata.name == "folder (1)"


def test_changes_are_told_once_when_the_cursor_is_continued(sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/kept.txt")
    sdk.files_upload(b"x", "/gone/deep.txt")
    cursor = sdk.files_list_folder_get_latest_cursor("", recursive=True).cursor
    sdk.files_upload(b"1", "/new.txt")
    sdk.files_upload(b"2", "/new.txt", mode=files.WriteMode.overwrite)
    sdk.files_delete_v2("/gone")
    sdk.files_move_v2("/kept.txt", "/moved.txt")
    changes = sdk.files_list_folder_continue(cursor)
    told = [(type(entry).__name__, entry.path_lower) for entry in changes.entries]
    assert told == [
        ("FileMetadata", "/new.txt"),
        ("DeletedMetadata", "/gone"),
        ("DeletedMetadata", "/kept.txt"),
        ("FileMetadata", "/moved.txt"),
    ]
    assert sdk.files_list_folder_continue(changes.cursor).entries == []


def test_a_folder_that_moved_is_told_page_by_page_with_all_that_is_in_it(sdk: dropbox.Dropbox) -> None:
    names = [f"{number}.txt" for number in range(7)]
    for name in names:
        sdk.files_upload(b"x", f"/Old/{name}")
    page = sdk.files_list_folder("", recursive=True, limit=3)
    while page.has_more:
        page = sdk.files_list_folder_continue(page.cursor)
    sdk.files_move_v2("/Old", "/New")
    told = []
    page = sdk.files_list_folder_continue(page.cursor)
    while page.has_more:
        assert len(page.entries) == 3
        told += page.entries
        page = sdk.files_list_folder_continue(page.cursor)
    told += page.entries
    assert [entry.path_display for entry in told] == ["/Old", "/New", *(f"/New/{name}" for name in names)]
    assert sdk.files_list_folder_continue(page.cursor).entries == []


def test_a_long_poll_ends_when_something_changes(place: Place, sdk: dropbox.Dropbox) -> None:
    cursor = sdk.files_list_folder_get_latest_cursor("").cursor
    place.state.settings.longpoll_seconds_max = 0.01
    assert not sdk.files_list_folder_longpoll(cursor).changes
    place.state.settings.longpoll_seconds_max = None
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(sdk.files_list_folder_longpoll(cursor).changes))
    waiting.start()
    place.build_sdk(1).files_upload(b"x", "/a.txt")
    waiting.join(30)
    assert heard == [True]


def test_search_finds_names_and_words_in_pages(place: Place, sdk: dropbox.Dropbox) -> None:
    for number in range(5):
        sdk.files_upload(b"nothing", f"/Docs/Report {number}.txt")
    sdk.files_upload(b"one report inside", "/other.txt")
    options = files.SearchOptions(max_results=4)
    page = sdk.files_search_v2("report", options=options)
    rest = sdk.files_search_continue_v2(page.cursor)
    names = {match.metadata.get_metadata().name for match in (*page.matches, *rest.matches)}
    assert (len(page.matches), rest.has_more) == (4, False)
    assert names == {*(f"Report {number}.txt" for number in range(5)), "other.txt"}
    only = files.SearchOptions(path="/docs", filename_only=True, file_extensions=["txt"])
    assert len(sdk.files_search_v2("report 3", options=only).matches) == 1
    place.state.settings.search_lag_seconds = 60
    assert sdk.files_search_v2("report").matches == []


def test_links_give_bytes_without_a_token(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"0123456789", "/a.txt")
    link = sdk.files_get_temporary_link("/a.txt").link
    session = place.build_session()
    assert session.get(link, headers={"Range": "bytes=3-4"}).content == b"34"
    place.world.clock.advance(4 * 3600 + 1)
    assert session.get(link).status_code == 410
    sdk = place.build_sdk(1)
    upload = sdk.files_get_temporary_upload_link(files.CommitInfo("/up.txt"), duration=60).link
    headers = {"Content-Type": "application/octet-stream"}
    assert "content-hash" in session.post(upload, data=b"up", headers=headers).json()
    assert session.post(upload, data=b"up", headers=headers).status_code == 410
    assert sdk.files_get_metadata("/up.txt").size == 2
