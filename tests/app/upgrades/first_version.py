"""A database as the first version left it, and what its clients remember: all of it must work for ever.

Ids, tokens, keys and sealed values stand here as that version wrote them, so that no newer code can agree with itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
from alembic import command
from sqlalchemy.engine import make_url

from app.core.migrating import build_config

REVISION = "0001"
ROWS = Path(__file__).with_suffix(".sql")
LAST_IDS = {"developers": 3, "developer_tokens": 2, "accounts": 9, "api_keys": 4, "tokens": 7, "upload_sessions": 8}
"""The highest number given in each table; the rows that had them are gone."""

KEYS = (
    '{"id_key":"ZtXnubBMq+yxmrq/fliaJ3t8Tahza1udN+E/AEJtfzn96yrR+5kkRlF2o6+HxOSjb8JkgX2DqwjCUOT5v5Bssw==",'
    '"sealing_keys":[{"id":"28db8898","key":"X/nkeEul4dBdgdpfBpippMT1RhVqRyUOoqUK/qzb2/s="}]}'
)
FOLDER = "0c9bc626256bc34b"
"""The live account's folder; it held `a.txt`, `c.bin` and `Folder`."""
APPLICATION_ID = "wLD7jImD-E8Pkk6ahCaJ0typsUzWFR9D"
API_KEY = "CvGRr5CFUAhias9SwZmG2jrIdefQ55kY4_3XraxkYcY"
DEVELOPER_TOKEN = "quqrq4NRK-OAoTk-B8FyxXVc9C11u3bb6KOv5qRG49w"
BEARER_TOKEN = "z8XOFkjLC9v_4hzCjZZlltXo9y_N740ucLMwN462SFI"
ACCOUNT_ID = 1
CUSTOM_PROPERTIES = {"theme": "dark", "ä": [1, None]}
IDS = {
    "Folder": "AUadBoxTj8gO79WiYBe8vKHVhBSIb09h4w",
    "a.txt": "AYMjki4WuNLlmCG0GddmDcX0G8dcDp2D",
    "c.bin": "AflnsadcITb1_M3CC_4F3FSGlxRRVkAG",
}
OPEN_UPLOAD_ID, FINISHED_UPLOAD_ID = 1, 2


def write(url: str) -> None:
    """Makes an empty database into that one."""
    command.upgrade(build_config(url), REVISION)
    script = ROWS.read_text()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as connection:
            connection.executescript(script.replace("{utc}", ""))
            for table, last_id in LAST_IDS.items():
                connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last_id, table))
            connection.commit()
    else:
        asyncio.run(_write_to_server(url, script.replace("{utc}", "+00")))


async def _write_to_server(url: str, script: str) -> None:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    await connection.execute(script)
    for table, last_id in LAST_IDS.items():
        await connection.execute("SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", table, last_id)
    await connection.close()
