"""A run's card: its numbers, by hand; its safety; and that it is the same each time."""

import base64
import copy
import io
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image

from fundoscope.config import Endpoint, make_job
from fundoscope.converse.build import build
from fundoscope.export.card import HTML, brief, markdown_text, share, write_card
from fundoscope.export.card_counts import CardCounts, quantile
from fundoscope.export.card_panels import COLUMNS, length_histogram, turn_histogram
from fundoscope.export.card_samples import SIDE_PX, Samples, drawn
from fundoscope.export.montage import COLOURS
from fundoscope.export.text_tally import NAMES, shape, text_tally
from fundoscope.ledger import Ledger
from fundoscope.records import (
    Claim,
    Conversation,
    Dialogue,
    Finding,
    Grade,
    Judged,
    Judgement,
    LeftOut,
    Lesion,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Statement,
    Turn,
    Unmeasured,
    Verdict,
    record_to_json,
)
from fundoscope.testing import FakeServer, FakeServerSettings, Faults, synthetic_records

EVIL = "<script>alert(1)</script>"
BOX = (0.25, 0.25, 0.5, 0.5)


def conversation(key: str, track: str, language: str, *said: tuple[str, str]) -> Conversation:
    turns = tuple(Turn(question, answer) for question, answer in said)
    return Conversation(key, track, language, turns, "composer", "p1", 0)  # type: ignore[arg-type]


def judged(*judgements: Judgement, aspect: str = "grade") -> tuple[Judged, ...]:
    said = Claim(Statement(aspect, "diabetic_retinopathy", 2), "words")  # type: ignore[arg-type]
    return tuple(Judged(said, judgement) for judgement in judgements)


RECORDS = (
    Record(
        Photograph("Ring", "train", "1", "1.png", patient="p"),
        grades=(Grade("icdr", 2, "Ring"), Grade("icdr", 2, "again"), Grade("eyeq", 0, "Ring")),
        findings=(Finding("glaucoma", "absent", "Ring"), Finding("drusen", "suspected", "Ring")),
        lesions=(Lesion("hard_exudate", BOX, 0.01, "Ring", count=4),),
        lesion_totals=(
            LesionTotal("hard_exudate", 5, 0.01, "Ring", unboxed=1),
            LesionTotal("microaneurysm", 0, 0.0, "Ring"),
        ),
        measurements=(
            Measured("crae_knudtson", 150.0, "um", "t"),
            Unmeasured("cdr_vertical", "no disc found"),
        ),
        notes=(EVIL,),
        licence="CC BY 4.0",
    ),
    Record(
        Photograph("Ring", "train", "2", "2.png", patient="p"),
        grades=(Grade("icdr", 0, "Ring"),),
        findings=(Finding("glaucoma", "present", "Ring"),),
        measurements=(Unmeasured("cdr_vertical", "no disc found"),),
        licence="CC BY 4.0",
    ),
    Record(Photograph("Other", "test", f"x|{EVIL.replace('/', '')}", "")),
)


def small_run(folder: Path, *, finish: bool = True) -> Path:
    """Three photographs, five dialogues of which four are kept, seven things left out."""
    run, photographs = folder / "run", folder / "photographs"
    photographs.mkdir()
    Image.new("RGB", (1280, 640), "black").save(photographs / "1.png")
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({"command": f"build {EVIL}", "photographs": str(photographs)})
        one, two, three = (ledger.add_record(record) for record in RECORDS)
        first, second, third = (record.key for record in RECORDS)
        kept = Verdict(True, judged=judged("supported", "supported"))
        ledger.judge(
            one,
            conversation(first, "instruction", "en", ("What?", "a" * 10), ("Grade?", "b")),
            b"h",
            kept,
        )
        ledger.judge(one, conversation(first, "alignment", "zh", ("何？", "好")), b"h", kept)
        ledger.judge(two, conversation(second, "alignment", "en", ("What?", "c" * 20)), b"h", kept)
        ledger.judge(
            two,
            conversation(second, "alignment", "zh", ("何？", "坏")),
            b"h",
            Verdict(False, "0.6 matches nothing", judged("contradicted", "unsupported")),
        )
        ledger.judge(
            three, conversation(third, "alignment", "en", ("Why?", "d")), b"h", Verdict(True)
        )
        for n in range(6):
            ledger.leave_out(LeftOut("duplicate", f"copy{n}", f"same bytes as Ring/train/{n}"))
        ledger.leave_out(LeftOut("unreadable photograph", EVIL, "not a whole image"))
        if finish:
            ledger.finish_pass()
            ledger.remember("finished_at", "2024-01-02 03:04:05")
    return run


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    html, markdown = write_card(small_run(tmp_path_factory.mktemp("cards")))
    return html.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")


