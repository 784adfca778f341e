"""Hospitals, addresses and places, in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope.converse.deidentify_words import Hidden, word_list, word_set

_CJK = "\u4e00-\u9fff"
_ZH_HOSPITAL = re.compile(
    rf"(?P<run>[{_CJK}（）()〇]{{0,26}}?)(?P<kind>(?:医院|卫生院|卫生室|卫生所|卫生服务中心|诊所|门诊部|医学中心|医疗中心|眼科中心|视光中心|体检中心|保健院|疗养院|眼镜店|附一院|附二院|附属一院))(?:[{_CJK}]{{1,4}}(?:院区|分院))?"
)
_ZH_SHORT = re.compile(
    rf"(?:[{_CJK}]{{1,3}}?大)?附属?[一二三四]院?(?=[，。,看做检查的眼住挂])|[一二三]附院|(?<![{_CJK}])?[省市县区][一二三四五六七八九十]院|[省市县]人民(?=[，。,看做检查的眼住挂])|[省市]立医?院|[一二三四五六七八九十]院(?=眼科|[，。,看做检查住挂])|军区总院|[武空海陆]总医?院?"
)
_ZH_ROAD = (
    rf"[{_CJK}]{{1,6}}(?:[东南西北中]?(?:路|街|大道|胡同|巷|弄|里))"
    r"(?:[东南西北中]段)?\s*[\d一二三四五六七八九十百]+\s*(?:号院?|弄|巷)"
)
_ZH_ESTATE = rf"[{_CJK}]{{2,8}}(?:小区|花园|家园|新村|公寓|大厦|新城|苑|家属院|社区)"
_ZH_DOOR = r"(?:\s*第?[\dA-Za-z一二三四五六七八九十]{1,4}\s*(?:号楼|栋|幢|座|单元|室|层|楼|号|房|门|组|队)){1,4}"
_ZH_VILLAGE = rf"[{_CJK}]{{2,4}}(?:镇|乡|村|屯|庄|堡)(?:[{_CJK}]{{1,4}}(?:村|屯|庄))?"
_ZH_ADDRESS = re.compile(
    rf"{_ZH_ROAD}(?:{_ZH_ESTATE})?(?:{_ZH_DOOR})?|{_ZH_ESTATE}{_ZH_DOOR}|{_ZH_VILLAGE}{_ZH_DOOR}"
)
_ZH_PLACE_KIND = re.compile("路|街|大道|胡同|巷|弄|里|小区|花园|家园|新村|公寓|大厦|新城|苑|家属院|社区|镇|乡|村|屯|庄|堡")
_ZH_VILLAGE_ALONE = re.compile(
    rf"(?<=[市县区省州])[{_CJK}]{{1,4}}(?:镇|乡|村|屯|庄|县|区|旗|街道)(?:[{_CJK}]{{1,4}}(?:村|屯|庄))?|(?<=住在)[{_CJK}]{{2,5}}(?:镇|村|屯|庄|县|区)"
)
_ZH_COUNTY = re.compile(rf"(?<=[我在从自到去是])[{_CJK}]{{2,3}}(?:县|市)(?=[人的，。,城医])")
_STREET = r"Street|St\.?|Road|Rd\.?|Avenue|Ave\.?|Lane|Ln\.?|Drive|Dr\.?|Boulevard|Blvd\.?|Court|Ct\.?|Close|Crescent|Terrace|Place|Square|Way|Gardens|Grove|Highway|Parkway|Nagar|Colony|Marg|Row|Hill|Park|Mews"
_CAP = r"(?:[A-Z][A-Za-z'’-]+|\d+(?:st|nd|rd|th))"
_EN_ADDRESS = re.compile(
    rf"(?:(?:Flat|Apt\.?|Apartment|Unit|Suite|House|No\.?|Plot)\s?#?\d+[A-Za-z]?,?\s)?\b\d{{1,5}}[A-Za-z]?,?\s(?:{_CAP}\s){{1,4}}(?:{_STREET})(?![A-Za-z])"
    rf"(?:,\s(?:Apt\.?|Apartment|Flat|Unit|Suite|#)\s?\d+[A-Za-z]?)?(?:,\s{_CAP}(?:\s{_CAP}){{0,2}})?(?:,\s[A-Z]{{2}})?(?:,?\s\d{{5}}(?:-\d{{4}})?|,?\s[A-Z]{{1,2}}\d[A-Z\d]?\s\d[A-Z]{{2}})?"
    r"|\bP\.?\s?O\.?\sBox\s\d+"
    r"|\b(?!OCT|OCS|TA)[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b|\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b|(?i:\b(?:zip|pin|post(?:al)?)\s?code:?\s(?:is\s)?)\d{4,6}\b"
)
_INSTITUTION = (
    r"(?:Hospitals?|Clinic|Infirmary|Medical (?:Center|Centre|College|School|University)|Eye (?:Institute|Center|Centre|Hospital|Clinic|Care|Associates|Unit|Foundation|Surgeons|Specialists)|"
    r"Health (?:Center|Centre|System|Trust|Care|Park)|Healthcare|Retina (?:Associates|Consultants|Center|Centre|Institute|Clinic|Specialists|Group)|Vision (?:Center|Centre|Institute|Care)|Surgery (?:Center|Centre)|"
    r"Ophthalmology (?:Associates|Center|Centre|Clinic)|Nursing Home|Polyclinic|Dispensary|Eye Bank|Nethralaya|Opticians?|Optometrists?)"
)
_EN_HOSPITAL = re.compile(
    rf"(?:\b(?:St\.?|Saint|Our Lady of|The)\s)?(?:\b[A-Z][\w'’.&-]*\s(?:(?:and|of|for|&|de)\s)?){{1,5}}{_INSTITUTION}(?:\s(?:of|at|for|in)\s[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+)?)?"
    rf"|\b(?:Hospital|University|Institute|Royal College|Infirmary)\s(?:of|for)\s(?:the\s)?[A-Z][\w'’-]+(?:\s[A-Z][\w'’-]+){{0,2}}"
    r"|\bSt\.?\s[A-Z][\w]+['’]s\b"
)
_EN_HOSPITAL_LOWER = re.compile(r"\b(?P<name>[a-z]+(?:'s)?)\s(?:hospital|eye (?:hospital|clinic|institute|centre|center)|medical cent(?:er|re)|clinic)\b")
_EN_GENERIC = frozenset(
    """the a an this that my our your their his her local nearest nearby any some another every each eye general teaching district city county state private public
    government children's university community regional same good big large other main in to at of from by for and or is was near best second first retina retinal glaucoma
    cataract specialist outpatient diabetic ophthalmology emergency day walk new old base military army charity mission rural urban small well equipped different medical tertiary maternity
    dental sleep skin ent pain memory review follow up busy whole no via as with after before on called one two three virtual laser injection macular uveitis cornea corneal paediatric pediatric optometry veterans screening hospital clinic go visit find visiting attend referral super major leading optician optical vision""".split()
)  # fmt: skip
_EN_INSTITUTION_WORDS = frozenset("Hospital Hospitals Clinic Infirmary Medical Center Centre College School University Eye Institute Care Associates Unit Health Healthcare Surgery Ophthalmology Retina Vision Optician Opticians Optometrist Optometrists Specialists Dispensary".split())
_EN_HOSPITAL_SHORT = re.compile(r"\b(?:[A-Z][\w'’.-]+\s){1,3}(?:General|Memorial|Infirmary)(?=[\s,.;]|$)")
_EN_FROM = re.compile(
    r"(?i:\b(?:live|lives|living|lived|reside|resident|based|settled|located|moved|born|grew up|staying|stay|work|working)\s(?:in|at|near|to|around|outside)|\bcame from|\bcomes? from|\b(?:am|are|is|we're|I'm|i'm)\s(?:originally\s)?from|\bfrom|\bin|\boutside|\btravel(?:led|ed)? to|\bnear)\s(?:the (?:town|city|village) of\s)?(?P<place>(?:[A-Z][A-Za-z'’-]+)(?:\s[A-Z][A-Za-z'’-]+){0,2}(?:,\s[A-Z][A-Za-z]+(?:\s[A-Z][a-z]+)?)?)"
)
_COUNTRIES = frozenset(
    "America Australia Austria Bangladesh Belgium Brazil Britain Cameroon Canada China Egypt England Ethiopia France Germany Ghana Greece India Indonesia Iran Iraq Ireland Israel Italy Japan Kenya Malaysia Mexico Nepal Netherlands Nigeria Norway Pakistan Philippines Poland Portugal Russia Scotland Singapore Spain Sudan Sweden Switzerland Thailand Turkey UAE UK US USA Uganda Ukraine Vietnam Wales Zambia Zimbabwe Europe Africa Asia".split()
)  # fmt: skip


def places(text: str) -> Iterator[Hidden]:
    """Yield hospitals, then addresses, then places, of either language."""
    yield from _chinese_hospitals(text)
    yield from _english_hospitals(text)
    for match in _ZH_ADDRESS.finditer(text):
        kind = _ZH_PLACE_KIND.search(text, match.start() + 1, match.end())
        yield Hidden("address", _after_cut(text, match.start(), kind.start() if kind else match.start()), match.end())
    for match in _EN_ADDRESS.finditer(text):
        yield Hidden("address", *match.span())
    for pattern in _listed():
        for match in pattern.finditer(text):
            yield Hidden("place", *match.span())
    for pattern in (_ZH_VILLAGE_ALONE, _ZH_COUNTY):
        for match in pattern.finditer(text):
            if not _generic(match[0][:-1]):
                yield Hidden("place", *match.span())
    for match in _EN_FROM.finditer(text):
        words = match["place"].replace(",", "").split()
        harmless = _COUNTRIES | word_set("names_en", "common")
        if not match[0].lower().startswith(("live", "living", "we live")):
            harmless |= word_set("names_en", "eponyms")
        if not set(words) & harmless and not words[0].isupper():
            yield Hidden("place", *match.span("place"))


def _chinese_hospitals(text: str) -> Iterator[Hidden]:
    for match in _ZH_HOSPITAL.finditer(text):
        start = _after_cut(text, match.start(), match.end("run"))
        if start < match.end("run") and not _generic(text[start : match.end("run")]):
            yield Hidden("hospital", start, match.end())
    for match in _ZH_SHORT.finditer(text):
        yield Hidden("hospital", *match.span())
    for nickname in word_list("places", "zh_hospital_nicknames"):
        suffix = "" if not nickname.isdigit() else "(?=医院|总院|眼科)"
        for match in re.finditer(rf"{nickname}(?:医院|眼科)?{suffix}", text):
            yield Hidden("hospital", *match.span())


def _after_cut(text: str, start: int, end: int) -> int:
    """Return where a name begins in a run of characters: behind the last word that is no name."""
    kept = [
        (match.start(), match.end())
        for match in _keep_pattern().finditer(text, max(0, start - 4), end + 2)
    ]
    begin = start
    for match in _cut_pattern().finditer(text, start, end):
        if not any(a <= match.start() and match.end() <= b for a, b in kept):
            begin = max(begin, match.end())
    return begin


@cache
def _cut_pattern() -> re.Pattern[str]:
    return re.compile("|".join(word_list("places", "zh_cut_before")))


@cache
def _keep_pattern() -> re.Pattern[str]:
    """Names in which a cutting word is no cut: 成都, 协和, 上海, ..."""
    keys = ("zh_keep_with_hospital", "zh_provinces", "zh_cities")
    return re.compile("|".join(w for key in keys for w in word_list("places", key)))


def _generic(name: str) -> bool:
    """Whether a hospital's name holds nothing but words such as "local", "large", "eye"."""
    pattern = "|".join(word_list("places", "zh_generic_hospital"))
    return re.fullmatch(f"(?:{pattern}|[\\s()（）])*", name) is not None


