"""What the HTTP layer itself refuses, before any use-case; statuses are in problems.py."""

from app.domain.errors import DomainError, Faults


class Refusal(DomainError):
    """The request cannot be taken as it was sent."""


class RequestRefused(Refusal):
    """The request line or a header is missing, repeated or malformed."""


class HostRefused(Refusal):
    """The Host header does not name this service."""


class AddressTooLong(Refusal):
    """The request's path and query are longer than 8 KiB."""


class HeadersTooLarge(Refusal):
    """The request's headers are larger than 32 KiB or more than 100."""


class AddressNotFound(Refusal):
    """Nothing is found at this address."""


class MethodNotAllowed(Refusal):
    """This address does not take that method; the Allow header names those it takes."""

    def __init__(self, allow: str) -> None:
        super().__init__("this address does not take that method")
        self.allow = allow


class BodyTooLarge(Refusal):
    """The body is larger than 1 MiB of JSON, 256 KiB of YAML or 32 MiB of lines."""


class MediaTypeRefused(Refusal):
    """The body's Content-Type is missing or not one that this operation reads."""


class FormNotSpoken(Refusal):
    """The Accept header or `_format` asks for another form than JSON."""


class FieldsRefused(Faults):
    """Fields or parameters are missing, unknown or not valid; each is named."""


class SearchRefused(Faults):
    """A search parameter is unknown, cannot be understood or is not supported."""


class ResourceRefused(Faults):
    """The resource is not one of FHIR R4, or has what is not supported; each place is named."""


class SeveralFit(Refusal):
    """Several resources fit what describes one, so none can be told to be meant."""


class PreconditionMissing(Refusal):
    """A change needs an If-Match header with the ETag that was read."""


class CredentialMissing(Refusal):
    """The request has no key or token, and this address is not open without."""


class CredentialRefused(Refusal):
    """The key or token is unknown or malformed, has expired or was revoked."""


class TokenNotGiven(Refusal):
    """No token is given: RFC 6749 has the codes of ``error``."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


class ScopeMissing(Refusal):
    """The caller is known and does not have the scope that this operation needs."""


class IfMatchRefused(Refusal):
    """The If-Match header is not an ETag of this service."""


class CursorRefused(Refusal):
    """The cursor is not one that this list gave out for these filters."""


class IdempotencyKeyRefused(Refusal):
    """The Idempotency-Key header is not 1 to 255 printable ASCII characters."""


class HeadersTooSlow(Refusal):
    """The request's headers did not come within 10 seconds."""


class BodyTooSlow(Refusal):
    """The body did not come within 20 seconds."""


class RateExceeded(Refusal):
    """The caller sends too many requests; try again after the seconds in Retry-After."""

    def __init__(
        self, retry_after: int, text: str = "the caller's requests of this minute are used up"
    ) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Overloaded(Refusal):
    """The service has as much to do as it can; try again after the seconds in Retry-After."""


class Contended(Refusal):
    """Another request held the same data for too long; try again after Retry-After."""


class Unexpected(Refusal):
    """The service failed; the request id names the entry in its log."""
