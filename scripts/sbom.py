"""Makes `data/sbom/bom.cdx.json`, a CycloneDX bill of materials of all that is locked, and `licences.csv` beside it.

Names, versions and hashes are those of requirements.lock, licences those that the installed packages state. A package
that this platform does not install has none there.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
ELSEWHERE = "not installed on this platform"
UNSTATED = "not stated"


def bill(*arguments: str) -> dict[str, Any]:
    """What `cyclonedx-py` makes of the arguments, the same at every call."""
    program = str(Path(sys.executable).with_name("cyclonedx-py"))
    options = ["--output-reproducible", "--no-validate", "--sv", "1.6", "--of", "JSON", "-o", "-"]
    made = subprocess.run(
        [program, *arguments, *options], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def licence(component: dict[str, Any]) -> str:
    """As an expression of SPDX where the package says so, else its own words."""
    stated = [
        each.get("expression") or each["license"].get("id") or each["license"].get("name", "")
        for each in component.get("licenses", [])
    ]
    return " AND ".join(dict.fromkeys(filter(None, stated))) or UNSTATED


def make(folder: Path) -> Counter[str]:
    """Writes both; returns how many packages state which licence."""
    locked = bill("requirements", str(LOCK), "--pyproject", str(ROOT / "pyproject.toml"))
    installed = {
        (each["name"].lower(), each["version"]): each
        for each in bill("environment", sys.executable)["components"]
        if "version" in each
    }
    rows = []
    for component in locked["components"]:
        found = installed.get((component["name"].lower(), component["version"]))
        if found is not None and found.get("licenses"):
            component["licenses"] = found["licenses"]
        rows.append((component["name"], component["version"], licence(found) if found else ELSEWHERE))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bom.cdx.json").write_text(json.dumps(locked, indent=2) + "\n")
    with (folder / "licences.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("package", "version", "licence"))
        writer.writerows(sorted(rows))
    return Counter(row[2] for row in rows)


def main() -> None:
    folder = ROOT / "data" / "sbom"
    licences = make(folder)
    for name, count in licences.most_common():
        print(f"{count:4} {name}")
    print(f"{licences.total()} packages: {folder / 'bom.cdx.json'}, {folder / 'licences.csv'}")


if __name__ == "__main__":
    main()
