"""The plugin as Airflow's loader finds it, in a process of its own as every component is."""

from __future__ import annotations

import json
import subprocess
import sys

LOAD = """
import json, sys
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
plugins, errors = plugins_manager._get_plugins()
early = sorted(name for name in sys.modules if name.startswith(("adobe_privacy.web", "fastapi")))
apps, _ = plugins_manager.get_fastapi_plugins()
views = [view for plugin in plugins for view in plugin.external_views]
print(json.dumps([errors, early, [app["url_prefix"] for app in apps], [view["name"] for view in views]]))
"""


def test_it_loads_without_an_error_and_costs_other_components_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    errors, imported_early, apps, views = json.loads(done.stdout.splitlines()[-1])
    assert errors == {}
    assert imported_early == []
    assert apps == ["/privacy"]
    assert views == ["Privacy"]