def figures(html: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd><dd class=\"sub\">(.*?)</dd>", html)
    return {name: f"{value}; {more}" for name, value, more in found}


def panel(html: str, title: str) -> str:
    """The words of one panel, without its tags."""
    inside = next(p for p in html.split("<section")[1:] if re.search(rf"<h3>{title}", p))
    return " ".join(re.sub(r"<[^>]+>", " ", inside.split("</section>")[0]).split())


def row(markdown: str, start: str) -> str:
    return next(line for line in markdown.splitlines() if line.startswith(f"| {start} |"))


def test_the_key_figures_are_those_counted_by_hand(cards: tuple[str, str]) -> None:
    assert figures(cards[0]) == {
        "photographs": "3; 3 with a dialogue",
        "dialogues kept": "4; 80.0 % of those written",
        "dialogues rejected": "1; 20.0 % of those written",
        "left out": "7; read, and not used",
        "claims supported": "75.0 %; of 8 checked, rejected dialogues included",
        "patients known": "1; for 66.7 % of the photographs",
        "languages": "2; English and Chinese",
        "tracks": "2; alignment, instruction",
    }


def test_dialogues_are_counted_by_source_split_language_and_track(cards: tuple[str, str]) -> None:
    html = cards[0]
    assert "Ring 3 75.0 % Other 1 25.0 %" in panel(html, "By source")
    assert "train 3 75.0 % test 1 25.0 %" in panel(html, "By split")
    assert "English 3 75.0 % Chinese 1 25.0 %" in panel(html, "By language")
    assert "alignment 3 75.0 % instruction 1 25.0 %" in panel(html, "By track")


def test_a_grade_has_its_own_panel_with_every_level_of_its_scale(cards: tuple[str, str]) -> None:
    icdr = panel(cards[0], "ICDR scale")
    assert "0: no apparent diabetic retinopathy 无明显糖尿病视网膜病变 1 50.0 %" in icdr
    assert (
        "1: mild non-proliferative diabetic retinopathy 轻度非增殖期糖尿病视网膜病变 0 0 %" in icdr
    )
    # two readers agree on level 2 of one photograph: that is one photograph
    assert (
        "moderate non-proliferative diabetic retinopathy 中度非增殖期糖尿病视网膜病变 1 50.0 %"
        in icdr
    )
    assert "2 of 3 photographs have this grade" in icdr
    assert "1 of 3 photographs have this grade" in panel(cards[0], "EyeQ scale")
    assert "Messidor scale" not in cards[0]  # nobody graded on it


def test_findings_lesions_and_quantities_keep_missing_apart_from_zero(
    cards: tuple[str, str],
) -> None:
    html, markdown = cards
    assert "glaucoma 青光眼 present 1 absent 1" in panel(html, "Findings")
    assert row(markdown, "drusen") == "| drusen | 玻璃膜疣 | 0 | 1 | 0 | 0 |"
    # kind, Chinese, lesions, boxes, found on, none on: never looked for on photographs 2 and 3
    assert row(markdown, "hard exudate") == "| hard exudate | 硬性渗出 | 5 | 1 | 1 | 0 |"
    assert row(markdown, "microaneurysm") == "| microaneurysm | 微动脉瘤 | 0 | 0 | 0 | 1 |"
    assert row(markdown, "CRAE (Knudtson)").endswith("| 1 | 0 |  |")
    assert "no disc found (2)" in panel(html, "Quantities")


