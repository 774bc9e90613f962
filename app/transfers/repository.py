"""All queries on transfers, their files and parts."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.db import Repository
from app.models import Task, Transfer, TransferFile, TransferPart, UploadSession


@dataclass(slots=True)
class Summary:
    """How far the files of a transfer are."""

    files_total: int = 0
    bytes_total: int = 0
    bytes_stored: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def files_done(self) -> int:
        """Those that nothing more happens to."""
        return sum(self.outcomes.values())


class TransferRepository(Repository):
    """Reads and writes within one session. Writes are fenced by whoever opens the session."""

    def _insert(self, table: type[Transfer | TransferFile | TransferPart]) -> Any:
        # Both databases' own form of insert can leave a row that is there as it is.
        return (sqlite if self._writer.get_bind().dialect.name == "sqlite" else postgresql).insert(table)

    async def find(self, task_id: uuid.UUID) -> Transfer | None:
        return await self._session.get(Transfer, task_id)

    async def add(self, task_id: uuid.UUID, *, stage: str) -> None:
        await self._writer.execute(self._insert(Transfer).values(task_id=task_id, stage=stage).on_conflict_do_nothing())

    async def set_stage(self, task_id: uuid.UUID, stage: str) -> None:
        await self._writer.execute(update(Transfer).where(Transfer.task_id == task_id).values(stage=stage))

    async def add_files(self, rows: Sequence[dict[str, Any]]) -> int:
        """Adds rows that are not there yet; how many were new."""
        if not rows:
            return 0
        added = await self._writer.execute(
            self._insert(TransferFile)
            .values(rows)
            .on_conflict_do_nothing(index_elements=["task_id", "source_key"])
            .returning(TransferFile.id)
        )
        return len(added.all())

    async def get_file(self, file_id: int) -> TransferFile:
        row = await self._session.get(TransferFile, file_id)
        if row is None:
            raise AssertionError("rows of a transfer go only with its task")
        return row

    async def find_top(self, task_id: uuid.UUID) -> TransferFile | None:
        return await self._session.scalar(
            select(TransferFile).where(TransferFile.task_id == task_id, TransferFile.parent_id.is_(None))
        )

    async def count_files(self, task_id: uuid.UUID) -> int:
        """All rows, folders too."""
        query = select(func.count()).select_from(TransferFile).where(TransferFile.task_id == task_id)
        return await self._session.scalar(query) or 0

    async def find_unlisted(self, task_id: uuid.UUID) -> TransferFile | None:
        """The first folder whose content has not all got rows."""
        return await self._session.scalar(
            select(TransferFile)
            .where(
                TransferFile.task_id == task_id,
                TransferFile.kind == "folder",
                TransferFile.is_listed.is_(False),
                TransferFile.state != "failed",
            )
            .order_by(TransferFile.id)
            .limit(1)
        )

    async def list_open(self, task_id: uuid.UUID, *, after_id: int, limit: int) -> list[TransferFile]:
        """What is still to be stored or verified, a folder before what it holds."""
        return list(
            await self._session.scalars(
                select(TransferFile)
                .where(
                    TransferFile.task_id == task_id,
                    TransferFile.id > after_id,
                    or_(
                        TransferFile.state.in_(("waiting", "started", "finishing")),
                        and_(
                            TransferFile.state == "stored",
                            TransferFile.kind == "file",
                            TransferFile.outcome.is_(None),
                        ),
                    ),
                )
                .order_by(TransferFile.id)
                .limit(limit)
            )
        )

    async def list_undeleted(
        self, task_id: uuid.UUID, *, kind: str, beyond_id: int | None, limit: int
    ) -> list[TransferFile]:
        """What of the source is to be deleted: the inner before the outer."""
        query = select(TransferFile).where(
            TransferFile.task_id == task_id,
            TransferFile.kind == kind,
            TransferFile.is_source_deleted.is_(False),
        )
        if beyond_id is not None:
            query = query.where(TransferFile.id < beyond_id)
        return list(await self._session.scalars(query.order_by(TransferFile.id.desc()).limit(limit)))

    async def list_begun(self, task_id: uuid.UUID, *, after_id: int, limit: int) -> list[TransferFile]:
        """Files of which the target may hold parts that will never be finished."""
        return list(
            await self._session.scalars(
                select(TransferFile)
                .where(
                    TransferFile.task_id == task_id,
                    TransferFile.id > after_id,
                    TransferFile.intended_at.is_not(None),
                )
                .order_by(TransferFile.id)
                .limit(limit)
            )
        )

    async def list_outcomes(self, task_id: uuid.UUID, outcomes: Collection[str], *, limit: int) -> list[TransferFile]:
        """Files and folders that ended in one of these ways."""
        query = select(TransferFile).where(TransferFile.task_id == task_id, TransferFile.outcome.in_(outcomes))
        return list(await self._session.scalars(query.order_by(TransferFile.id).limit(limit)))

    async def count_outcomes(self, task_id: uuid.UUID, outcomes: Collection[str]) -> int:
        query = select(func.count()).where(TransferFile.task_id == task_id, TransferFile.outcome.in_(outcomes))
        return await self._session.scalar(query) or 0

    async def is_target_known(self, row: TransferFile, raw_id: str) -> bool:
        """Whether another row of the same transfer has become this file or folder."""
        query = select(TransferFile.id).where(
            TransferFile.task_id == row.task_id, TransferFile.target_raw_id == raw_id, TransferFile.id != row.id
        )
        return await self._session.scalar(query.limit(1)) is not None

    async def update_file(self, file_id: int, **values: Any) -> None:
        await self._writer.execute(update(TransferFile).where(TransferFile.id == file_id).values(**values))

    async def save_part(self, file_id: int, number: int, **values: Any) -> None:
        """Notes a stored part; the same number again takes its place."""
        await self._writer.execute(
            self._insert(TransferPart)
            .values(transfer_file_id=file_id, number=number, **values)
            .on_conflict_do_update(index_elements=["transfer_file_id", "number"], set_=values)
        )
        await self.update_file(file_id, parts_count=TransferFile.parts_count + 1)

    async def list_parts(self, file_id: int, *, limit: int) -> list[TransferPart]:
        query = select(TransferPart).where(TransferPart.transfer_file_id == file_id).order_by(TransferPart.number)
        return list(await self._session.scalars(query.limit(limit)))

    async def delete_parts(self, file_id: int) -> int:
        """Forgets a file's parts; how many bytes they had."""
        deleted = await self._writer.scalars(
            delete(TransferPart).where(TransferPart.transfer_file_id == file_id).returning(TransferPart.size_bytes)
        )
        return sum(deleted)

    async def summarize(self, task_id: uuid.UUID) -> Summary:
        size = func.coalesce(TransferFile.size_bytes, 0)
        rows = await self._session.execute(
            select(TransferFile.state, TransferFile.outcome, func.count(), func.sum(size))
            .where(TransferFile.task_id == task_id, TransferFile.kind == "file")
            .group_by(TransferFile.state, TransferFile.outcome)
        )
        summary = Summary()
        for state, outcome, count, size_bytes in rows:
            summary.files_total += count
            summary.bytes_total += int(size_bytes or 0)
            if state == "stored":
                summary.bytes_stored += int(size_bytes or 0)
            if outcome is not None:
                summary.outcomes[outcome] = summary.outcomes.get(outcome, 0) + count
        parts_bytes = await self._session.scalar(
            select(func.sum(TransferPart.size_bytes))
            .join(TransferFile, TransferFile.id == TransferPart.transfer_file_id)
            .where(TransferFile.task_id == task_id, TransferFile.state != "stored")
        )
        summary.bytes_stored += int(parts_bytes or 0)
        return summary

    async def list_known_states(self, account_id: int, name: str) -> list[str]:
        """The sealed states of all uploads in parts of ours to an account under a name."""
        account = func.coalesce(Task.target_account_id, Task.account_id)
        transferred = await self._session.scalars(
            select(TransferFile.sealed_state)
            .join(Task, Task.id == TransferFile.task_id)
            .where(account == account_id, TransferFile.target_name == name, TransferFile.sealed_state.is_not(None))
        )
        uploaded = await self._session.scalars(
            select(UploadSession.sealed_state).where(
                UploadSession.account_id == account_id,
                UploadSession.name == name,
                UploadSession.state.in_(("open", "finishing")),
            )
        )
        return [sealed for sealed in (*transferred, *uploaded) if sealed is not None]

    async def list_sealed(self, *, after_id: int, limit: int) -> list[tuple[TransferFile, int]]:
        """Rows with a sealed state, each with the account that it belongs to."""
        rows = await self._session.execute(
            select(TransferFile, func.coalesce(Task.target_account_id, Task.account_id))
            .join(Task, Task.id == TransferFile.task_id)
            .where(TransferFile.id > after_id, TransferFile.sealed_state.is_not(None))
            .order_by(TransferFile.id)
            .limit(limit)
            .with_for_update(of=TransferFile)
        )
        return [(row, account_id) for row, account_id in rows]
