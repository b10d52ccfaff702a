"""What is wrong with an identity's value or a request id that could be sent all the same.

A value that a spreadsheet has changed belongs to nobody; one that stands for "no value" belongs to everybody whose
device or form sent it. Neither text here repeats a value.
"""

from __future__ import annotations

import re

# Values of which Adobe's libraries, forms and exports make use where they have none. Compared without outer brackets,
# quotes and punctuation.
_NO_VALUE = frozenset(
    """
    null nil none na nan undefined unknown empty blank test testing tbd dummy default anonymous anonym missing
    notset notavailable notapplicable notprovided nodata novalue objectobject xxx
    unbekannt keine keiner leer nichtbekannt nichtvorhanden ka entfaellt entfällt
    inconnu aucun aucune vide anonyme nondisponible nonrenseigne nonrenseigné so
    desconocido desconhecido ninguno ninguna nenhum nenhuma vacio vacío vazio sindatos anonimo anónimo anônimo
    sconosciuto nessuno nessuna vuoto
    onbekend geen leeg nvt anoniem
    okänd ukendt ukjent tuntematon ingen tyhjä
    nieznany brak неизвестно нет пусто
    未知 无 無 空 不明 なし 匿名 該当なし 알수없음 없음 미상
    """.split()  # noqa: SIM905 -- a list of words, one language a line
)
_PLAIN = re.compile(r"[\W_]")
# `0000…` and `ffff…` of any length and grouping: many phones and browsers send the same.
_ALL_SAME = re.compile(r"[\W_]*(?:0[0\W_]*|[fF][fF\W_]*)")

_DAMAGE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,4}"),
        "a number that a spreadsheet has rounded (4.4E+37); format the column as text and enter the id again",
    ),
    (re.compile(r"=.*"), "a spreadsheet formula; save the values, not the formulas"),
    (re.compile(r"['‘’´`][\d+=-].*"), "begins with an apostrophe, as spreadsheets mark text; remove it"),
    (re.compile(r"#{2,}|#[^\W\d_][\w/]*[!?]|#DIV/0!|#N/?[ADV]"), "an error value of a spreadsheet"),
    (
        re.compile(r"[+-]?\d{1,3}(?:[,'’]\d{3})+(?:[.,]\d+)?"),
        "a number with thousands separators; format the column as text",
    ),
)

_LOCAL = r"[^\s@,;:<>()\[\]\\\"“”„«»'‘’][^\s@,;:<>()\[\]\\\"“”„«»]*"
_EMAIL = re.compile(rf"{_LOCAL}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*[^\W_]")
_AAID = re.compile(r"[1-9A-F][0-9A-F]{0,15}-[1-9A-F][0-9A-F]{0,15}")
_ROLES = frozenset(
    """
    admin contact donotreply hello help info mail marketing noreply office sales service support test
    """.split()  # noqa: SIM905
)

ECID_LENGTH = 38


def value_fault(namespace: str, value: str, type_: str) -> str | None:
    """Why this value cannot be one person's, or None. `namespace` is in lower case."""
    first = value[0]
    if (first in "0fF" or not first.isalnum()) and _ALL_SAME.fullmatch(value):
        return "all zeros or all f: many devices send the same, so it is not one person's"
    if first in "=#'‘’´`+-" or first.isdigit():
        for pattern, what in _DAMAGE:
            if pattern.fullmatch(value):
                return what
    if len(value) < 24 and "@" not in value and _stands_for_none(value):
        return "a placeholder, not a person's value"
    if type_ == "standard":
        return _standard_fault(namespace, value)
    if type_ == "namespaceId" and namespace == "4":
        return _standard_fault("ecid", value)
    if namespace == "aaid" and type_ == "analytics":
        return _standard_fault(namespace, value)
    return None


def _stands_for_none(value: str) -> bool:
    plain = _PLAIN.sub("", value).casefold()
    return not plain or plain in _NO_VALUE


def _standard_fault(namespace: str, value: str) -> str | None:
    if namespace == "email" and not _EMAIL.fullmatch(value):
        return (
            "not exactly one e-mail address: no name, list, quotation mark or blank; a hashed address needs the "
            "namespace and type of the product's own label"
        )
    if namespace == "ecid" and not (value.isascii() and value.isdigit()):
        return f"an ECID holds {ECID_LENGTH} digits and nothing else"
    if namespace == "phone" and not 5 <= sum(char.isdigit() for char in value) <= 20:
        return "not a phone number"
    # "AAID" as Adobe Analytics wants it (Analytics "Data privacy labels", cookie formats).
    if namespace == "aaid" and not _AAID.fullmatch(value):
        return (
            "an AAID is two upper-case hexadecimal numbers without leading zeros, joined by '-'; Adobe Analytics "
            "refuses another format"
        )
    return None


def value_concern(namespace: str, value: str, type_: str) -> str | None:
    """What may be wrong with a value that is sent all the same, or None."""
    if namespace == "ecid" and type_ == "standard" and len(value) != ECID_LENGTH:
        return f"an ECID has {ECID_LENGTH} digits, this one has {len(value)}"
    if namespace == "email" and type_ == "standard":
        local = value.partition("@")[0].lower().replace("-", "").replace("_", "")
        if local in _ROLES:
            return "the e-mail address is that of a role, not of a person"
    return None


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]*")
_SCHEMES = ("adobe:", "tel:", "mailto:", "sms:", "callto:", "phone:", "email:")
# What begins like a year or a date, or is padded with zeros, is a case number: no phone number looks so.
_NUMBERED = re.compile(r"(?:19|20)\d\d(?:[01]\d(?:[0-3]\d)?)?[-._/:#]\d[\d._/:#-]*|000\d+")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


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
    lower = value.lower()
    for scheme in _SCHEMES:
        if lower.startswith(scheme):
            why = (
                "is how jobs of other senders are named" if scheme == "adobe:" else "names a person's address"
            )
            return f"begins with '{scheme}', which {why}: use the case number"
    if not re.search(r"[0-9]", value):
        return "holds no digit, as a name would: use the case number"
    if not re.search(r"[A-Za-z]", value) and not _NUMBERED.fullmatch(value):
        digits = re.sub(r"[^0-9]", "", value)
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
