"""What the simulator knows of the API is what the provider publishes of it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from simulators.gdrive.app import HANDLERS
from simulators.gdrive.description import METHODS, SCHEMAS
from simulators.gdrive.presenting import FILE_PROPERTIES
from tests.servers.gdrive import DOCUMENT, SPECS, Place
from tests.servers.gdrive_judging import Judge
from tests.simulators.gdrive.description import WRITTEN, build_description, dump


def test_the_written_description_is_up_to_date_when_the_client_is() -> None:
    """If not: `python -m tests.simulators.gdrive.description`."""
    assert WRITTEN.read_text() == dump(build_description(DOCUMENT))


def test_all_that_is_shown_of_a_file_is_described() -> None:
    assert FILE_PROPERTIES.keys() <= SCHEMAS["File"].keys()
    assert HANDLERS.keys() <= METHODS.keys()


def test_the_document_leads_back_here_when_it_is_asked_for(place: Place) -> None:
    for path in ("/discovery/v1/apis/drive/v3/rest", "/$discovery/rest?version=v3"):
        shown = httpx.get(place.url + path, trust_env=False, timeout=60).json()
        assert (shown["rootUrl"], shown["revision"]) == (f"{place.url}/", DOCUMENT["revision"])


@pytest.mark.skipif(not SPECS, reason="PROVIDER_SPECS_DIR names no folder with published descriptions of providers")
def test_both_descriptions_agree_when_another_one_is_at_hand() -> None:
    other = json.loads((Path(str(SPECS)) / "google" / "drive.v3.json").read_text())
    described = build_description(DOCUMENT)["methods"]
    for name, method in build_description(other)["methods"].items():
        assert described[name] == method


@pytest.mark.parametrize(
    ("path", "answer", "problem"),
    [
        ("files/x", {"id": 5}, "5 is no string"),
        ("files/x", {"size": 5}, "5 is no int64"),
        ("files/x", {"shoe": "43"}, "nothing is called shoe"),
        ("files/x", {"trashed": "true"}, "'true' is no boolean"),
        ("files/x", {"createdTime": "2020-01-01"}, "'2020-01-01' is no date-time"),
        ("files", {"files": {}}, "no list"),
        ("files", {"files": [{"owners": [{"me": 1}]}]}, "1 is no boolean"),
    ],
)
def test_the_judge_finds_it_when_an_answer_is_not_as_described(path: str, answer: object, problem: str) -> None:
    judge = Judge("client", DOCUMENT)
    method = judge.find_method("GET", f"/drive/v3/{path}")
    assert method is not None
    found = judge.examine(method, 200, json.dumps(answer).encode())
    assert len(found) == 1
    assert problem in found[0]
