"""One request of a signed-in user: parameters as they were declared, and the files it may reach."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from simulators.core.fault_layer import read_bearer
from simulators.core.grants import Grant, TokenExpiredError, TokenInvalidError
from simulators.core.users import User
from simulators.gdrive import access
from simulators.gdrive.bodies import read_body
from simulators.gdrive.capabilities import Standing
from simulators.gdrive.description import SCHEMAS, Method, Shape
from simulators.gdrive.drive import Drive
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import Mask
from simulators.gdrive.presenting import Viewer
from simulators.gdrive.records import DriveFile
from simulators.gdrive.store import Store

BODY_BYTES_MAX = 10 * 1024 * 1024
NARROW_SCOPES = frozenset({"drive.file", "drive.appdata"})
"""Let an application reach its own files only."""
CONTENT_SCOPES = frozenset({"drive", "drive.readonly", "drive.file", "drive.appdata"})


@dataclass(slots=True, kw_only=True)
class Call:
    drive: Drive
    request: Request
    method: Method
    user: User
    grant: Grant
    parameters: dict[str, Any]
    mask: Mask | None = None
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.drive.store

    @property
    def client_id(self) -> str:
        return self.grant.client_id

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.store, self.user, self.client_id, get_origin(self.request))

    def text(self, name: str) -> str:
        """A parameter; empty if it was not given."""
        value = self.parameters.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str) -> bool:
        return bool(self.parameters.get(name))

    def number(self, name: str) -> int:
        return int(self.parameters[name])

    @property
    def supports_drives(self) -> bool:
        """Does the application say that it knows of shared drives? If not they are hidden from it."""
        return self.flag("supportsAllDrives") or self.flag("supportsTeamDrives")

    def get_standing(self, file_id: str) -> Standing:
        """A file that the caller can see, with what the caller may do; 404 for any other."""
        file = self.store.find(self.resolve(file_id))
        if file is None:
            raise DriveError.not_found(file_id)
        standing = Standing(file, access.get_role(self.store, file, self.user), access.is_trashed(self.store, file))
        if not standing.can_read or not self.reaches(file):
            raise DriveError.not_found(file_id)
        if file.drive_id is not None and not self.supports_drives and "supportsAllDrives" in self.method.parameters:
            raise DriveError.not_found(file_id)
        return standing

    def get_file(self, file_id: str) -> DriveFile:
        return self.get_standing(file_id).file

    def get_writable(self, file_id: str) -> DriveFile:
        standing = self.get_standing(file_id)
        if not standing.can_write:
            raise DriveError.insufficient()
        return standing.file

    def resolve(self, file_id: str) -> str:
        """`root` and `appDataFolder` are names for folders of the caller."""
        if file_id == "root":
            return self.store.get_root(self.user).id
        if file_id == "appDataFolder":
            if "drive.appdata" not in self.grant.scopes:
                message = "The granted scopes do not allow use of the Application Data folder."
                raise DriveError.forbidden("insufficientScopes", message)
            return self.store.get_root(self.user, space="appDataFolder", client_id=self.client_id).id
        return file_id

    def reaches(self, file: DriveFile) -> bool:
        """Do the application's scopes let it see this file?"""
        scopes = self.grant.scopes
        if file.space == "appDataFolder":
            root = self.store.get_root(self.user, space="appDataFolder", client_id=self.client_id)
            is_own = file is root or any(folder is root for folder in access.list_ancestors(self.store, file))
            return "drive.appdata" in scopes and is_own
        if scopes & self.method.scopes <= NARROW_SCOPES:
            return "drive.file" in scopes and (file.client_id == self.client_id or file.is_root)
        return True

    def check_content_scope(self) -> None:
        """To read metadata is not to read files."""
        if not self.grant.scopes & CONTENT_SCOPES:
            raise refuse_scopes()


def authenticate(drive: Drive, request: Request) -> Grant:
    """Whose request it is; 401 without a token that is good now."""
    token = read_bearer(request) or request.query_params.get("access_token") or request.query_params.get("oauth_token")
    if not token:
        raise DriveError.unauthorized()
    try:
        return drive.world.grants.authenticate(token)
    except (TokenInvalidError, TokenExpiredError):
        raise DriveError.unauthorized() from None


