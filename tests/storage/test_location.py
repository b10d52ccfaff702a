from __future__ import annotations

import pickle

import pytest

from adobe_privacy.storage import InvalidLocation, Location, parse_location


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///data/inbox", Location("file", "", "/data/inbox")),
        ("file:///data/inbox/", Location("file", "", "/data/inbox")),
        ("file:///data/with%20space", Location("file", "", "/data/with space")),
        ("file:///", Location("file", "", "/")),
        ("s3://bucket", Location("s3", "bucket", "")),
        ("s3://my.bucket/a/b/", Location("s3", "my.bucket", "a/b")),
        ("s3://aws_default@bucket/a", Location("s3", "bucket", "a", conn_id="aws_default")),
        ("gs://google@bucket/a", Location("gs", "bucket", "a", conn_id="google")),
        ("abfss://container/a", Location("abfss", "container", "a")),
        ("abfss://wasb@container/a", Location("abfss", "container", "a", conn_id="wasb")),
        (
            "abfss://container@acct.dfs.core.windows.net/a",
            Location("abfss", "container", "a", host="acct.dfs.core.windows.net"),
        ),
        (
            "abfss://wasb@container@acct.dfs.core.windows.net/a/b",
            Location("abfss", "container", "a/b", conn_id="wasb", host="acct.dfs.core.windows.net"),
        ),
    ],
)
def test_every_form_is_read(uri: str, expected: Location) -> None:
    location = parse_location(uri)
    assert location == expected
    assert parse_location(location.uri) == location


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "no scheme"),
        ("/data/inbox", "no scheme"),
        ("http://example.com/a", "'http'"),
        ("file://data/inbox", "three slashes"),
        ("file:relative", "absolute path"),
        ("file:///data/../etc", "'..'"),
        ("s3://", "no valid bucket"),
        ("s3://a@b@bucket/x", "too many '@'"),
        ("s3://bucket/a//b", "empty"),
        ("s3://bucket/../b", "'..'"),
        ("s3://bucket/a?versionId=1", "'?'"),
        ("abfss://Not_A_Container/a", "no valid container"),
    ],
)
def test_a_wrong_location_is_refused_with_the_reason(uri: str, said: str) -> None:
    with pytest.raises(InvalidLocation, match=said.replace("?", r"\?").replace(".", r"\.")) as caught:
        parse_location(uri)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_password_in_a_location_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidLocation) as caught:
        parse_location("s3://AKIAEXAMPLE:hunter2secret@bucket/prefix")
    assert "connection id" in str(caught.value)
    assert "hunter2secret" not in str(caught.value) + caught.value.uri
