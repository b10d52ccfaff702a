"""Objects under a URI, the same way on disk, S3, Google Cloud Storage and Azure.

Plain Python over obstore; knows nothing of Airflow. The caller turns a connection into one of the option
classes, `open_store` does the rest.
"""

from __future__ import annotations

from adobe_privacy.storage.errors import (
    AccessDenied,
    InvalidLocation,
    LocationNotFound,
    ObjectExists,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    StoreUnfit,
)
from adobe_privacy.storage.failures import Failures
from adobe_privacy.storage.location import Location, parse_location
from adobe_privacy.storage.objects import ObjectInfo, Written
from adobe_privacy.storage.opening import open_store
from adobe_privacy.storage.options import AzureOptions, FileOptions, GCSOptions, S3Options, StoreOptions
from adobe_privacy.storage.probing import check_replaces
from adobe_privacy.storage.store import Store

__all__ = [
    "AccessDenied",
    "AzureOptions",
    "Failures",
    "FileOptions",
    "GCSOptions",
    "InvalidLocation",
    "Location",
    "LocationNotFound",
    "ObjectExists",
    "ObjectInfo",
    "ObjectNotFound",
    "S3Options",
    "StorageError",
    "StorageUnavailable",
    "Store",
    "StoreOptions",
    "StoreUnfit",
    "Written",
    "check_replaces",
    "open_store",
    "parse_location",
]
