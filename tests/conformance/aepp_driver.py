"""Drives a Privacy Service by Adobe's own Python client, aepp, and prints what it got as JSON.

Runs in an environment of its own: aepp's dependencies are not the project's. Arguments: the base URL, the token URL.
"""

from __future__ import annotations

import json
import sys
import time

import aepp
from aepp import config, privacyservice

ORG = "0123456789ABCDEF01234567@AdobeOrg"


def main(url: str, token_url: str) -> None:
    aepp.configure(
        org_id=ORG,
        client_id="simulator-client",
        secret="simulator-secret",
        scopes="openid,AdobeID,read_organizations,additional_info.projectedProductContext,session",
    )
    # It has no setting for another host.
    config.endpoints["global"] = url
    config.config_object["oauthTokenEndpointV2"] = token_url
    service = privacyservice.Privacy()
    payload = privacyservice.Privacy.SAMPLE_PAYLOAD | {
        "companyContexts": [{"namespace": "imsOrgID", "value": ORG}],
        "users": [
            {
                "key": "DSR-1",
                "action": ["access", "delete"],
                "userIDs": [{"namespace": "email", "value": "subject1@example.com", "type": "standard"}],
            }
        ],
        "include": ["profileService", "AudienceManager"],
    }
    created = service.postJob(payload)
    job_ids = [job["jobId"] for job in created["jobs"]]
    calls = 1
    details = []
    for job_id in job_ids:
        while True:
            detail = service.getJob(job_id)
            calls += 1
            if detail.get("status") in ("complete", "error"):
                details.append(detail)
                break
            time.sleep(0.2)
    listed = service.getJobs(regulation="ccpa", limit=100)
    empty = service.getJobs(regulation="gdpr")
    unknown = service.getJob("00000000-0000-0000-0000-000000000000")
    print(
        json.dumps(
            {
                "created": created,
                "details": details,
                "listed": listed,
                "empty": empty,
                "unknown": unknown,
                "calls": calls,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
