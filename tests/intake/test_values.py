from __future__ import annotations

import pytest

from adobe_privacy.intake.values import request_id_fault, value_concern, value_fault

ECID = "44363657679975868102109072127600000001"


@pytest.mark.parametrize(
    ("namespace", "value", "type_"),
    [
        ("email", "jane.o'hara+shop@mail.example.com", "standard"),
        ("email", "jörg@müller.example", "standard"),
        ("email", "d41d8cd98f00b204e9800998ecf8427e", "analytics"),
        ("email", "d41d8cd98f00b204e9800998ecf8427e", "unregistered"),
        ("ecid", ECID, "standard"),
        ("phone", "+49 170 123 456", "standard"),
        ("crmid", "auth0|5f7c8ec7c33c6c004bbafe82", "custom"),
        ("crmid", "12E45", "custom"),
        ("crmid", "0049-A", "custom"),
        ("crmid", "00f0", "custom"),
        ("crmid", "Tester", "custom"),
        ("crmid", "#12345", "custom"),
        ("crmid", "@jane", "custom"),
        ("crmid", "jane@example.com", "custom"),
        ("crmid", "auth0|jane@example.com", "custom"),
        ("crmid", "Tom", "custom"),
        ("crmid", "12.50", "custom"),
        ("crmid", "1.2.3", "custom"),
        ("crmid", "O'Hara7", "custom"),
        ("crmid", "{EA7583CD-A667-48BC-B806-42ECB2B48606}", "custom"),
        ("mobile", "512 345 678", "unregistered"),
        ("phone", "+49 (0)170/123456", "standard"),
        ("phone", "0151/23456789", "standard"),
        ("phone", "(555) 010-0200 ext. 12", "standard"),
        ("phone", "030 123 456", "standard"),
        ("6", "jane@example.com", "namespaceId"),
        ("6", "d41d8cd98f00b204e9800998ecf8427e", "namespaceId"),
        ("email", "test@example.com", "standard"),
        ("crmid", "192.168.100.200", "custom"),
        ("crmid", "1000000", "custom"),
        ("crmid", "M-2026", "custom"),
        ("crmid", "NOVA-26", "custom"),
        ("crmid", "2026-11-20", "custom"),
        ("crmid", "12345678901234567890", "custom"),
        ("crmid", "user:nullify", "custom"),
        ("crmid", "Xx1", "custom"),
        ("crmid", "Jörg", "custom"),
        ("crmid", "{12AB}", "custom"),
        ("ecid", "44363657679975868102109072127600000000", "standard"),
        ("idfa", "EA7583CD-A667-48BC-B806-42ECB2B48606", "standard"),
        ("aaid", "2CCEEAE88503384F-1188000089CA", "standard"),
        ("phone", "(030)1234567", "standard"),
        ("phone", "(0301234567)", "standard"),
        ("crmid", "null-island-7", "custom"),
        ("crmid", "Unknown Pleasures 79", "custom"),
        ("crmid", "guest4711", "custom"),
        ("crmid", "Novak", "custom"),
        ("crmid", "Marta", "custom"),
        ("crmid", "Maya-1", "custom"),
        ("crmid", "Augustus 12", "custom"),
        ("crmid", "R&D-7", "custom"),
        ("crmid", "50%-club", "custom"),
        ("crmid", "loading-dock-7", "custom"),
        ("crmid", "Errol", "custom"),
        ("crmid", "#VALUES2026", "custom"),
        ("crmid", "(A-77)", "custom"),
        ("crmid", "12:34", "custom"),
        ("crmid", "b1946ac92492d2347c6235b4d2611184", "custom"),
        ("crmid", "QmFzZTY0IGlz/a+b==", "custom"),
        ("crmid", "user|jane;7", "custom"),
        ("email", "vero@example.com", "standard"),
        ("email", "no@example.com", "standard"),
        ("email", "jane%doe@example.com", "standard"),
        ("email", "none@example.com", "standard"),
    ],
)
def test_a_value_that_a_person_may_have_is_fine(namespace: str, value: str, type_: str) -> None:
    assert value_fault(namespace, value, type_) is None


