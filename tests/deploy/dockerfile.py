"""The Dockerfile as data, so that tests do what it says instead of repeating it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next: instructions with what follows them."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def list_all(self, name: str) -> list[str]:
        """What follows each of these instructions."""
        return [rest for found, rest in self.instructions if found == name]

    def get(self, name: str) -> str:
        """What follows the only one of these instructions."""
        (rest,) = self.list_all(name)
        return rest

    def get_command(self, name: str) -> list[str]:
        """An instruction in exec form: no shell stands between the program and its signals."""
        words: list[str] = json.loads(self.get(name).removeprefix("CMD ") if name != "HEALTHCHECK" else self._health)
        return words

    @property
    def _health(self) -> str:
        return self.get("HEALTHCHECK").partition("CMD ")[2]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(pair.split("=", 1) for rest in self.list_all("ENV") for pair in rest.split())


def read(path: Path) -> list[Stage]:
    """All stages, in order."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append(Stage(rest))
        else:
            stages[-1].instructions.append((name, rest))
    return stages
