"""A second look at a text from which persons and places should be gone, by other means.

The replacing rules look for what a name or number *is*; this looks for where one would *stand*: what
is before a title, behind "my name is", in front of "hospital", how many digits come in a row, which
words are capitalised. A word in such a place must be on a short list of harmless ones. Better a
sound dialogue lost than a person named: callers refuse what is suspicious.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fundoscope.converse.deidentify import PLACEHOLDER, plain
from fundoscope.converse.deidentify_words import word_list, word_set, words
from fundoscope.records import Language

_MASK = "□"
_NUMERALS = str.maketrans("〇零○一二三四五六七八九幺两", "00012345678912")
_DIGITS = re.compile(r"(?:\d[\s().—–-]{0,2}){6,}\d")
_VALUE = re.compile(r"[.]\d|\s*(?:um|µm|μm|mm|微米|毫米|mg|毫克|ml|单位|IU|%|度|D\b|cells|/)")
_RANGE = re.compile(r"\d{1,4}\s?[-—–~]\s?\d{1,4}(?!\d)")

_TITLE = re.compile(r"(?P<before>.{0,4}?)(?:副?主任医师|主治医师|医师|医生|大夫|副?主任|教授|副?院长|博士|护士|先生|女士|小姐)")
_BEFORE_TITLE_OK = re.compile(
    r"(?:^|[^\u4e00-\u9fff]|[的是个位名给找看问请和与让听向跟对叫到去见当做为把被由经从在就有没您你我他她们谢家哪每该本这那些几各任何全体男女老年轻助理科室生院方家属之后前上下次日天时候好大小多少再去了过说吧吗呢啊或及也都还先如果因需要想建议眼病主治管床住接诊专业值班手术麻醉责任级别正副名外地关于通常非相应处方复])$"
)
_INTRODUCED = re.compile(r"(?:我叫做?|名叫|名字(?:叫|是)|大名|小名|姓名(?:是|为|叫)?|署名|签名|我姓|免贵姓|联系人|收件人|申请人|敬上)[\s:：,，]*(?=[\u4e00-\u9fffA-Za-z])(?!(?:是什么|叫什么|什么|不|没|和|等|保密|我|你))")
_HOSPITAL = re.compile(r"(?P<before>[\u4e00-\u9fff□]{1,4})(?:医院|卫生院|诊所|门诊部|医学院|附属)")
_BEFORE_HOSPITAL_OK = re.compile(
    r"(?:[□的家个去到在从往来是所级大小好甲地科型规合市省县区镇乡村社儿童妇女我你您他她贵本该此其他它么个多些各近基层上立营门外当并先后再请由和或及转看院送前住就问跑找选回让给叫等]|专业|综合|互联网|教学|有条件|建议|尽快|需要|及时|直接|马上|立即)$"
)
_ACCOUNT = re.compile(r"(?:微\s?信|薇信|威信|\bv\s?x\b|QQ|企鹅号|扣扣|抖音|wechat|whatsapp|skype|telegram|instagram|facebook)[^□\n。；;]{0,12}?[A-Za-z0-9_-]{5,}", re.IGNORECASE)
_DATE = re.compile(r"(?:19|20)\d\d\s?[-/.年]\s?\d{1,2}(?:\s?[-/.月]\s?\d{1,2})?(?!\d|\s?mm)|\d{1,2}\s?月\s?\d{1,2}\s?[日号]|\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d")
_EN_DATE = re.compile(r"\b\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b|\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{1,4}\b(?!\s?(?:mm|mg|um))", re.IGNORECASE)
_MONEY = re.compile(r"[¥￥$£€₹]|\d\s?(?:元|块钱|dollars|rupees|euros)|人民币")
_ADDRESS = re.compile(r"\d\s?(?:号楼|栋|幢|单元|号院|弄)|\d{2,}\s?室|[路街巷]\s?\d+\s?号|\b\d+[A-Za-z]? (?:[A-Z][a-z]+ )+(?:Street|Road|Avenue|Lane|Drive|Court|Close)\b")
_LINK = re.compile(r"@|https?:|www\.|\.(?:com|cn|net|org)\b", re.IGNORECASE)
_NAMED = re.compile(r"(?i:\bmy name(?:'s| is)|\bname\s?:|\bname is|\bcall me|\bI go by|\bsigned,?)\s+(?!□)(?P<name>[A-Za-z][\w'’-]+)")
_TITLED = re.compile(r"\b(?:Drs?|Prof|Professor|Doctor|Mr|Mrs|Ms|Miss)\b\.?\s+(?!□)(?P<name>[A-Z][a-z'’-]+)|\b(?:dr|mr|mrs)\.\s?(?P<lower>[a-z]{3,})")
_CAPITALS = re.compile(r"\b(?P<first>[A-Z][a-zà-ÿ'’-]+)\s(?:[A-Z]\.\s)?(?P<last>[A-Z][A-Za-zà-ÿ'’-]*[a-zà-ÿ])")
_CLOSING = re.compile(r"(?i:\b(?:regards|sincerely|faithfully|cheers|wishes|thanks|thank you|dear|hello|hi)\b)[,.!\s]+(?P<name>[A-Z][a-zà-ÿ'’-]+)\s*[,.!]?\s*$", re.MULTILINE)
_RELATED = re.compile(r"\bmy (?:late |eldest |youngest |older |younger |little )?(?P<who>[a-z-]+),? (?P<name>[A-Z][a-zà-ÿ'’-]+)")
_EN_HOSPITAL = re.compile(r"\b(?P<name>[A-Z][\w'’.-]+)\s(?:Eye\s)?(?:Hospital|Clinic|Infirmary|Medical Cent|Institute|Nethralaya)")


def suspicions(text: str, language: Language) -> list[str]:
    """Return why a text may still name a person or place; empty where nothing looks so.

    The reasons name a kind, never the words: they are written beside rejects.

    Examples
    --------
    >>> suspicions("打我电话 138 1234 5678", "zh")
    ['seven digits or more in a row']
    >>> suspicions("[医生姓名]医生说眼压 21 mmHg，视力 0.8。", "zh")
    []
    """
    masked = PLACEHOLDER.sub(_MASK, plain(text))
    return [reason for reason, looks in _LOOKS if looks(masked)]


def _digit_run(text: str) -> bool:
    return any(_telling(text, match) for match in _DIGITS.finditer(text.translate(_NUMERALS)))


def _telling(text: str, match: re.Match[str]) -> bool:
    """Whether digits in a row are more than measurements side by side or a range."""
    said = match[0]
    if re.fullmatch(r"\D*".join([r"\d{1,4}\.\d{1,2}"] * max(1, said.count("."))), said) and "." in said:
        return False  # 0.8 1.0 14.5: decimals, each with its point
    short = all(len(group) <= 4 for group in re.split(r"\D+", said))
    return not (short and (_RANGE.fullmatch(said) or _VALUE.match(text, match.end())))


def _before_title(text: str) -> bool:
    return any(
        (before := text[max(0, match.start("before")) : match.end("before")])
        and not _BEFORE_TITLE_OK.search(before)
        and _surname_near(before)
        for match in _TITLE.finditer(text)
    )


def _surname_near(before: str) -> bool:
    surnames = words("names_zh")["surnames"]
    return any(character in surnames for character in before[-3:])


def _named_hospital(text: str) -> bool:
    return any(not _BEFORE_HOSPITAL_OK.search(match["before"]) for match in _HOSPITAL.finditer(text))


def _lone_name(text: str) -> bool:
    """Whether a clause is nothing but a common surname and one or two characters."""
    common, usual = words("names_zh")["common_surnames"], word_set("names_zh", "not_names")
    given = words("names_zh")["given"]
    return any(
        2 <= len(clause) <= 3 and clause[0] in common and clause[:2] not in usual
        and all(character in given for character in clause[1:])
        for clause in re.split(r"[^\u4e00-\u9fff]+", text)
    )  # fmt: skip


def _related_name(text: str) -> bool:
    """Whether a relation is followed by a surname that begins no everyday word."""
    common, usual = words("names_zh")["common_surnames"], word_set("names_zh", "not_names")
    relatives = "|".join(word_list("names_zh", "relatives"))
    return any(
        match["next"][0] in common and match["next"] not in usual and match["next"][1] in words("names_zh")["given"]
        for match in re.finditer(rf"(?:{relatives})[:：，,]?(?P<next>[\u4e00-\u9fff]{{2}})", text)
    )


def _harmless() -> frozenset[str]:
    return word_set("names_en", "common") | word_set("names_en", "eponyms")


def _capital_name(text: str) -> bool:
    for pattern in (_NAMED, _TITLED, _CLOSING, _RELATED):
        for match in pattern.finditer(text):
            found = match.groupdict()
            name = found.get("name") or found.get("lower") or ""
            if "who" in found and found["who"] not in word_set("names_en", "relatives"):
                continue
            if name.title() not in _harmless() and name not in word_set("names_en", "lower_stop"):
                return True
    return False


def _capital_pair(text: str) -> bool:
    return any(
        not {match["first"], match["last"]} & _harmless() for match in _CAPITALS.finditer(text)
    )


def _english_hospital(text: str) -> bool:
    return any(match["name"] not in _harmless() for match in _EN_HOSPITAL.finditer(text))


def _pattern(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


_LOOKS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("seven digits or more in a row", _digit_run),
    ("an address of mail or of a page", _pattern(_LINK)),
    ("an account of a messenger", _pattern(_ACCOUNT)),
    ("a surname before a title", _before_title),
    ("an introduction by name", _pattern(_INTRODUCED)),
    ("a relation and a name", _related_name),
    ("a hospital with a name", _named_hospital),
    ("a clause that is a name", _lone_name),
    ("a capitalised name behind a title, an introduction or a farewell", _capital_name),
    ("two capitalised words that are no known term", _capital_pair),
    ("a hospital with a name (English)", _english_hospital),
    ("an exact date", _pattern(_DATE)),
    ("an exact date (English)", _pattern(_EN_DATE)),
    ("a price", _pattern(_MONEY)),
    ("a street address", _pattern(_ADDRESS)),
)


def reasons_to_refuse(texts: Iterator[str] | list[str], language: Language) -> list[str]:
    """Return the suspicions of all texts, each once, in order."""
    return list(dict.fromkeys(reason for text in texts for reason in suspicions(text, language)))
