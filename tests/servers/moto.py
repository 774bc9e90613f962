"""A real moto server for tests: many services of AWS in one child process, with signatures and policies checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.child import Argument, Plan, running_child
from tests.servers.packages import find_script
from tests.servers.ports import find_free_port
from tests.servers.s3 import S3Server
from tests.servers.shared import Shared
from tests.servers.tls import build_url, issue_certificate

USER = "tests"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
FREE_REQUESTS_COUNT = 3  # those that make the user, its policy and its key; later ones need a right signature


@contextmanager
def running_moto(folder: Path, *, is_tls: bool = False) -> Iterator[S3Server]:
    """Serves from memory until the block ends. The key is allowed everything, in every service."""
    program = find_script("moto", "moto_server", package="moto[s3,server]")
    folder.mkdir(parents=True, exist_ok=True)
    certificate = issue_certificate(folder) if is_tls else None
    tls: list[Argument] = ["-s", "-c", certificate.path, "-k", certificate.key_path] if certificate else []

    def plan() -> Plan[S3Server]:
        port = find_free_port()
        return Plan(
            command=[program, "-H", "127.0.0.1", "-p", port, *tls],
            ask=lambda: _ask(S3Server(url=build_url(port, certificate), certificate=certificate)),
            environment={"INITIAL_NO_AUTH_ACTION_COUNT": str(FREE_REQUESTS_COUNT)},
        )

    with running_child(folder, "moto", plan) as child:
        yield child.server


def _ask(stranger: S3Server) -> S3Server | None:
    try:
        with stranger.client("iam") as iam:
            iam.create_user(UserName=USER)
            iam.put_user_policy(UserName=USER, PolicyName=USER, PolicyDocument=json.dumps(POLICY))
            key = iam.create_access_key(UserName=USER)["AccessKey"]
    except (BotoCoreError, ClientError):
        return None  # nobody is listening yet, or somebody else is
    server = replace(stranger, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
    return server if server.make_bucket() else None


SHARED_MOTO = Shared(running_moto)
