"""Protocol documents that plans are made from, each parsed once in a process."""

from collections import OrderedDict

from app.domain.documents import ProtocolDocument, parse_protocol
from app.persistence.protocols import ProtocolRepository, VersionSummary

MAX_REMEMBERED = 256


class ParsedProtocols:
    """Protocol documents already read, by the hash of their content; bounded."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[str, ProtocolDocument] = OrderedDict()

    async def document(
        self, protocols: ProtocolRepository, summary: VersionSummary
    ) -> ProtocolDocument:
        """The document of a version, read from the database when it is not known yet."""
        found = self._known.get(summary.content_hash)
        if found is None:
            version = await protocols.get_version(summary.protocol_key, summary.version)
            found = parse_protocol(version.document)
            self._known[summary.content_hash] = found
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return found


# Content never changes under its hash, so that remembering it needs no one's permission.
parsed = ParsedProtocols()
