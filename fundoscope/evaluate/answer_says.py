"""What an answer says of what: present, absent, doubted; and whether it opens with yes or no.

A sentence is cut into segments at its punctuation. In a segment a cue denies or doubts what follows
it, or what stands before it when nothing follows. A denial runs on over a list ("no A, B or C"),
and ends at a contrast, at a semicolon, and where the next part of the sentence has a verb of its
own ("no A, B is present"). A word in the segment that is not known to be harmless makes what is
said there unknown: "the differential includes glaucoma" says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fundoscope import terms
from fundoscope.evaluate.answer_book import SUBJECTS, Book, Mention, strange_word
from fundoscope.evaluate.answer_text import sentences
from fundoscope.verify.lexicon import Word, normalised

Status = Literal["present", "absent", "suspected", "unknown"]

_BORDER = re.compile(r"[,;:()\[\]]|(?:^|\s)[–—]+\s?|\s-+\s|、(?=\s)|\n")
_OR = re.compile(r"\s*(?:or|to|/|或|或者|至|到|还是|-|~|和|and)\s*")
_GRADED = ("diabetic_retinopathy",)

_OPENERS = r"(?:(?:well|ok|okay|so|i (?:think|believe|would say)|我觉得|我认为|我看|嗯)[,\s]*)?"
_YES = re.compile(
    _OPENERS + r"(?:(?:(?:definitely|certainly|absolutely) yes|yes|yeah"
    r"|yep|yup|affirmative|correct|absolutely|certainly|indeed|sure)"
    r"(?=\s*[.,;:!(\n–—-]|\s*$|\s+(?:it|there|this|the|i|he|she|we|they|you)\b)"
    r"|(?:是的|是|对的|对|有的|有啊|有|存在|阳性|正确|没错|可以)(?=\s*[,;:。.!(\n]|\s*$))"
)
_NO = re.compile(
    _OPENERS
    + r"(?:(?:no|nope|nah|(?:definitely|certainly|absolutely) not?|not really|not at all|incorrect)"
    r"(?=\s*[.,;:!(\n–—-]|\s*$|\s+(?:it|there|this|the|i|he|she|we|they|you|not)\b)"
    r"|(?:并没有|没有|没|否|不是的|不是|不可以|不行|不存在|阴性|不|无)(?=\s*[,;:。.!(\n]|\s*$))"
)
_BOTH = re.compile(r"\s*(?:yes and no|both yes and no|既是也不是|有[,，]?也没有)")
_ONLY_YES = re.compile(
    r"\W*(?:it (?:is|does|has)|present|positive|they are|there (?:is|are)|i think so|visible"
    r"|true|能看到|看得到|可见|看到了?|有吧?|明确有)\W*"
)
_ONLY_NO = re.compile(
    r"\W*(?:it (?:is|does|has) not|does not|they are not|there (?:is|are) not|absent|negative"
    r"|none(?: (?:seen|visible|present|detected|found|that i can see|whatsoever))?"
    r"|i do not think so"
    r"|not (?:present|seen|found|visible|detected|there)|false"
    r"|(?:it )?does not have (?:it|this)|ruled out|excluded|肯定没有|看不到|没看到|没有看到"
    r"|未见到?|未发现|未检出|没有发现|不存在)\W*"
)
_VALUE_LAST = re.compile(r"[:,]\s*(?:答案是)?(yes|no|有|没有|无|是|否)\W*$")
_REFUSAL = re.compile(
    r"\bas an ai\b|\blanguage model\b|\bsorry\b|\bi am an ai\b|\bnot a (?:doctor|medical|physician)"
    r"|\b(?:cannot|unable to|not able to|will not) (?:provide|diagnose|give|help|assist|view"
    r"|replace|answer|offer|make a|interpret|identify the|draw|choose)"
    r"|\b(?:consult|see an?|ask an?) (?:\w+ )?(?:ophthal|eye doctor|doctor|specialist)"
    r"|作为(?:一个|一名)?(?:ai|人工智能|语言模型)|抱歉|(?:无法|不能)(?:根据|诊断|提供|查看|代替|处理|回答|给出"
    r"|识别|画|选择|对医学)|不是医生|是ai|医疗诊断|咨询|就诊|帮不了|找专科"
)
_DEFINES = re.compile(
    r".{0,40}?\b(?:is|are) (?:an?|the|one of the) (?:[\w-]+ ){0,6}?"
    r"(?:complication|disease of|disorder|condition|cause|disease that)\b"
    r"|.{0,12}?是(?:一种|.{0,8}(?:并发症|常见原因|主要原因))"
)
_HAPPENS = re.compile(
    r"\s*(?:\w+ )?(?:causes?|leads?|damages?|affects?|develops?|results?|progress(?:es)?|requires?"
    r"|needs?|can(?! be (?:seen|excluded|ruled|made|identified|detected|found|diagnosed))|often"
    r"|usually|typically|commonly|occurs?|happens?|arises?|tends?)\b"
    r"|(?:通常|往往|一般|常|多见|多发生|会|可以(?![见看排诊确辨])|可(?![以见看排诊确辨])|导致|引起|损害|影响|需要)"
)
_ABOUT_DEGREE = re.compile(
    r"\b(?:grade|stage|severity|type|cause|extent|quality|level)\b|分级|程度|类型|原因|分期|级别|几级"
)
"""It is sure that something is there and doubts what kind."""
_AROUND_QUALITY = re.compile(
    r"\b(?:it|is|it's|i'd|i|d|would|call|say|rate|this|as|the|photograph|image|picture|photo|a|an)\b"
    r"|我|认为|这|张|照片|图像|是|为|觉得"
)
_OR_BEFORE = re.compile(r"(?:\bor|\bto|或者?|(?<=[度级期好用])[至到])\s*\Z")
_OR_BEHIND = re.compile(r"\s*(?:or\b|to (?!be\b|me\b|grade)|或|至)")
_NONE_BEHIND = re.compile(r"\s*:?\s*0\s*[处个枚]")
_NONE_OF = re.compile(r"(?:^|[^\d.])0\s*(?:处|个)?\s*$")
_COUNT_LEFT_OVER = re.compile(
    r"\b(?:other than|except(?: for)?|apart from|besides) (?:one|two|three|a|an|some|few|several)\b"
)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a text says of a subject."""

    word: Word
    status: Status
    start: int
    exception: bool = False
    """It stands behind "other than"."""
    alternative: bool = False
    """It is one of two between which the text does not choose."""


