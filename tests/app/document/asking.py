"""Somebody for generated requests to ask as, with what they can ask about, and others whose things they may destroy."""

from __future__ import annotations

import io

from PIL import Image

from tests.app.drive import Drive, read_json
from tests.app.sharing import connect_sharing
from tests.servers.api import Api


def build_variables(api: Api) -> dict[str, str]:
    """A fresh application with its accounts, as schemathesis.toml calls them."""
    caller = api.create_caller()
    with caller.client() as client, caller.client(caller.developer_header) as developer:
        drive, sharing = Drive(caller, client), connect_sharing(caller, client)
        folder = drive.create_folder("a folder")
        file = drive.upload("a.txt", b"some bytes", parent=folder["id"])
        picture = drive.upload("picture.png", _draw())
        shared = sharing.upload("a.txt", b"first")
        sharing.store.add_version(shared["raw_id"], b"second")
        service_link = read_json(client.post(f"{shared['href']}/links", json={}), status=201)
        versions = read_json(client.get(f"{shared['href']}/versions"))["objects"]
        link = read_json(client.post(drive.url("links"), json={"file_id": file["id"]}), status=201)
        application = read_json(developer.post("/v1/meta/applications", json={"name": "Spare"}), status=201)
    spare, spent = api.add_account(caller), api.add_account(caller)
    return {
        "API_KEY": caller.api_key,
        "DEVELOPER_TOKEN": caller.developer_token,
        "SPENT_TOKEN": spent.bearer_token,
        "ACCOUNT_ID": str(caller.account_id),
        "SHARING_ACCOUNT_ID": str(sharing.caller.account_id),
        "SPARE_ACCOUNT_ID": str(spare.account_id),
        "APPLICATION_ID": caller.application_id,
        "SPARE_APPLICATION_ID": application["id"],
        "FILE_ID": file["id"],
        "PICTURE_ID": picture["id"],
        "FOLDER_ID": folder["id"],
        "SHARED_FILE_ID": shared["id"],
        "VERSION_ID": versions[0]["id"],
        "SERVICE_LINK_ID": service_link["id"],
        "LINK_TOKEN": link["url"].rpartition("/")[2],
    }


def _draw() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    return picture.getvalue()
