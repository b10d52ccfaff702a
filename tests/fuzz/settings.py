"""How long the fuzzing goes on: seconds in the usual suite, as long as `ADOBE_PRIVACY_FUZZ` says elsewhere."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("ADOBE_PRIVACY_FUZZ", "100"))
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
