"""What is wrong with an identity's value or a request id that could be sent all the same.

A value that a spreadsheet has changed belongs to nobody; one that stands for "no value" belongs to everybody whose
device or form sent it. Neither text here repeats a value.
"""

from __future__ import annotations

import re

from adobe_privacy.intake.catalogue import standard_namespace
from adobe_privacy.intake.placeholders import is_doubtful, is_no_value, plain_word
from adobe_privacy.intake.signs import is_misread, is_wide, narrow, odd_signs, scripts

# The last is the ANDROID_ID that all phones with one fault have.
_SPELLINGS = frozenset(["-1", "\\N", "9774d56d682e549c"])
# What a program sends where a part was not there: `auth0|null`, `undefined undefined`.
_NOT_THERE = re.compile(
    r"(?:.*[\s|:=/,;])?(?:null|undefined|nan|\(null\)|\[object \w+\])|function ?\(.*|(?:symbol|promise) ?[({].*",
    re.IGNORECASE,
)
_LONGEST = 32
# `0000…` and `ffff…` of any length and grouping: many phones and browsers send the same.
_ALL_SAME = re.compile(r"[\W_]*(?:0[xX])?(?:0[0\W_]*|[fF][fF\W_]*)")
# One sign over and over, but for zero and f.
_SAME_SIGN = re.compile(r"[xX?*#.-]{3,}")
# What a template, an advertising tag or a merged letter holds before it is filled in.
_UNFILLED = re.compile(
    r"\$?\{\{? *[A-Za-z_][\w .-]{0,24}\}\}?|[$%]{1,2}[A-Za-z_]\w{0,24}[$%]{1,2}|__[A-Za-z]\w{0,24}__|<[^<>@]{0,24}>"
    r"|\[[A-Za-z_][\w .-]{0,24}\]"
)

_MONTH = (
    r"(?:(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sept?|o[ck]t|nov|de[cz]|janv|f[eé]vr?|mars|avr|juin|juil|ao[uû]t|d[eé]c"
    r"|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|fev|out|dez|mei|mrt)\.?"
    r"|januar[yi]?|febr(?:uar[yi]?|ero)|march|märz|april|june|juni|july|juli|august|(?:sept|nov|dec|dez)em(?:ber|bre)"
    r"|o[ck]tober|janvier|février|avril|juillet|octobre|décembre|enero|mar[zç]o|abril|mayo|junio|julio|agosto|septiembre"
    r"|octubre|noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|novembre|dicembre"
    r"|janeiro|fevereiro|maio|junho|julho|setembro|outubro|novembro|dezembro)"
)
_QUOTES = "\"'‘’‚‛´`“”„«»"
_DAMAGE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,4}|[+-]?\d+[.,]\d+[eE] ?\d{1,4}"
            r"|[+-]?\d+[.,]\d+ ?[x×*·] ?10 ?\^? ?[+-]?\d{1,4}"
        ),
        "a number that a spreadsheet has rounded (4.4E+37); format the column as text and enter the id again",
    ),
    (
        re.compile(r"[1-9]\d{0,16}0{3,}(?<=\d{20})"),
        "a number of which a program has kept the first 15 to 17 digits; format the column as text and enter the id "
        "again",
    ),
    (
        re.compile(r"=.*|[+@-][A-Za-z][\w.]*\(.*\)"),
        "a spreadsheet formula; save the values, not the formulas",
    ),
    (
        re.compile(
            rf"\d{{1,4}}[-./ ]+{_MONTH}(?:[-./ ]+\d{{2,4}})?|{_MONTH}[-./ ]+\d{{1,4}}(?:, \d{{4}})?"
            r"|\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d(?: \d{1,2}:\d\d.*)?"
            r"|\d{1,2}([/.-])\d{1,2}\1\d\d \d{1,2}:\d\d.*|(?:19|20)\d\d ?年 ?\d{1,2} ?月 ?\d{1,2} ?日"
            r"|(?:19|20)\d\d-\d\d-\d\d[ T]00:00(?::00)?(?:\.0+)?(?:Z|\+00:?00)?",
            re.IGNORECASE,
        ),
        "a date, as spreadsheets make of some ids; format the column as text and enter the id again",
    ),
    (re.compile(r"[\[{(].*[\"',:].*[\]})]|\[.*\]"), "a list or an object; give one value a cell"),
    (re.compile(r"[A-Za-z_.]+\((?:'.*'|\".*\")\)"), "an object as a program shows it; give the value alone"),
    (
        re.compile(
            r".*&(?:quot|amp|lt|gt|apos|nbsp|#\d{2,5}|#x[0-9a-fA-F]{2,4});.*|<([A-Za-z]\w*)[^<>]*>.*</\1>"
        ),
        "holds HTML; give the value alone",
    ),
    (
        re.compile(r"[$€£¥₹] ?[\d., '’]*\d|\d[\d., '’]* ?[$€£¥₹%]|\d[\d.,]*-|\(\d{4,}\)"),
        "a number that a spreadsheet has formatted; format the column as text",
    ),
    (re.compile(r"['‘’´`][^'‘’´`]*"), "begins with an apostrophe, as spreadsheets mark text; remove it"),
    (re.compile(rf"[{_QUOTES}].*|.*[{_QUOTES}]"), "begins or ends with a quotation mark; remove it"),
    (
        re.compile(
            r"#{2,}|#N/A\b.*|#[¡¿]?(?:[^\W\d_]+/)*[^\W\d_]+[!?]|#[^\W\d_]{1,8}/0!|#[^\W\d_]{1,8}/[^\W\d_]{1,6}"
            r"|#N[DV]|#(?:VALUE|REF|NAME|NUM|NULL|ERROR|BŁĄD|BLAD|GETTING_DATA)\W*|#?(?:LOADING|Loading)\.*|Err:\d{3}"
        ),
        "an error value of a spreadsheet",
    ),
    (
        re.compile(r"\d{3,}[.,]0{1,2}"),
        "a number with decimals, as programs write an id that they took for one",
    ),
)
# Groups of three digits. Points are in IP addresses, and blanks in telephone numbers, too.
_GROUPED = re.compile(
    r"[+-]?\d{1,3}(?:[,'’]\d{3})+(?:[.,]\d+)?|[+-]?\d{1,2}(?:,\d\d)+,\d{3}|[+-]?[1-9]\d{0,2}(?:[. ]\d{3}){2,}(?:,\d+)?"
)
_IP_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_OF_TELEPHONES = re.compile(r"phone|mobil|tel|fax|cell|msisdn|^7$")