@pytest.mark.parametrize("namespace", ["crmid", "ecid", "idfa", "email"])
@pytest.mark.parametrize(
    "value",
    [
        "0",
        "000000",
        "00000000-0000-0000-0000-000000000000",
        "{00000000}",
        "ffff-ffff",
        "FFFFFFFFFFFFFFFF",
        "null",
        "NULL",
        "(null)",
        "None",
        "n/a",
        "N.A.",
        "NaN",
        "undefined",
        "[object Object]",
        "unknown",
        "test",
        "(not set)",
        '""',
        "''",
        "-",
        "???",
        "unbekannt",
        "k. A.",
        "inconnu",
        "desconocido",
        "不明",
        "0x0000",
        "０００",
        "٠٠٠",
        "-1",
        "\\N",
        "<null>",
        "Unspecified",
        "::unspecified::",
        "nicht angegeben",
        "Nicht verfügbar",
        "NON SPÉCIFIÉ",
        "non specifie",
        "No especificado",
        "Não especificado",
        "Non specificato",
        "Niet opgegeven",
        "okänd",
        "neznámý",
        "nieokreślony",
        "Bilinmiyor",
        "Не указано",
        "未指定",
        "（空白）",
        "알 수 없음",
        "テスト",
        "ไม่ระบุ",
        "غير معروف",
        "NOTARGET",
        "opt-out",
        "(Low Traffic)",
        "true",
        "${email}",
        "{{ user.id }}",
        "%EMAIL%",
        "%%ADVERTISING_ID%%",
        "__IDFA__",
        "[ecid]",
        "XXXXXXXX",
        "undefined undefined",
        "auth0|null",
        "user:undefined",
        "id=NaN",
        "not logged in",
        "Infinity",
        "FALSCH",
        "VRAI",
        "ЛОЖЬ",
        "unknown user",
        "Unknown_User_ID",
        "null-null",
        "none:none",
        "deleted user",
        "(None) (Unspecified)",
        "anonymised",
        "gelöscht",
        "удалено",
        "已删除",
        "삭제됨",
        "limit_ad_tracking",
        "not determined",
        "puudub",
        "nežinomas",
        "непознат",
        "lipsă",
        "نامشخص",
        "अज्ञात",
        "ไม่มีข้อมูล",
        "未填写",
        "無記入",
        "[object Undefined]",
        "function () {}",
        "9774d56d682e549c",
    ],
)
def test_a_value_of_many_people_or_of_nobody_is_refused_in_every_namespace(
    namespace: str, value: str
) -> None:
    assert value_fault(namespace, value, "custom") is not None
    assert value_fault(namespace, value, "standard") is not None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("4.43637E+37", "rounded"),
        ("4,43637E+37", "rounded"),
        ('="4436"', "formula"),
        ("=A1", "formula"),
        ("'4436", "apostrophe"),
        ("44,363,657", "thousands"),
        ("44'363'657", "thousands"),
        ("#N/A", "error value"),
        ("#NAME?", "error value"),
        ("#DIV/0!", "error value"),
        ("########", "error value"),
        ("#Н/Д", "error value"),
        ("#I/T", "error value"),
        ("#BEZUG!", "error value"),
        ("4.43637E37", "rounded"),
        ("12345.0", "decimals"),
        ("12345,00", "decimals"),
        ("4.436.365", "thousands"),
        ("44 363 657", "thousands"),
        ("'ABC", "apostrophe"),
        ('"ABC"', "quotation mark"),
        ("“ABC”", "quotation mark"),
        ('ABC"', "quotation mark"),
        ("#N/A N/A", "error value"),
        ("@SUM(A1)", "formula"),
        ("+SUM(A1:A2)", "formula"),
        ("44363657679975900000000000000000000000", "kept the first"),
        ("44363657679975868000000000000000000000", "kept the first"),
        ("12345678901234500000", "kept the first"),
        ("1-Nov", "date"),
        ("Nov-26", "date"),
        ("01. Mär", "date"),
        ("1-sept-26", "date"),
        ("01.11.2026", "date"),
        ("11/1/2026 0:00", "date"),
        ("2026-11-01 00:00:00", "date"),
        ("['a', 'b']", "list"),
        ('{"id": 1}', "list"),
        ("JÃ¶rg", "encoding"),
        ("4.4E 37", "rounded"),
        ("4.4×10^37", "rounded"),
        ("4,4*10^37", "rounded"),
        ("12,34,567", "thousands"),
        ("1,23,45,678", "thousands"),
        ("$1,234,567", "formatted"),
        ("1.234.567,00 €", "formatted"),
        ("50%", "formatted"),
        ("(44363657)", "formatted"),
        ("44363657-", "formatted"),
        ("2026-11-12T00:00:00Z", "date"),
        ("12. November 2026", "date"),
        ("November 12, 2026", "date"),
        ("12 septembre 2026", "date"),
        ("2026年11月12日", "date"),
        ("#¡VALOR!", "error value"),
        ("#¿NOMBRE?", "error value"),
        ("#ДЕЛ/0!", "error value"),
        ("#BŁĄD", "error value"),
        ("#GETTING_DATA", "error value"),
        ("Loading...", "error value"),
        ("Err:502", "error value"),
        ("´4436", "apostrophe"),
        ("[4436]", "list"),
        ("ObjectId('5f7c8ec7c33c6c004bbafe82')", "object"),
        ('UUID("5f7c8ec7c33c6c004bbafe82")', "object"),
        ("R&amp;D-7", "HTML"),
        ("&#39;4436", "HTML"),
        ("<b>4436</b>", "HTML"),
    ],
)
def test_what_a_spreadsheet_has_changed_is_refused_by_name(value: str, says: str) -> None:
    told = value_fault("crmid", value, "custom")
    assert told is not None
    assert says in told
    assert value not in told


