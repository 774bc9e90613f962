"""The parts of the documentation that are generated from the code, between markers like `<!-- settings -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.core.errors import ErrorCode
from app.core.metrics import METRICS
from app.core.settings import Settings
from app.housekeeping import JOBS
from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities, Limits, Manifest
from connectors.core.operations import build_operations
from connectors.core.service import Options
from connectors.registry import build_registry
from tests.architecture.tree import ROOT, list_files

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A generated part: which file it stands in, between which markers, and what makes its text."""

    file: str
    marker: str
    render: Callable[[], str]

    def read(self, root: Path = ROOT) -> str:
        """The text that stands there now; ValueError if the markers are missing."""
        return self._find((root / self.file).read_text())[1]

    def write(self, root: Path = ROOT) -> None:
        """Puts the generated text there."""
        path = root / self.file
        before, _, after = self._find(path.read_text())
        path.write_text(f"{before}\n{self.render()}\n{after}")

    def is_current(self, root: Path = ROOT) -> bool:
        """True when the text is what the code says today."""
        return self.read(root) == f"\n{self.render()}\n"

    def _find(self, text: str) -> tuple[str, str, str]:
        found = re.fullmatch(rf"(.*<!-- {self.marker} -->)(.*)(<!-- /{self.marker} -->.*)", text, re.DOTALL)
        if found is None:
            message = f"{self.file} lacks the markers <!-- {self.marker} --> and <!-- /{self.marker} -->"
            raise ValueError(message)
        before, middle, after = found.groups()
        return before, middle, after


def render_settings() -> str:
    """The table of environment variables."""
    rows = [
        (f"`{variable}`", _describe_default(field := Settings.model_fields[name]), field.description or "")
        for variable, name in Settings.list_variables().items()
    ]
    return _render_table(("Variable", "Default", "What it sets"), rows)


def render_errors() -> str:
    """The table of error codes."""
    rows = [(str(code.status), f"`{code.code}`", code.when) for code in sorted(ErrorCode, key=lambda code: code.status)]
    return _render_table(("Status", "`error_code`", "When"), rows)


def render_retentions() -> str:
    """The table of what the server tidies up by itself."""
    return _render_table(("What the server does", "When"), [(job.name, job.rule) for job in JOBS])


def render_capabilities() -> str:
    """The tables of what each service can do, and of its limits."""
    manifests = [service.manifest for service in build_registry(Options())]
    header = ("", *(f"`{manifest.service}`" for manifest in manifests))
    capabilities = [
        (f"`{name}`", *(_describe_capability(manifest, name) for manifest in manifests))
        for name in Capabilities.__struct_fields__
    ]
    limits = [
        (f"`{name}`", *(_describe_limit(getattr(manifest.limits, name)) for manifest in manifests))
        for name in Limits.__struct_fields__
    ]
    return _render_table(header, capabilities) + "\n\n" + _render_table(header, limits)


def render_metrics() -> str:
    """The table of what operators can scrape."""
    rows = [
        (f"`{metric.name}`", metric.kind, " ".join(f"`{label}`" for label in metric.labels), metric.text)
        for metric in METRICS
    ]
    return _render_table(("Metric", "Kind", "Labels", "What it says"), rows)


SECTIONS = (
    Section(file="README.md", marker="settings", render=render_settings),
    Section(file="README.md", marker="errors", render=render_errors),
    Section(file="README.md", marker="metrics", render=render_metrics),
    Section(file="README.md", marker="retentions", render=render_retentions),
    Section(file="connectors/README.md", marker="capabilities", render=render_capabilities),
)


def list_documented_folders(root: Path = ROOT) -> set[str]:
    """The top-level folders that README's map names, as `name/` between the markers `folders`."""
    section = Section(file="README.md", marker="folders", render=str)
    return set(re.findall(r"^(?:[-*|] )?`?([\w.]+)/(?=\W)", section.read(root), re.MULTILINE))


def list_folders(root: Path = ROOT) -> set[str]:
    """The top-level folders of the repository, those for tools aside."""
    tops = {path.relative_to(root).parts[0] for path in list_files(root)}
    return {top for top in tops if (root / top).is_dir() and not top.startswith(".")}


def _describe_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, SecretStr) or default is None or default in ([], {}, ""):
        return ""
    return f"`{default}`"


def _describe_capability(manifest: Manifest, name: str) -> str:
    """Whether the provider can do it, or only the engine in its place."""
    if getattr(manifest.capabilities, name):
        return "yes"
    inner = cast("Connector", SimpleNamespace(manifest=manifest, capabilities=manifest.capabilities))
    offered = build_operations(inner, account_key="").capabilities
    return "simulated" if getattr(offered, name) else NOTHING


def _describe_limit(limit: object) -> str:
    if limit is None:
        return NOTHING
    if isinstance(limit, int):
        return f"{limit:,}"
    if isinstance(limit, tuple):
        return " ".join(f"`{part}`" for part in limit) or NOTHING
    return f"`{limit!r}`" if isinstance(limit, str) else str(limit)


def _render_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
