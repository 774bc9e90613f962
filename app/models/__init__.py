"""All tables. The only folder that migrations import."""

from app.models.accounts import Account, BearerToken
from app.models.applications import (
    ApiKey,
    Application,
    Developer,
    DeveloperToken,
    RedirectUri,
    ServiceKey,
    TrustedDomain,
)
from app.models.connecting import AuthorizationCode, Consent, Journey
from app.models.idempotency import IdempotentRequest
from app.models.links import Link
from app.models.record import Base
from app.models.requests import LoggedRequest
from app.models.tasks import Task
from app.models.transfers import Transfer, TransferFile, TransferPart
from app.models.uploads import UploadPart, UploadSession

__all__ = [
    "Account",
    "ApiKey",
    "Application",
    "AuthorizationCode",
    "Base",
    "BearerToken",
    "Consent",
    "Developer",
    "DeveloperToken",
    "IdempotentRequest",
    "Journey",
    "Link",
    "LoggedRequest",
    "RedirectUri",
    "ServiceKey",
    "Task",
    "Transfer",
    "TransferFile",
    "TransferPart",
    "TrustedDomain",
    "UploadPart",
    "UploadSession",
]
