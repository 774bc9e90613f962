"""The commands for whoever keeps a server running: doctor, health, backup, restore."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from app.account_cli import Json
from app.backups.archive import BackupError, Manifest, opening, verify
from app.backups.dumping import Progress, back_up
from app.backups.restoring import list_missing_keys, restore
from app.core.clock import now
from app.core.logging import set_up_logging
from app.core.settings import Settings
from app.core.state import find_keys
from app.doctor.examining import examine
from app.doctor.finding import Finding
from app.health import ask

COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}

operator_cli = typer.Typer()


@operator_cli.command("doctor")
def look_at_everything(
    is_deep: Annotated[
        bool, typer.Option("--deep", help="Also call the storages: one account of each service and host.")
    ] = False,
    has_all_accounts: Annotated[bool, typer.Option("--all", help="With --deep: every account.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether all is well with settings, database, keys, machine and network, and say what to do if not."""
    if has_all_accounts and not is_deep:
        raise typer.BadParameter("--all needs --deep")
    set_up_logging(level="error", log_format="text")

    async def operation() -> list[Finding]:
        findings = []
        async for finding in examine(is_deep=is_deep, has_all_accounts=has_all_accounts):
            findings.append(finding)
            if not as_json:
                _tell(finding)
        return findings

    findings = asyncio.run(operation())
    counts = Counter(finding.status for finding in findings)
    if as_json:
        print(json.dumps(msgspec.to_builtins(findings), indent=2, ensure_ascii=False))
    else:
        print(f"\n{counts['failed']} failed, {counts['warning']} warnings, {counts['ok']} ok.")
    if counts["failed"]:
        raise typer.Exit(1)


def _tell(finding: Finding) -> None:
    status = typer.style(f"{finding.status:8}", fg=COLORS[finding.status])
    typer.echo(f"{status} {finding.name:15} {finding.text}")
    if finding.advice:
        typer.echo(f"{'':24} {finding.advice}")


@operator_cli.command("health")
def ask_server(
    is_ready: Annotated[bool, typer.Option("--ready", help="Ask whether it can serve, the database included.")] = False,
) -> None:
    """Ask the server of these settings whether it answers; exit code 0 if so. Cheaper: python -m app.health"""
    settings = Settings()
    answer = ask(settings.host, settings.port, is_ready=is_ready)
    print(answer.text)
    raise typer.Exit(0 if answer.is_well else 1)


@operator_cli.command("backup")
def make_backup(
    target: Annotated[Path, typer.Argument(help="A new file, or a folder, in which it gets the time as its name.")],
    as_json: Json = False,
) -> None:
    """Write the whole database to a file, beside running servers; the keys are NOT in it."""
    settings = Settings()
    if target.is_dir():
        target /= f"kloudless-{now():%Y%m%dT%H%M%SZ}.backup"
    with _progress("Backing up") as progress:
        manifest = asyncio.run(back_up(settings, target, keys=find_keys(settings), progress=progress))
    _show(manifest, target, as_json=as_json)
    where = "KLOUDLESS_KEYS" if settings.keys is not None else settings.keys_path
    print(
        f"THE KEYS ARE NOT IN IT, and without them it is useless: keep a copy of {where} in another safe place.",
        file=sys.stderr,
    )


@operator_cli.command("restore")
def use_backup(
    source: Annotated[Path, typer.Argument(help="The file of a backup, made from a database of either kind.")],
    is_replacing: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what the database holds now.")
    ] = False,
    keys_later: Annotated[
        bool, typer.Option("--keys-later", help="Restore although the keys that it needs are not here yet.")
    ] = False,
    is_checking: Annotated[
        bool, typer.Option("--check", help="Only read it whole and say what it is and which keys it needs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup into the empty database that the settings name, in today's form. Stop all servers first."""
    settings = Settings()
    if is_checking:
        with Console(stderr=True).status("Reading …"):
            manifest = verify(source)
        _show(manifest, source, as_json=as_json)
        return
    with opening(source) as archive:
        missing = list_missing_keys(archive.manifest, find_keys(settings))
        if missing and not keys_later:
            raise BackupError(
                f"Nothing was restored, the right keys are not here ({'; '.join(missing)}). Bring the key file that "
                f"belongs to the backup to {settings.keys_path}, or say --keys-later."
            )
        with _progress("Restoring") as progress:
            kept = asyncio.run(restore(settings, archive, is_replacing=is_replacing, progress=progress))
    _show(archive.manifest, source, as_json=as_json)
    if kept is not None:
        print(f"What was there before is kept as {kept}; delete it when all is well.", file=sys.stderr)
    if missing:
        print("Bring the keys before a server starts; the embedded one would make new ones.", file=sys.stderr)


def _show(manifest: Manifest, path: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(path), **msgspec.to_builtins(manifest)}, indent=2))
        return
    rows: dict[str, Any] = {
        "file": path,
        "made": manifest.created_at.isoformat(),
        "from": f"{manifest.database}, version {manifest.version}, revision {manifest.revision}",
        "rows": f"{manifest.rows_count} in {len(manifest.tables)} tables",
        "needs sealing keys": ", ".join(manifest.sealing_key_ids) or "none",
    }
    for name, value in rows.items():
        print(f"{name}: {value}")


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """Shows a person what is being done; a script sees nothing of it."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{what} …")

        def note(table: str, rows_count: int) -> None:
            bar.update(task, description=f"{what}: {table}, {rows_count} rows")

        yield note
