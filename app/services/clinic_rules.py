"""Other rules for a clinic, and what its plans break by them: plans are flagged, never moved."""

from typing import Any

from app.domain.documents import clinic_rules_to_data, parse_clinic_rules
from app.persistence.batches import BatchRepository
from app.services import batches, clinic
from app.services.batches import Progress
from app.services.clinic import StoredRules
from app.services.context import Context

# Why what is proposed is posted, if it is.
REASON = "the clinic's rules have changed"


async def save_clinic_rules(
    ctx: Context, document: object, *, revision: int
) -> tuple[StoredRules, Progress | None]:
    """Replace the clinic's rules, then a batch that looks at every living plan again.

    A rule is a judgement about days on which everybody can come, so that no batch may move them
    silently: what a plan breaks is shown with it, and needs attention, until a person takes the
    days that are proposed or accepts it. There is no batch where nothing changed or nothing lives.
    Raises InvalidClinicRules with every fault, or ClinicRulesChangedMeanwhile.
    """
    before = await clinic.get_clinic_rules(ctx)
    saved = await clinic.save_clinic_rules(ctx, document, revision=revision)
    if saved.document == before.document:
        return saved, None
    plans = await BatchRepository(ctx.connection, ctx.clinic_id).living_plans()
    request = {"revision": saved.revision, "reason": REASON}
    return saved, await batches.start(ctx, "rules", request, plans) if plans else None


async def try_clinic_rules(ctx: Context, document: object) -> Progress:
    """A batch that says what every living plan would break by these rules; changes none.

    Raises InvalidClinicRules with every fault.
    """
    rules = clinic_rules_to_data(parse_clinic_rules(document))
    plans = await BatchRepository(ctx.connection, ctx.clinic_id).living_plans()
    request: dict[str, Any] = {"rules": rules, "reason": REASON, "tried": True}
    return await batches.start(ctx, "rules", request, plans)
