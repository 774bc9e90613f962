"""The service as the registry holds it."""

from __future__ import annotations

import msgspec

from connectors.core.connector import Connector
from connectors.core.service import AccountContext, Demo, Options, Service
from connectors.local.connector import LocalConnector
from connectors.local.demo import seed_folder
from connectors.local.errors import classify_exception
from connectors.local.manifest import MANIFEST
from connectors.local.roots import DEMO_ROOT, find_problems, read_settings
from connectors.local.threads import Threads


def build_service(options: Options) -> Service:
    """The service with the operator's roots; ValueError says which setting is wrong."""
    settings = read_settings(options)
    threads = Threads()

    def build(context: AccountContext) -> Connector:
        return LocalConnector(
            settings=settings,
            application_id=context.application_id,
            credentials=context.credentials,
            send=context.runtime.build_send_work(MANIFEST, context.account_key, classify_exception=classify_exception),
            threads=threads,
            include_raw=context.include_raw,
        )

    return Service(
        manifest=msgspec.structs.replace(MANIFEST, added_by_operator_only=not settings.allow_api_accounts),
        build=build,
        find_problems=lambda: find_problems(settings),
        demo=Demo(prepare=lambda: seed_folder(options.demo_folder), credentials={"root": DEMO_ROOT}),
    )