@dataclass(slots=True)
class Heard:
    """All that a text says."""

    said: list[Said] = field(default_factory=list)
    lead: list[str] = field(default_factory=list)
    """`yes` and `no` that answer by themselves, in order."""
    unsure: bool = False
    """It doubts, and not any one thing."""
    unsure_in: list[tuple[int, int]] = field(default_factory=list)
    """Where the sentences that do so begin and end."""
    rest: bool = False
    """It speaks of the rest only ("otherwise normal")."""


@dataclass(slots=True)
class _Segment:
    items: list[Mention]
    start: int
    end: int
    border: str


@dataclass(slots=True)
class _State:
    deny: bool = False
    closed: bool = False
    """A verb has ended what the denial reaches."""
    doubt: bool = False
    unlikely: bool = False
    unknown: bool = False
    aside: bool = False
    strange: bool = False
    """A word there is not known to be harmless."""
    excepting: bool = False
    between: bool = False
    predicate: bool = False
    """The segment has a verb or a cue."""
    pending: list[int] = field(default_factory=list)
    """Places in `said` that a cue behind them would reach."""
    fresh_denial: bool = False
    """The last item was a denial, so that another one cancels it."""


def hear(text: str, words: Book) -> Heard:
    """Return what a cleaned text says."""
    heard = Heard()
    for number, (start, sentence) in enumerate(sentences(text)):
        _hear_sentence(normalised(sentence), start, words, heard, first=number == 0)
    return heard


