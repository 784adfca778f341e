"""How many names, telephones, places and dates are hidden, and what of medicine is lost with them.

    python benchmarks/privacy.py [--count N] [--half HALF] [--seed N] [--faker] [--misses N]

Persons, numbers and places are drawn and put into the sentence frames of privacy_frames.yaml.
Rules were written against all halves but `apart`, which is set aside. With --faker,
names, telephones and e-mails come from the package faker instead of our lists. Printed: recall by
kind (every letter and digit of what must go is gone), precision (share of what was hidden that had
to be), the share of medical numbers that survived, and what still passes the second look.
"""

from __future__ import annotations

import argparse
import random
import re
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fundoscope.converse.deidentify import deidentified
from fundoscope.converse.deidentify_suspicion import suspicions
from fundoscope.records import LANGUAGES, Language

FRAMES = yaml.safe_load(Path(__file__).with_name("privacy_frames.yaml").read_text(encoding="utf-8"))
LISTS: dict[str, list[str]] = FRAMES["lists"]
KEPT: dict[str, dict[Language, list[str]]] = FRAMES["kept"]
GROUPS: dict[str, str] = {
    slot: group for group, slots in FRAMES["groups"].items() for slot in slots
}
HALVES = ("open", "opened", "opened_too", "opened_last", "apart")
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
        f"{city}市{one(rng, 'zh_villages')}{n[2]}组",
        f"{city}市{one(rng, 'zh_roads')}{n[0]}弄{n[1]}号",
    ])  # fmt: skip


def idcard(rng: random.Random) -> str:
    born = f"19{digits(rng, 2)}0{rng.randint(1, 9)}1{rng.randint(0, 9)}"
    return f"3301{digits(rng, 2)}{born}{digits(rng, 3)}{rng.choice('0123456789X')}"


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
    host = rng.choice(["mail.example", "post.example.com", "163.example.cn"])
    return f"{word}.{one(rng, 'en_given').lower()}{digits(rng, 2)}@{host}"


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
        "idcard": idcard,
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


@dataclass
class Tally:
    """Counts over filled frames."""

    planted: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    escaped: Counter[str] = field(default_factory=Counter)
    """Missed, and in a text that the second look let pass."""
    kept: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    """`all`, `refused` by the second look, `leaked`: let pass with something left."""
    hidden: int = 0
    needed: int = 0
    misses: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    needless: list[tuple[str, str]] = field(default_factory=list)

    def add(self, text: str, planted: list[Planted], language: Language) -> None:
        done = deidentified(text, language)
        covered = {i for span in done.hidden for i in range(span.start, span.end)}
        refused = bool(suspicions(done.text, language))
        left = [item for item in planted if self._counted(item, text, done.text, covered)]
        if not refused:
            self.escaped.update(GROUPS[item.kind] for item in left)
        self.texts.update({"all": 1, "refused": refused, "leaked": bool(left) and not refused})
        must_go = {i for item in planted if not item.keep for i in range(item.start, item.end)}
        for span in done.hidden:
            self.hidden += 1
            if must_go & set(range(span.start, span.end)):
                self.needed += 1
            else:
                self.needless.append((text[span.start : span.end], text))

    def _counted(self, item: Planted, text: str, after: str, covered: set[int]) -> bool:
        """Count one planted item; return whether it had to go and is not wholly gone."""
        place = range(item.start, item.end)
        if item.keep:
            self.kept[item.kind] += 1
            wrong = bool(covered & set(place))
            self.lost[item.kind] += wrong
        else:
            self.planted[GROUPS[item.kind]] += 1
            wrong = not {i for i in place if text[i].isalnum()} <= covered
            self.missed[GROUPS[item.kind]] += wrong
        if wrong:
            group = item.kind if item.keep else GROUPS[item.kind]
            self.misses.setdefault(group, []).append((item.text, text, after))
        return wrong and not item.keep


def tally(half: str, language: Language, count: int, seed: int, faker: bool = False) -> Tally:
    """Return counts over `count` filled frames."""
    rng = random.Random(f"{seed}/{half}/{language}")
    table = draws(language) | (faker_draws(language) if faker else {})
    frames, found = FRAMES[language][half], Tally()
    for number in range(count):
        found.add(*filled(frames[number % len(frames)], language, rng, table), language)
    return found


def show(half: str, language: Language, found: Tally, misses: int) -> None:
    texts = found.texts["all"]
    print(f"\n## {language}, {half}, {texts} texts")
    print("| kind | planted | recall | passes the second look too |\n|---|---|---|---|")
    for group in sorted(found.planted):
        recall = 1 - found.missed[group] / found.planted[group]
        print(f"| {group} | {found.planted[group]} | {recall:.4f} | {found.escaped[group]} |")
    kept, lost = sum(found.kept.values()), sum(found.lost.values())
    print(f"\nprecision {found.needed / max(1, found.hidden):.4f} of {found.hidden} hidden")
    print(f"medical numbers that survive {1 - lost / kept:.4f} of {kept}")
    print(f"texts refused by the second look {found.texts['refused'] / texts:.4f}")
    print(f"texts let pass with something left {found.texts['leaked'] / texts:.4f}")
    for group, examples in found.misses.items() if misses else ():
        for text, before, after in examples[:misses]:
            print(f"  {group} {text!r}\n    {before!r}\n    {after!r}")
    for text, before in found.needless[: misses * 3]:
        print(f"  needless {text!r} in {before!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faker", action="store_true")
    parser.add_argument("--misses", type=int, default=0, help="examples to show of each kind")
    options = parser.parse_args()
    for half in options.half or HALVES:
        for language in LANGUAGES:
            found = tally(half, language, options.count, options.seed, options.faker)
            show(half, language, found, options.misses)


if __name__ == "__main__":
    main()
