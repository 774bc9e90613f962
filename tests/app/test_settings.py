"""What operators may set, how it is read, and what a wrong value says."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from app.core.keys import KeyRing, KeysError, generate_keys
from app.core.settings import Settings
from app.core.state import build_state


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KLOUDLESS_PORT", "0"),
        ("KLOUDLESS_PORT", "65536"),
        ("KLOUDLESS_PORT", "http"),
        ("KLOUDLESS_LOG_LEVEL", "loud"),
        ("KLOUDLESS_LOG_FORMAT", "xml"),
        ("KLOUDLESS_TRANSPORT", "carrier pigeon"),
        ("KLOUDLESS_HEAD_BYTES_MAX", "1"),
        ("KLOUDLESS_DATABASE_SECONDS_MAX", "0"),
        ("KLOUDLESS_ACCOUNT_CACHE_SECONDS_MAX", "61"),
        ("PUBLIC_ORIGINS", "example.com"),
        ("PUBLIC_ORIGINS", "https://example.com/path"),
        ("PUBLIC_ORIGINS", "https://"),
        ("PUBLIC_ORIGINS", "ftp://example.com"),
    ],
)
def test_setting_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    place = ".".join(str(part) for part in caught.value.errors()[0]["loc"])
    assert place.lower() == name.lower().removeprefix("kloudless_")


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "KLOUDLESS_PORT": "9000",
        "KLOUDLESS_DATA_DIR": str(tmp_path),
        "KLOUDLESS_KEYS_FILE": "",
        "DATABASE_URL": "postgresql+asyncpg://u:p@h/d",
        "DATABASE_READ_URL": "postgresql+asyncpg://u:p@replica/d",
        "PUBLIC_ORIGINS": "https://API.example.com, http://localhost:8000,",
        "KLOUDLESS_TRUSTED_PROXIES": "10.0.0.1,10.0.0.2",
        "KLOUDLESS_CONNECTORS": '{"a": {"b": [1]}}',
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.port, settings.keys_path, settings.is_embedded) == (9000, tmp_path / "keys.json", False)
    assert settings.origins == {"https://api.example.com", "http://localhost:8000"}
    assert settings.base_url == "https://api.example.com"
    assert settings.trusted_proxies == ["10.0.0.1", "10.0.0.2"]
    assert settings.connectors == {"a": {"b": [1]}}
    assert "u:p" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({"port": 8000}, {"http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"}),
        ({"port": 80}, {"http://127.0.0.1", "http://localhost", "http://[::1]"}),
        ({"host": "storage.lan", "port": 8000}, {"http://storage.lan:8000"}),
    ],
)
def test_origins_are_where_the_server_listens_when_none_are_set(given: dict[str, object], origins: set[str]) -> None:
    assert Settings.model_validate(given).origins == origins


def test_running_requests_end_in_time_for_a_stop_within_five_seconds() -> None:
    assert Settings().shutdown_seconds_max <= 4


async def test_state_takes_keys_certificates_and_proxy_from_the_settings(tmp_path: Path) -> None:
    keys = KeyRing(generate_keys())
    certificates = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(certificates)
    state = build_state(
        Settings(
            data_dir=tmp_path / "data",
            keys=SecretStr(keys.to_text()),
            provider_ca_file=certificates,
            provider_proxy_url=SecretStr("http://127.0.0.1:1"),
            database_url=SecretStr("postgresql+asyncpg://u@127.0.0.1:1/d"),
            database_read_url=SecretStr("postgresql+asyncpg://u@127.0.0.1:2/d"),
        )
    )
    assert state.keys.keys == keys.keys
    assert not (tmp_path / "data").exists()
    await state.aclose()


def test_keys_of_several_servers_are_never_made_up(tmp_path: Path) -> None:
    url = SecretStr("postgresql+asyncpg://u@127.0.0.1:1/d")
    with pytest.raises(KeysError, match="bring it here from the first server"):
        build_state(Settings(data_dir=tmp_path, database_url=url))
    assert list(tmp_path.iterdir()) == []
