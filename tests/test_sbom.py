"""The bill of materials has everything that is installed, and nothing else."""

import json
import re
import subprocess

from tests.processes import HOUSE

REQUIREMENTS = (HOUSE / "requirements.txt").read_text("utf-8")


def test_every_pinned_package_is_on_the_bill_with_its_hashes() -> None:
    made = subprocess.run(["sh", ".ci/sbom"], cwd=HOUSE, capture_output=True, text=True, check=True)

    bill = json.loads(made.stdout)
    found = {f"{one['name']}=={one['version']}" for one in bill["components"]}
    hashes = [one["content"] for part in bill["components"] for one in part["hashes"]]
    assert found == set(re.findall(r"^[\w.-]+==[^\s;\\]+", REQUIREMENTS, re.MULTILINE))
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", REQUIREMENTS))
    assert all(one["purl"].startswith("pkg:pypi/") for one in bill["components"])
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "regimen")
