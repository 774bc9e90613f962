"""The official SDK calls what is left: older forms, second pages, jobs that end."""

from __future__ import annotations

import dropbox
import pytest
from dropbox import file_properties, files, sharing, team, users
from dropbox.exceptions import ApiError

from tests.servers.dropbox import Place

TEAM_SCOPES = (
    "files.team_metadata.write",
    "members.read",
    "team_data.content.read",
    "team_data.content.write",
    "team_data.member",
    "team_info.read",
)


@pytest.fixture
def business(place: Place) -> dropbox.DropboxTeam:
    access_token, _ = place.issue(1, *TEAM_SCOPES)
    return dropbox.DropboxTeam(access_token, session=place.build_session())


def test_batches_of_copies_and_folders_end_as_jobs(sdk: dropbox.Dropbox) -> None:
    making = sdk.files_create_folder_batch(["/1", "/2"], force_async=True).get_async_job_id()
    assert sdk.files_create_folder_batch_check(making).is_in_progress()
    assert len(sdk.files_create_folder_batch_check(making).get_complete().entries) == 2
    entries = [files.RelocationPath("/1", f"/copy {number}") for number in range(4)]
    copying = sdk.files_copy_batch_v2(entries).get_async_job_id()
    sdk.files_copy_batch_check_v2(copying)
    results = sdk.files_copy_batch_check_v2(copying).get_complete().entries
    assert [result.get_success().name for result in results] == [f"copy {number}" for number in range(4)]
    with pytest.raises(ApiError) as refused:
        sdk.files_copy_batch_check_v2(making)
    assert refused.value.error.is_invalid_async_job_id()


@pytest.mark.filterwarnings("ignore:upload_session/finish_batch is deprecated")
def test_sessions_take_their_bytes_together_and_end_as_a_job(sdk: dropbox.Dropbox) -> None:
    ids = sdk.files_upload_session_start_batch(2).session_ids
    pieces = [
        files.UploadSessionAppendBatchArgEntry(files.UploadSessionCursor(session_id, 0), 3, close=True)
        for session_id in ids
    ]
    appended = sdk.files_upload_session_append_batch(b"onetwo", pieces).entries
    assert all(entry.is_success() for entry in appended)
    with pytest.raises(ApiError) as refused:
        sdk.files_upload_session_append_batch(b"too much", pieces)
    assert refused.value.error.is_length_mismatch()
    entries = [
        files.UploadSessionFinishArg(files.UploadSessionCursor(session_id, 3), files.CommitInfo(f"/{number}.txt"))
        for number, session_id in enumerate(ids)
    ]
    finishing = sdk.files_upload_session_finish_batch(entries).get_async_job_id()
    assert sdk.files_upload_session_finish_batch_check(finishing).is_in_progress()
    done = sdk.files_upload_session_finish_batch_check(finishing).get_complete().entries
    assert [entry.get_success().size for entry in done] == [3, 3]


def test_files_go_to_another_account_by_reference(place: Place, sdk: dropbox.Dropbox) -> None:
    written = sdk.files_upload(b"x", "/Docs/a.txt")
    reference = sdk.files_copy_reference_get("/Docs").copy_reference
    other = place.build_sdk(3)
    assert other.files_copy_reference_save(reference, "/Mine").metadata.path_display == "/Mine"
    assert other.files_get_metadata("/mine/a.txt").content_hash == written.content_hash
    with pytest.raises(ApiError) as refused:
        other.files_copy_reference_save("made up", "/Mine")
    assert refused.value.error.is_invalid_copy_reference()


def test_second_pages_of_sharing_go_on_where_the_first_ended(place: Place, sdk: dropbox.Dropbox) -> None:
    for number in range(3):
        sdk.sharing_share_folder(f"/Shared {number}", force_async=True)
    for first, go_on in (
        (sdk.sharing_list_folders, sdk.sharing_list_folders_continue),
        (sdk.sharing_list_mountable_folders, sdk.sharing_list_mountable_folders_continue),
    ):
        page = first(limit=2)
        assert [len(page.entries), len(go_on(page.cursor).entries)] == [2, 1]
        with pytest.raises(ApiError) as refused:
            go_on("made up")
        assert refused.value.error.is_invalid_cursor()
    cleo = sharing.MemberSelector.email("cleo@example.org")
    ids = [sdk.files_upload(b"x", f"/{number}.txt").id for number in range(2)]
    for file_id in ids:
        sdk.sharing_add_file_member(file_id, [cleo])
    members = sdk.sharing_list_file_members(ids[0], limit=1)
    assert [one.user.email for one in sdk.sharing_list_file_members_continue(members.cursor).users] == [
        "cleo@example.org"
    ]
    stranger = place.build_sdk(3)
    received = stranger.sharing_list_received_files(limit=1)
    assert len(stranger.sharing_list_received_files_continue(received.cursor).entries) == 1
    results = stranger.sharing_get_file_metadata_batch([ids[0], "/missing.txt"])
    assert [result.result.is_metadata() for result in results] == [True, False]
    stranger.sharing_relinquish_file_membership(ids[0])
    assert len(stranger.sharing_list_received_files().entries) == 1