def _hear_sentence(text: str, offset: int, words: Book, heard: Heard, *, first: bool) -> None:
    skipped = _hear_lead(text, heard, first=first)
    items = [item for item in words.find(text) if item.start >= skipped]
    before, unsure_before = len(heard.said), heard.unsure
    heard.unsure = False
    if not items or not _is_general(text, items):
        state = _State()
        chinese = any("一" <= c <= "鿿" for c in text)
        for segment in _segments(text, items, skipped):
            opens = len(heard.said) == before
            _cross_border(state, segment, heard, chinese=chinese, opens=opens)
            if _REFUSAL.search(text, segment.start, segment.end):
                continue
            _Reader(text, offset, segment, state, heard).read()
        _settle_exceptions(text, heard, before)
        if heard.unsure:
            heard.unsure_in.append((offset, offset + len(text)))
        if heard.unsure and not _ABOUT_DEGREE.search(text):
            heard.said[before:] = [_doubted(one) for one in heard.said[before:]]
    heard.unsure = heard.unsure or unsure_before
    if len(heard.said) == before and not skipped and not any(_is(i, "doubt") for i in items):
        last = _VALUE_LAST.search(text)
        if last:
            heard.lead.append("yes" if last.group(1) in ("yes", "有", "是") else "no")


def _is_general(text: str, items: Sequence[Mention]) -> bool:
    """Whether a sentence speaks of a disease, not of a photograph: "glaucoma damages ..."."""
    return _opens_with_term(text, items) and bool(
        _DEFINES.match(text) or _HAPPENS.match(text, items[0].end)
    )


def _doubted(one: Said) -> Said:
    doubted: Status = "suspected" if one.status in ("present", "suspected") else "unknown"
    return replace(one, status=doubted)


def _opens_with_term(text: str, items: Sequence[Mention]) -> bool:
    return _is(items[0], "term") and items[0].start - len(text) + len(text.lstrip()) <= 3


def _hear_lead(text: str, heard: Heard, *, first: bool) -> int:
    """Note a yes or no that opens the sentence, and return where the rest begins."""
    bare = text.strip()
    at = len(text) - len(text.lstrip())
    if _BOTH.match(text):
        heard.lead += ["yes", "no"]
        return len(text)
    for polarity, opening, alone in (("yes", _YES, _ONLY_YES), ("no", _NO, _ONLY_NO)):
        if alone.fullmatch(bare):
            heard.lead.append(polarity)
            return len(text)
        match = opening.match(text, at)
        if match and (first or not bare[match.end() - at :].strip(" .,!。")):
            heard.lead.append(polarity)
            rest = text[match.end() :]
            if _ONLY_YES.fullmatch(rest) or _ONLY_NO.fullmatch(rest):
                heard.lead.append("yes" if _ONLY_YES.fullmatch(rest) else "no")
                return len(text)
            return match.end()
    return 0


def _segments(text: str, items: Sequence[Mention], skipped: int) -> list[_Segment]:
    """Cut a sentence at punctuation and contrasts that lie in no mention."""
    cuts: list[tuple[int, int, str]] = [(skipped, skipped, "")]
    inside = [(item.start, item.end) for item in items]
    for match in _BORDER.finditer(text, skipped):
        if not any(start <= match.start() < end for start, end in inside):
            cuts.append((match.start(), match.end(), match.group().strip() or ","))
    cuts += [(item.start, item.end, "but") for item in items if _is(item, "contrast")]
    cuts.sort()
    segments = []
    for number, (_, begin, border) in enumerate(cuts):
        end = cuts[number + 1][0] if number + 1 < len(cuts) else len(text)
        here = [i for i in items if begin <= i.start < end and not _is(i, "contrast")]
        segments.append(_Segment(here, begin, end, border))
    return segments


def _is(item: Mention, kind: str) -> bool:
    return kind in item.kinds


