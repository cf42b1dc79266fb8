"""The bill of materials of what is installed to run: every pinned package with its hashes."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

HOUSE = Path(__file__).parents[1]

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(requirements: str) -> Iterator[Component]:
    """Every package of a requirements file."""
    for pin in _PIN.finditer(requirements):
        name, version = pin["name"], pin["version"]
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            purl=PackageURL("pypi", name=name, version=version),
            bom_ref=f"{name}@{version}",
            hashes=[
                HashType(alg=HashAlgorithm.SHA_256, content=digest)
                for digest in _HASH.findall(pin["rest"])
            ],
        )


def bill() -> str:
    """The whole bill as CycloneDX JSON."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    product = Component(
        type=ComponentType.APPLICATION, name=project["name"], version=project["version"]
    )
    bom = Bom(components=components((HOUSE / "requirements.txt").read_text("utf-8")))
    bom.metadata.component = product
    bom.register_dependency(product, bom.components)
    return str(JsonV1Dot6(bom).output_as_string(indent=1))


if __name__ == "__main__":
    sys.stdout.write(bill() + "\n")