def test_claims_are_counted_by_aspect_in_kept_and_rejected_dialogues(
    cards: tuple[str, str],
) -> None:
    assert "grade supported 6 contradicted 1 unsupported 1" in panel(cards[0], "Claims by aspect")
    assert row(cards[1], "grade") == "| grade | 6 | 1 | 1 |"


def test_what_was_rejected_or_left_out_is_listed_with_reasons(cards: tuple[str, str]) -> None:
    html, markdown = cards
    assert "kept 4 0.6 matches nothing 1" in panel(html, "Kept and rejected")
    left = panel(html, "duplicate")
    assert "same bytes as … 6 copy0, copy1, copy2, copy3, copy4, ..." in left
    assert "copy5" not in html + markdown


def test_turns_lengths_and_variety_are_told_by_language(cards: tuple[str, str]) -> None:
    html, markdown = cards
    english = panel(html, r'Turns of a dialogue <span class="tag">English')
    assert "2 1 1 2 3 dialogues; median 1, 5 to 95 %: 1 to 2" in english
    lengths = panel(html, r'Characters of an answer <span class="tag">English')
    assert "4 answers; median 1, 5 to 95 %: 1 to 20" in lengths  # 1, 1, 10 and 20
    # "What?" opens 2 of 3, and is 2 of 4 questions
    assert row(markdown, "English | 2").startswith("| English | 2 | 3 | 50.0 % | What? |")


def test_text_from_records_is_shown_as_text(cards: tuple[str, str]) -> None:
    html, markdown = cards
    assert "<script" not in html
    # in Markdown only within a block of code, which shows it
    assert all(line.startswith("    ") for line in markdown.splitlines() if "<script" in line)
    for text in (html, markdown):
        assert text.count("&lt;script&gt;alert(1)") >= 3  # a note, an id, a left-out name


def test_the_page_loads_nothing_from_elsewhere(cards: tuple[str, str]) -> None:
    html = cards[0]
    assert not re.search(r"https?:|url\(|@import|<link|<script|<iframe", html)
    sources = re.findall(r"\bsrc=\"(.{20})", html)
    assert sources and all(source.startswith("data:image/jpeg") for source in sources)


