"""A real Apache for tests that serves a folder over WebDAV: a child process with a configuration of its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.servers.child import Plan, as_nobody, running_child
from tests.servers.packages import find_program
from tests.servers.ports import find_free_port
from tests.servers.shared import Shared
from tests.servers.tls import build_url, issue_certificate
from tests.servers.webdav import HttpAuth, WebDavServer

REALM = "tests"
MODULES = ("mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "dir", "mime", "dav", "dav_fs")

_CONFIGURATION = """
ServerRoot /usr/lib/apache2
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
DefaultRuntimeDir "{folder}"
PidFile "{folder}/apache.pid"
ErrorLog "{folder}/apache-error.log"
{modules}
{tls}
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 128
TypesConfig "{folder}/types"
DavLockDB "{folder}/locks"
DocumentRoot "{folder}/www"
<Directory "{root}">
    Dav On
    AuthType {auth}
    AuthName {realm}
    {users}
    Require valid-user
</Directory>
"""
_TLS = """LoadModule ssl_module modules/mod_ssl.so
SSLEngine On
SSLCertificateFile "{certificate.path}"
SSLCertificateKeyFile "{certificate.key_path}"
"""
_TYPES = "text/plain txt\ntext/html html\nimage/png png\napplication/pdf pdf\n"


@contextmanager
def running_apache(folder: Path, *, auth: HttpAuth = HttpAuth.BASIC, is_tls: bool = False) -> Iterator[WebDavServer]:
    """Serves a folder below `folder`, under a path, until the block ends. Depth infinity is refused, as everywhere."""
    program = find_program("Apache", "apache2", package="apache2-bin")
    root = folder / "www" / "dav"
    root.mkdir(parents=True)
    (folder / "types").write_text(_TYPES)
    certificate = issue_certificate(folder) if is_tls else None

    def plan() -> Plan[WebDavServer]:
        port = find_free_port()
        url = build_url(port, certificate, path="/dav/")
        server = WebDavServer(url=url, root=root, auth=auth, certificate=certificate)
        configuration = folder / "apache.conf"
        configuration.write_text(_build_configuration(folder, server, port))
        return Plan(command=[program, "-f", configuration, "-D", "FOREGROUND"], ask=server.ask)

    # As root it would want another user for its workers, who could not enter the folders of the tests.
    with running_child(folder, "apache", plan, user=as_nobody("dac_override")) as child:
        yield child.server


def _build_configuration(folder: Path, server: WebDavServer, port: int) -> str:
    users = folder / "users"
    users.write_text(f"{_build_user(server)}\n")
    directive = "AuthDigestProvider file\n    AuthUserFile" if server.auth is HttpAuth.DIGEST else "AuthUserFile"
    modules = (f"LoadModule {name}_module modules/mod_{name}.so" for name in (*MODULES, f"auth_{server.auth}"))
    tls = _TLS.format(certificate=server.certificate) if server.certificate else ""
    return _CONFIGURATION.format(
        folder=folder,
        root=server.root,
        port=port,
        modules="\n".join(modules),
        auth=server.auth,
        realm=REALM,
        tls=tls,
        users=f'{directive} "{users}"',
    )


def _build_user(server: WebDavServer) -> str:
    """The line of a password file; both hashes are the protocol's, weak as they are."""
    if server.auth is HttpAuth.DIGEST:
        known = f"{server.user}:{REALM}"
        return f"{known}:{hashlib.md5(f'{known}:{server.password}'.encode()).hexdigest()}"  # noqa: S324 - as told above
    digest = hashlib.sha1(server.password.encode()).digest()  # noqa: S324 - as told above
    return f"{server.user}:{{SHA}}{base64.b64encode(digest).decode()}"


SHARED_APACHE = Shared(running_apache)
SHARED_APACHE_DIGEST = Shared(partial(running_apache, auth=HttpAuth.DIGEST))
