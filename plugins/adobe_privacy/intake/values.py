"""What is wrong with an identity's value or a request id that could be sent all the same.

A value that a spreadsheet has changed belongs to nobody; one that stands for "no value" belongs to everybody whose
device or form sent it. Neither text here repeats a value.
"""

from __future__ import annotations

import re
import unicodedata

from adobe_privacy.intake.catalogue import standard_namespace

# Words in place of a value, as Adobe's libraries and reports, forms and exports in many languages write them. They are
# compared without case, blanks and punctuation, and longer ones without accents too.
_WORDS = """
    infinity null nil none na nan undefined unknown empty blank test testing tbd tba dummy default anonymous anonym
    missing
    notset notavailable notapplicable notprovided notspecified notdefined notfound notknown unspecified unset
    unavailable unassigned nodata novalue noemail noid objectobject xxx placeholder redacted deleted removed hidden
    notloggedin loggedout notsignedin nologin nouser nocookie anonymoususer guestuser testuser
    masked guest optout optedout notarget invalid error true false void other lowtraffic uniquesexceeded
    unbekannt keine keiner keines leer nichtbekannt nichtvorhanden nichtverfügbar nichtzutreffend nichtangegeben
    nichtgesetzt nichtdefiniert nichtspezifiziert undefiniert keineangabe keineangaben keinwert keinedaten ka entfällt
    entfaellt fehlt
    inconnu inconnue aucun aucune vide anonyme nondisponible nonrenseigné nonspécifié nonspécifiée nondéfini
    nondéfinie indéfini indisponible nonapplicable sansobjet so néant manquant
    desconocido desconocida ninguno ninguna vacío vacia vacía anónimo noespecificado nodefinido indefinido nodisponible
    noaplica noaplicable noconsta sindatos sinvalor sinespecificar nulo prueba
    desconhecido desconhecida nenhum nenhuma vazio vazia anônimo nãoespecificado nãodefinido nãodisponível indisponível
    nãoaplicável nãoinformado semdados semvalor teste
    sconosciuto sconosciuta nessuno nessuna vuoto vuota anonimo nonspecificato nondefinito indefinito nondisponibile
    nonapplicabile nonimpostato assente
    onbekend geen leeg nvt anoniem nietopgegeven nietgespecificeerd nietbeschikbaar nietvantoepassing ongedefinieerd
    nietgedefinieerd nietingesteld
    okänd okänt ingen inget saknas odefinierad ospecificerad ejangivet ejangiven ejtillgänglig ejtillämpligt
    ukendt ukjent intet ikkeangivet ikkeoppgitt ikketilgængelig ikketilgjengelig udefineret udefinert uspecificeret
    uspesifisert tuntematon tyhjä eimitään määrittämätön määrittelemätön eisaatavilla puuttuu testi
    nieznany nieznana nieznane brak brakdanych pusty puste nieokreślony nieokreślono niezdefiniowany niedotyczy
    niedostępny niepodano anonimowy neznámý neznámá neznámy žádný žádné žiadny prázdný prázdny nedefinováno
    nespecifikováno nezadáno neuvedeno nenastaveno nedostupné anonymní ismeretlen nincs üres nincsmegadva nemdefiniált
    teszt necunoscut nespecificat nedefinit bilinmiyor bilinmeyen yok boş hiçbiri belirtilmemiş belirtilmedi tanımsız
    tanımlanmamış mevcutdeğil anonim
    неизвестно неизвестный неизвестен нет пусто пустой неуказано неуказан неопределено неопределен неопределён
    отсутствует недоступно неприменимо аноним анонимный тест невідомо невідомий немає порожньо невказано
    άγνωστο άγνωστος κανένα κενό לאידוע ריק אין غيرمعروف مجهول فارغ لايوجد غيرمحدد غيرمتوفر
    ไม่ทราบ ไม่ระบุ ไม่มี ว่าง khôngxácđịnh khôngrõ khôngcó tidakdiketahui tidakada kosong अज्ञात
    未知 无 無 空 空白 空值 不明 不详 不詳 未指定 未設定 未设置 未定义 未定義 不适用 不適用
    不可用 无数据 無資料 暂无 没有 沒有
    缺失 未提供
    测试 測試 なし 無し 匿名 該当なし 利用不可 使用不可 データなし 値なし 指定なし 未入力 未登録 テスト
    알수없음 없음 미상 미지정 지정되지않음 정의되지않음 비어있음 해당없음 사용할수없음 익명 공백 테스트
    """.split()  # noqa: SIM905 -- a list of words, by language
