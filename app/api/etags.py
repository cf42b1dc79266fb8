"""ETags: ``"<revision>.<local date>"``, because states change at midnight.

What has no states has only its revision. A plan flagged because of a closure, of which no revision
was made, says so at its end; a former revision says there how many came later, since what was
written about a person who is erased goes from all of them. A change compares the revision only, so
a tag read yesterday still changes what nobody else changed.
"""

import re
from datetime import date

from starlette.responses import Response

from app.api.refusals import IfMatchRefused, PreconditionMissing

# A proxy that compresses makes tags weak; the revision in them is as good.
IF_MATCH = r'(?:W/)?"(0|[1-9][0-9]{0,8})(?:\.[0-9]{4}-[0-9]{2}-[0-9]{2}(?:\.[0-9]{1,4})?)?"'
_IF_MATCH = re.compile(IF_MATCH)


def etag(revision: int, day: date | None = None, flags: int = 0) -> str:
    """The entity tag of a thing at this revision, as it looks on this local day.

    ``flags`` is how much it is flagged for since the revision was made, or how many came later.
    """
    if day is None:
        return f'"{revision}"'
    return f'"{revision}.{day.isoformat()}{f".{flags}" if flags else ""}"'


def created(response: Response, location: str, tag: str) -> None:
    """Say where the new thing is and what tag it has."""
    response.headers["location"] = location
    response.headers["etag"] = tag


def revision_in(if_match: str | None) -> int:
    """The revision which a change was based on.

    Raises PreconditionMissing or IfMatchRefused.
    """
    if if_match is None:
        raise PreconditionMissing("a change needs an If-Match header with the ETag that was read")
    found = _IF_MATCH.fullmatch(if_match.strip())
    if found is None:
        raise IfMatchRefused('if-match must be one ETag such as "3.2027-03-10"')
    return int(found.group(1))


def is_unchanged(response: Response, if_none_match: str) -> bool:
    """Whether the client's copy is still the answer (RFC 9110: weak comparison)."""
    ours = response.headers.get("etag")
    if ours is None:
        return False
    theirs = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return ours in theirs or theirs == ["*"]


def not_modified(response: Response) -> Response:
    """The answer without its body: what the client has is still right."""
    kept = {name: response.headers[name] for name in ("etag", "link") if name in response.headers}
    return Response(status_code=304, headers=kept)
