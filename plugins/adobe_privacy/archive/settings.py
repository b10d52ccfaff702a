"""What may be chosen about archiving."""

from __future__ import annotations

from dataclasses import dataclass, field

from adobe_privacy.archive.encryption import Encryption
from adobe_privacy.archive.signing import Sign, unsigned
from adobe_privacy.archive.zip_rules import ZipLimits


@dataclass(frozen=True)
class ArchiveSettings:
    """`limits` are the caps by which hostile archives are known; with `keep_rejected` the bytes of a result
    that failed its check are kept for a look; with `encryption` results are stored encrypted; `sign` adds the
    organisation's signature to a manifest."""

    limits: ZipLimits = field(default_factory=ZipLimits)
    keep_rejected: bool = False
    encryption: Encryption | None = None
    sign: Sign = unsigned
