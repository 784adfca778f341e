"""How many names, telephones, places and dates are hidden, and what of medicine is lost with them.

    python benchmarks/privacy.py [--count 4000] [--half open|apart] [--seed 0] [--faker] [--misses 10]

Persons, numbers and places are drawn and put into the sentence frames of privacy_frames.yaml.
Rules were written against the half `open`; `apart` is set aside. With --faker, names, addresses,
telephones and e-mails come from the package faker instead of our lists. Printed: recall by kind
(every character of what must go is gone), precision (share of what was hidden that had to be),
the share of medical numbers that survived, and what still passes the second look.
"""

from __future__ import annotations

import argparse
import random
import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fundoscope.converse.deidentify import deidentified
from fundoscope.converse.deidentify_suspicion import suspicions
from fundoscope.records import LANGUAGES, Language

FRAMES = yaml.safe_load(Path(__file__).with_name("privacy_frames.yaml").read_text(encoding="utf-8"))
LISTS: dict[str, list[str]] = FRAMES["lists"]
_SLOT = re.compile(r"\{(\w+)\}")
Draw = Callable[[random.Random], str]


@dataclass(frozen=True)
class Planted:
    """What was put into a frame and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def keep(self) -> bool:
        return self.kind.startswith("keep_")


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def one(rng: random.Random, key: str) -> str:
    return str(rng.choice(LISTS[key]))


def zh_name(rng: random.Random) -> str:
    return one(rng, "zh_surnames") + one(rng, "zh_given")


def zh_phone(rng: random.Random) -> str:
    start, middle, end = (
        "1" + rng.choice("3456789") + digits(rng, 1),
        digits(rng, 4),
        digits(rng, 4),
    )
    plain = start + middle + end
    full_width = plain.translate({ord(d): ord(d) + 0xFEE0 for d in string.digits})
    return rng.choice(
        [
            plain,
            f"{start}-{middle}-{end}",
            f"{start} {middle} {end}",
            f"+86 {plain}",
            f"+86-{start}-{middle}-{end}",
            full_width,
            f"86{plain}",
        ]
    )


def zh_words(rng: random.Random) -> str:
    table = rng.choice(["〇一二三四五六七八九", "零幺二三四五六七八九"])
    return "".join(table[int(d)] for d in "1" + rng.choice("3578") + digits(rng, 9))


def zh_landline(rng: random.Random) -> str:
    area, number = (
        rng.choice(["010", "021", "0571", "0755", "028"]),
        rng.choice("2345678") + digits(rng, 7),
    )
    return rng.choice(
        [
            f"{area}-{number}",
            f"({area}){number}",
            f"{area} {number}",
            area + number,
            f"{area}-{number}转{digits(rng, 3)}",
        ]
    )


def zh_address(rng: random.Random) -> str:
    n = [
        str(rng.randint(1, 300)),
        str(rng.randint(1, 30)),
        str(rng.randint(1, 6)),
        str(rng.randint(101, 2404)),
    ]
    city = one(rng, "zh_cities")
    return rng.choice([
        f"{city}市{one(rng, 'zh_roads')}{n[0]}号{one(rng, 'zh_estates')}{n[1]}栋{n[2]}单元{n[3]}室",
        f"{one(rng, 'zh_roads')}{n[0]}号", f"{one(rng, 'zh_estates')}{n[1]}号楼{n[3]}室",
        f"{city}市{one(rng, 'zh_villages')}{n[2]}组", f"{city}市{one(rng, 'zh_roads')}{n[0]}弄{n[1]}号",
    ])  # fmt: skip


def zh_date(rng: random.Random, years: tuple[int, int] = (2012, 2023)) -> str:
    y, m, d = rng.randint(*years), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice(
        [
            f"{y}年{m}月{d}日",
            f"{y}-{m:02d}-{d:02d}",
            f"{y}.{m}.{d}",
            f"{y}/{m}/{d}",
            f"{y}{m:02d}{d:02d}",
            f"{m}月{d}号",
            f"{y}年{m}月",
        ]
    )


def birthday(rng: random.Random, draw: Callable[..., str]) -> str:
    return next(
        text
        for text in iter(lambda: draw(rng, (1935, 2015)), None)
        if re.search(r"(19|20)\d\d", text)
    )


def account(rng: random.Random) -> str:
    word = "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(3, 6)))
    return rng.choice(
        [
            f"{word}_{digits(rng, 4)}",
            f"{word}{digits(rng, 5)}",
            f"wx{digits(rng, 6)}",
            f"{word}-{word[:3]}{digits(rng, 2)}",
        ]
    )


def price(rng: random.Random, language: Language) -> str:
    n = rng.choice([rng.randint(80, 990), rng.randint(10, 99) * 100])
    if language == "zh":
        return rng.choice(
            [
                f"{n}元",
                f"{n}块钱",
                f"￥{n}",
                f"{n}多块",
                "三千多块钱",
                "两万元",
                f"{n / 1000:.1f}千元",
                f"{n}人民币",
            ]
        )
    return rng.choice(
        [
            f"${n}",
            f"{n} dollars",
            f"£{n}",
            f"Rs. {n}",
            f"€{n}",
            f"{n:,} rupees",
            f"{n} USD",
            f"${n}.00",
        ]
    )


def email(rng: random.Random) -> str:
    word = "".join(rng.choice(string.ascii_lowercase) for _ in range(6))
    return f"{word}.{one(rng, 'en_given').lower()}{digits(rng, 2)}@{rng.choice(['mail.example', 'post.example.com', '163.example.cn'])}"


def url(rng: random.Random) -> str:
    return (
        rng.choice(["https://www.", "http://", "www."])
        + f"eye{digits(rng, 3)}.example.com/{rng.choice(['case', 'oct', 'u'])}/{digits(rng, 5)}"
    )


def en_name(rng: random.Random) -> str:
    given, surname = one(rng, "en_given"), one(rng, "en_surnames")
    return rng.choice(
        [f"{given} {surname}"] * 4 + [f"{given} {rng.choice('ABCDEJKLMRST')}. {surname}"]
    )


def en_phone(rng: random.Random) -> str:
    a, b, c = (
        rng.choice("23456789") + digits(rng, 2),
        rng.choice("23456789") + digits(rng, 2),
        digits(rng, 4),
    )
    return rng.choice(
        [
            f"({a}) {b}-{c}",
            f"{a}-{b}-{c}",
            f"{a}.{b}.{c}",
            f"+1 {a} {b} {c}",
            f"07{digits(rng, 3)} {digits(rng, 6)}",
            f"020 7{digits(rng, 3)} {c}",
            f"+44 7{digits(rng, 3)} {digits(rng, 6)}",
            f"+91 9{digits(rng, 4)} {digits(rng, 5)}",
            f"9{digits(rng, 9)}",
        ]
    )


def en_address(rng: random.Random) -> str:
    street = f"{rng.randint(1, 900)} {one(rng, 'en_streets')}"
    return rng.choice(
        [
            street,
            f"{street}, {one(rng, 'en_cities')}",
            f"Flat {rng.randint(1, 40)}, {street}",
            f"{street}, Apt {rng.randint(1, 40)}",
            f"{street}, {one(rng, 'en_cities')}, {rng.choice(['TX', 'OH', 'CA'])} {digits(rng, 5)}",
        ]
    )


def en_date(rng: random.Random, years: tuple[int, int] = (2012, 2023)) -> str:
    y, m, d = rng.randint(*years), rng.randint(1, 12), rng.randint(1, 28)
    month = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ][m - 1]
    return rng.choice(
        [
            f"{month} {d}, {y}",
            f"{d} {month} {y}",
            f"{m}/{d}/{y}",
            f"{y}-{m:02d}-{d:02d}",
            f"{month[:3]} {d}",
            f"{d}.{m}.{y}",
            f"the {d}th of {month}",
            f"{m:02d}/{d:02d}/{y % 100:02d}",
        ]
    )


KEPT: dict[str, dict[Language, list[str]]] = {
    "keep_va": {"en": ["20/40", "20/200", "6/12", "6/60", "0.8", "counting fingers", "0.3 logMAR"], "zh": ["0.8", "0.05", "4.9", "1.0", "20/40", "指数/30cm", "0.6+2"]},
    "keep_iop": {"en": ["21 mmHg", "14.5 mmHg", "35 mmHg"], "zh": ["21mmHg", "14.5 mmHg", "三十毫米汞柱", "35mmHg"]},
    "keep_thickness": {"en": ["356 microns", "412 um", "289 µm", "1,024 microns"], "zh": ["356微米", "412um", "289μm", "256、261、248微米"]},
    "keep_icd": {"en": ["H35.31", "E11.3513", "H33.0"], "zh": ["H35.31", "E11.351", "H33.0"]},
    "keep_dose": {"en": ["250 mg", "0.5 mg/0.05 ml", "1 drop"], "zh": ["0.5mg", "10mg/ml", "2片", "1滴", "20万单位"]},
    "keep_duration": {"en": ["3 months", "two weeks", "10 years", "48 hours"], "zh": ["3个月", "两周", "10年", "半年", "一个多月"]},
    "keep_age": {"en": ["67 years old", "a 54-year-old man", "aged 45"], "zh": ["67岁", "54岁", "八十二岁", "5岁半"]},
}  # fmt: skip


def draws(language: Language) -> dict[str, Draw]:
    chinese = language == "zh"
    return {
        "name": zh_name if chinese else en_name,
        "surname": lambda rng: one(rng, f"{language}_surnames"),
        "given": lambda rng: one(rng, "zh_given_alone" if chinese else "en_given"),
        "hospital": lambda rng: one(rng, f"{language}_hospitals"),
        "city": lambda rng: one(rng, f"{language}_cities"),
        "phone": zh_phone if chinese else en_phone,
        "landline": zh_landline,
        "phone_words": zh_words,
        "account": account,
        "qq": lambda rng: rng.choice("123456789") + digits(rng, rng.randint(6, 9)),
        "address": zh_address if chinese else en_address,
        "date": zh_date if chinese else en_date,
        "birthday": lambda rng: birthday(rng, zh_date if chinese else en_date),
        "idcard": lambda rng: "3301" + digits(rng, 2) + f"19{digits(rng, 2)}0{rng.randint(1, 9)}1{rng.randint(0, 9)}" + digits(rng, 3) + rng.choice("0123456789X"),
        "ssn": lambda rng: f"{digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 4)}",
        "record": lambda rng: rng.choice(["", "ZY", "MR-", "E"]) + digits(rng, rng.randint(6, 9)),
        "email": email,
        "url": url,
        "price": lambda rng: price(rng, language),
        "age90": lambda rng: str(rng.randint(90, 101)) + ("岁" if chinese else ""),
    }  # fmt: skip


def faker_draws(language: Language) -> dict[str, Draw]:
    """Return draws by the package faker: names and numbers that nobody here has written."""
    from faker import Faker  # an outside list; not needed for anything else

    made = Faker("zh_CN" if language == "zh" else ["en_US", "en_GB", "en_IN"])

    def seeded(method: str) -> Draw:
        def draw(rng: random.Random) -> str:
            made.seed_instance(rng.randrange(1 << 30))
            return re.sub(r"\s*\n\s*", ", ", str(getattr(made, method)()))

        return draw

    def name(rng: random.Random) -> str:
        return f"{seeded('first_name')(rng)} {seeded('last_name')(rng)}"

    found = {
        "surname": seeded("last_name"),
        "phone": seeded("phone_number"),
        "email": seeded("email"),
    }
    return found | {"name": seeded("name") if language == "zh" else name}


def filled(
    frame: str, language: Language, rng: random.Random, table: dict[str, Draw]
) -> tuple[str, list[Planted]]:
    """Return a frame's text with everything planted in it; a slot named twice is drawn once."""
    drawn: dict[str, str] = {}
    text, planted, position = "", [], 0
    for match in _SLOT.finditer(frame):
        slot = match[1]
        if slot not in drawn:
            drawn[slot] = rng.choice(KEPT[slot][language]) if slot in KEPT else table[slot](rng)
        text += frame[position : match.start()]
        planted.append(Planted(slot, drawn[slot], len(text), len(text) + len(drawn[slot])))
        text += drawn[slot]
        position = match.end()
    return text + frame[position:], planted


