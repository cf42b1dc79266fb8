"""Where spans go: to a collector, in batches beside requests. Slow to import; few ask for it."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app.api.openapi import VERSION


def provider_for(endpoint: str) -> TracerProvider:
    """A provider that sends to this address; whoever made it shuts it down, which sends the rest.

    Headers such as a collector's key are read from `OTEL_EXPORTER_OTLP_HEADERS`.
    """
    about = Resource({"service.name": "regimen", "service.version": VERSION})
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
