"""A real nginx for tests: a child process with a configuration of its own, on ports that the caller chose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers.child import Plan, running_child
from tests.servers.packages import find_program

_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
worker_processes {workers_count};
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    {http}
    server {{ listen 127.0.0.1:{ready_port}; location / {{ return 204; }} }}
}}
"""


def find_nginx() -> Path:
    """The program, installed by the machine's package manager if need be. ServerMissingError when that cannot be."""
    return find_program("nginx", "nginx", package="nginx-light")


@contextmanager
def running_nginx(folder: Path, http: str, *, ready_port: int, workers_count: int = 1) -> Iterator[int]:
    """Runs with `http` inside its http block until the block ends, and gives the process id of the master.

    `folder` keeps its files; at `ready_port` it answers 204 as soon as it serves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder,
            http=http,
            ready_port=ready_port,
            workers_count=workers_count,
            user="user root;" if os.geteuid() == 0 else "",  # its worker reads files below our own folders
        )
    )
    program = find_nginx()

    def plan() -> Plan[int]:
        return Plan(
            command=[program, "-e", folder / "error.log", "-p", folder, "-c", configuration],
            ask=lambda: _ask(ready_port),
        )

    with running_child(folder, "nginx", plan) as child:
        yield child.process_id


def _ask(port: int) -> int | None:
    try:
        reply = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return None
    return port if reply.status_code == httpx.codes.NO_CONTENT else None
