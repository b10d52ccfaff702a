"""The shipped samples ask only what the products can serve."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import SIMULATOR, Simulator

SAMPLES = SIMULATOR.parent / "samples"
HEADINGS = ("request_id", "regulation", "actions", "products")


def sample_requests() -> Iterator[dict[str, Any]]:
    for path in sorted((SAMPLES / "inbox").rglob("*.jsonl")):
        yield from map(json.loads, path.read_text().splitlines())
    for path in sorted((SAMPLES / "inbox").rglob("*.csv")):
        headings, *rows = csv.reader(path.open())
        for row in rows:
            request = dict(zip(headings, row, strict=True))
            yield {name: request[name] for name in ("request_id", "regulation")} | {
                "actions": request["actions"].split("|"),
                "products": request["products"].split("|"),
                # A namespace with several values has several columns.
                "identities": [
                    {"namespace": namespace, "value": value, "type": kind or "standard"}
                    for heading, value in zip(headings, row, strict=True)
                    for namespace, _, kind in [heading.partition(":")]
                    if heading not in HEADINGS and value
                ],
            }


def test_every_product_of_the_samples_can_use_every_identity(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    requests = list(sample_requests())
    assert len(requests) == 11
    for request in requests:
        identities = [{"type": "standard"} | identity for identity in request["identities"]]
        body = adobe.body(request["request_id"], include=request["products"])
        body["users"][0]["userIDs"] = identities
        assert adobe.post(body).status_code == 202
    for job in simulator.jobs():
        assert set(job["products"].values()) == {"6000-200"}, job["key"]
