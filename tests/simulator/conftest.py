from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="package")
def shared_simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    shared_simulator.reset()
    return shared_simulator


@pytest.fixture
def adobe(simulator: Simulator) -> Iterator[AdobeCaller]:
    caller = AdobeCaller(simulator)
    yield caller
    caller.http.close()