@pytest.mark.parametrize(
    "value",
    [
        "a@example.com; b@example.com",
        "a@example.com,b@example.com",
        "Jane <a@example.com>",
        "“a@example.com”",
        "'a@example.com'",
        "mailto:a@example.com",
        "a @example.com",
        "a@b@example.com",
        "subject7@exampl",
        "a@example.com.",
        "jane",
        "d41d8cd98f00b204e9800998ecf8427e",
        "jane＠example.com",
        "ｊane@example.com",
    ],
)
def test_a_standard_e_mail_is_exactly_one_address(value: str) -> None:
    assert "e-mail" in str(value_fault("email", value, "standard"))


@pytest.mark.parametrize(
    ("namespace", "value", "type_", "says"),
    [
        ("6", "a@example.com; b@example.com", "namespaceId", "e-mail"),
        ("6", "jane", "namespaceId", "e-mail"),
        ("4", "abc", "namespaceId", "ECID"),
        ("7", "call me", "namespaceId", "phone"),
        ("email", "Jane <a@example.com>", "unregistered", "e-mail"),
        ("loyalty", "a@example.com, b@example.com", "custom", "several"),
        ("loyalty", "a@example.com b@example.com", "integrationCode", "several"),
        ("idfa", "a@example.com", "standard", "never in this namespace"),
        ("phone", "a@example.com", "standard", "never in this namespace"),
        ("phone", "555-1234; 555-9876", "standard", "phone"),
        ("phone", "+4915112345678 / +4915112345679", "standard", "phone"),
        ("phone", "030 123456/030 654321", "standard", "phone"),
        ("phone", "call 5551234 now", "standard", "phone"),
        ("email", "null@null.com", "standard", "placeholder"),
        ("email", "none@none.example", "unregistered", "placeholder"),
    ],
)
def test_what_cannot_be_in_its_namespace_is_refused(
    namespace: str, value: str, type_: str, says: str
) -> None:
    assert says in str(value_fault(namespace, value, type_))


