"""A notifier of a user's own, that appends what it is given to a file; refuses where the file is a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    template_fields = ("subject", "message")

    def __init__(
        self, path: str, subject: str = "{{ alarm.subject }}", message: str = "{{ alarm.message }}"
    ) -> None:
        super().__init__()
        self.path, self.subject, self.message = path, subject, message

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as file:
            file.write(json.dumps({"subject": self.subject, "message": self.message}) + "\n")


def told(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
