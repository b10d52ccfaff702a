"""The command `intake check`: a file of requests is read as the inbox would, and nothing is sent."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from adobe_privacy import command_arguments
from adobe_privacy.api.names import include_codes
from adobe_privacy.command_output import print_json, print_rows
from adobe_privacy.command_places import WrongUsage
from adobe_privacy.intake.catalogue import unknown_product
from adobe_privacy.intake.check import check_file, folder_day


def add_check_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=["check"])
    command.add_argument("file", type=Path, metavar="FILE", help="*.csv, *.tsv, *.jsonl, *.ndjson or *.json")
    command.add_argument(
        "--day",
        type=command_arguments.day,
        metavar="DATE",
        help="of its inbox folder; else the folder's name, or today",
    )
    command.add_argument(
        "--products", default="", metavar="CODES", help="the connection's default, separated by commas"
    )
    command.add_argument(
        "--strict-identities",
        action="store_true",
        help="refuse a product that can use none of the identities",
    )


def check_intake(options: argparse.Namespace) -> int:
    """Prints what would become of the file. The exit code is 1 where a line would be refused."""
    products = [name.strip() for name in options.products.split(",") if name.strip()]
    if fault := next(filter(None, map(unknown_product, products)), None):
        raise WrongUsage(f"--products: {fault}")
    day = options.day or folder_day(options.file) or datetime.now(UTC).date()
    try:
        check = check_file(options.file, day, include_codes(products), strict=options.strict_identities)
    except OSError as error:
        raise WrongUsage(f"the file cannot be read: {error.strerror}") from None
    requests, refused = check.request_rows(), check.refused_rows()
    if options.json:
        print_json({"taken_for": check.taken_for, "requests": requests, "refused": refused})
    else:
        print(f"Taken for: {check.taken_for or 'nothing that holds requests'}. {len(requests)} requests:")
        print_rows(options, requests)
        print(f"{len(refused)} lines would be refused:")
        print_rows(options, refused)
    return 1 if refused else 0