def test_what_is_odd_but_may_be_right_is_a_concern() -> None:
    assert "advertising id" in str(value_concern("idfa", "4711", "standard"))
    assert "empty value" in str(value_concern("email", "d41d8cd98f00b204e9800998ecf8427e", "unregistered"))
    assert "role" in str(value_concern("email", "unknown@example.com", "standard"))
    assert value_fault("ecid", "4436365767", "standard") is None
    assert value_concern("ecid", "4436365767", "standard") == "an ECID has 38 digits, this one has 10"
    assert value_concern("ecid", ECID, "standard") is None
    assert "role" in str(value_concern("email", "no-reply@example.com", "standard"))
    assert value_concern("email", "jane@example.com", "standard") is None


@pytest.mark.parametrize(
    ("namespace", "value", "type_", "says"),
    [
        ("ecid", "1" * 38, "standard", "one or two different signs"),
        ("ecid", "0" * 37 + "1", "standard", "one or two different signs"),
        ("gaid", "11111111-1111-1111-1111-111111111111", "standard", "one or two different signs"),
        ("ecid", "12345678901234567890123456789012345678", "standard", "in order"),
        ("phone", "9999999999", "standard", "one sign"),
        ("phone", "1234567890", "standard", "in order"),
        ("crmid", "123456789012345000", "custom", "rounded"),
        ("email", "jаne@example.com", "standard", "several scripts"),
        ("crmid", "АB123", "unregistered", "several scripts"),
        ("email", "jo\u0308rg@example.com", "standard", "signs of their own"),
        ("crmid", "12\u2011345", "unregistered", "a dash other than -"),
        ("email", "jane\ufe0f@example.com", "standard", "cannot be seen"),
        ("email", "ja\u034fne@example.com", "standard", "cannot be seen"),
        ("email", "jan\u2800e@example.com", "standard", "cannot be seen"),
        ("crmid", "AB12\u3164", "custom", "cannot be seen"),
        ("crmid", "\uff11\uff12\uff14\uff14\uff15\uff16\uff17\uff18", "custom", "full-width"),
        ("crmid", "\uff21\uff22\uff23-4711", "custom", "full-width"),
        *(
            ("email", f"{'jörg'.encode().decode(encoding)}@example.com", "standard", "wrong encoding")
            for encoding in ("mac_roman", "cp437", "cp850", "cp1250")
        ),
        ("name", "G\u0102\u0142rski", "custom", "wrong encoding"),
        ("name", "T\u0139\u2018ke", "custom", "wrong encoding"),
        ("name", "R\u0102\u201c\u0139\u00bbYCKI", "custom", "wrong encoding"),
        ("name", "Kova\u0192\u00e7", "custom", "wrong encoding"),
        ("name", "D\u0192\u00d6bek", "custom", "wrong encoding"),
        ("crmid", "1234567 7654321", "unregistered", "several values"),
        ("crmid", "yes", "custom", "fill the field"),
        ("crmid", "nein", "custom", "fill the field"),
        ("crmid", "asdf", "custom", "fill the field"),
        ("crmid", "Beispiel", "custom", "fill the field"),
        ("crmid", "x", "custom", "fill the field"),
        ("crmid", "aaa", "custom", "fill the field"),
        ("crmid", "0987654321", "custom", "in order"),
        ("crmid", "12.11.26", "custom", "date or a time"),
        ("crmid", "2026/11/12", "custom", "date or a time"),
        ("crmid", "12:30:00", "custom", "date or a time"),
        ("crmid", "123;456", "custom", "several values"),
        ("crmid", "C-1, C-2", "custom", "several values"),
        ("crmid", "jane%40example.com", "custom", "web"),
        ("email", "jane%2Bshop@example.com", "standard", "web"),
        ("email", "asd@asd.example", "standard", "fill the field"),
        ("email", "a@a.com", "unregistered", "fill the field"),
        ("crmid", "username@example.com", "custom", "role"),
    ],
)
def test_what_is_hardly_one_persons_is_a_concern(namespace: str, value: str, type_: str, says: str) -> None:
    assert value_fault(namespace, value, type_) is None
    assert says in str(value_concern(namespace, value, type_))


