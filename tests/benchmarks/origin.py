"""The origin of all benchmarks, nginx over TLS 1.3, and nginx as the proxy that we are compared with."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.benchmarks.measuring import MIB, build_environment
from tests.benchmarks.pages import BUCKET, FOLDER_SIZES, file_name, write_file, write_listings, write_s3_listings
from tests.servers.nginx import running_nginx
from tests.servers.ports import find_free_port

_ORIGIN = """
types {{ application/octet-stream bin; application/json json; }}
client_max_body_size 0;
upstream sink {{ server 127.0.0.1:{sink_port}; keepalive 64; }}
map $args $s3_folder {{ default root; "~prefix=(?<name>n[0-9]+)%2F" $name; }}
map $args $s3_page {{ default 0; "~continuation-token=(?<token>[0-9]+)" $token; }}
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/cert.pem;
    ssl_protocols TLSv1.3;
    root {folder}/content;
    location /listings/ {{ default_type application/json; }}
    location /entries/ {{ default_type application/json; }}
    location = /{bucket} {{ default_type application/xml; try_files /s3/$s3_folder/$s3_page =404; }}
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
    """A running origin, and nginx in front of it."""

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
        return self.add_file(file_name(size_mib), size_mib * MIB)

    def add_file(self, name: str, size_bytes: int) -> Path:
        """A file below /files/, made the first time that it is asked for."""
        path = self.folder / "content" / "files" / name
        if not path.exists():
            write_file(path, size_bytes)
        return path


@contextmanager
def running_origin(folder_sizes: tuple[int, ...] = FOLDER_SIZES) -> Iterator[Origin]:
    """Starts origin, sink and proxy on free ports; all is gone when the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kloudless-bench-")))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "cert.pem")
        content = folder / "content"
        write_listings(content)
        write_s3_listings(content, folder_sizes)
        (content / "files").mkdir()
        sink_port = stack.enter_context(_running_sink())
        port, proxy_port = find_free_port(), find_free_port()
        http = _ORIGIN.format(folder=folder, port=port, sink_port=sink_port, bucket=BUCKET)
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