def _subject(item: Mention) -> bool:
    return not SUBJECTS.isdisjoint(item.kinds)


_VERBS = frozenset(
    {"shown", "deny", "deny_ahead", "absent", "doubt", "modal", "unlikely", "unknown"}
)


def _cross_border(
    state: _State, segment: _Segment, heard: Heard, *, chinese: bool, opens: bool
) -> None:
    """Keep of the state what runs on into the segment."""
    own_verb = any(not _VERBS.isdisjoint(item.kinds) for item in segment.items)
    listed = any(_is(item, "or") for item in segment.items) and not chinese
    soft = segment.border in (",", "、", "")
    subjects = [item for item in segment.items if _subject(item)]
    listing = (
        soft
        and bool(subjects)
        and (listed or not own_verb)
        and all(_is(item, "term") for item in subjects)
        and not (chinese and _is_clause(segment))
    )
    state.deny = state.deny and listing and not state.closed
    kept_aside = state.aside and segment.border == ":"  # "differential diagnosis: A, B"
    for reach in ("unlikely", "doubt", "unknown", "aside", "strange"):
        heading = opens and (soft or segment.border == ":")  # "Suspected, not certain: ..."
        kept = listing or (heading and reach in ("unlikely", "doubt", "unknown"))
        setattr(state, reach, getattr(state, reach) and kept)
    state.aside = state.aside or kept_aside
    state.excepting = state.between = False
    state.fresh_denial = False
    if state.pending and heard.said[state.pending[-1]].word.kind not in ("term", "option"):
        state.pending = state.pending if segment.border[:1] in (":", "-", "–", "—") else []
    dash = segment.border[:1] in ("-", "–", "—", ":")
    if not (dash or (soft and not state.predicate)):
        state.pending = []
    if segment.border == "but" and not segment.items:
        state.pending = []
    if not state.deny:
        state.closed = False
    state.predicate = False


def _is_clause(segment: _Segment) -> bool:
    """Whether a Chinese segment says more than names: four characters besides them."""
    named = sum(item.end - item.start for item in segment.items)
    return segment.end - segment.start - named > 4