@pytest.mark.parametrize(
    ("namespace", "value"),
    [("phone", "+44 20 2020 2020"), ("crmid", "10011001"[:7]), ("crmid", "123456798012345678")],
)
def test_what_looks_plain_but_may_be_anybodys_is_none(namespace: str, value: str) -> None:
    assert value_concern(namespace, value, "standard" if namespace == "phone" else "custom") is None


@pytest.mark.parametrize(
    ("namespace", "value"),
    [
        *(
            ("name", value)
            for value in ("RÓŻYCKI", "RÓŻA", "JÓŹWIAK", "RĂŞINARI", "l\u2019École", "d\u2019Évry")
        ),
        ("name", "\u201cÉcole\u201d 12"),
        ("email", "sarıçam@example.com"),
        *(("name", value) for value in ("Mª Carmen", "Nº 12", "12™", "A²B", "会員番号\uff08旧\uff091")),
    ],
)
def test_what_is_written_as_it_should_be_is_no_concern(namespace: str, value: str) -> None:
    """Some such letters would be others in another encoding, or in ASCII."""
    assert value_concern(namespace, value, "standard" if namespace == "email" else "custom") is None


SCHEMES = [
    "DSR-2026-000123",
    "DSAR/2026/11/0001",
    "REQ0012345",
    "RITM0010023",
    "INC000012345678",
    "CAS-12345-X7Y8Z9",
    "PRIV-42",
    "GDPR#2026#17",
    "00001026",
    "00012345678",
    "2026-000123",
    "2026/11/000123",
    "20261120-0001",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "01HF7YAT31JZQ6KXWVBRG3XY5M",
    "4521",
    "DE-2026-0017",
    "T.1000234",
    "CS0001234",
    "500Hs00001abcDEIAY",
    "onetrust:8f14e45f",
    "A1",
    "2026-W47-17",
    "LGPD_2026_0009",
    "20261120093000",
    "MOBILE-2026-0001",
]


@pytest.mark.parametrize("request_id", SCHEMES)
def test_the_usual_case_numbers_are_taken(request_id: str) -> None:
    assert request_id_fault(request_id) is None


@pytest.mark.parametrize(
    ("request_id", "says"),
    [
        ("4111111111111111", "card"),
        ("4111-1111-1111-1111", "card"),
        ("DE89370400440532013000", "IBAN"),
        ("GB29-NWBK-6016-1331-9268-19", "IBAN"),
        ("john.smith", "no digit"),
        ("John_Smith", "no digit"),
        ("tel:4915112345678", "tel:"),
        ("tel4915112345678", "phone"),
        ("Mobile-0170-1234567", "phone"),
        ("4.43637E37", "rounded"),
        ("12345.0", "decimals"),
        ("adobe:8f14e45f-1", "other senders"),
        ("ADOBE:1", "other senders"),
        ("004915112345678", "phone"),
        ("0170-123.4567", "phone"),
        ("202-600-0123", "phone"),
        ("jane@example.com", "letters, digits"),
        ("1980-01-31", "date of birth"),
        ("2001/12/24", "date of birth"),
    ],
)
def test_a_request_id_that_may_be_a_person_s_is_refused(request_id: str, says: str) -> None:
    told = request_id_fault(request_id)
    assert told is not None
    assert says in told
    assert request_id not in told