def test_the_same_run_gives_the_same_bytes_and_is_only_read(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    before = (run / "ledger.sqlite").read_bytes()
    first = [path.read_bytes() for path in write_card(run)]
    again = write_card(run, tmp_path / "else" / "where")
    assert [path.read_bytes() for path in again] == first
    assert (run / "ledger.sqlite").read_bytes() == before
    assert not list(tmp_path.rglob("*.partial"))


def test_photographs_are_shown_where_they_are_and_missed_where_not(cards: tuple[str, str]) -> None:
    html = cards[0]
    assert html.count("<img ") == 2  # two dialogues about photograph 1, the only one on disk
    assert "the photograph is no longer where it was read" in html
    assert "only the labels of this photograph were at hand" in html


def test_boxes_are_drawn_around_their_lesions_in_their_colour(tmp_path: Path) -> None:
    Image.new("RGB", (1280, 640), "black").save(tmp_path / "1.png")
    picture = drawn(RECORDS[0], tmp_path)
    pixels = Image.open(io.BytesIO(base64.b64decode(picture.jpeg_base64))).convert("RGB")
    assert pixels.size == (picture.width_px, picture.height_px) == (SIDE_PX, SIDE_PX // 2)
    # the box spans (160, 80) to (320, 160); its line runs just outside, with nothing within
    on_the_line, inside = pixels.getpixel((156, 120)), pixels.getpixel((240, 120))
    assert isinstance(on_the_line, tuple) and isinstance(inside, tuple)
    assert all(abs(a - b) < 50 for a, b in zip(on_the_line, COLOURS["hard_exudate"], strict=True))
    assert max(inside) < 20


@pytest.mark.parametrize("file", ["../secret.png", "/etc/secret.png"])
def test_a_photograph_outside_its_folder_is_not_shown(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    record = Record(Photograph("Ring", "train", "1", file))
    assert drawn(record, folder).missing == "its path leads out of the folder of photographs"


def test_a_broken_photograph_is_said_in_words_that_do_not_change(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no image")
    assert drawn(RECORDS[0], tmp_path).missing == "the photograph cannot be read"


def test_samples_take_turns_whatever_the_order_of_the_stream() -> None:
    dialogues = [
        Dialogue(record, conversation(record.key, track, language, ("q", "a")))
        for n in range(40)
        for record in [Record(Photograph("Ring", "all", str(n), "f.png"))]
        for track in ("instruction", "alignment")
        for language in ("en", "zh")
    ]
    forwards, backwards = Samples(), Samples()
    for dialogue in dialogues:
        forwards.see(dialogue)
    for dialogue in reversed(copy.deepcopy(dialogues)):
        backwards.see(dialogue)
    chosen = [dialogue.conversation for dialogue in forwards.chosen()]
    assert chosen == [dialogue.conversation for dialogue in backwards.chosen()]
    assert len({said.key for said in chosen}) == 6
    assert sorted(Counter(said.language for said in chosen).values()) == [3, 3]
    assert sorted(Counter(said.track for said in chosen).values()) == [3, 3]


def test_front_matter_says_what_a_hub_asks(cards: tuple[str, str]) -> None:
    head = yaml.safe_load(cards[1].split("---\n")[1])
    assert head["license"] == "other"
    assert head["language"] == ["en", "zh"]
    assert head["task_categories"] == ["visual-question-answering", "image-text-to-text"]
    assert head["size_categories"] == ["n<1K"]
    assert head["pretty_name"] == "Dialogues about Ring and Other"


def test_provenance_says_when_and_how(cards: tuple[str, str]) -> None:
    for text in cards:
        assert "Finished 2024-01-02 03:04:05." in text
        assert "composer" in text and "p1" in text
        assert "not a medical device" in text


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    for path in write_card(small_run(tmp_path, finish=False)):
        text = path.read_text(encoding="utf-8")
        assert "This run is not finished." in text and "Not finished." in text


def test_an_empty_run_has_a_card_too(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True):
        pass
    html, markdown = (path.read_text(encoding="utf-8") for path in write_card(tmp_path))
    assert "0 checked dialogues in no language" in html
    assert "Nothing was left out." in html and "Nothing was left out." in markdown


def luminance(colour: str) -> float:
    """Relative luminance, by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks(cards: tuple[str, str], scheme: int) -> None:
    blocks = re.findall(r":root\{(.*?)\}", cards[0], flags=re.DOTALL)
    colour = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", blocks[scheme]))
    pairs = [
        (ink, paper) for ink in ("text", "muted", "accent") for paper in ("page", "panel", "soft")
    ]
    for ink, paper in [*pairs, ("warm", "warm-soft")]:
        dim, bright = sorted((luminance(colour[ink]), luminance(colour[paper])))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, paper)


def test_every_table_of_the_markdown_is_whole(cards: tuple[str, str]) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", cards[1], flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


def test_shares_never_round_to_all_or_nothing() -> None:
    assert [share(0, 9), share(9, 9), share(1, 10**6), share(10**6 - 1, 10**6)] == [
        "0 %",
        "100 %",
        "<0.1 %",
        ">99.9 %",
    ]


def test_brief_counts_change_letter_where_they_would_grow_a_digit() -> None:
    assert [brief(n) for n in (999, 9949, 9950, 999_499, 999_500)] == [
        "999", "9.9k", "10k", "999k", "1.0M",
    ]  # fmt: skip


def test_markdown_cannot_be_broken_out_of() -> None:
    assert markdown_text("# a\n| [b](c) `d`") == r"\# a \| \[b\](c) \`d\`"


def test_texts_of_one_shape_are_counted_as_one_and_shown_whole_when_alike() -> None:
    with text_tally() as texts:
        for n in range(NAMES + 2):
            texts.add("all", f"no row {n}", name=str(n), by_shape=True)
            texts.add("all", "needs 6 vessels", by_shape=True)
        texts.add("other", "no row 1")
        alike, differing = texts.commonest("all")
        assert (texts.distinct("all"), texts.total("all")) == (2, 2 * (NAMES + 2))
    assert (alike.text, differing.text) == ("needs 6 vessels", "no row …")
    assert differing.example == "no row 0"
    assert differing.names == ("0", "1", "2", "3", "4")


def test_a_shape_keeps_the_words_around_quotes_and_numbers() -> None:
    assert shape("AVR is 0.66 ('0.7'), not \"0.8\"") == "AVR is … (…), not …"


def test_a_histogram_holds_every_answer_and_ends_open() -> None:
    lengths = Counter({5: 50, 35: 49, 9000: 1})
    plot = length_histogram("en", lengths)
    assert len(plot.columns) <= COLUMNS
    assert sum(column.count for column in plot.columns) == 100
    assert plot.columns[-1].label.endswith("+") and plot.columns[-1].count == 1
    turns = turn_histogram("en", Counter({1: 3, 3: 1}))
    assert [(c.label, c.count) for c in turns.columns] == [("1", 3), ("2", 0), ("3", 1)]


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile(Counter(), 0.5)


def test_counting_holds_no_list_of_dialogues() -> None:
    with text_tally() as texts:
        counts = CardCounts(texts)
        stream = (
            Dialogue(RECORDS[0], conversation("k", "alignment", "en", (f"q{n}", "a")))
            for n in range(300)
        )
        for _ in counts.counting_dialogues(stream):
            pass
        assert texts.distinct("first question/en") == 300
        assert counts.spoken_of == 1
        sizes = [len(v) for v in vars(counts).values() if isinstance(v, dict)]
        assert max(sizes) <= 4


def test_a_card_is_found_where_it_was_asked_for(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    assert write_card(run)[0] == run / HTML
    assert write_card(run, tmp_path / "out")[0] == tmp_path / "out" / HTML


def test_a_card_tells_a_models_first_answers_apart_and_no_address(tmp_path: Path) -> None:
    records = b"\n".join(record_to_json(record) for record in synthetic_records(6))
    (tmp_path / "records.jsonl").write_bytes(records + b"\n")
    faults = Faults(wrong_content=0.9)
    settings = FakeServerSettings(latency_s=0.001, faults=faults)
    with FakeServer(settings, in_thread=True) as server:
        endpoint = Endpoint(model="fake-1", base_url=server.url)
        job = make_job(
            source="records", root=tmp_path, labels_only=True, engine="endpoint", endpoint=endpoint
        )
        build(job, tmp_path / "run", processes=0)
        address = server.url
    html, markdown = (path.read_text("utf-8") for path in write_card(tmp_path / "run"))
    for card in (html, markdown):
        assert "The model's first answers" in card or "The model&#39;s first answers" in card
        assert "fake-1" in card
        assert address not in card
        assert str(tmp_path) not in card
    first, final = markdown.partition("The model's first answers")[::2]
    wrong = [row for row in final.splitlines() if row.startswith("| measurement |")]
    assert wrong and "| 0 | 0 |" not in wrong[0]
    assert all(row.endswith("| 0 | 0 |") for row in first.splitlines() if "measurement |" in row)
