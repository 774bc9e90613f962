"""The documentation says what the code says, and the check of it can fail."""

from pathlib import Path

import pytest

from app.core.errors import ErrorCode
from app.core.settings import Settings
from tests.architecture.documents import (
    SECTIONS,
    Section,
    list_documented_folders,
    list_folders,
    render_capabilities,
    render_errors,
    render_settings,
)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.file}-{section.marker}")
def test_generated_part_is_current_when_code_is_unchanged(section: Section) -> None:
    assert section.read().strip() == section.render(), "`make fix` rewrites it"


def test_map_names_every_folder_when_read_from_readme() -> None:
    assert list_documented_folders() == list_folders()


def test_every_setting_has_its_variable_and_its_words_when_table_is_made() -> None:
    table = render_settings()
    assert len(table.splitlines()) == len(Settings.model_fields) + 2
    assert "| `KLOUDLESS_PORT` | `8000` | " in table
    assert "| `DATABASE_URL` |  | " in table
    assert all(field.description for field in Settings.model_fields.values())


def test_every_code_has_its_status_when_table_is_made() -> None:
    table = render_errors()
    assert len(table.splitlines()) == len(ErrorCode) + 2
    assert "| 404 | `not_found` | " in table


def test_every_capability_and_limit_is_listed_when_table_is_made() -> None:
    capabilities, limits = render_capabilities().split("\n\n")
    assert "\n| `copy` | " in capabilities
    assert "\n| `page_items_max` | " in limits


@pytest.fixture
def section(tmp_path: Path) -> Section:
    (tmp_path / "A.md").write_text("before\n<!-- list -->\nold\n<!-- /list -->\nafter\n")
    return Section(file="A.md", marker="list", render=lambda: "new")


def test_only_marked_part_changes_when_section_is_written(tmp_path: Path, section: Section) -> None:
    assert not section.is_current(tmp_path)
    section.write(tmp_path)
    assert section.is_current(tmp_path)
    assert (tmp_path / "A.md").read_text() == "before\n<!-- list -->\nnew\n<!-- /list -->\nafter\n"


@pytest.mark.parametrize("line", ["app/    the API\n  core/  inside", "| `app/` | the API |", "- `app/`: the API"])
def test_only_top_level_is_read_when_map_shows_more(tmp_path: Path, line: str) -> None:
    (tmp_path / "README.md").write_text(f"x/ before\n<!-- folders -->\n{line}\n<!-- /folders -->\n")
    assert list_documented_folders(tmp_path) == {"app"}


def test_error_names_file_and_marker_when_marker_is_missing(tmp_path: Path, section: Section) -> None:
    (tmp_path / "A.md").write_text("before\n")
    with pytest.raises(ValueError, match=r"A\.md lacks the markers <!-- list -->"):
        section.is_current(tmp_path)