_SPELLINGS = frozenset(["-1", "\\N"])
_PLAIN = re.compile(r"[\W_]")


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _plain(text: str) -> str:
    return _PLAIN.sub("", text).casefold()


_NO_VALUE = frozenset(
    spelt
    for word in _WORDS
    for spelt in (_plain(word), _without_accents(_plain(word) if len(word) > 5 else ""))
) - {""}
# What a program sends where a part was not there: `auth0|null`, `undefined undefined`.
_NOT_THERE = re.compile(r"(?:.*[\s|:=/,;])?(?:null|undefined|nan|\(null\)|\[object object\])", re.IGNORECASE)
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
    r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sept?|o[ck]t|nov|de[cz]|janv|f[eé]vr?|mars|avr|juin|juil|ao[uû]t|d[eé]c"
    r"|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|fev|out|dez|mei|mrt)\.?"
)
_QUOTES = "\"'‘’‚‛´`“”„«»"
_DAMAGE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,4}|[+-]?\d+[.,]\d+[eE]\d{1,4}"),
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
            rf"\d{{1,4}}[-./ ]+{_MONTH}(?:[-./ ]+\d{{2,4}})?|{_MONTH}[-./ ]+\d{{1,4}}"
            r"|\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d(?: \d{1,2}:\d\d.*)?"
            r"|(?:19|20)\d\d-\d\d-\d\d[ T]00:00(?::00)?(?:\.0+)?",
            re.IGNORECASE,
        ),
        "a date, as spreadsheets make of some ids; format the column as text and enter the id again",
    ),
    (re.compile(r"[\[{(].*[\"',:].*[\]})]"), "a list or an object; give one value a cell"),
    (re.compile(r"['‘’´`][^'‘’´`]*"), "begins with an apostrophe, as spreadsheets mark text; remove it"),
    (re.compile(rf"[{_QUOTES}].*|.*[{_QUOTES}]"), "begins or ends with a quotation mark; remove it"),
    (
        re.compile(
            r"#{2,}|#N/A\b.*|#(?:[^\W\d_]+/)*[^\W\d_]+[!?]|#DIV/0!|#[^\W\d_]{1,8}/[^\W\d_]{1,6}|#N[DV]"
        ),
        "an error value of a spreadsheet",
    ),
    (
        re.compile(r"\d{3,}[.,]0{1,2}"),
        "a number with decimals, as programs write an id that they took for one",
    ),
)
# Groups of three digits. Points are in IP addresses, and blanks in telephone numbers, too.
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,'’]\d{3})+(?:[.,]\d+)?|[+-]?[1-9]\d{0,2}(?:[. ]\d{3}){2,}(?:,\d+)?")
_IP_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_OF_TELEPHONES = re.compile(r"phone|mobil|tel|fax|cell|msisdn|^7$")

_LOCAL = r"[^\s@,;:<>()\[\]\\\"“”„«»'‘’][^\s@,;:<>()\[\]\\\"“”„«»]*"
_EMAIL = re.compile(rf"{_LOCAL}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*[^\W_]")
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
    seen = value if value.isascii() else _narrow(value)
    first = seen[0]
    if (first in "0fF" or not first.isalnum()) and _ALL_SAME.fullmatch(seen):
        return "all zeros or all f: many devices send the same, so it is not one person's"
    standard = (standard_namespace(namespace, type_) or "").lower()
    if seen is not value and _misread(value):
        return "holds characters that were read in a wrong encoding; save the file as UTF-8"
    if fault := _damage(seen, namespace):
        return NO_ADDRESS if standard == "email" and "@" in seen and first != "=" else fault
    if len(seen) < _LONGEST and "@" not in seen and _stands_for_none(seen):
        return "a placeholder, not a person's value"
    if "@" in seen and (fault := _address_fault(seen, namespace, standard)):
        return fault
    if standard == "email" and seen is not value and any(map(_wide, value)):
        return NO_ADDRESS
    if "@" not in seen and standard == "email" and not (type_ == "namespaceId" and _HASH.fullmatch(value)):
        return NO_ADDRESS
    if standard == "aaid" or (namespace == "aaid" and type_ == "analytics"):
        return _aaid_fault(value)
    return _standard_fault(standard, value) if standard else None


