from __future__ import annotations

import pytest

from tests.app.drive import Drive, read_error, read_json


def test_file_is_renamed_moved_or_both(drive: Drive) -> None:
    target, file = drive.create_folder("target"), drive.upload("a.txt", b"kept")
    renamed = read_json(drive.client.patch(file["href"], json={"name": "b.txt"}))
    assert (renamed["name"], renamed["parent"]) == ("b.txt", file["parent"])
    moved = read_json(drive.client.patch(renamed["href"], json={"parent_id": target["id"]}))
    assert (moved["name"], moved["parent"]["id"]) == ("b.txt", target["id"])
    both = read_json(drive.client.patch(moved["href"], json={"name": "c.txt", "parent_id": "root"}))
    assert (both["name"], both["parent"]["id"], drive.read(both["id"])) == ("c.txt", "root", b"kept")
    assert drive.list_names() == ["c.txt", "target"]


def test_rename_to_the_same_name_changes_nothing(drive: Drive) -> None:
    file = drive.upload("a.txt", b"kept")
    assert read_json(drive.client.patch(file["href"], json={"name": "a.txt"})) == file


def test_rename_onto_a_taken_name_is_409_that_names_it_and_changes_nothing(drive: Drive) -> None:
    file, taken = drive.upload("a.txt", b"a"), drive.upload("b.txt", b"b")
    refused = drive.client.patch(file["href"], json={"name": "b.txt"})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == taken["id"]
    assert (drive.read(file["id"]), drive.read(taken["id"])) == (b"a", b"b")


def test_move_onto_a_taken_name_is_409(drive: Drive) -> None:
    target, file = drive.create_folder("target"), drive.upload("a.txt")
    taken = drive.upload("a.txt", parent=target["id"])
    refused = drive.client.patch(file["href"], json={"parent_id": target["id"]})
    assert read_error(refused) == (409, "naming_conflict")
    assert refused.json()["conflicting_resource_id"] == taken["id"]


@pytest.mark.parametrize(
    "body",
    [{}, {"unknown": 1}, {"name": ""}, {"name": 3}, {"name": "a/b"}, {"name": ".."}, {"name": None, "parent_id": None}],
)
def test_update_that_says_nothing_sensible_is_400(drive: Drive, body: dict[str, object]) -> None:
    file = drive.upload("a.txt")
    assert read_error(drive.client.patch(file["href"], json=body)) == (400, "invalid_parameters")
    assert drive.list_names() == ["a.txt"]


def test_update_with_the_own_account_is_accepted_in_every_spelling(drive: Drive) -> None:
    file = drive.upload("a.txt")
    number = drive.caller.account_id
    for account in (number, str(number), "me", None):
        file = read_json(drive.client.patch(file["href"], json={"name": "a.txt", "account": account}))
    assert drive.list_names() == ["a.txt"]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (2**40, (404, "not_found")),
        ("99999999", (404, "not_found")),
        ("upload_location", (501, "not_implemented")),
        ([1], (400, "invalid_parameters")),
    ],
)
def test_other_accounts_are_refused_as_targets(drive: Drive, account: object, expected: tuple[int, str]) -> None:
    file = drive.upload("a.txt")
    assert read_error(drive.client.patch(file["href"], json={"name": "b", "account": account})) == expected
    assert read_error(drive.client.post(f"{file['href']}/copy", json={"account": account})) == expected
    assert drive.list_names() == ["a.txt"]


def test_copy_goes_where_it_is_told_and_takes_a_free_name_when_taken(drive: Drive) -> None:
    target, file = drive.create_folder("target"), drive.upload("a.txt", b"copied")
    copies = [
        read_json(drive.client.post(f"{file['href']}/copy", json=body), status=201)
        for body in ({"parent_id": "root"}, {"parent_id": target["id"]}, {"parent_id": target["id"], "name": "b"}, {})
    ]
    assert [copy["path"] for copy in copies] == ["/a (1).txt", "/target/a.txt", "/target/b", "/a (2).txt"]
    assert {drive.read(copy["id"]) for copy in copies} == {b"copied"}


