"""Tokens and keys that we hand out."""

from __future__ import annotations

import secrets

import pytest

from app.core.tokens import generate_token


def test_token_does_not_begin_with_a_dash_when_chance_would_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-option", "--", "token-"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(drawn))
    assert generate_token() == "token-"