def check_scopes(grant: Grant, method: Method) -> None:
    if not grant.scopes & method.scopes:
        raise refuse_scopes()


def refuse_scopes() -> DriveError:
    message = "Request had insufficient authentication scopes."
    return DriveError(403, "insufficientPermissions", message, is_named=True)


def get_origin(request: Request) -> str:
    """Where the client thinks that it is, also behind a proxy."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    host = request.headers.get("x-forwarded-host") or request.headers.get("host") or request.url.netloc
    return f"{scheme}://{host}"


def read_parameters(method: Method, query: list[tuple[str, str]], path: dict[str, Any]) -> dict[str, Any]:
    """Typed values of what the method declares, with defaults; refuses what it does not declare."""
    given: dict[str, str] = {}
    for name, value in query:
        if name not in method.parameters or method.parameters[name].location == "path":
            message = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            raise DriveError.bad_request(message)
        given[name] = value
    values: dict[str, Any] = dict(path)
    for name, parameter in method.parameters.items():
        text = given.get(name, parameter.default)
        if text is None or name in path:
            if parameter.is_required and name not in path:
                raise DriveError.required(name, f"Required parameter: {name}")
            continue
        if parameter.type == "boolean":
            if text not in {"true", "false"}:
                raise DriveError.invalid(name, f"Invalid boolean value: '{text}'.")
            values[name] = text == "true"
        elif parameter.type == "integer":
            values[name] = _read_integer(name, text, parameter.minimum, parameter.maximum)
        elif parameter.choices and text not in parameter.choices:
            raise DriveError.invalid(name, f"Invalid string value: '{text}'.")
        else:
            values[name] = text
    return values


async def read_json(request: Request, schema: str | None) -> dict[str, Any]:
    """The body as the method declares it; no body is an empty one."""
    return parse_json(await read_body(request, BODY_BYTES_MAX), schema)


def parse_json(raw: bytes, schema: str | None) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise DriveError(400, "parseError", "Parse Error") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise DriveError(400, "parseError", "Parse Error")
    if schema is not None:
        check_shape(body, SCHEMAS[schema], "")
    return body


def check_shape(value: Any, shape: Shape, place: str) -> None:
    """Refuses names that the schema lacks and values of another type."""
    if value is None:
        return
    if isinstance(shape, str) and shape.startswith("#"):
        shape = SCHEMAS[shape[1:]]
    if isinstance(shape, list) and isinstance(value, list):
        for item in value:
            check_shape(item, shape[0], place)
    elif isinstance(shape, dict) and isinstance(value, dict):
        for name, part in value.items():
            inner = shape.get(name, shape.get("*"))
            if inner is None:
                message = f'Invalid JSON payload received. Unknown name "{name}"{place and f" at {place!r}"}: '
                raise DriveError.bad_request(message + "Cannot find field.")
            check_shape(part, inner, f"{place}.{name}".lstrip("."))
    elif not isinstance(shape, str) or not _fits(value, shape):
        raise DriveError.invalid(place, f"Invalid value at '{place}'")


def _fits(value: Any, shape: str) -> bool:
    match shape:
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "int32":
            return isinstance(value, int) and not isinstance(value, bool)
        case "int64":
            return isinstance(value, int | str) and str(value).lstrip("-").isdigit()
        case "number" | "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "any":
            return True
    return isinstance(value, str)


def _read_integer(name: str, text: str, minimum: int | None, maximum: int | None) -> int:
    try:
        number = int(text)
    except ValueError:
        raise DriveError(400, "invalidParameter", f"Invalid integer value: '{text}'.", location=name) from None
    if minimum is not None and number < minimum:
        message = f"Invalid value '{text}'. Values must be within the range: [{minimum}, {maximum}]"
        raise DriveError(400, "invalidParameter", message, location=name)
    return number if maximum is None else min(number, maximum)