class _Reader:
    """Reads one segment."""

    def __init__(
        self, text: str, offset: int, segment: _Segment, state: _State, heard: Heard
    ) -> None:
        self.text, self.offset, self.segment = text, offset, segment
        self.state, self.heard = state, heard
        self.rest = any(_is(item, "rest") or _is(item, "other") for item in segment.items)
        self.last_subject = max(
            (place for place, item in enumerate(segment.items) if _subject(item)), default=-1
        )
        self.parts = [item for item in segment.items if _is(item, "part")]
        if any(_subject(item) for item in segment.items) and not state.strange:
            state.strange = bool(strange_word(text, segment.items, segment.start, segment.end))

    def read(self) -> None:
        items = self.segment.items
        if any(_is(item, "aside_all") for item in items):
            self.state.aside = True
        for position, item in enumerate(items):
            if _subject(item):
                self._hear_subject(position, item)
                self.state.fresh_denial = False
            else:
                self._hear_cue(position, item)
        written = self.text[self.segment.start : self.segment.end].strip(" .。")
        if self.segment.border == ":" and written == "0":
            self._reach_back("absent")

    def _hear_cue(self, position: int, item: Mention) -> None:
        state = self.state
        follows = self._subject_follows(position)
        for word in item.words:
            kind = word.kind
            if kind == "deny_ahead":
                if follows:
                    self._deny("deny", follows)
                break
            if kind in ("deny", "absent", "no_value"):
                self._deny(kind, follows)
                break
            if kind in ("doubt", "modal", "unlikely", "unknown"):
                self._doubt(kind, follows)
            elif kind == "yes_value":
                state.predicate = True
            elif kind == "shown":
                state.closed = state.closed or (state.deny and bool(self._denied_here()))
                state.predicate = True
            elif kind in ("and", "or"):
                if kind == "or" and not state.deny and not state.pending:
                    state.doubt = True  # "physiological or a sign of glaucoma"
                if state.closed and kind == "and":
                    state.deny = state.closed = False
                if state.predicate and kind == "and" and not state.deny:
                    state.pending = []
            elif kind == "aside":
                state.aside = True
                asked = self.text[item.start : item.end] in ("是否", "有无", "与否", "能否")
                if asked and not follows:
                    self._reach_back("unknown")
            elif kind == "except":
                state.excepting = True
            elif kind == "except_end":
                state.excepting = False
            elif kind == "between":
                state.between = True
            elif kind == "rest":
                self.heard.rest = True

    def _subject_follows(self, position: int) -> bool:
        if position >= self.last_subject:
            return False
        pending = self.state.pending
        about_eye = bool(pending) and self.heard.said[pending[-1]].word.kind == "eye"
        if not pending or about_eye:
            return True
        later = self.segment.items[position + 1 :]  # "drusen are not seen in the left eye"
        return any(_subject(item) and not _is(item, "eye") for item in later)

    def _denied_here(self) -> bool:
        return any(one.status in ("absent", "unknown") for one in self.heard.said[-4:])

    def _deny(self, kind: str, follows: bool) -> None:
        state = self.state
        if not follows or (kind == "absent" and state.pending):
            self._reach_back("absent")
        elif state.fresh_denial:
            state.deny = not state.deny
        else:
            state.deny, state.closed, state.fresh_denial = True, False, True
        state.predicate = True

    def _doubt(self, kind: str, follows: bool) -> None:
        state = self.state
        state.predicate = True
        here = [i for i in state.pending if self.heard.said[i].start >= self._absolute_start()]
        if (kind == "modal" and here) or (not follows and state.pending):
            self._reach_back("unknown" if kind in ("unlikely", "unknown") else "suspected")
            return
        if not follows:
            self.heard.unsure = self.heard.unsure or not state.deny
        if kind == "unlikely":
            state.unlikely = True
        elif kind == "unknown":
            state.unknown = True
        else:
            state.doubt = True

    def _absolute_start(self) -> int:
        return self.offset + self.segment.start

    def _reach_back(self, status: Status) -> None:
        said = self.heard.said
        for place in self.state.pending:
            one = said[place]
            flipped: Status = "unknown" if self.state.strange else status
            if one.status == "suspected" and status == "unknown":
                flipped = "suspected"  # "suspected, not certain"
            if status == "absent" and one.status == "absent" and not self.state.strange:
                flipped = "present"
            elif status == "suspected" and one.status == "absent":
                flipped = "unknown"
            said[place] = replace(one, status=flipped)
        if status == "absent":
            self.state.pending = []

    def _hear_subject(self, position: int, item: Mention) -> None:
        state = self.state
        if state.aside:
            return
        words = self._meant(position, item)
        excepted = state.excepting and not any(word.kind == "normal" for word in words)
        status: Status = "present" if excepted else self._status(item, words)
        for word in words:
            self._note(Said(word, status, self.offset + item.start, excepted), position)

    def _status(self, item: Mention, words: Sequence[Word]) -> Status:
        state = self.state
        strange = state.strange and not self._is_plain_choice(item, words)
        if (state.unknown and not state.doubt) or state.unlikely or state.between or strange:
            return "unknown"
        if state.deny:
            return "unknown" if state.doubt else "absent"
        if state.doubt:
            return "suspected"
        if _NONE_OF.search(self.text, 0, item.start) or _NONE_BEHIND.match(self.text, item.end):
            return "absent"  # "0 haemorrhages"
        if any(word.kind != "term" for word in words) and self._has_alternative(item):
            return "unknown"
        return "present"

    def _has_alternative(self, item: Mention) -> bool:
        """Whether an "or" stands right beside it: "diffuse or patchy atrophy"."""
        return bool(
            _OR_BEFORE.search(self.text, self.segment.start, item.start)
            or _OR_BEHIND.match(self.text, item.end)
        )

    def _is_plain_choice(self, item: Mention, words: Sequence[Word]) -> bool:
        """Whether it chooses whatever stands around it: a letter, or "reject"."""
        return self.text.startswith("option", item.start) or any(
            word.kind == "quality" and word.level for word in words
        )

    def _note(self, one: Said, position: int) -> None:
        said = self.heard.said
        if one.status in ("present", "suspected") and self._is_alternative(one, position):
            one = replace(one, status="unknown", alternative=True)
            said[-1] = replace(said[-1], status="unknown", alternative=True)
        said.append(one)
        self.state.pending.append(len(said) - 1)

    def _is_alternative(self, one: Said, position: int) -> bool:
        """Whether it is one of two between which the text does not choose: "A or B"."""
        if not self.heard.said or position == 0:
            return False
        last = self.heard.said[-1]
        same = {last.word.kind, one.word.kind} <= {"level", "severity"} or (
            last.word.kind == one.word.kind
        )
        if not same or last.word == one.word or last.status == "absent":
            return False
        before = [i for i in self.segment.items[:position] if _subject(i)]
        if not before or self.offset + before[-1].start != last.start:
            return False
        joint = self.text[before[-1].end : one.start - self.offset]
        match = _OR.fullmatch(joint)
        return bool(match) and joint.strip() not in ("和", "and")

    def _meant(self, position: int, item: Mention) -> list[Word]:
        """Return the subjects that a phrase stands for here."""
        found = []
        for word in item.words:
            if word.kind == "normal" and (self.rest or self.parts):
                continue
            if word.id == "abnormality" and (self.rest or self.parts):
                continue
            if word.kind == "severity" and not self._grades(position):
                continue
            if word.kind == "quality" and word.level == 0 and not self._is_quality(position):
                continue
            if word.kind == "option" and word.level == 1 and (self.rest or self.parts):
                continue
            if word.kind in SUBJECTS:
                found.append(word)
        if any(word.kind == "option" for word in found):
            found = [word for word in found if word.kind == "option"]
        bound = position and _is(self.segment.items[position - 1], "bound")
        if bound and any(word.kind in ("level", "severity") for word in found):
            return []
        return found

    def _grades(self, position: int) -> bool:
        """Whether a word of severity speaks of the retinopathy, not of something else."""
        items = self.segment.items
        for item in (*items[position + 1 :], *reversed(items[:position])):
            for word in item.words:
                if word.kind == "other_noun":
                    return False
                if word.kind == "term":
                    return word.id in _GRADED
        return True

    def _is_quality(self, position: int) -> bool:
        items = self.segment.items
        if any(_is(item, "quality_word") for item in items):
            return True
        if self.parts or any(_is(item, "term") for item in items):
            return False
        item = items[position]
        around = self.text[self.segment.start : item.start] + self.text[item.end : self.segment.end]
        return not _AROUND_QUALITY.sub("", around).strip(" .。!")


def _settle_exceptions(text: str, heard: Heard, before: int) -> None:
    """Let what is excepted limit what the sentence denies."""
    here = heard.said[before:]
    excepted = [one for one in here if one.exception]
    if not excepted:
        if _COUNT_LEFT_OVER.search(text):
            heard.said[before:] = [
                replace(one, status="present") if one.status == "absent" else one for one in here
            ]
        return
    lesion = any(one.word.id in terms.lesions() for one in excepted)
    kept = []
    for one in here:
        if one.exception:
            kept.append(one)
        elif one.word.id == "normal_fundus" or one.word.kind == "option":
            continue
        elif one.status == "absent" and any(
            one.word.id in terms.broader(e.word.id) for e in excepted
        ):
            continue  # "no abnormality other than drusen": the exception says it
        elif one.status == "absent" and lesion and one.word.id not in terms.lesions():
            kept.append(replace(one, status="unknown"))
        else:
            kept.append(one)
    heard.said[before:] = kept
