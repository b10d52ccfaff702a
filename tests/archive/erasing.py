"""What a ledger says about erasures, without a ledger."""

from __future__ import annotations

from collections.abc import Iterable

from adobe_privacy.archive import Manifest


class Erasing:
    """Holds by job id; `log` is what was asked and told, in order."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)
        self.told: set[str] = set()
        self.open: dict[str, str] = {}
        self.log: list[tuple[str, str]] = []

    def begin(self, manifest: Manifest) -> bool:
        self.log.append(("begin", manifest.job_id))
        if manifest.job_id in self.held:
            return False
        self.open[manifest.job_id] = manifest.folder
        return True

    def is_held(self, manifest: Manifest) -> bool:
        return manifest.job_id in self.held

    def not_due(self, manifest: Manifest) -> None:
        self.log.append(("not due", manifest.job_id))
        self.open.pop(manifest.job_id, None)

    def done(self, manifest: Manifest) -> None:
        self.log.append(("done", manifest.job_id))
        self.open.pop(manifest.job_id, None)

    def unfinished(self) -> Iterable[str]:
        return list(self.open.values())

    def stopped(self, folder: str) -> bool:
        self.told.add(folder)
        return True
