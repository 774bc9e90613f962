"""rclone lives an ordinary life on the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dropbox import sharing

from simulators.core.faults import Chance
from tests.servers.missing import skipping_when_missing
from tests.simulators.dropbox.rclone import Rclone, running_rclone_on_dropbox

BIG_BYTES = 9 * 1024 * 1024 + 7


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    with skipping_when_missing(), running_rclone_on_dropbox(tmp_path) as rclone:
        yield rclone


def test_a_tree_is_the_same_when_it_was_copied(rclone: Rclone) -> None:
    for number in range(12):
        rclone.write(f"Folder {number % 3}/déep/file {number}.txt", f"text {number}".encode())
    rclone.write("empty.bin", b"")
    rclone.run("copy", rclone.folder, "db:Copy")
    rclone.run("check", rclone.folder, "db:copy", "--one-way")
    assert rclone.place.world.grants.refresh_count == 1
    hashes = rclone.run("hashsum", "dropbox", "db:Copy")
    assert sorted(hashes.splitlines()) == sorted(rclone.run("hashsum", "dropbox", rclone.folder).splitlines())
    (rclone.folder / "empty.bin").unlink()
    rclone.write("Folder 1/new.txt", b"new")
    rclone.write("Folder 0/déep/file 0.txt", b"changed")
    rclone.run("sync", rclone.folder, "db:Copy")
    rclone.run("check", rclone.folder, "db:Copy")
    rclone.run("purge", "db:Copy")
    assert rclone.run("lsf", "db:") == ""


def test_a_large_file_goes_in_pieces_and_is_read_in_part(rclone: Rclone) -> None:
    big = rclone.write("big.bin", bytes(range(251)) * (BIG_BYTES // 251) + b"!" * (BIG_BYTES % 251))
    rclone.run("copyto", big, "db:big.bin", "--dropbox-chunk-size", "4M")
    rclone.run("check", rclone.folder, "db:", "--one-way")
    part = rclone.run("cat", "db:big.bin", "--offset", "251", "--count", "10", "--dropbox-chunk-size", "4M")
    assert part == bytes(range(10)).decode()
    assert "files/upload_session/append_v2" in rclone.place.listening.called


@pytest.mark.parametrize("mode", ["sync", "async", "off"])
def test_files_arrive_in_every_batch_mode(rclone: Rclone, mode: str) -> None:
    for number in range(3):
        rclone.write(f"{number}.txt", f"{number}".encode())
    rclone.run("copy", rclone.folder, "db:", "--dropbox-batch-mode", mode, "--dropbox-batch-timeout", "50ms")
    rclone.run("check", rclone.folder, "db:")


def test_things_move_and_are_copied_at_the_server(rclone: Rclone) -> None:
    rclone.write("a/one.txt", b"one")
    rclone.run("copy", rclone.folder, "db:from")
    rclone.run("moveto", "db:from/a/one.txt", "db:from/a/two.txt")
    rclone.run("move", "db:from/a", "db:to/b")
    rclone.run("copyto", "db:to/b/two.txt", "db:to/three.txt")
    assert rclone.run("lsf", "-R", "--files-only", "db:").splitlines() == ["to/three.txt", "to/b/two.txt"]
    rclone.run("moveto", "db:to/three.txt", "db:to/THREE.txt")
    assert "THREE.txt" in rclone.run("lsf", "db:to")
    assert "files/copy_v2" in rclone.place.listening.called


def test_a_tree_arrives_when_every_third_request_fails(rclone: Rclone) -> None:
    for number in range(8):
        rclone.write(f"{number % 2}/file {number}.txt", f"text {number}".encode())
    rclone.place.world.faults.chance = Chance(seed=5, path="/2/")
    rclone.run("copy", rclone.folder, "db:", "--low-level-retries", "20", "--retries", "9")
    assert len(rclone.place.world.faults.counts) == 2
    rclone.place.world.faults.clear()
    rclone.run("check", rclone.folder, "db:")


def test_links_and_space_are_told(rclone: Rclone) -> None:
    file = rclone.write("a.txt", b"a")
    rclone.run("copyto", file, "db:a.txt")
    assert rclone.run("link", "db:a.txt").startswith("https://www.dropbox.com/scl/fi/")
    assert rclone.run("link", "db:a.txt", "--expire", "1d")
    assert '"used"' in rclone.run("about", "--json", "db:")
    rclone.run("mkdir", "db:folder")
    assert rclone.run("lsjson", "--dirs-only", "db:").count('"Name":"folder"') == 1
    rclone.run("rmdir", "db:folder")
    assert "directory not found" in rclone.run("lsf", "db:folder", fails=True)


def test_what_others_share_is_found_and_mounted(rclone: Rclone) -> None:
    place = rclone.place
    ben = place.build_sdk(2)
    ben.files_upload(b"shared", "/Ours/deep/a.txt")
    folder_id = ben.sharing_share_folder("/Ours").get_complete().shared_folder_id
    member = sharing.AddMember(sharing.MemberSelector.email("ada@example.com"), sharing.AccessLevel.editor)
    ben.sharing_add_folder_member(folder_id, [member])
    file = ben.files_upload(b"alone", "/one.txt")
    ben.sharing_add_file_member(file.id, [sharing.MemberSelector.email("ada@example.com")])
    assert rclone.run("lsf", "--dropbox-shared-folders", "db:") == "Ours/\n"
    assert rclone.run("cat", "--dropbox-shared-folders", "db:Ours/deep/a.txt") == "shared"
    assert rclone.run("lsf", "--dropbox-shared-files", "db:") == "one.txt\n"
    assert rclone.run("cat", "--dropbox-shared-files", "db:one.txt") == "alone"


def test_a_team_space_is_used_when_it_is_named_as_the_root(rclone: Rclone) -> None:
    space = rclone.place.state.space
    space.add_team_folder("Sample Works", "Everyone")
    root = space.get_root(rclone.place.get_user(1)).namespace_id
    file = rclone.write("a.txt", b"a")
    rclone.run("copyto", file, "db:Everyone/a.txt", "--dropbox-root-namespace", root)
    listed = rclone.run("lsf", "-R", "--files-only", "db:", "--dropbox-root-namespace", root)
    assert listed == "Everyone/a.txt\n"
