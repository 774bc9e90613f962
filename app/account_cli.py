"""The commands that connect an account, one a service, made from what the service's manifest declares."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from app.accounts import service as accounts
from app.applications import service as applications
from app.core.state import State
from app.server import StartError
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Field
from connectors.core.service import Service

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
AppOption = Annotated[str, typer.Option("--app", help="The application's id.")]

Reply = dict[str, Any]
Run = Callable[[Callable[[State], Awaitable[Reply]]], Reply]


def build_add_command(service: Service, *, run: Run, show: Callable[..., None]) -> Callable[..., None]:
    """`account add <service>`, with the manifest's fields as options."""
    manifest = service.manifest

    def add(**given: Any) -> None:
        app, label, as_json = given.pop("app"), given.pop("label"), given.pop("as_json")
        credentials = {
            field.name: value for field in manifest.auth.fields if (value := _fill(field, given[field.name]))
        }

        async def operation(state: State) -> dict[str, Any]:
            if await applications.find_application(state, app) is None:
                raise StartError(f"There is no application {app!r}; see: kloudless app list")
            with Console(stderr=True).status(f"Trying to reach {manifest.title} …"):
                try:
                    row, is_new = await accounts.connect_account(
                        state, application_id=app, service=manifest.service, credentials=credentials, label=label
                    )
                except ConnectorError as error:
                    hint = "; KLOUDLESS_ALLOWED_NETWORKS does that" if error.kind is ErrorKind.ADDRESS_REFUSED else ""
                    text = f"The account was not connected, nothing was saved: {error.message}{hint}"
                    raise StartError(text) from error
            token, _ = await accounts.create_token(state, row=row)
            status = "connected" if is_new else "connected again"
            return {"id": row.id, "account": row.label, "status": status, "bearer_token": token}

        show(run(operation), as_json=as_json)

    label_option = Annotated[str | None, typer.Option("--label", help="Name to show; the storage's own if left out.")]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("app", kind, annotation=AppOption),
        *(_build_parameter(field) for field in manifest.auth.fields),
        inspect.Parameter("label", kind, annotation=label_option, default=None),
        inspect.Parameter("as_json", kind, annotation=Json, default=False),
    ]
    add.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions may carry one
    add.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    add.__doc__ = f"Connect an account of {manifest.title}; it is tried before it is saved."
    return add


def _build_parameter(field: Field) -> inspect.Parameter:
    text = field.help
    if field.is_required:
        text += " Asked for if left out."
    if field.example:
        text += f" Example: {field.example}"
    option = typer.Option(
        _build_flag(field),
        help=text,
        envvar=_build_variable(field) if field.is_secret else None,
    )
    kind: Any = Literal[field.choices] if field.choices else str
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)


def _fill(field: Field, given: str | None) -> str:
    """What was given; a person is asked for what is missing, a secret without showing it, and a script is told."""
    if given or not field.is_required:
        return given or ""
    if not sys.stdin.isatty():
        or_variable = f" or the variable {_build_variable(field)}" if field.is_secret else ""
        raise typer.BadParameter(f"give {_build_flag(field)}{or_variable}: {field.help}", param_hint=field.label)
    typer.echo(field.help, err=True)
    return str(typer.prompt(field.label, hide_input=field.is_secret, err=True))


def _build_flag(field: Field) -> str:
    return "--" + field.name.replace("_", "-")


def _build_variable(field: Field) -> str:
    return f"KLOUDLESS_ADD_{field.name.upper()}"
