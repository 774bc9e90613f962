"""A server that cannot be had is told, never passed over."""

import pytest

from tests.servers.missing import skip_without


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_case_is_skipped_here_and_fails_in_ci_when_server_is_missing(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="SomeServer cannot be had: no package"):
        skip_without("SomeServer", "no package")
