"""What an administrator sees of a team, through the official client of the Directory API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.servers.gdrive import Place


@pytest.fixture
def directory(place: Place) -> Iterator[Any]:
    service = place.build_directory(1)
    yield service
    service.close()


def test_the_team_is_listed_in_pages_when_its_administrator_asks(directory: Any) -> None:
    request = directory.users().list(customer="my_customer", maxResults=1)
    pages = []
    while request is not None:
        answer = request.execute()
        pages.append([user["primaryEmail"] for user in answer["users"]])
        request = directory.users().list_next(request, answer)
    assert pages == [["ada@example.com"], ["ben@example.com"]]
    user = directory.users().get(userKey="ben@example.com", fields="name/fullName,isAdmin").execute()
    assert user == {"name": {"fullName": "Ben Sample"}, "isAdmin": False}


def test_the_directory_is_closed_when_somebody_else_asks(place: Place, directory: Any) -> None:
    member = place.build_directory(2)
    with pytest.raises(HttpError) as caught:
        member.users().list(customer="my_customer").execute()
    assert caught.value.status_code == 403
    member.close()
    with pytest.raises(HttpError) as caught:
        directory.users().get(userKey="cleo@example.org").execute()
    assert caught.value.status_code == 404


def test_all_members_read_a_file_when_it_is_shared_with_their_group(place: Place, service: Any, directory: Any) -> None:
    group = directory.groups().list(customer="my_customer").execute()["groups"][0]
    members = directory.members().list(groupKey=group["email"]).execute()["members"]
    assert [member["email"] for member in members] == ["ada@example.com", "ben@example.com"]
    file_id = place.store(1, "plan", b"plan")
    body = {"type": "group", "role": "reader", "emailAddress": group["email"]}
    service.permissions().create(fileId=file_id, body=body).execute()
    member, stranger = place.build_service(2), place.build_service(3)
    assert member.files().get_media(fileId=file_id).execute() == b"plan"
    with pytest.raises(HttpError):
        stranger.files().get(fileId=file_id).execute()
    member.close()
    stranger.close()
