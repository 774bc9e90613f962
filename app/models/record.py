"""What all tables share: the base class and the column types that mean the same on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeEngine

from app.core.db import METADATA, UtcDateTime

BIG_ID = BigInteger().with_variant(Integer, "sqlite")

AutoId = Annotated[int, mapped_column(BIG_ID, primary_key=True, autoincrement=True)]
CreatedAt = Annotated[datetime, mapped_column(UtcDateTime, server_default=text("CURRENT_TIMESTAMP"))]
Hash = Annotated[str, mapped_column(String(64), unique=True)]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = METADATA
    type_annotation_map: dict[Any, TypeEngine[Any]] = {  # noqa: RUF012 - SQLAlchemy's protocol
        datetime: UtcDateTime(),
        dict[str, Any]: JSON().with_variant(JSONB, "postgresql"),
        str: Text(),
    }
