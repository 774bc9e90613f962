"""The command line: serving, migrating, and everything an operator does to developers, applications and accounts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from alembic.util import CommandError
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from app.account_cli import AppOption, Json, build_add_command
from app.accounts import service as accounts
from app.accounts.callers import build_connector, find_service
from app.accounts.clients import explain_missing_client, find_client
from app.accounts.rows import AccountRow, build_row
from app.applications import service as applications
from app.applications.schemas import ApplicationCreate
from app.backups.archive import BackupError
from app.core.errors import ApiError
from app.core.keys import KeyRing, KeysError
from app.core.logging import set_up_logging
from app.core.migrating import get_head, migrate
from app.core.settings import Settings
from app.core.state import State, build_registry_from, build_state
from app.demo import follow_demo
from app.disconnecting.service import disconnect_account
from app.operator_cli import operator_cli
from app.resealing import reseal_all
from app.server import StartError
from app.serving import serve_until_stopped
from connectors.core.errors import ConnectorError
from connectors.core.manifest import OAuth2

ResultT = TypeVar("ResultT")
LIST_MAX = 1000

cli = typer.Typer(
    name="kloudless",
    help="One REST API for every file storage. Settings come from the environment; the README lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
developer_cli = typer.Typer(help="Developers, who manage applications through the Meta API.", no_args_is_help=True)
app_cli = typer.Typer(help="Applications, which the API's clients belong to.", no_args_is_help=True)
key_cli = typer.Typer(help="API keys of an application.", no_args_is_help=True)
account_cli = typer.Typer(help="Connected storage accounts.", no_args_is_help=True)
account_add_cli = typer.Typer(help="Connect an account; one command a service.", no_args_is_help=True)
keys_cli = typer.Typer(help="The server's own keys.", no_args_is_help=True)
cli.add_typer(developer_cli, name="developer")
cli.add_typer(app_cli, name="app")
cli.add_typer(key_cli, name="key")
cli.add_typer(account_cli, name="account")
account_cli.add_typer(account_add_cli, name="add")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(operator_cli)


def main() -> None:
    """Runs the command line; what an operator can mend is one plain line and exit code 1."""
    try:
        if sys.argv[1:2] != ["doctor"]:  # which says by itself what is wrong with the settings
            settings = Settings()
            set_up_logging(level=settings.log_level, log_format=settings.log_format)
            for service in build_registry_from(settings):
                account_add_cli.command(service.manifest.service)(build_add_command(service, run=_run, show=_show_one))
        cli()
    except ValidationError as error:
        for detail in error.errors():
            what = "setting " if error.title == Settings.__name__ else ""
            print(f"kloudless: {what}{'.'.join(map(str, detail['loc']))}: {detail['msg']}", file=sys.stderr)
        sys.exit(1)
    except (StartError, KeysError, BackupError, ValueError, OSError) as error:
        print(f"kloudless: {error}", file=sys.stderr)
        sys.exit(1)
    except ApiError as error:
        print(f"kloudless: {error.message}", file=sys.stderr)
        sys.exit(1)
    except ConnectorError as error:
        print(f"kloudless: the storage says: {error.message}", file=sys.stderr)
        sys.exit(1)
    except (SQLAlchemyError, asyncpg.PostgresError, CommandError) as error:
        text = str(getattr(error, "orig", error)).splitlines()[0]
        print(f"kloudless: the database says: {text}; is it right, and migrated?", file=sys.stderr)
        sys.exit(1)


def _run(operation: Callable[[State], Awaitable[ResultT]]) -> ResultT:
    """Runs one operation on a state that is closed afterwards."""

    async def run() -> ResultT:
        state = build_state(settings)
        try:
            return await operation(state)
        finally:
            await state.aclose()

    settings = follow_demo(Settings())
    if settings.is_embedded:
        migrate(settings)
    return asyncio.run(run())


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        print("None.")
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def _show_one(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row, indent=2, ensure_ascii=False))
        return
    for name, value in row.items():
        print(f"{name}: {value}")


@cli.command()
def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo application with a ready account first.")] = False,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM; an embedded database is migrated first."""
    serve_until_stopped(Settings(), has_demo=demo)


@cli.command(name="migrate")
def run_migrations() -> None:
    """Bring the database to the newest form; safe to repeat."""
    settings = Settings()
    migrate(settings)
    print(f"The database is at revision {get_head()}.")


@developer_cli.command("create")
def create_developer(
    name: Annotated[str, typer.Option(help="Shown to people.")] = "Developer", as_json: Json = False
) -> None:
    """Create a developer and print its Meta token, this once."""

    async def operation(state: State) -> dict[str, Any]:
        async with state.db.writing() as session:
            developer_id, token = await applications.create_developer(session, name=name)
        return {"id": developer_id, "name": name, "token": token}

    _show_one(_run(operation), as_json=as_json)


@app_cli.command("create")
def create_app(
    name: Annotated[str, typer.Option(help="Shown to people.")],
    developer: Annotated[int, typer.Option(help="The developer's number, from `developer create`.")],
    as_json: Json = False,
) -> None:
    """Create an application and print its first API key."""

    async def operation(state: State) -> dict[str, Any]:
        async with state.db.writing() as session:
            application, key = await applications.create_application(
                state, session, developer_id=developer, create=ApplicationCreate(name=name)
            )
        return {"id": application.id, "name": application.name, "api_key": key}

    _show_one(_run(operation), as_json=as_json)


