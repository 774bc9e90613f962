"""The official SDK shares on the simulator: links, folders, files, custom properties, team spaces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dropbox
import httpx
import pytest
from dropbox import common, file_properties, files, sharing
from dropbox.exceptions import ApiError, AuthError, PathRootError

from tests.servers.dropbox import Place


def test_a_link_is_made_changed_and_revoked(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"0123", "/Docs/a b.txt")
    link = sdk.sharing_create_shared_link_with_settings("/docs/a b.txt")
    assert link.link_permissions.resolved_visibility.is_public()
    with pytest.raises(ApiError) as there:
        sdk.sharing_create_shared_link_with_settings("/docs/a b.txt")
    assert there.value.error.get_shared_link_already_exists().get_metadata().url == link.url
    expires = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=1)
    settings = sharing.SharedLinkSettings(require_password=True, link_password="p", expires=expires)
    changed = sdk.sharing_modify_shared_link_settings(link.url, settings)
    assert (changed.expires, changed.link_permissions.require_password) == (expires, True)
    stranger = place.build_sdk(3)
    with pytest.raises(ApiError) as refused:
        stranger.sharing_get_shared_link_metadata(link.url)
    assert refused.value.error.is_shared_link_access_denied()
    metadata, reply = stranger.sharing_get_shared_link_file(link.url, link_password="p")
    assert (metadata.name, reply.content) == ("a b.txt", b"0123")
    reply.close()
    assert [one.url for one in sdk.sharing_list_shared_links().links] == [link.url]
    sdk.sharing_revoke_shared_link(link.url)
    with pytest.raises(ApiError) as gone:
        sdk.sharing_get_shared_link_metadata(link.url)
    assert gone.value.error.is_shared_link_not_found()


def test_links_of_parents_are_listed_when_not_only_direct_ones_are_wanted(sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/Docs/deep/a.txt")
    link = sdk.sharing_create_shared_link_with_settings("/Docs")
    assert [one.url for one in sdk.sharing_list_shared_links("/Docs/deep/a.txt").links] == [link.url]
    assert sdk.sharing_list_shared_links("/Docs/deep/a.txt", direct_only=True).links == []
    inside = sdk.sharing_get_shared_link_metadata(link.url, path="/deep/a.txt")
    assert inside.name == "a.txt"
    listed = sdk.files_list_folder("/deep", shared_link=files.SharedLink(link.url))
    assert [entry.name for entry in listed.entries] == ["a.txt"]


def test_links_end_and_refuse_senseless_settings(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/a.txt")
    past = datetime(2020, 1, 1)  # noqa: DTZ001 - the SDK's times have no zone
    with pytest.raises(ApiError) as refused:
        sdk.sharing_create_shared_link_with_settings("/a.txt", sharing.SharedLinkSettings(expires=past))
    assert refused.value.error.get_settings_error().is_invalid_settings()
    alone = place.build_sdk(3)
    alone.files_upload(b"x", "/a.txt")
    team_only = sharing.SharedLinkSettings(audience=sharing.LinkAudience.team)
    with pytest.raises(ApiError) as unauthorized:
        alone.sharing_create_shared_link_with_settings("/a.txt", team_only)
    assert unauthorized.value.error.get_settings_error().is_not_authorized()


def test_links_keep_to_the_plan_and_to_the_level_that_they_were_made_with(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/a.txt")
    editor = sharing.SharedLinkSettings(access=sharing.RequestedLinkAccessLevel.editor)
    link = sdk.sharing_create_shared_link_with_settings("/a.txt", editor)
    assert link.link_permissions.link_access_level.is_editor()
    place.state.settings.has_paid_plan = False
    viewer = sharing.SharedLinkSettings(access=sharing.RequestedLinkAccessLevel.viewer)
    password = sharing.SharedLinkSettings(require_password=True, link_password="p")
    answers = []
    for settings in (viewer, sharing.SharedLinkSettings(), password, sharing.SharedLinkSettings(allow_download=False)):
        with pytest.raises(ApiError) as refused:
            sdk.sharing_modify_shared_link_settings(link.url, settings)
        answers.append(refused.value.error.get_settings_error()._tag)
    assert answers == ["invalid_settings", "invalid_settings", "not_authorized", "not_authorized"]
    assert not sdk.sharing_list_shared_links().links[0].link_permissions.can_set_password


def test_a_shared_folder_is_everybodys_until_it_is_unshared(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/Project/plan.txt")
    shared = sdk.sharing_share_folder("/project").get_complete()
    reader, stranger = sharing.MemberSelector.email("cleo@example.org"), sharing.MemberSelector.email("no@example.net")
    members = [
        sharing.AddMember(reader, sharing.AccessLevel.viewer),
        sharing.AddMember(sharing.MemberSelector.email("ben@example.com"), sharing.AccessLevel.editor),
        sharing.AddMember(stranger),
    ]
    sdk.sharing_add_folder_member(shared.shared_folder_id, members)
    listed = sdk.sharing_list_folder_members(shared.shared_folder_id, limit=2)
    rest = sdk.sharing_list_folder_members_continue(listed.cursor)
    levels = {one.user.email: one.access_type for one in (*listed.users, *rest.users)}
    assert {email: level._tag for email, level in levels.items()} == {
        "ada@example.com": "owner",
        "ben@example.com": "editor",
        "cleo@example.org": "viewer",
    }
    assert [one.invitee.get_email() for one in rest.invitees] == ["no@example.net"]
    cleo, ben = place.build_sdk(3), place.build_sdk(2)
    assert cleo.files_list_folder("").entries == []
    cleo.sharing_mount_folder(shared.shared_folder_id)
    seen = cleo.files_get_metadata("/Project/plan.txt")
    assert seen.sharing_info.read_only
    with pytest.raises(ApiError) as refused:
        cleo.files_upload(b"y", "/Project/other.txt")
    assert refused.value.error.get_path().reason.is_no_write_permission()
    cursor = sdk.files_list_folder_get_latest_cursor("", recursive=True).cursor
    ben.files_upload(b"y", "/project/other.txt")
    told = sdk.files_list_folder_continue(cursor).entries
    assert [entry.path_display for entry in told] == ["/Project/other.txt"]
    assert told[0].sharing_info.modified_by == ben.users_get_current_account().account_id
    sdk.sharing_update_folder_member(shared.shared_folder_id, reader, sharing.AccessLevel.editor)
    assert not cleo.files_get_metadata("/Project/plan.txt").sharing_info.read_only
    job = sdk.sharing_remove_folder_member(shared.shared_folder_id, reader, leave_a_copy=False).get_async_job_id()
    assert sdk.sharing_check_remove_member_job_status(job).is_in_progress()
    assert sdk.sharing_check_remove_member_job_status(job).is_complete()
    assert cleo.files_list_folder("").entries == []
    sdk.sharing_unshare_folder(shared.shared_folder_id)
    assert [entry.name for entry in sdk.files_list_folder("/project").entries] == ["other.txt", "plan.txt"]
    assert sdk.sharing_list_folders().entries == []


def test_a_folder_is_refused_when_it_cannot_be_shared(sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/Outer/Inner/a.txt")
    sdk.sharing_share_folder("/Outer/Inner")
    refusals = {}
    for path in ("/Outer/Inner/a.txt", "/Outer", "/Outer/Inner"):
        with pytest.raises(ApiError) as refused:
            sdk.sharing_share_folder(path)
        refusals[path] = refused.value.error.get_bad_path()._tag
    assert list(refusals.values()) == ["is_file", "contains_shared_folder", "already_shared"]


def test_a_shared_folder_changes_hands(place: Place, sdk: dropbox.Dropbox) -> None:
    folder_id = sdk.sharing_share_folder("/Made").get_complete().shared_folder_id
    ben = place.build_sdk(2)
    account = ben.users_get_current_account().account_id
    member = sharing.AddMember(sharing.MemberSelector.dropbox_id(account), sharing.AccessLevel.editor)
    sdk.sharing_add_folder_member(folder_id, [member])
    sdk.sharing_transfer_folder(folder_id, account)
    policy = ben.sharing_update_folder_policy(folder_id, acl_update_policy=sharing.AclUpdatePolicy.editors).policy
    assert policy.acl_update_policy.is_editors()
    assert sdk.sharing_relinquish_folder_membership(folder_id).is_complete()
    assert ben.sharing_get_folder_metadata(folder_id).access_type.is_owner()
    ben.sharing_unmount_folder(folder_id)
    assert ben.sharing_list_mountable_folders().entries[0].path_lower is None


def test_a_file_is_shared_on_its_own(place: Place, sdk: dropbox.Dropbox) -> None:
    file = sdk.files_upload(b"x", "/a.txt")
    people = [sharing.MemberSelector.email(email) for email in ("cleo@example.org", "no@example.net")]
    results = sdk.sharing_add_file_member(file.id, people, access_level=sharing.AccessLevel.viewer)
    assert all(result.result.is_success() for result in results)
    cleo = place.build_sdk(3)
    received = cleo.sharing_list_received_files().entries
    assert [(one.name, one.path_lower, one.access_type._tag) for one in received] == [("a.txt", None, "viewer")]
    _, reply = cleo.files_download(file.id)
    assert reply.content == b"x"
    reply.close()
    members = sdk.sharing_list_file_members("/a.txt")
    assert [one.user.email for one in members.users] == ["ada@example.com", "cleo@example.org"]
    assert [one.invitee.get_email() for one in members.invitees] == ["no@example.net"]
    with pytest.raises(ApiError) as refused:
        cleo.files_upload(b"mine", file.id, mode=files.WriteMode.overwrite)
    assert refused.value.error.get_path().reason.is_no_write_permission()
    level = sdk.sharing_update_file_member("/a.txt", people[0], sharing.AccessLevel.editor).access_level
    assert level.is_editor()
    assert cleo.files_upload(b"mine", file.id, mode=files.WriteMode.overwrite).id == file.id
    assert sdk.sharing_remove_file_member_2("/a.txt", people[0]).is_success()
    with pytest.raises(ApiError) as gone:
        cleo.sharing_get_file_metadata(file.id)
    assert gone.value.error.get_access_error().is_invalid_file()
    sdk.sharing_unshare_file("/a.txt")
    assert sdk.sharing_list_file_members("/a.txt").invitees == []


def test_custom_properties_follow_their_template(sdk: dropbox.Dropbox) -> None:
    fields = [
        file_properties.PropertyFieldTemplate(name, "words", file_properties.PropertyType.string)
        for name in ("level", "owner")
    ]
    template_id = sdk.file_properties_templates_add_for_user("Security", "who sees it", fields).template_id
    group = file_properties.PropertyGroup(template_id, [file_properties.PropertyField("level", "secret")])
    sdk.files_upload(b"x", "/a.txt", property_groups=[group])
    wanted = file_properties.TemplateFilterBase.filter_some([template_id])
    shown = sdk.files_get_metadata("/a.txt", include_property_groups=wanted).property_groups
    assert shown == [group]
    with pytest.raises(ApiError) as there:
        sdk.file_properties_properties_add("/a.txt", [group])
    assert there.value.error.is_property_group_already_exists()
    more = [file_properties.PropertyField("owner", "Ada")]
    update = file_properties.PropertyGroupUpdate(template_id, more, ["level"])
    sdk.file_properties_properties_update("/a.txt", [update])
    query = file_properties.PropertiesSearchQuery("ada", file_properties.PropertiesSearchMode.field_name("owner"))
    found = sdk.file_properties_properties_search([query]).matches
    assert [(match.path, match.property_groups[0].fields) for match in found] == [("/a.txt", more)]
    odd = file_properties.PropertyGroup(template_id, [file_properties.PropertyField("colour", "red")])
    with pytest.raises(ApiError) as refused:
        sdk.file_properties_properties_overwrite("/a.txt", [odd])
    assert refused.value.error.is_does_not_fit_template()
    sdk.file_properties_properties_remove("/a.txt", [template_id])
    sdk.file_properties_templates_remove_for_user(template_id)
    with pytest.raises(ApiError) as gone:
        sdk.file_properties_templates_get_for_user(template_id)
    assert gone.value.error.get_template_not_found() == template_id
    assert sdk.file_properties_templates_list_for_user().template_ids == []


def test_a_team_space_is_seen_when_a_request_chooses_its_root(place: Place, sdk: dropbox.Dropbox) -> None:
    place.state.space.add_team_folder("Sample Works", "Everyone")
    sdk.files_upload(b"x", "/mine.txt")
    root = sdk.users_get_current_account().root_info
    assert root.home_path == "/Ada Sample"
    team = sdk.with_path_root(common.PathRoot.root(root.root_namespace_id))
    names = [entry.name for entry in team.files_list_folder("").entries]
    assert names == ["Ada Sample", "Everyone"]
    assert team.files_get_metadata("/ada sample/mine.txt").path_display == "/Ada Sample/mine.txt"
    team.files_upload(b"y", "/Everyone/ours.txt")
    ben = place.build_sdk(2).with_path_root(common.PathRoot.root(root.root_namespace_id))
    assert ben.files_get_metadata("/everyone/ours.txt").size == 1
    with pytest.raises(ApiError):
        ben.files_list_folder("/Ada Sample")
    with pytest.raises(PathRootError) as moved:
        sdk.with_path_root(common.PathRoot.root("1")).files_list_folder("")
    assert moved.value.error.get_invalid_root().root_namespace_id == root.root_namespace_id
    with pytest.raises(PathRootError) as refused:
        place.build_sdk(3).with_path_root(common.PathRoot.namespace_id(root.home_namespace_id)).files_list_folder("")
    assert refused.value.error.is_no_permission()


def test_a_teams_token_acts_as_the_members_that_it_names(place: Place) -> None:
    scopes = ("team_info.read", "members.read", "team_data.member", "files.metadata.read", "team_data.content.write")
    access_token, _ = place.issue(1, *scopes, "account_info.read")
    team = dropbox.DropboxTeam(access_token, session=place.build_session())
    assert team.team_get_info().name == "Sample Works"
    members = team.team_members_list_v2().members
    assert [member.profile.email for member in members] == ["ada@example.com", "ben@example.com"]
    ben = team.as_user(members[1].profile.team_member_id)
    assert ben.users_get_current_account().email == "ben@example.com"
    with pytest.raises(AuthError) as refused:
        team.as_admin(members[1].profile.team_member_id).users_get_current_account()
    assert refused.value.error.is_invalid_select_admin()
    team.team_team_folder_create("Everyone")
    kinds = {namespace.namespace_type._tag for namespace in team.team_namespaces_list().namespaces}
    assert kinds == {"team_folder", "team_member_folder"}
    alone = {"Authorization": f"Bearer {access_token}"}
    reply = httpx.post(f"{place.url}/2/users/get_current_account", headers=alone, trust_env=False, timeout=60)
    assert (reply.status_code, "Dropbox-API-Select-User" in reply.text) == (400, True)


def test_accounts_say_who_they_are_and_what_they_use(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"0123456789", "/a.txt")
    assert sdk.users_get_space_usage().allocation.get_team().used == 10
    alone = place.build_sdk(3)
    assert alone.users_get_space_usage().allocation.get_individual().allocated > 0
    cleo = alone.users_get_current_account()
    assert cleo.account_type.is_basic()
    assert not sdk.users_get_account(cleo.account_id).is_teammate
    assert [one.email for one in sdk.users_get_account_batch([cleo.account_id])] == ["cleo@example.org"]
    place.state.space.space_bytes_max = 15
    with pytest.raises(ApiError) as refused:
        sdk.files_upload(b"0123456789", "/b.txt")
    assert refused.value.error.get_path().reason.is_insufficient_space()
