"""Chinese names: by the title behind, the introduction before, or the shape of surname and given name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope import terms
from fundoscope.converse.deidentify_words import Hidden, Kind, word_list, word_set, words

_CJK = "\u4e00-\u9fff"
_SURE = 2
"""A longer candidate behind an introduction may begin like an everyday word: 金银凤."""
_EDGE = rf"(?=$|[^{_CJK}])"


@cache
def _surname() -> str:
    compounds = "|".join(word_list("names_zh", "compound_surnames"))
    return f"(?:{compounds}|[{words('names_zh')['surnames']}])"


@cache
def _common() -> str:
    compounds = "|".join(word_list("names_zh", "compound_surnames"))
    return f"(?:{compounds}|[{words('names_zh')['common_surnames']}])"


@cache
def _given() -> str:
    return f"[{words('names_zh')['given']}]"


@cache
def _unusual() -> str:
    """Any character that is not one of those that sentences are built with."""
    return f"(?![{words('names_zh')['given_stop']}])[{_CJK}]"


@cache
def _patterns() -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    """Each pattern names what it hides `name`; kinds of persons by what stands around."""
    surname, common, given = _surname(), _common(), _given()
    relative = "|".join(word_list("names_zh", "relatives"))
    person = "|".join(word_list("names_zh", "person_titles"))
    loose = words("names_zh")["loose_given"]
    plain, unusual = rf"[{_CJK}]", _unusual()
    goes_on = "(?:的女|的儿|的家|的妈|的爸|的[左右双]|今年|男|女|也|在|是|住|查|因|于|做|刚|去|说|想|现|被|[左右双]眼|患|昨|前|接|来|给|带|陪|跟|和|家|出|得)"
    called = (
        r"(?:我叫做?|名叫|名字叫做?|名字是|姓名(?:是|为|叫)?|大名(?:叫|是)?|小名(?:叫|是)?|乳名(?:叫|是)?|本名|全名(?:叫|是)?|真名(?:叫|是)?|署名|签名|签字|联系人|收件人|申请人|就诊人|代诉人|家属姓名|"
        rf"(?:(?:{relative})|他|她|人)(?:的?名字)?(?:叫做?|是叫))"
    )
    soft = rf"(?:(?:{relative})|本人|我是|这是|病患|病员|产妇|老师傅|我家|家长|敬上|致|致敬)"
    return (
        ("person", re.compile(rf"{called}\s*[:：,，]?\s*(?P<name>{surname}{plain}{{1,2}}?)(?=$|[^{_CJK}]|的|是|在|今|于|我|有|和|，|患|女|男|现|因|他|她|想|已|也|最|刚|接|说)")),
        ("person", re.compile(rf"{called}\s*[:：,，]?\s*(?P<name>{surname}{given}{{1,2}})")),
        ("person", re.compile(rf"{called}\s*[:：]?\s*(?P<name>{plain}{{2,4}}){_EDGE}")),
        ("person", re.compile(rf"{called}\s*(?P<name>(?P<twice>{plain})(?P=twice))")),
        ("person", re.compile(rf"{soft}\s*[:：,，（(]?\s*(?P<name>{surname}{given}{{2}})")),
        ("person", re.compile(rf"{soft}\s*[:：,，（(]?\s*(?P<name>{surname}{given})(?=$|[^{_CJK}]|的|{goes_on})")),
        ("person", re.compile(rf"{soft}\s*[:：,，（(]?\s*(?P<name>{surname}(?![{loose}]){given})")),
        ("person", re.compile(rf"{soft}\s*[:：,，（(]?\s*(?P<name>{common}{unusual}{{1,2}})(?=$|[，,。；;（(）)、\s]|{goes_on})")),
        ("person", re.compile(rf"(?:免贵|贵|本人|我|她|他|病人|患者)姓(?P<name>{surname}|{plain}(?=$|[^{_CJK}]))")),
        ("person", re.compile(rf"(?P<name>{surname}(?:某{{1,3}}|[×xX*＊○〇]{{1,3}}))")),
        ("person", re.compile(rf"(?P<name>[{_CJK}]{{1,6}}·[{_CJK}]{{1,6}})")),
        ("person", re.compile(rf"(?P<name>{surname}{given}{{1,2}})(?=[，,、（(\s]{{0,2}}(?:男|女)(?:性)?[，,、。）)\s\d])")),
        ("person", re.compile(rf"(?P<name>{surname}{given}{{1,2}})(?=[，,、\s]{{0,2}}(?:今年)?\d{{1,2}}岁)")),
        ("person", re.compile(rf"(?P<name>{surname}{given}{{0,2}})(?={person})")),
        ("person", re.compile(rf"(?:(?<=^)|(?<=[，,。！!？?；;：:、\s（(]))(?P<name>{surname}{given}{{1,2}})(?=$|[，,。！!？?；;、\s）)]|敬上|叩谢|拜谢|留言|上$)")),
        ("person", re.compile(rf"(?<![大从最])[小老阿](?P<name>[{_safe_after_small()}])(?=啊|呀|你|您|，|,|：|:|的|说|同|$)")),
        ("person", re.compile(rf"(?P<name>(?P<twice>{given})(?P=twice)|{given}{{2}})(?=(?:的)?(?:爸爸|妈妈|爷爷|奶奶|外公|外婆|姥姥|姥爷|爸|妈)(?!妈|爸))")),
        ("person", re.compile(rf"[小老](?P<name>{surname})(?=你好|您好|同志|啊[，,])")),
        ("person", re.compile(rf"(?P<name>{common}(?:(?![{loose}]){given}){{2}})")),
    )  # fmt: skip


def _safe_after_small() -> str:
    """Surnames that after 小 or 老 make no everyday word."""
    return "".join(c for c in words("names_zh")["common_surnames"] if c not in "于时孔方叶石金高白黄龙马毛江任常夏温万史严程")


@cache
def _titles() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    doctor = "|".join(word_list("names_zh", "doctor_titles"))
    with_given = re.compile(rf"(?P<name>{_surname()}{_given()}{{1,2}}|{_common()}{_unusual()}{{1,2}})(?=(?:{doctor}))")
    alone = re.compile(rf"(?P<name>{_surname()})(?=(?:{doctor}))")
    lead = "感谢|谢谢|多亏了?|麻烦|尊敬的|亲爱的|拜托|找到?|咨询|主治是|床的?是|主刀是|眼科的?|医院的?|^|[，,。！!？?；;：:\\s]"
    led = re.compile(
        rf"(?:{lead})(?P<name>(?![{words('names_zh')['no_surname_lead']}])[{_CJK}])(?=(?:{doctor}))"
    )
    return with_given, alone, led


def chinese_names(text: str) -> Iterator[Hidden]:
    """Yield the names of doctors and of everyone else in a Chinese text."""
    with_given, alone, led = _titles()
    for match in with_given.finditer(text):
        if _may_be_name(text, match.start("name"), match["name"], titled=True):
            yield Hidden("doctor", *match.span("name"))
    for match in alone.finditer(text):
        if _surname_stands(text, match.start("name"), match["name"]):
            yield Hidden("doctor", *match.span("name"))
    for match in led.finditer(text):
        yield Hidden("doctor", *match.span("name"))
    for kind, pattern in _patterns():
        position = 0
        while match := pattern.search(text, position):
            start, end = match.span("name")
            anchored = start > match.start() and len(match["name"]) > _SURE
            if end > start and _may_be_name(text, start, match["name"], titled=anchored):
                yield Hidden(kind, start, end)
                position = end
            else:
                position = match.start() + 1  # a false start must not swallow what follows


def _may_be_name(text: str, start: int, name: str, titled: bool) -> bool:
    """Whether a candidate is neither a word of every day nor a piece of a term."""
    sure = titled and all(character in words("names_zh")["given"] for character in name[1:])
    if name in _stopped() or (not sure and name[:2] in word_set("names_zh", "not_names")):
        return False
    if titled and not (sure and len(name) > _SURE) and not _surname_stands(text, start, name[0], strict=False):
        return False
    before = text[start - 1 : start]
    if before and not titled and before + name[0] in _joined():
        return False
    around = text[max(0, start - 8) : start + len(name) + 8]
    return not any(
        term in around
        and text.find(term, max(0, start - 8)) < start + len(name)
        and text.find(term, max(0, start - 8)) + len(term) > start
        for term in _terms()
    )


def _surname_stands(text: str, start: int, surname: str, strict: bool = True) -> bool:
    """Whether a surname before a title is one: 王医生, but not 主任医生 or 感谢医生."""
    rules = words("names_zh")
    if len(surname) > 1:
        return True
    before = text[start - 1 : start]
    if strict and surname in rules["never_before_title"] and before not in tuple("谢找是叫"):
        return False
    return not (before and before in str(rules["no_surname_after"].get(surname) or ""))


@cache
def _terms() -> tuple[str, ...]:
    """Chinese names of the vocabulary: no piece of one is a person."""
    families = (terms.conditions(), terms.lesions(), terms.anatomy(), terms.modalities(), terms.systemic())
    return tuple(
        name for family in families for term in family.values() for name in term.zh if len(name) > 1
    )


@cache
def _stopped() -> frozenset[str]:
    return word_set("names_zh", "not_names") | frozenset(word_list("names_zh", "relatives"))


@cache
def _joined() -> frozenset[str]:
    """Words of two characters that end like a surname: 感谢, 通常, 提高, ..."""
    rules = words("names_zh")["no_surname_after"]
    return frozenset(
        before + surname
        for surname, befores in rules.items()
        if len(str(surname)) == 1
        for before in str(befores or "")
    )
