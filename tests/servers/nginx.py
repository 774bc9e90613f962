"""A real nginx for tests: a child process with a configuration of its own, on ports that the caller chose."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

INSTALL_SECONDS_MAX = 300
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
PACKAGE = "nginx-light"

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


class NginxMissingError(Exception):
    """There is no nginx and none can be had; the message says why."""


def find_nginx() -> Path:
    """The program, installed by the machine's package manager if need be. NginxMissingError when that cannot be."""
    found = _find()
    if found is not None:
        return found
    installer = shutil.which("apt-get")
    if installer is None or os.geteuid() != 0:
        raise NginxMissingError(f"nginx is not installed; on Debian: apt-get install {PACKAGE}")
    # RUNLEVEL=1 keeps the package from starting a server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    apt = [installer, "-q", "-o", f"DPkg::Lock::Timeout={INSTALL_SECONDS_MAX}"]
    reason = ""
    for command in (["install"], ["update"], ["install"]):  # the lists of packages may be missing or old
        options = ["-y", "--no-install-recommends", PACKAGE] if command == ["install"] else []
        done = subprocess.run(
            [*apt, *command, *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
            check=False,
        )
        found = _find()
        if found is not None:
            return found
        reason = done.stderr.strip()[-500:]
    raise NginxMissingError(f"{PACKAGE} cannot be installed: {reason}")


def _find() -> Path | None:
    found = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    return None if found is None else Path(found)


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
    process = subprocess.Popen(
        [str(find_nginx()), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(process, ready_port, folder / "error.log")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == httpx.codes.NO_CONTENT:
                return
        except httpx.TransportError:
            time.sleep(POLL_SECONDS)
    raise RuntimeError(f"nginx did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}")