_LOCAL = r"[^\s@,;:<>()\[\]\\\"“”„«»'‘’][^\s@,;:<>()\[\]\\\"“”„«»]*"
_EMAIL = re.compile(rf"{_LOCAL}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*[^\W_]")
_OF_URLS = re.compile(r"%(?:2[0-9A-Fa-f]|3[A-Fa-f]|40|5[BDbd]|7[BCDbcd]|[C-Fc-f][0-9A-Fa-f]%)")
_SEVERAL = re.compile(r"@[^@]*[\s,;|/&][^@]*@")
_HASH = re.compile(r"[0-9a-fA-F]{32,128}")
_AAID = re.compile(r"[1-9A-F][0-9A-F]{0,15}-[1-9A-F][0-9A-F]{0,15}")
_PHONE = re.compile(r"(?:\(?\+|(?=[\d(]))[\d ()./-]+(?:(?: ?(?:ext\.?|x)|#) ?\d{1,6})?", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_ROLES = frozenset(
    """
    admin contact donotreply hello help info mail marketing noreply office sales service support test
    """.split()  # noqa: SIM905
)
# MD5, SHA-1 and SHA-256 of nothing.
_HASHES_OF_NOTHING = frozenset(
    [
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]
)

ECID_LENGTH = 38


def value_fault(namespace: str, value: str, type_: str) -> str | None:
    """Why this value cannot be one person's, or None. `namespace` is in lower case."""
    seen = value if value.isascii() else narrow(value)
    first = seen[0]
    if (first in "0fF" or not first.isalnum()) and _ALL_SAME.fullmatch(seen):
        return "all zeros or all f: many devices send the same, so it is not one person's"
    standard = (standard_namespace(namespace, type_) or "").lower()
    if seen is not value and is_misread(value):
        return "holds characters that were read in a wrong encoding; save the file as UTF-8"
    if fault := _damage(seen, namespace) or (seen is not value and _damage(value, namespace)):
        return NO_ADDRESS if standard == "email" and "@" in seen and first != "=" else fault
    if len(seen) < _LONGEST and "@" not in seen and _stands_for_none(seen):
        return "a placeholder, not a person's value"
    if "@" in seen and (fault := _address_fault(seen, namespace, standard)):
        return fault
    if standard == "email" and seen is not value and any(map(is_wide, value)):
        return NO_ADDRESS
    if "@" not in seen and standard == "email" and not (type_ == "namespaceId" and _HASH.fullmatch(value)):
        return NO_ADDRESS
    if standard == "aaid" or (namespace == "aaid" and type_ == "analytics"):
        return _aaid_fault(value)
    return _standard_fault(standard, value) if standard else None


def _stands_for_none(value: str) -> bool:
    return (
        not plain_word(value)
        or is_no_value(value)
        or value in _SPELLINGS
        or any(each.fullmatch(value) for each in (_UNFILLED, _NOT_THERE, _SAME_SIGN))
    )


def _damage(value: str, namespace: str) -> str | None:
    """What a spreadsheet or another program has made of the value."""
    first, last = value[0], value[-1]
    if not (
        not first.isalpha()
        or not last.isalnum()
        or (last.isdigit() and len(value) < 24)
        or "&" in value
        or first in "lL"
    ):
        return None
    for pattern, what in _DAMAGE:
        if pattern.fullmatch(value) and not (first == "(" and _OF_TELEPHONES.search(namespace)):
            return what
    if not _GROUPED.fullmatch(value) or _IP_ADDRESS.fullmatch(value):
        return None
    if value.replace(".", " ").count(" ") and "," not in value and _OF_TELEPHONES.search(namespace):
        return None
    return "a number with thousands separators; format the column as text"


NO_ADDRESS = (
    "not exactly one e-mail address: no name, list, quotation mark or blank; a hashed address needs the "
    "namespace and type of the product's own label"
)


def _address_fault(value: str, namespace: str, standard: str) -> str | None:
    if standard == "email" or namespace in ("email", "e-mail", "emailaddress", "mail"):
        if not _EMAIL.fullmatch(value):
            return NO_ADDRESS
        return "a placeholder, not a person's value" if _of_nobody(value) else None
    if standard:
        return "an e-mail address, which is never in this namespace"
    if _EMAIL.fullmatch(value) and _of_nobody(value):
        return "a placeholder, not a person's value"
    return "several e-mail addresses: one value a cell" if _SEVERAL.search(value) else None


def _of_nobody(address: str) -> bool:
    local, domain = address.rsplit(".", 1)[0].split("@")
    return is_no_value(local) and is_no_value(domain)


def _standard_fault(namespace: str, value: str) -> str | None:
    if namespace == "ecid" and not (value.isascii() and value.isdigit()):
        return f"an ECID holds {ECID_LENGTH} digits and nothing else"
    if namespace == "phone":
        digits = [sum(map(str.isdigit, part)) for part in value.split("/")]
        if not (_PHONE.fullmatch(value) and value.isascii() and 5 <= sum(digits) <= 20):
            return "not a phone number, or more than one"
        if min(digits) > 7 and len(digits) > 1:
            return "more than one phone number: one value a cell"
    return None


def _aaid_fault(value: str) -> str | None:
    # As Adobe Analytics wants it (Analytics "Data privacy labels", cookie formats).
    if _AAID.fullmatch(value):
        return None
    return (
        "an AAID is two upper-case hexadecimal numbers without leading zeros, joined by '-'; Adobe Analytics "
        "refuses another format"
    )


def value_concern(namespace: str, value: str, type_: str) -> str | None:
    """What may be wrong with a value that is sent all the same, or None."""
    standard = (standard_namespace(namespace, type_) or "").lower()
    if not value.isascii() and (odd := odd_signs(value)):
        return odd
    if "@" in value:
        if odd := _odd_address(value):
            return odd
    elif is_doubtful(value) or (len(set(value.lower())) == 1 and not value.isdigit()):
        return "hardly one person's: it may have been typed to fill the field"
    if "%" in value and _OF_URLS.search(value):
        return "holds a code as in addresses of the web (%40): it may have to be decoded"
    if (";" in value or " / " in value or ", " in value) and "@" not in value and standard != "phone":
        return "perhaps several values: give one value a cell"
    if " " in value and _NUMBERS.fullmatch(value) and not _OF_TELEPHONES.search(namespace):
        return "perhaps several values: give one value a cell"
    if value[0].isdigit() and _DATE_OR_TIME.fullmatch(value):
        return "looks like a date or a time, as spreadsheets make of some ids"
    if len(value) > 7 and (odd := _odd(value, namespace)):
        return odd
    if standard == "ecid" and len(value) != ECID_LENGTH:
        return f"an ECID has {ECID_LENGTH} digits, this one has {len(value)}"
    if standard in ("idfa", "gaid", "waid") and not _UUID.fullmatch(value):
        return "an advertising id has 32 hexadecimal digits in five groups, this one has another form"
    elif value.lower() in _HASHES_OF_NOTHING:
        return "the hash of an empty value: it may be many people's"
    return None


_IN_ORDER = "1234567890" * 5
_DATE_OR_TIME = re.compile(
    r"\d{1,2}([./-])\d{1,2}\1\d\d|(?:19|20)\d\d/\d{1,2}/\d{1,2}|\d{1,2}:\d\d:\d\d(?: ?[APap][Mm])?"
)


# Of two long numbers in one cell, each may be an id.
_NUMBERS = re.compile(r"\d{5,}(?: +\d{5,})+")


def _odd(value: str, namespace: str) -> str | None:
    """What makes a value of some length nobody's, though it might be somebody's."""
    if value.isdigit() and 16 <= len(value) < 20 and not value[15:].strip("0"):
        return "a long number that ends in zeros: a spreadsheet may have rounded it"
    if not value.isascii() and "@" in value and len(scripts(value)) > 1:
        return "letters of several scripts, some of which may only look like the right ones"
    signs = set(value.lower())
    if len(signs) < 5:
        letters = {sign for sign in signs if sign.isalnum()}
        if len(letters) < 3 and not _OF_TELEPHONES.search(namespace):
            return "hardly one person's: it holds one or two different signs only"
        if len(letters) == 1:
            return "hardly one person's: it holds one sign only"
    if value.isdigit() and (value in _IN_ORDER or value[::-1] in _IN_ORDER):
        return "hardly one person's: its digits are in order"
    return None


def _odd_address(value: str) -> str | None:
    local, _, domain = value.partition("@")
    if local.isalpha() or not any(map(str.isdigit, local)):
        plain = plain_word(local)
        if plain in _ROLES or is_no_value(local) or (is_doubtful(local) and len(plain) > 3):
            return "the e-mail address is that of a role, not of a person"
    if len(local) < 8 and domain.lower().startswith(f"{local.lower()}."):
        return "hardly one person's: the e-mail address may have been typed to fill the field"
    return None


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]*")
_SCHEMES = ("adobe:", "tel:", "mailto:", "sms:", "callto:", "phone:", "email:")
# What begins like a year or a date, or is padded with zeros, is a case number: no phone number looks so.
_NUMBERED = re.compile(r"(?:19|20)\d\d(?:[01]\d(?:[0-3]\d)?)?[-._/:#]\d[\d._/:#-]*|000\d+")
# A date and time in digits; a phone number with 20 as its country's code is shorter.
_TIMESTAMP = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{6,}")
_BIRTH = re.compile(r"(?:19\d\d|200\d|201\d)[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])")
_TELEPHONE = re.compile(r"(?:tel|telephone|phone|mobile?|cell|fax|sms)[-._/:#]*(?=\d)", re.IGNORECASE)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


