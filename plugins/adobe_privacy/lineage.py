"""What OpenLineage is told, where its provider is installed: folders, never files or jobs, whose names are people's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adobe_privacy.storage.location import Location, parse_location

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


def lineage(*, reads: str | None = None, writes: str | None = None) -> OperatorLineage:
    """Locations of inbox or archive as datasets, under OpenLineage's names for stores."""
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    def datasets(uri: str | None) -> list[Dataset]:
        return [] if uri is None else [Dataset(*name_of(parse_location(uri)))]

    return OperatorLineage(inputs=datasets(reads), outputs=datasets(writes))


def name_of(location: Location) -> tuple[str, str]:
    """Namespace and name, as OpenLineage's naming has them."""
    if location.scheme == "file":
        return "file", location.prefix
    if location.scheme == "abfss":
        account = f"@{location.host}" if location.host else ""
        return f"abfss://{location.bucket}{account}", location.prefix or "/"
    return f"{location.scheme}://{location.bucket}", location.prefix or "/"
