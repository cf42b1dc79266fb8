"""Repeatable posts: the first answer under a key is kept and given again."""

from datetime import timedelta

from app.persistence.idempotency import Answer, Claim, IdempotencyRepository, KeyInUse, KeyReused
from app.services.context import Context

__all__ = ["Answer", "Claim", "KeyInUse", "KeyReused", "claim", "forget", "remember"]

KEPT_FOR = timedelta(hours=24)


async def claim(ctx: Context, key: str, *, fingerprint: str) -> Claim | Answer:
    """Take the key for this request, or find the answer that was given under it.

    An equal request that is under way is waited for. Raises KeyReused for another request under
    the key, and KeyInUse when waiting took too long.
    """
    keys = IdempotencyRepository(ctx.connection, ctx.clinic_id)
    return await keys.claim(key, fingerprint, now=ctx.now, kept_for=KEPT_FOR)


async def remember(ctx: Context, claimed: Claim, answer: Answer) -> None:
    """Keep the answer under the claimed key; it is committed with everything else."""
    await IdempotencyRepository(ctx.connection, ctx.clinic_id).remember(claimed, answer)


async def forget(ctx: Context) -> None:
    """Forget the clinic's answers that were kept long enough."""
    keys = IdempotencyRepository(ctx.connection, ctx.clinic_id)
    await keys.forget_until(ctx.now - KEPT_FOR)
