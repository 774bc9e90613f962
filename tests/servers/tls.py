"""Certificates for servers that tests start: signed by an authority that nobody else trusts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files of a server of this machine, and the authority to trust for it."""

    path: Path
    key_path: Path
    authority_path: Path


def issue_certificate(folder: Path, *hosts: str) -> Certificate:
    """A new one in `folder`, for 127.0.0.1 and localhost, and for hosts that a server stands in for."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost", *hosts)
    names = ("certificate.pem", "key.pem", "authority.pem")
    path, key_path, authority_path = (folder / name for name in names)
    issued.private_key_pem.write_to_path(key_path)
    authority.cert_pem.write_to_path(authority_path)
    path.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return Certificate(path=path, key_path=key_path, authority_path=authority_path)


def build_url(port: int, certificate: Certificate | None, *, path: str = "") -> str:
    """Where a server of this machine is, with or without a certificate."""
    return f"{'https' if certificate else 'http'}://127.0.0.1:{port}{path}"


def build_trust(certificate: Certificate | None) -> ssl.SSLContext:
    """What a client trusts that is to reach the certificate's owner: its authority, and nobody where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificate is not None:
        context.load_verify_locations(certificate.authority_path)
    return context
