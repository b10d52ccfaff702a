"""The result of a job: taken out of the archive, checked, decrypted where this server has the key, and streamed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, status
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from adobe_privacy.archive import ArchiveError, open_result, result_manifest
from adobe_privacy.hooks.archive import archive_opener
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.ledger.schema import AccessKind
from adobe_privacy.reporting.export import result_name
from adobe_privacy.web.access import may_download
from adobe_privacy.web.source import SourceDep

router = APIRouter()


@router.get("/result", dependencies=[Depends(may_download)])
def result(source: SourceDep, user: GetUserDep, job: int) -> FileResponse:
    """The result of an archived job, as a ZIP file. Nothing is sent before all of it was checked. The ledger notes who
    took it out before the first byte leaves."""
    found = source.overview().job(job)
    if found is None or found.manifest is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "This job has no result: it is not archived.")
    folder = Path(tempfile.mkdtemp(prefix="privacy-result-"))
    try:
        store = source.archive()
        manifest = result_manifest(store, found.manifest.rpartition("/")[0])
        opener = (
            archive_opener(read_settings(organisation=source.organisation))
            if manifest.sealed is not None
            else None
        )
        if findings := open_result(store, manifest, folder / "result.zip", opener):
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                f"The result in the archive is not as its manifest says: {findings[0].detail}",
            )
        with source.ledger_of(user.get_name()) as ledger:
            ledger.accesses.note(
                AccessKind.DOWNLOADED,
                f"the result of the {found.action} job {found.adobe_job_id}",
                request_id=found.request_id,
            )
    except ArchiveError as error:
        shutil.rmtree(folder)
        raise HTTPException(status.HTTP_409_CONFLICT, f"{error}") from None
    except BaseException:
        shutil.rmtree(folder)
        raise
    return FileResponse(
        folder / "result.zip",
        media_type="application/zip",
        filename=result_name(found),
        background=BackgroundTask(shutil.rmtree, folder),
    )