def test_sharing_and_unsharing_end_as_jobs(sdk: dropbox.Dropbox) -> None:
    sharing_job = sdk.sharing_share_folder("/Shared", force_async=True).get_async_job_id()
    assert sdk.sharing_check_share_job_status(sharing_job).is_in_progress()
    folder_id = sdk.sharing_check_share_job_status(sharing_job).get_complete().shared_folder_id
    job = sdk.sharing_unshare_folder(folder_id).get_async_job_id()
    assert sdk.sharing_check_job_status(job).is_in_progress()
    assert sdk.sharing_check_job_status(job).is_complete()


def test_templates_belong_to_a_user_or_a_team(
    place: Place, sdk: dropbox.Dropbox, business: dropbox.DropboxTeam
) -> None:
    text = file_properties.PropertyType.string
    fields = [file_properties.PropertyFieldTemplate("level", "words", text)]
    own = sdk.file_properties_templates_add_for_user("Own", "mine", fields).template_id
    more = [file_properties.PropertyFieldTemplate("owner", "words", text)]
    sdk.file_properties_templates_update_for_user(own, name="Renamed", add_fields=more)
    known = sdk.file_properties_templates_get_for_user(own)
    assert (known.name, [field.name for field in known.fields]) == ("Renamed", ["level", "owner"])
    shared = business.file_properties_templates_add_for_team("Team", "ours", fields).template_id
    assert business.file_properties_templates_list_for_team().template_ids == [shared]
    business.file_properties_templates_update_for_team(shared, description="all of us")
    assert business.file_properties_templates_get_for_team(shared).description == "all of us"
    group = file_properties.PropertyGroup(shared, [file_properties.PropertyField("level", "high")])
    ben = place.build_sdk(2)
    for number in range(1001):
        path = f"/{number}"
        place.state.space.make_folder(place.state.space.get_home(place.get_user(2)).root, path[1:])
        place.state.space.get_home(place.get_user(2)).root.children[path[1:]].properties[shared] = {"level": "high"}
    ben.files_create_folder_v2("/last")
    ben.file_properties_properties_add("/last", [group])
    mode = file_properties.PropertiesSearchMode.field_name("level")
    page = ben.file_properties_properties_search([file_properties.PropertiesSearchQuery("high", mode)])
    assert len(ben.file_properties_properties_search_continue(page.cursor).matches) == 2
    business.file_properties_templates_remove_for_team(shared)
    assert business.file_properties_templates_list_for_team().template_ids == []


def test_a_team_is_listed_page_by_page(business: dropbox.DropboxTeam) -> None:
    admin = business.team_token_get_authenticated_admin().admin_profile
    page = business.team_members_list_v2(limit=1)
    assert page.members[0].profile == admin
    rest = business.team_members_list_continue_v2(page.cursor)
    assert [member.profile.email for member in rest.members] == ["ben@example.com"]
    wanted = [team.UserSelectorArg.email("ben@example.com"), team.UserSelectorArg.team_member_id("dbmid:nobody")]
    infos = business.team_members_get_info_v2(wanted).members_info
    assert [info.is_member_info() for info in infos] == [True, False]
    for number in range(2):
        business.team_team_folder_create(f"Folder {number}")
    folders = business.team_team_folder_list(limit=1)
    assert business.team_team_folder_list_continue(folders.cursor).team_folders[0].name == "Folder 1"
    namespaces = business.team_namespaces_list(limit=3)
    assert not business.team_namespaces_list_continue(namespaces.cursor).has_more
    with pytest.raises(ApiError) as taken:
        business.team_team_folder_create("folder 1")
    assert taken.value.error.is_folder_name_already_used()


def test_an_account_tells_its_features(sdk: dropbox.Dropbox) -> None:
    values = sdk.users_features_get_values([users.UserFeature.file_locking]).values
    assert values[0].get_file_locking().get_enabled()
    with pytest.raises(ApiError) as refused:
        sdk.users_features_get_values([])
    assert refused.value.error.is_empty_features_list()


def test_the_older_thumbnail_is_refused_when_the_file_is_no_picture(sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"no picture", "/a.png")
    with pytest.raises(ApiError) as refused:
        sdk.files_get_thumbnail("/a.png")
    assert refused.value.error.is_conversion_error()