GROUPS = {"name": "names", "surname": "names", "given": "names", "landline": "phones", "phone": "phones", "phone_words": "phones", "qq": "accounts", "account": "accounts", "idcard": "ids", "ssn": "ids", "record": "ids", "birthday": "dates", "date": "dates", "hospital": "hospitals", "address": "addresses", "city": "places", "email": "e-mails", "url": "URLs", "price": "prices", "age90": "ages over 89"}  # fmt: skip


def tally(half: str, language: Language, count: int, seed: int, faker: bool) -> dict[str, Any]:
    """Return counts over `count` filled frames."""
    rng = random.Random(f"{seed}/{half}/{language}")
    table = draws(language) | (faker_draws(language) if faker else {})
    planted_in, missed, kept, lost = Counter(), Counter(), Counter(), Counter()
    hidden, needed, refused, leaked, leaked_kinds = 0, 0, 0, 0, Counter()
    misses, needless = defaultdict(list), []
    frames = FRAMES[language][half]
    for number in range(count):
        text, planted = filled(frames[number % len(frames)], language, rng, table)
        done = deidentified(text, language)
        covered = {i for span in done.hidden for i in range(span.start, span.end)}
        suspicious = suspicions(done.text, language)
        refused += bool(suspicious)
        escaped = False
        for item in planted:
            place = range(item.start, item.end)
            if item.keep:
                kept[item.kind] += 1
                if covered & set(place):
                    lost[item.kind] += 1
                    misses[item.kind].append((item.text, text, done.text))
                continue
            group = GROUPS[item.kind]
            planted_in[group] += 1
            telling = {i for i in place if text[i].isalnum()}
            if not telling <= covered:
                missed[group] += 1
                misses[group].append((item.text, text, done.text))
                if not suspicious:
                    escaped = True
                    leaked_kinds[group] += 1
        leaked += escaped
        must_go = {i for item in planted if not item.keep for i in range(item.start, item.end)}
        for span in done.hidden:
            hidden += 1
            if must_go & set(range(span.start, span.end)):
                needed += 1
            else:
                needless.append((text[span.start : span.end], text))
    return {"planted": planted_in, "missed": missed, "kept": kept, "lost": lost, "hidden": hidden, "needed": needed, "refused": refused, "leaked": leaked, "leaked_kinds": leaked_kinds, "misses": misses, "needless": needless}  # fmt: skip