def test_delete_is_204_without_a_body_and_then_everything_is_404(drive: Drive) -> None:
    file = drive.upload("a.txt")
    deleted = drive.client.delete(file["href"], params={"permanent": "True"})
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/contents"), ("HEAD", "/contents"), ("PUT", "")):
        gone = drive.client.request(method, file["href"] + path)
        assert gone.status_code == 404
        assert method == "HEAD" or read_error(gone) == (404, "not_found")
    assert read_error(drive.client.patch(file["href"], json={"name": "b"})) == (404, "not_found")
    assert read_error(drive.client.post(f"{file['href']}/copy", json={})) == (404, "not_found")
    assert drive.list_names() == []


def test_put_replaces_the_bytes_and_keeps_name_and_id(drive: Drive) -> None:
    file = drive.upload("a.txt", b"old")
    replaced = read_json(drive.client.put(file["href"], content=b"newer"))
    assert (replaced["id"], replaced["name"], replaced["size"]) == (file["id"], "a.txt", 5)
    assert drive.read(file["id"]) == b"newer"
    emptied = read_json(drive.client.put(file["href"], headers={"Content-Type": "text/plain"}))
    assert (emptied["size"], drive.read(file["id"])) == (0, b"")
    streamed = read_json(drive.client.put(file["href"], content=iter([b"one", b"two"])))
    assert (streamed["size"], drive.read(file["id"])) == (6, b"onetwo")


@pytest.mark.parametrize("file_id", ["nonsense", "AQ", "x" * 8000, "é", "%00", "..%2F.."])
def test_id_that_is_none_of_ours_is_404(shared: Drive, file_id: str) -> None:
    for path in (f"files/{file_id}", f"files/{file_id}/contents", f"folders/{file_id}"):
        assert read_error(shared.client.get(shared.url(path))) == (404, "not_found")


def test_id_of_another_account_is_404(drive: Drive) -> None:
    file = drive.upload("a.txt")
    other = drive.caller.api.create_caller()
    with other.client() as client:
        assert read_error(client.get(f"{other.storage_url}/files/{file['id']}")) == (404, "not_found")


def test_padding_of_an_id_is_accepted_and_another_spelling_is_404(drive: Drive) -> None:
    file = drive.upload("a.txt")
    assert read_json(drive.client.get(f"{file['href']}=="))["id"] == file["id"]
    assert read_error(drive.client.get(f"{file['href'][:-1]}")) == (404, "not_found")


def test_id_of_the_other_kind_is_400(drive: Drive) -> None:
    file, folder = drive.upload("a.txt"), drive.create_folder("folder")
    wrong = (400, "invalid_resource_type")
    assert read_error(drive.client.get(drive.url(f"folders/{file['id']}"))) == wrong
    assert read_error(drive.client.get(drive.url(f"folders/{file['id']}/contents"))) == wrong
    assert read_error(drive.client.delete(drive.url(f"folders/{file['id']}"))) == wrong
    for file_id in (folder["id"], "root"):
        assert read_error(drive.client.get(drive.url(f"files/{file_id}"))) == wrong
        assert read_error(drive.client.get(drive.url(f"files/{file_id}/contents"))) == wrong
        assert read_error(drive.client.put(drive.url(f"files/{file_id}"), content=b"x")) == wrong
        assert read_error(drive.client.delete(drive.url(f"files/{file_id}"))) == wrong
    assert drive.list_names() == ["a.txt", "folder"]


def test_kind_that_changed_at_the_storage_is_400(drive: Drive) -> None:
    file = drive.upload("a")
    (drive.caller.folder / "a").unlink()
    (drive.caller.folder / "a").mkdir()
    assert read_error(drive.client.get(file["href"])) == (400, "invalid_resource_type")
    assert read_error(drive.client.get(f"{file['href']}/contents")) == (400, "invalid_resource_type")
