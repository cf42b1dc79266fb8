"""How much of a resource is shown: https://hl7.org/fhir/R4/search.html#elements, #summary."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from app.api.fhir.interactions import Face, Resource
from app.api.fhir.queries import refused

_ALWAYS = frozenset({"resourceType", "id", "meta"})
_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_SUMMARIES = ("true", "text", "data", "count", "false")

Shape = Callable[[Resource], Resource]


def shape_of(params: Sequence[tuple[str, str]], faces: Mapping[str, Face]) -> Shape:
    """How resources are to be shown. Raises SearchRefused."""
    summary = dict(params).get("_summary", "false")
    elements = [part for name, value in params if name == "_elements" for part in value.split(",")]
    if summary not in _SUMMARIES:
        raise refused("_summary", "not-allowed", f"must be one of {', '.join(_SUMMARIES)}")
    if elements and summary not in {"false", "count"}:
        raise refused("_elements", "not-supported", "is shown instead of a summary, not with it")
    if elements:
        names = frozenset(name.rpartition(".")[2] for name in elements)
        return partial(_shown, faces=faces, keep=lambda face: names | face.mandatory)
    if summary == "true":
        return partial(_shown, faces=faces, keep=lambda face: face.summary | face.mandatory)
    if summary == "text":
        return partial(_shown, faces=faces, keep=lambda face: face.mandatory | {"text"})
    if summary == "data":
        return partial(_without_text, faces=faces)
    return lambda resource: resource


def _shown(
    resource: Resource,
    *,
    faces: Mapping[str, Face],
    keep: Callable[[Face], frozenset[str]],
) -> Resource:
    face = faces.get(resource["resourceType"])
    if face is None:
        return _each(resource, partial(_shown, faces=faces, keep=keep))
    names = keep(face) | _ALWAYS
    return _marked({name: part for name, part in resource.items() if name in names})


def _without_text(resource: Resource, *, faces: Mapping[str, Face]) -> Resource:
    if resource["resourceType"] not in faces:
        return _each(resource, partial(_without_text, faces=faces))
    return _marked({name: part for name, part in resource.items() if name != "text"})


def _each(bundle: Resource, shape: Shape) -> Resource:
    """Bundles are shown whole, their resources in part; outcomes are always whole."""
    if bundle["resourceType"] != "Bundle":
        return bundle
    entries = [{**entry, "resource": shape(entry["resource"])} for entry in bundle.get("entry", ())]
    return {**bundle, "entry": entries} if entries else bundle


def _marked(resource: Resource) -> Resource:
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}}
