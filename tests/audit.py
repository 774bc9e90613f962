"""Known faults of the packages that the server is built from: `python -m tests.audit`.

Exit status 1 when there are some. What the public databases did not tell is said, and is no fault.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
SECONDS_MAX = 300
COMMAND = (
    sys.executable,
    "-m",
    "pip_audit",
    "--format",
    "json",
    "--progress-spinner",
    "off",
    "--no-deps",
    "--disable-pip",
)


class Verdict(NamedTuple):
    """What there is to say, and the exit status."""

    text: str
    status: int


def main() -> int:
    """Asks; the exit status."""
    try:
        asked = subprocess.run(
            [*COMMAND, "--requirement", str(LOCK)], capture_output=True, text=True, check=False, timeout=SECONDS_MAX
        )
        verdict = judge(asked.stdout, asked.stderr)
    except subprocess.TimeoutExpired:
        verdict = judge("", f"no answer within {SECONDS_MAX} seconds")
    sys.stdout.write(verdict.text + "\n")
    return verdict.status


def judge(report: str, errors: str) -> Verdict:
    """What pip-audit's report means; `errors` says why there is none."""
    if not report.strip():
        return Verdict(f"Nothing was looked up: {(errors.strip().splitlines() or ['no reason was given'])[-1]}", 0)
    packages = json.loads(report)["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):  # a mirror without that data says so of each, and all would seem well
        return Verdict(f"Nothing was looked up: {skipped[0]['skip_reason'] if skipped else 'no package is named'}", 0)
    lines = [f"{len(packages) - len(skipped)} packages were looked up."]
    lines += [f"not looked up: {package['name']}: {package['skip_reason']}" for package in skipped]
    faults = [
        f"{package['name']} {package['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'none'}"
        for package in packages
        for fault in package.get("vulns", ())
    ]
    return Verdict("\n".join(lines + faults), int(bool(faults)))


if __name__ == "__main__":
    sys.exit(main())
