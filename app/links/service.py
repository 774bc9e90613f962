"""The rules for links: an application makes them for files of its accounts, and they die with file, account or time."""

from __future__ import annotations

import secrets
from datetime import timedelta

from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.core.tokens import generate_token, hash_token
from app.links.passwords import hash_password
from app.links.repository import LinkRepository
from app.links.schemas import LinkCreate, LinkUpdate
from app.models import Link
from app.storage.opening import Storage

LINKS_MAX = 10_000  # of one account
ID_BYTES = 16
EXPIRED_LINK_DAYS = 90
"""How long a link that has expired can be revived with a later time."""
BATCH_COUNT = 200


async def create_link(storage: Storage, body: LinkCreate) -> Link:
    """A new link to a file that is there now. ApiError 400 when the account has as many as it may have."""
    ref = storage.present.decode(body.file_id, kind="file")
    await storage.connector.get(ref)
    password_hash = None if body.password is None else await hash_password(body.password)
    token = generate_token()
    token_hash = hash_token(token)
    moment = now()
    link = Link(
        id=secrets.token_urlsafe(ID_BYTES),
        account_id=storage.row.id,
        file_raw_id=ref.raw_id,
        token_hash=token_hash,
        sealed_token=_seal_token(storage.state, token_hash, token),
        is_active=body.active,
        is_direct=body.direct,
        password_hash=password_hash,
        attempts_count=0,
        expires_at=body.expiration,
        created_at=moment,
        modified_at=moment,
    )
    async with storage.state.db.writing() as session:
        repository = LinkRepository(session)
        if not await repository.lock_account(storage.row.id):
            raise ApiError(ErrorCode.NOT_FOUND, "There is no such account.")
        if await repository.count(storage.row.id) >= LINKS_MAX:
            raise ApiError(ErrorCode.REQUEST_FAILED, f"An account has at most {LINKS_MAX} links; delete some first.")
        repository.add(link)
    return link


async def get_link(storage: Storage, link_id: str) -> Link:
    """A link of this account; ApiError 404."""
    async with storage.state.db.reading() as session:
        link = await LinkRepository(session).find(link_id, account_id=storage.row.id)
    if link is None:
        raise _no_such_link()
    return link


async def update_link(storage: Storage, link_id: str, body: LinkUpdate) -> Link:
    """Changes what was given. Another password, or none, ends the visits of those who knew the old one."""
    link = await get_link(storage, link_id)
    given = body.model_fields_set
    password_hash = await hash_password(body.password) if body.password is not None else None
    if not given:
        return link
    async with storage.state.db.writing() as session:
        changed = await LinkRepository(session).find(link_id, account_id=storage.row.id)
        if changed is None:
            raise _no_such_link()
        if body.active is not None:
            changed.is_active = body.active
        if body.direct is not None:
            changed.is_direct = body.direct
        if "expiration" in given:
            changed.expires_at = body.expiration
        if "password" in given:
            changed.password_hash = password_hash
            changed.attempts_count, changed.attempts_since = 0, None
        changed.modified_at = now()
    return changed


async def delete_link(storage: Storage, link_id: str) -> None:
    """Ends a link for ever; ApiError 404."""
    async with storage.state.db.writing() as session:
        if not await LinkRepository(session).delete(link_id, account_id=storage.row.id):
            raise _no_such_link()


async def delete_expired(state: State) -> int:
    """Forgets links that expired long ago and were not revived; returns how many."""
    before = now() - timedelta(days=EXPIRED_LINK_DAYS)
    return await state.db.delete_in_batches(
        lambda session, limit: LinkRepository(session).delete_expired(before=before, limit=limit),
        batch_count=BATCH_COUNT,
    )


def open_token(state: State, link: Link) -> str:
    """The secret part of the link's address."""
    return state.keys.open(link.sealed_token, purpose=_purpose(link.token_hash)).decode()


async def reseal_tokens(state: State, *, batch_count: int = 200) -> int:
    """Seals all tokens with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = "", 0
    while True:
        async with state.db.writing() as session:
            links = await LinkRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for link in links:
                if not state.keys.is_current(link.sealed_token):
                    link.sealed_token = _seal_token(state, link.token_hash, open_token(state, link))
                    resealed_count += 1
        if not links:
            return resealed_count
        after_id = links[-1].id


def _seal_token(state: State, token_hash: str, token: str) -> str:
    return state.keys.seal(token.encode(), purpose=_purpose(token_hash))


def _purpose(token_hash: str) -> str:
    return f"link:{token_hash}"


def _no_such_link() -> ApiError:
    return ApiError(ErrorCode.NOT_FOUND, "There is no such link.")
