"""The origin of all benchmarks, nginx over TLS 1.3, and nginx as the proxy that we are compared with."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import trustme

from tests.benchmarks.measuring import MIB, build_environment
from tests.servers.nginx import running_nginx
from tests.servers.ports import find_free_port

LISTING_ENTRIES_COUNT = 1000
FILL_BYTES = 2**20

_ORIGIN = """
types {{ application/octet-stream bin; application/json json; }}
client_max_body_size 0;
upstream sink {{ server 127.0.0.1:{sink_port}; keepalive 64; }}
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/cert.pem;
    ssl_protocols TLSv1.3;
    root {folder}/content;
    location /listings/ {{ default_type application/json; }}
    location /uploads/ {{
        proxy_pass http://sink;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
    }}
}}
"""

_PROXY = """
client_max_body_size 0;
upstream origin {{ server 127.0.0.1:{origin_port}; keepalive 64; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass https://origin;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
        client_body_buffer_size 512k; # with its default buffers nginx takes half as much CPU again
        proxy_buffer_size 128k;
        proxy_buffers 8 128k;
        proxy_busy_buffers_size 256k;
        proxy_max_temp_file_size 0;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_name localhost;
        proxy_ssl_server_name on;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {folder}/ca.pem;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """A running origin with files of these sizes, and nginx in front of it."""

    folder: Path
    port: int
    sink_port: int
    proxy_port: int
    proxy_process_id: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_path(self) -> Path:
        return self.folder / "ca.pem"

    def file_path(self, size_mib: int) -> Path:
        """The file of that size, as the origin serves it below /files/."""
        return self.folder / "content" / "files" / file_name(size_mib)


def file_name(size_mib: int) -> str:
    """What the file of that size is called."""
    return f"{size_mib}-mib.bin"


@contextmanager
def running_origin(sizes_mib: set[int]) -> Iterator[Origin]:
    """Starts origin, sink and proxy on free ports; all is gone when the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kloudless-bench-")))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "cert.pem")
        _write_content(folder / "content", sizes_mib)
        sink_port = stack.enter_context(_running_sink())
        port, proxy_port = find_free_port(), find_free_port()
        http = _ORIGIN.format(folder=folder, port=port, sink_port=sink_port)
        stack.enter_context(running_nginx(folder / "origin", http, ready_port=find_free_port()))
        http = _PROXY.format(folder=folder, port=proxy_port, origin_port=port)
        proxy = stack.enter_context(running_nginx(folder / "proxy", http, ready_port=find_free_port()))
        yield Origin(folder, port, sink_port, proxy_port, proxy)


@contextmanager
def _running_sink() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.sink"],
        cwd=Path(__file__).parents[2],
        env=build_environment(),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _write_content(folder: Path, sizes_mib: set[int]) -> None:
    (folder / "files").mkdir(parents=True)
    (folder / "listings").mkdir()
    fill = bytes(range(256)) * (FILL_BYTES // 256)
    for size_mib in sizes_mib:
        with (folder / "files" / file_name(size_mib)).open("wb") as file:
            for _ in range(size_mib * MIB // FILL_BYTES):
                file.write(fill)
    for count in (1, LISTING_ENTRIES_COUNT):
        entries = [_build_entry(number) for number in range(count)]
        (folder / "listings" / f"top-{count}").write_bytes(msgspec.json.encode({"entries": entries, "cursor": None}))


def _build_entry(number: int) -> dict[str, object]:
    """An entry such as providers send: half of it is of no use to us. Each tenth is a folder."""
    is_folder = number % 10 == 0
    name = f"Folder {number}" if is_folder else f"Résumé of quarter {number}, final.pdf"
    entry: dict[str, object] = {
        "kind": "folder" if is_folder else "file",
        "id": f"id:a4ayc_80_OEAAAAAAAA{number:07d}",
        "name": name,
        "parent_id": "top",
        "path": f"/Finance/{2000 + number % 25}/{name}",
        "created_at": "2026-03-17T09:26:53Z",
        "modified_at": f"2026-10-{1 + number % 28:02d}T12:00:00Z",
        "owner": f"dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQ{number % 7}",
        "sharing": {"read_only": False, "parent_shared_folder_id": "84528192421", "modified_by": "dbid:AAH4f99T0taONI"},
        "permissions": [{"action": "edit_contents", "allow": True}, {"action": "share", "allow": True}],
    }
    if not is_folder:
        entry |= {"size": 7212 + number, "media_type": "application/pdf", "etag": f"0123456789abcdef{number:016x}"}
    return entry