_DAMAGED_ID = (
    (re.compile(r"\d+\.\d+[eE]\d{1,4}"), _DAMAGE[0][1]),
    (re.compile(r"\d+\.0{1,2}"), _DAMAGE[-1][1]),
)


def is_request_id(value: str) -> bool:
    """Whether a text has the form of a request id. Ledgers hold older ones that `request_id_fault` would refuse."""
    return len(value) <= 128 and _ID.fullmatch(value) is not None and not value.lower().startswith("adobe:")


def request_id_fault(value: str) -> str | None:
    """Why this cannot be a controller's case number, or None."""
    if not _ID.fullmatch(value):
        return (
            "must begin with a letter or digit and hold only letters, digits and . _ : / # - "
            "(it is sent to Adobe as the user key, so an e-mail address is refused)"
        )
    for pattern, what in _DAMAGED_ID:
        if pattern.fullmatch(value):
            return what
    lower = value.lower()
    for scheme in _SCHEMES:
        if lower.startswith(scheme):
            why = (
                "is how jobs of other senders are named" if scheme == "adobe:" else "names a person's address"
            )
            return f"begins with '{scheme}', which {why}: use the case number"
    if _BIRTH.fullmatch(value):
        return "looks like a date of birth: use the case number"
    if not re.search(r"[0-9]", value):
        return "holds no digit, as a name would: use the case number"
    number = _TELEPHONE.sub("", value, count=1) if _TELEPHONE.match(value) else value
    if (
        not re.search(r"[A-Za-z]", number)
        and not _NUMBERED.fullmatch(number)
        and not _TIMESTAMP.fullmatch(number)
    ):
        digits = re.sub(r"[^0-9]", "", number)
        if 7 <= len(digits) <= 15:
            return "looks like a phone number: use the case number, with a letter in it"
        if 16 <= len(digits) <= 19 and _luhn(digits):
            return "looks like the number of a card: use the case number, with a letter in it"
    elif _IBAN.fullmatch(compact := re.sub(r"[^A-Z0-9]", "", value.upper())) and _iban(compact):
        return "looks like an account number (IBAN): use the case number"
    return None


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def _iban(compact: str) -> bool:
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1
