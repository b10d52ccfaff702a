"""Words in place of a value: what people, forms, exports and programs write where there is none.

Words are compared without case, blanks and punctuation, and longer ones without accents too.
"""

from __future__ import annotations

import re
import unicodedata

# As Adobe's libraries and reports, forms and exports in many languages write them.
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
    wahr falsch vrai faux verdadero falso verdadeiro onwaar falskt sandt falsk epätosi prawda fałsz nepravda
    igaz hamis doğru yanlış истина ложь 참 거짓 anonymized anonymised pseudonymized pseudonymised erased
    anonymisiert gelöscht entfernt geschwärzt anonymisé supprimé effacé eliminado eliminada borrado borrada
    removido excluído cancellato eliminato verwijderd geanonimiseerd raderad slettet poistettu usunięty usunięte
    smazáno törölve șters silindi удалено удален удалён видалено διαγράφηκε 已删除 已刪除 削除済み 삭제됨
    consentdenied noconsent notracking limitadtracking attdenied notdetermined denied restricted noneunspecified
    nullpointerexception notanumber getevent novisitor nocookies cookiesdisabled ohne fehlend keinewerte
    sansvaleur niente nessunvalore nichts niets geenwaarde ingenting ничего неизвестна неизвестное няма άγνωστη
    unbekend eitiedossa eiole puudub teadmata andmedpuuduvad nežinomas nežinoma nezināms nepoznato nepoznat nema
    nijepoznato nipodatka neznano непознато непознат lipsă necunoscută bilgiyok descoñecido desconegut
    desconeguda capvalor ezdaki óþekkt ekkert anaithnid نامشخص ندارد نامعلوم معلومنہیں नहीं ज्ञातनहीं অজানা
    தெரியாது ไม่มีข้อมูล khôngbiết không tiada walang haijulikani 未填 未填写 未填寫 無回答 不明です ナシ ヌル
    無記入 空欄 없다 모름 nul kein unbek sconosciutoa
    """.split()  # noqa: SIM905 -- a list of words, by language
# What may be somebody's, and is more often typed to fill a field.
_DOUBTFUL_WORDS = """
    vero sant waar tosi nada rien pravda direct yes no ja nein oui non sí si да нет tak nie 是 否 はい いいえ 예
    아니오 ok failed pending todo tbc tmp temp demo fake foo bar foobar asdf asdfgh qwerty qwertz azerty abc
    abcd abcdef abcdefgh loremipsum sample example beispiel exemple ejemplo esempio voorbeeld przykład пример 例
    例子 deadbeef user username customer kunde client cliente visitor member email mail name id value string
    text number zzz nn nd nc sn nv nb nv inc desc nav cap lat dnt
    """.split()  # noqa: SIM905
_SIGNS = re.compile(r"[\W_]")


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def plain_word(text: str) -> str:
    return _SIGNS.sub("", text).casefold()


def _spelt(words: list[str]) -> frozenset[str]:
    return frozenset(
        spelt
        for word in words
        for spelt in (plain_word(word), _without_accents(plain_word(word) if len(word) > 5 else ""))
    ) - {""}


_NO_VALUE, _DOUBTFUL = _spelt(_WORDS), _spelt(_DOUBTFUL_WORDS)
_OF_SOMEBODY = frozenset(
    ["user", "customer", "client", "visitor", "member", "account", "id", "email", "name", "value"]
)
_DIGIT = re.compile(r"\d")
_PARTS = re.compile(r"[^\W_]+")


def is_no_value(text: str) -> bool:
    """Whether a text says that there is none: by a word, or by several: `unknown user`, `null-null`."""
    if plain_word(text) in _NO_VALUE:
        return True
    if text.isalpha() or _DIGIT.search(text):
        return False
    parts = [plain_word(part) for part in _PARTS.findall(text)]
    found = [part in _NO_VALUE and len(part) > 3 for part in parts]
    return (
        len(parts) > 1
        and any(found)
        and all(there or part in _OF_SOMEBODY for part, there in zip(parts, found, strict=True))
    )


def is_doubtful(text: str) -> bool:
    """Whether a text is more likely typed to fill a field than somebody's."""
    return plain_word(text) in _DOUBTFUL
