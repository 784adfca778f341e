"""Numbers and addresses of machines that tell who or when: phones, ids, dates, e-mails, prices.

Visual acuities, pressures, thicknesses, doses, codes and durations are numbers too, and must stay:
every rule here asks for a shape or a word that those do not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fundoscope.converse.deidentify_words import Hidden, Kind

_NUMERAL = "〇零○一二三四五六七八九幺两"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_YEAR = r"(?:19|20)\d\d"
_ZH_DAY = "[初十廿卅一二三四五六七八九]{1,3}"
_UNIT = (
    r"(?:\s?(?:um|µm|μm|微米|mm|毫米|mg|毫克|ml|毫升|μg|微克|IU|单位|%|度|D\b|db|dB|Hz|cells?|天|周|个?月|年|"
    r"days?|weeks?|months?|years?|hours?|minutes?|microns?|micromet))"
)

_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("url", r"(?:https?://|ftp://|www\.)[^\s，。；、）)】\]>\"'“”]+"),
    ("email", r"[A-Za-z0-9._%+-]+\s?(?:@|\(at\)|\[at\]| at (?=\S+ dot ))\s?[A-Za-z0-9-]+(?:\s?(?:\.| dot )\s?[A-Za-z0-9-]+)+"),
    ("url", r"(?<![A-Za-z0-9@.])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|cn|net|org|io|co\.uk|co\.in|gov|edu|info|me|cc|top|vip)(?:\.[a-z]{2})?(?:/[^\s，。；、）)]*)?(?![A-Za-z])"),
    ("id_number", r"(?<!\d)\d{6}[\s-]?\d{4}[\s-]?\d{4}[\s-]?\d{3}[\dXx](?!\d)"),
    ("id_number", r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),
    # dates
    ("date", rf"(?<!\d)(?:{_YEAR}|\d\d)\s?年\s?\d{{1,2}}\s?月(?:份|\s?\d{{1,2}}\s?[日号]?)?"),
    ("date", rf"[{_NUMERAL}]{{4}}年[{_NUMERAL}十]{{1,2}}月(?:份|[{_NUMERAL}十廿]{{1,3}}[日号]?)?"),
    ("date", r"(?<!\d)\d{1,2}\s?月\s?\d{1,2}\s?[日号]?(?!\d)"),
    ("date", r"(?<![个半\d])[一二三四五六七八九十]{1,2}月[一二三四五六七八九十廿]{1,3}[日号]"),
    ("date", rf"(?:农历|阴历|旧历|腊月|正月|冬月)(?:[正冬腊一二三四五六七八九十]{{1,2}}月)?{_ZH_DAY}"),
    ("date", rf"(?<![\d.]){_YEAR}[-/.]\s?(?:1[0-2]|0?[1-9])(?:[-/.]\s?{_DAY})?(?![\d])(?:日|号)?"),
    ("date", rf"(?<![\d./]){_DAY}[-/.]{_DAY}[-/.](?:{_YEAR}|\d\d)(?![\d/])"),
    ("date", rf"(?<!\d){_YEAR}(?:1[0-2]|0[1-9])(?:[12]\d|3[01]|0[1-9])(?!\d)"),
    ("date", rf"\b(?:the\s)?{_DAY}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s?{_YEAR})?(?![A-Za-z])"),
    ("date", rf"\b{_MONTH}\s(?:the\s)?{_DAY}(?:st|nd|rd|th)?(?:,?\s?{_YEAR})?(?![\d/:]|\.\d)(?!\s?(?:mm|mg|um|%))"),
    ("date", rf"\b{_MONTH},?\s{_YEAR}\b"),
    ("date", rf"(?<=\bon\s)(?:1[0-2]|0?[1-9])[-/]{_DAY}(?![\d/])"),
    # telephones
    ("phone", r"(?<![\d.])(?:\+|00)\d{1,3}[\s().-]{0,2}(?:\(?\d{1,5}\)?[\s.-]?){2,6}\d{2,}(?!\d)"),
    ("phone", r"(?<!\d)1[3-9]\d(?:[\s.-]?\d){8}(?!\d)"),
    ("phone", r"(?<!\d)[(（]?0\d{2,4}[)）]?[\s-]{0,2}\d{3,4}[\s-]?\d{3,4}(?:\s?(?:转|-|ext\.?|x)\s?\d{1,6})?(?!\d)"),
    ("phone", r"(?<!\d)[48]00[\s-]?\d{3,4}[\s-]?\d{3,4}(?!\d)"),
    ("phone", r"(?<![\d.])(?:\([2-9]\d{2}\)[\s.-]{0,2}|[2-9]\d{2}[\s.-]{1,2})\d{3}[\s.-]\d{4}(?:\s?(?:ext\.?|x)\s?\d{1,6})?(?!\d)"),
    ("phone", r"(?<![\d.])[6-9]\d{4}[\s-]\d{5}(?!\d)"),
    ("phone", rf"(?<![\d{_NUMERAL}])(?:[\d{_NUMERAL}][\s-]?){{8,}}[\d{_NUMERAL}](?![\d{_NUMERAL}])(?!{_UNIT})"),
    ("phone", r"(?<![\d.])(?:\d[\s-]){8,}\d(?!\d)"),
    # prices
    ("price", r"(?:[¥￥$£€₹]|\b(?:Rs\.?|INR|USD|RMB|GBP|CNY|HK\$|US\$))\s?\d[\d,]*(?:\.\d+)?\s?(?:万|千|百|k\b|lakhs?|thousand|million)?(?:元|块)?(?:\s?(?:dollars|pounds|rupees|euros))?"),
    ("price", r"(?<![\d.])\d[\d,]*(?:\.\d+)?\s?[多来几余]?[万千百]?[多来几余]?\s?(?:元|块钱|人民币|rmb|RMB|美元|美金|港币|欧元)(?:钱|人民币|左右)?"),
    ("price", r"(?<![\d.])\d{2,}(?:\.\d+)?[多来几]?块(?![黑暗白红黄阴斑影肉])"),
    ("price", r"(?<![\d.])\d[\d,]*(?:\.\d+)?\s?[多来几余]?[万千][多来几余]?块(?:钱)?(?!\d)"),
    ("price", r"(?:花了?|花费|费用|价格|收费|收了?|交了?|付了?|掏了?|要|自费|一共)[^\d。；，,\n]{0,4}(?P<hide>\d[\d,]*(?:\.\d+)?\s?[多来几余]?[万千][多来几余]?)(?![\d一个人例单位度UI]|百|分之)"),
    ("price", r"[一二两三四五六七八九十几百千万多]{1,8}(?:块钱|元(?:钱)?)|[一二两三四五六七八九几]?[百千万][一二两三四五六七八九十几百千万多]{0,6}块"),
    ("price", r"(?<=[花交付收])(?:了|费了?|掉了?)\s?\d[\d,]{1,}多?"),
    ("price", r"(?<=费用)(?:是|为|要|大概|大约|约|在|：|:|\s)*\d[\d,]{2,}(?:[-~到]\d[\d,]{2,})?多?"),
    ("price", r"(?<![\d.])\d[\d,]*(?:\.\d+)?\s?(?:k\s?)?(?:dollars?|bucks|euros?|rupees?|naira|pesos?|yuan|USD|GBP|EUR|INR|Rs)\b(?!\.\w)"),
    ("price", r"(?i:(?<=\bcost )|(?<=\bcosts )|(?<=\bpaid )|(?<=\bpay )|(?<=\bcharged )|(?<=\bcharge )|(?<=\bprice is )|(?<=\bfee of ))(?:me |us |about |around |over |only |a )*\d[\d,.]*\d?(?:\s?pounds)?"),
    # ages over 89
    ("old_age", r"(?<!\d)(?:9\d|1[01]\d)\s?(?:周岁|岁|高龄)|九十[一二三四五六七八九多来几]?(?:周岁|岁)"),
    ("old_age", r"(?<![\d/.])(?:9\d|1[01]\d)(?=[\s-](?:years?|yrs?)[\s-]old|[\s-]?y/?o\b|[\s-]years? of age|[\s-]?year[\s-]old)"),
    ("old_age", r"(?i:(?<=\baged )|(?<=\bage )|(?<=\bturned )|(?<=\bturning )|(?<=\bage of )|(?<=\bAt )|(?<=\bage: ))(?:9\d|1[01]\d)(?![\d%/.]|\s?(?:mm|um|µm|mg|%|deg|days|weeks|months|per))"),
)  # fmt: skip

_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)

_NUMBERED = re.compile(
    r"(?i:(?:病历|病案|住院|门诊|就诊|登记|档案|就诊卡|医保|社保|检查|影像|订单|流水|编|卡|条码|证件|身份证|护照|护理)(?:卡|编)?(?:号码?|ID)?"
    r"|\bMRN|\bmedical record|\bhospital|\bchart|\bpatient id|\bcase|\bNHS|\binsurance|\bpolicy|\bmember(?:ship)?|\bref(?:erence)?|\bID|\bfile|\bpassport|\brecord|\baccount|\bSSN|\bsocial security)"
    r"(?i:\s?(?:number|num|no\.?|id|#|号码|号|是|为|is|[:：#＃(（])){0,4}\s*"
    r"(?P<number>[A-Za-z]{0,4}-?\d[\d-]{3,}[A-Za-z]?)"
)
_LONG = re.compile(r"(?<![\d.])\d{7,}(?![\d])(?!\.\d)")
_LETTERED = re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,4}-?\d{5,}(?![A-Za-z0-9])")
_CALLED = re.compile(
    r"(?i:电话|手机|座机|热线|联系方式|call|phone|tel|mobile|cell|whatsapp|dial|text|ring|fax|传真|拨打?)"
    r"(?:[^\d\n。；;]{0,12})(?P<number>\d[\d\s-]{4,}\d)"
)
_ACCOUNT = re.compile(
    r"(?i:微\s?信|薇信|威信|\bv\s?x\b|\bvx|V信|wei\s?xin|wechat|\bqq\b|QQ|企鹅|扣扣|抖音|小红书|微博|公众号|支付宝|skype|telegram|whatsapp|instagram|facebook|twitter|line id|username|user name|account|handle)"
    r"(?:[^A-Za-z0-9\n。；;]{0,12}|\s(?:me\s)?(?:as|is|id|on|at|name|:)\s?(?:is\s)?)(?:(?i:id|号|wechat)[^A-Za-z0-9\n]{0,4})?"
    r"(?P<account>[A-Za-z0-9][A-Za-z0-9_.-]{3,}[A-Za-z0-9_])"
)
_HANDLE = re.compile(
    r"(?<![A-Za-z0-9_])(?=[A-Za-z0-9_-]*[A-Za-z])(?=[A-Za-z0-9-]*_|[A-Za-z_-]*[a-z][A-Za-z_-]*\d{2})[A-Za-z0-9_-]{6,}(?![A-Za-z0-9_])|(?<![A-Za-z0-9])@[A-Za-z0-9_.]{3,}"
)
_NO_ACCOUNT = frozenset(
    "with from that this when there number called please about after because".split()
)


def numbers_that_tell(text: str) -> Iterator[Hidden]:
    """Yield phones, accounts, ids, dates, e-mails, addresses of pages, prices and great ages."""
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(text):
            yield Hidden(kind, *match.span("hide" if "hide" in pattern.groupindex else 0))
    for pattern, kind, group in (
        (_ACCOUNT, "account", "account"),
        (_NUMBERED, "id_number", "number"),
        (_CALLED, "phone", "number"),
    ):
        for match in pattern.finditer(text):
            if kind != "account" or _is_account(match["account"]):
                yield Hidden(kind, *match.span(group))  # type: ignore[arg-type]
    for kind, pattern in (("id_number", _LONG), ("id_number", _LETTERED), ("account", _HANDLE)):
        for match in pattern.finditer(text):
            yield Hidden(kind, *match.span())  # type: ignore[arg-type]


def _is_account(word: str) -> bool:
    """Whether a word after "WeChat" may be an account: a digit, a mark, or no plain word."""
    return word.lower() not in _NO_ACCOUNT and (
        not word.isalpha() or not word.islower() or len(word) > 7
    )