def _narrow(value: str) -> str:
    """As it would be in ASCII: full-width letters, other scripts' digits."""
    narrow = unicodedata.normalize("NFKC", value)
    return "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in narrow) or value


def _wide(char: str) -> bool:
    """A letter or sign that only looks like one of ASCII."""
    return not char.isascii() and unicodedata.normalize("NFKC", char).isascii()


def _misread(value: str) -> bool:
    """Whether UTF-8 was taken for a Western encoding, as in `JÃ¶rg`."""
    try:
        return len(value.encode("cp1252").decode()) < len(value)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False


def _stands_for_none(value: str) -> bool:
    plain = _plain(value)
    return (
        not plain
        or plain in _NO_VALUE
        or value in _SPELLINGS
        or any(each.fullmatch(value) for each in (_UNFILLED, _NOT_THERE, _SAME_SIGN))
    )


def _damage(value: str, namespace: str) -> str | None:
    """What a spreadsheet or another program has made of the value."""
    first, last = value[0], value[-1]
    if not (
        first.isdigit()
        or first in "=#+-@[{("
        or first in _QUOTES
        or last in _QUOTES
        or (last.isdigit() and len(value) < 16)
    ):
        return None
    for pattern, what in _DAMAGE:
        if pattern.fullmatch(value):
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
        local, domain = (_plain(part) for part in value.rsplit(".", 1)[0].split("@"))
        return "a placeholder, not a person's value" if {local, domain} <= _NO_VALUE else None
    if standard:
        return "an e-mail address, which is never in this namespace"
    return "several e-mail addresses: one value a cell" if _SEVERAL.search(value) else None


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
    if len(value) > 7 and (odd := _odd(value, namespace)):
        return odd
    if standard == "ecid" and len(value) != ECID_LENGTH:
        return f"an ECID has {ECID_LENGTH} digits, this one has {len(value)}"
    if standard == "email":
        local = _plain(value.partition("@")[0])
        if local in _ROLES or local in _NO_VALUE:
            return "the e-mail address is that of a role, not of a person"
    elif standard in ("idfa", "gaid", "waid") and not _UUID.fullmatch(value):
        return "an advertising id has 32 hexadecimal digits in five groups, this one has another form"
    elif value.lower() in _HASHES_OF_NOTHING:
        return "the hash of an empty value: it may be many people's"
    return None


def _odd(value: str, namespace: str) -> str | None:
    """What makes a value of some length nobody's, though it might be somebody's."""
    if value.isdigit() and 16 <= len(value) < 20 and not value[15:].strip("0"):
        return "a long number that ends in zeros: a spreadsheet may have rounded it"
    if not value.isascii() and "@" in value and len(_scripts(value)) > 1:
        return "letters of several scripts, some of which may only look like the right ones"
    signs = set(value.lower())
    if len(signs) < 5:
        letters = {sign for sign in signs if sign.isalnum()}
        if len(letters) < 3 and not _OF_TELEPHONES.search(namespace):
            return "hardly one person's: it holds one or two different signs only"
        if len(letters) == 1:
            return "hardly one person's: it holds one sign only"
    if value.isdigit() and value in "12345678901234567890123456789012345678901234567890":
        return "hardly one person's: its digits are in order"
    return None


def _scripts(value: str) -> set[str]:
    return {unicodedata.name(char, "").partition(" ")[0] for char in value if char.isalpha()}


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