def _english_hospitals(text: str) -> Iterator[Hidden]:
    for match in _EN_HOSPITAL.finditer(text):
        words = match[0].split()
        start = match.start()
        while len(words) > 1 and words[0] in word_set("names_en", "common") - {"Eye", "Hospital", "Medical"}:
            start = text.find(words[1], start + len(words[0]))
            words = words[1:]
        if not all(word.lower() in _EN_GENERIC or word in _EN_INSTITUTION_WORDS for word in words):
            yield Hidden("hospital", start, match.end())
    for match in _EN_HOSPITAL_SHORT.finditer(text):
        if match[0].split()[0] not in word_set("names_en", "common"):
            yield Hidden("hospital", *match.span())
    for match in re.finditer(r"\b(?:%s)(?:\s(?:Eye\s)?(?:Hospital|Clinic|Institute))?\b" % "|".join(map(re.escape, word_list("places", "en_hospital_names"))), text):
        yield Hidden("hospital", *match.span())
    for match in _EN_HOSPITAL_LOWER.finditer(text):
        if match["name"] not in _EN_GENERIC and len(match["name"]) > 3:
            yield Hidden("hospital", *match.span())


@cache
def _listed() -> tuple[re.Pattern[str], ...]:
    """Places that are hidden wherever they stand."""
    chinese = "|".join(
        sorted((*word_list("places", "zh_provinces"), *word_list("places", "zh_cities")), key=len, reverse=True)
    )
    english = "|".join(
        re.escape(name)
        for name in sorted((*word_list("places", "en_cities"), *word_list("places", "en_states")), key=len, reverse=True)
    )
    return (
        re.compile(rf"(?:{chinese})(?!西汀|新碱|霉素|时间)(?:省|市|区|县|自治区)?(?:[{_CJK}]{{2}}(?:区|县)(?!别|域|分))?"),
        re.compile(rf"\b(?:{english})\b"),
    )
