"""The two services as the registry holds them, and what an operator can set."""

from __future__ import annotations

import msgspec

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError
from connectors.core.manifest import Manifest
from connectors.core.service import AccountContext, Options, Service
from connectors.core.stack import HttpSend
from connectors.s3.account import Account, read_account, read_endpoint
from connectors.s3.api import Api
from connectors.s3.client import Client, Regions
from connectors.s3.connector import S3CompatibleConnector, S3Connector
from connectors.s3.dialect import build_limits, read_dialect
from connectors.s3.errors import classify_reply
from connectors.s3.keys import Layout
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.mapping import Mapper
from connectors.s3.parts_api import PartsApi
from connectors.s3.signing import build_sign
from connectors.s3.storage import Storage

SETTING = "endpoint"


def build_service(options: Options) -> Service:
    """AWS's own store; ValueError says which setting is wrong."""
    regions = Regions()
    operator_endpoint = _read_settings(options)

    def build(context: AccountContext) -> Connector:
        dialect = read_dialect(context.learned, MANIFEST)
        return S3Connector(lambda: _build_storage(context, MANIFEST, operator_endpoint, regions), dialect)

    return Service(manifest=MANIFEST, build=build)


def build_compatible_service(_options: Options) -> Service:
    """Any other store that speaks the protocol."""
    regions = Regions()

    def build(context: AccountContext) -> Connector:
        dialect = read_dialect(context.learned, COMPATIBLE_MANIFEST)
        return S3CompatibleConnector(lambda: _build_storage(context, COMPATIBLE_MANIFEST, None, regions), dialect)

    return Service(manifest=COMPATIBLE_MANIFEST, build=build)


def _read_settings(options: Options) -> str | None:
    """The address that the operator set instead of AWS's public ones."""
    given = dict(options.settings.get(MANIFEST.service, {}))
    endpoint = given.pop(SETTING, None)
    if given:
        raise ValueError(f"{MANIFEST.service} has the setting {SETTING}, not {', '.join(sorted(map(str, given)))}")
    if endpoint is None:
        return None
    if not isinstance(endpoint, str):
        raise ValueError(f"{MANIFEST.service}.{SETTING} is an address")  # noqa: TRY004 - a setting, not an argument
    try:
        return read_endpoint(endpoint)
    except ConnectorError as error:
        raise ValueError(f"{MANIFEST.service}.{SETTING}: {error.message}") from None


def _build_storage(
    context: AccountContext, manifest: Manifest, operator_endpoint: str | None, regions: Regions
) -> Storage:
    account = read_account(
        context.credentials,
        operator_endpoint=operator_endpoint,
        has_endpoint_field=manifest.service == COMPATIBLE_MANIFEST.service,
    )
    dialect = read_dialect(context.learned, manifest)
    client = Client(account, _build_send(context, manifest, account), regions)
    region = context.learned.get("region")
    if account.bucket is not None and isinstance(region, str):
        client.learn_region(account.bucket, region)
    layout = Layout(account.bucket, account.prefix, dialect.keeps_empty_segments)
    root_name = account.place_name.rpartition("/")[2] or manifest.title
    return Storage(
        account=account,
        api=Api(client, is_plus_space=dialect.is_plus_space),
        parts=PartsApi(client, is_plus_space=dialect.is_plus_space),
        layout=layout,
        dialect=dialect,
        limits=build_limits(manifest.limits, dialect),
        mapper=Mapper(layout, root_name, include_raw=context.include_raw),
    )


def _build_send(context: AccountContext, manifest: Manifest, account: Account) -> HttpSend:
    """Calls of this account. A host that a person filled in is guarded; one that the operator set is trusted."""
    hosts = account.endpoint.hosts
    if hosts and not account.is_host_users:
        manifest = msgspec.structs.replace(manifest, allowed_hosts=hosts)
    return context.runtime.build_send(
        manifest,
        context.account_key,
        sign=build_sign(account),
        classify_reply=classify_reply,
        extra_headers=context.extra_headers,
        users_host=hosts if account.is_host_users else None,
    )