@app_cli.command("list")
def list_apps(as_json: Json = False) -> None:
    """List all applications."""

    async def operation(state: State) -> list[dict[str, Any]]:
        rows = await applications.list_applications(state, limit=LIST_MAX)
        return [
            {"id": row.id, "name": row.name, "developer": row.developer_id, "active": row.is_active} for row in rows
        ]

    _show(_run(operation), as_json=as_json)


@key_cli.command("create")
def create_key(app: AppOption, as_json: Json = False) -> None:
    """Create a further API key."""

    async def operation(state: State) -> dict[str, Any]:
        _, key = await applications.create_key(state, developer_id=None, application_id=app)
        return {"app": app, "key": key}

    _show_one(_run(operation), as_json=as_json)


@key_cli.command("list")
def list_keys(app: AppOption, as_json: Json = False) -> None:
    """List an application's API keys, oldest first."""

    async def operation(state: State) -> list[dict[str, Any]]:
        rows, _ = await applications.list_keys(state, developer_id=None, application_id=app)
        return [{"key": key, "created": row.created_at.isoformat()} for row, key in rows]

    _show(_run(operation), as_json=as_json)


@key_cli.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key to revoke; after -- if it begins with a dash.")], app: AppOption
) -> None:
    """Revoke an API key; servers stop accepting it within seconds."""

    async def operation(state: State) -> None:
        await applications.delete_key(state, developer_id=None, application_id=app, key=key)

    _run(operation)
    print("Revoked.")


@account_cli.command("list")
def list_accounts(
    app: Annotated[str | None, typer.Option("--app", help="Only this application's.")] = None, as_json: Json = False
) -> None:
    """List connected accounts."""

    async def operation(state: State) -> list[dict[str, Any]]:
        rows = await accounts.list_accounts(state, application_id=app, limit=LIST_MAX)
        return [
            {
                "id": row.id,
                "service": row.service,
                "account": row.label,
                "app": row.application_id,
                "active": row.is_active,
            }
            for row in rows
        ]

    _show(_run(operation), as_json=as_json)


async def _load_account(state: State, account_id: int) -> AccountRow:
    async with state.db.writing() as session:
        return build_row(await accounts.get_account(session, account_id))


@account_cli.command("check")
def check_account(
    account_id: Annotated[int, typer.Argument(help="The account's number.")], as_json: Json = False
) -> None:
    """Ask the account's storage who it belongs to and what it can do; says what is wrong if that fails.

    Where people connect by consent it also says which OAuth client renews the access, or how to set one up.
    """

    async def operation(state: State) -> dict[str, Any]:
        row = await _load_account(state, account_id)
        row = await accounts.verify_account(state, row, build_connector(state, row))
        return {
            "id": row.id,
            "service": row.service,
            "account": row.label,
            "region": row.storage_region,
            "status": "ok",
            **await _describe_client(state, row),
        }

    _show_one(_run(operation), as_json=as_json)


async def _describe_client(state: State, row: AccountRow) -> dict[str, str]:
    """Who renews the account's access, where anybody has to."""
    if not isinstance(find_service(state, row.service).manifest.auth, OAuth2):
        return {}
    client = await find_client(state, row.application_id, row.service)
    return {"oauth_client": explain_missing_client(row.service) if client is None else client.client_id}


@account_cli.command("remove")
def remove_account(account_id: Annotated[int, typer.Argument(help="The account's number.")]) -> None:
    """Disconnect an account: its secrets are purged and its tokens end. Its files stay where they are."""

    async def operation(state: State) -> None:
        await disconnect_account(state, account_id=account_id)

    _run(operation)
    print("Removed.")


@keys_cli.command("create")
def create_keys(
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Succeed if there is one already.")] = False,
) -> None:
    """Make the key file of a new installation. All its servers need the same file; an existing one is kept."""
    path = Settings().keys_path
    if path.exists() and if_missing:
        print(f"Kept {path}.")
        return
    if path.exists():
        raise StartError(f"{path} exists; it is kept. To replace the sealing key: kloudless keys rotate")
    KeyRing.from_file(path, create=True)
    print(f"Wrote {path}. Keep a copy apart from the database's backups; without it they do not open.")


@keys_cli.command("rotate")
def rotate_keys(
    forget_old: Annotated[
        bool,
        typer.Option("--forget-old", help="Delete the older sealing keys afterwards; older backups then do not open."),
    ] = False,
) -> None:
    """Make a new sealing key and seal every stored secret with it. Ids stay; a running server needs no restart."""

    async def operation(state: State) -> int:
        rotated = State(**{name: getattr(state, name) for name in State.__slots__} | {"keys": state.keys.rotated()})
        resealed_count = await reseal_all(rotated)
        keys = rotated.keys.pruned() if forget_old else rotated.keys
        if state.settings.keys is not None:
            print("The keys are given by KLOUDLESS_KEYS; set it to this before the next start:", file=sys.stderr)
            print(keys.to_text())
        return resealed_count

    print(f"Sealed {_run(operation)} secrets anew.", file=sys.stderr)
