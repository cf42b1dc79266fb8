"""Accounts for every answer that has patients' data: who asked for which operation, and the ids."""

from collections.abc import Mapping

from fastapi import Request
from pydantic_core import to_json

from app.api.authentication import CALLER
from app.api.deps import STORING
from app.api.problems import BODY
from app.api.refusals import Overloaded
from app.domain.permissions import Caller, Scope
from app.services.access import Account, Asked
from app.services.context import Context
from app.services.plans import ScheduleConflict

# What a query or a body may name beside the address.
_ASKED = frozenset({"plan_id", "patient_id", "into"})

# The scopes of the operations that read or change patients' data, or tell of it.
ACCOUNTED = frozenset(
    {
        Scope.PLANS_READ,
        Scope.PLANS_WRITE,
        Scope.PATIENTS_READ,
        Scope.PATIENTS_WRITE,
        Scope.PATIENTS_ERASE,
        Scope.EVENTS_READ,
        Scope.AUDIT_READ,
    }
)


def require_account(request: Request) -> None:
    """Raise Overloaded while what is read cannot be accounted for."""
    account: Account = request.app.state.account
    if account.is_behind:
        raise Overloaded("reads cannot be accounted for at present")


async def account_for(asked: Asked | None, request: Request, answer: bytes) -> None:
    """Account for an answer: in the request's own transaction where there is one.

    None is what need not be accounted for.
    """
    account: Account = request.app.state.account
    ctx: Context | None = request.scope.get(STORING)
    if asked is None:
        return
    if ctx is None:
        account.note_read(asked, answer)
    else:
        await account.note_change(ctx, asked, answer)


def account_for_refusal(asked: Asked | None, request: Request, conflict: ScheduleConflict) -> None:
    """Account for a conflict: it tells days of what the address names, and of the patient."""
    account: Account = request.app.state.account
    if asked is not None:
        account.note_read(asked, of_conflict(conflict))


def of_conflict(conflict: ScheduleConflict) -> bytes:
    """Whose days a conflict tells, as an answer would say it."""
    patient = conflict.patient_id
    return b"" if patient is None else to_json({"patient_id": patient})


def asked_for(operation: str, request: Request, named: Mapping[str, str] | None = None) -> Asked:
    """Who asks for what; ``named`` are the ids that are asked for, if not by our own names."""
    caller: Caller = request.scope[CALLER]
    ids = {**_ids_beside(request), **request.path_params} if named is None else named
    return Asked(caller.clinic_id, caller.actor, operation, ids)


def _ids_beside(request: Request) -> dict[str, str]:
    """The ids in the query and the body of a request that was found to be as it should."""
    body = request.scope.get(BODY)
    told = [*body.items()] if isinstance(body, dict) else []
    if request.scope["query_string"]:
        told += request.query_params.multi_items()
    return {name: value for name, value in told if name in _ASKED and isinstance(value, str)}