def show(half: str, language: Language, found: dict[str, Any], count: int, misses: int) -> None:
    print(f"\n## {language}, {half}, {count} texts")
    print("| kind | planted | recall | passes the second look too |\n|---|---|---|---|")
    for group in sorted(found["planted"]):
        planted, missed = found["planted"][group], found["missed"][group]
        print(
            f"| {group} | {planted} | {1 - missed / planted:.4f} | {found['leaked_kinds'][group]} |"
        )
    kept, lost = sum(found["kept"].values()), sum(found["lost"].values())
    print(f"\nprecision {found['needed'] / max(1, found['hidden']):.4f} ({found['hidden']} hidden)")
    print(
        f"medical numbers that survive {1 - lost / kept:.4f} of {kept}"
        + "".join(f"; {k} lost {v}" for k, v in found["lost"].items())
    )
    print(
        f"texts refused by the second look {found['refused'] / count:.4f}; texts written with something left {found['leaked'] / count:.4f}"
    )
    for group, examples in found["misses"].items() if misses else ():
        for text, before, after in examples[:misses]:
            print(f"  {group} missed {text!r}\n    {before!r}\n    {after!r}")
    for text, before in found["needless"][: misses * 3]:
        print(f"  needless {text!r} in {before!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--half", choices=("open", "apart"), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faker", action="store_true")
    parser.add_argument("--misses", type=int, default=0, help="examples to show of each kind")
    options = parser.parse_args()
    for half in options.half or ("open", "apart"):
        for language in LANGUAGES:
            found = tally(half, language, options.count, options.seed, options.faker)
            show(half, language, found, options.count, options.misses)


if __name__ == "__main__":
    main()
