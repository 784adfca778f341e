"""From a file of consultations to dialogues, or to a reason. Every person here is invented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from fundoscope.converse.consultation_cleaning import idle
from fundoscope.converse.consultation_files import read_consultations
from fundoscope.converse.consultation_records import ConsultationTurn, RawConsultation
from fundoscope.converse.consultation_relevance import THRESHOLD, relevance
from fundoscope.converse.consultation_safety import (
    dangers,
    safety_sentence,
    urgent_symptoms,
    urges_care,
)
from fundoscope.converse.consultations import (
    Consultation,
    ConsultationConfig,
    RejectedConsultation,
    consultations,
)
from fundoscope.errors import DialogueError
from fundoscope.records import Language

CHINESE = """id=7
https://www.example.com/consult/7
Doctor faculty
临江市第二人民医院 眼科
韦立群 主任医师

Description
疾病：黄斑水肿
右眼视物变形3个月，OCT厚度412微米。

Dialogue
医生：您好！感谢您的信任。
病人：韦主任您好，我叫陈立新，
右眼视力0.5，眼压18mmHg，
要打针吗？
病人: 电话13812345678
医生：黄斑水肿可以做抗VEGF治疗，一般每月一次。
医生：费用大约4000元。
病人：谢谢！
"""
ENGLISH = """id=8
Description
Distorted vision in the left eye.

Dialogue
Patient: Hello Dr. Quispe, my OCT shows macular oedema of 412 microns. Vision 20/40.
Doctor：
Macular oedema is often treated with injections.
Please continue the drops.
"""


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "dialogues.txt"
    file.write_bytes(text.encode(encoding))
    return file


def jsonl(folder: Path, *rows: object) -> Path:
    file = folder / "dialogues.jsonl"
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    return file


def row(id: object, *said: str, **more: object) -> dict[str, object]:
    roles = ("patient", "doctor")
    turns = [{"role": roles[i % 2], "text": text} for i, text in enumerate(said)]
    return {"id": id, "turns": turns, **more}


def only(file: Path, **config: object) -> Consultation | RejectedConsultation:
    (one,) = consultations(file, ConsultationConfig(**config))  # type: ignore[arg-type]
    return one


def kept(file: Path, **config: object) -> Consultation:
    one = only(file, **config)
    assert isinstance(one, Consultation), one
    return one


def refused(file: Path, **config: object) -> str:
    one = only(file, **config)
    assert isinstance(one, RejectedConsultation), one
    return one.reason


# reading


def test_a_chinese_block_becomes_a_clean_dialogue(tmp_path: Path) -> None:
    made = kept(write(tmp_path, CHINESE), description_opens=False)
    assert made.turns == (
        ConsultationTurn(
            "patient",
            "[医生姓名]主任您好，我叫[姓名]，\n右眼视力0.5，眼压18mmHg，\n要打针吗？电话[电话]",
        ),
        ConsultationTurn("doctor", "黄斑水肿可以做抗VEGF治疗，一般每月一次。"),
    )
    assert made.description == "疾病：黄斑水肿\n右眼视物变形3个月，OCT厚度412微米。"
    assert (made.id, made.language) == ("7", "zh")
    assert made.placeholders == {"doctor": 1, "person": 1, "phone": 1}


def test_everything_that_was_removed_has_its_reason(tmp_path: Path) -> None:
    made = kept(write(tmp_path, CHINESE), description_opens=False)
    assert [(one.reason, one.turn) for one in made.removed] == [
        ("address of a page", None),
        ("greeting", 0),
        ("advertising", 0),
        ("price", 4),
        ("greeting", 5),
    ]


def test_an_english_block_with_both_colons_is_read(tmp_path: Path) -> None:
    made = kept(write(tmp_path, ENGLISH))
    assert [turn.role for turn in made.turns] == ["patient", "doctor"]
    assert made.turns[0].text.startswith("Hello Dr. [DOCTOR NAME], my OCT shows macular oedema of")
    assert made.turns[1].text.endswith("with injections.\nPlease continue the drops.")


def test_both_layouts_give_the_same_dialogue(tmp_path: Path) -> None:
    text = kept(write(tmp_path, ENGLISH))
    (raw,) = read_consultations(write(tmp_path, ENGLISH))
    assert isinstance(raw, RawConsultation)
    same = row("8", *(turn.text for turn in raw.turns), description=raw.description)
    assert kept(jsonl(tmp_path, same)) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    assert "黄斑水肿" in kept(write(tmp_path, CHINESE, encoding)).turns[-1].text


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert kept(write(tmp_path, CHINESE.replace("\n", "\r\n"))) == kept(write(tmp_path, CHINESE))


def test_a_file_of_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(b"id=1\nDialogue\n\x80\xff\xff")
    with pytest.raises(DialogueError, match="neither UTF-8 nor GB18030") as caught:
        list(consultations(file))
    assert caught.value.where.endswith("bad.txt:3")
    assert "iconv" in caught.value.mend


@pytest.mark.parametrize("text", ["", "\n \n", "hello\n", "<html>"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DialogueError) as caught:
        list(consultations(write(tmp_path, text)))
    assert caught.value.mend


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DialogueError, match="no file"):
        list(consultations(tmp_path / "none.txt"))


def test_a_line_that_never_ends_is_refused_before_it_is_held(tmp_path: Path) -> None:
    with pytest.raises(DialogueError, match="more than 1000000 characters"):
        list(consultations(write(tmp_path, "id=1\n" + "长" * 1_000_001)))


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("id=1\nDescription\nx\n", "ragged block: no line 'Dialogue'"),
        ("id=1\nDialogue\n", "ragged block: no turns"),
        (
            "id=1\nDialogue\n黄斑\n病人：a\n",
            "ragged block: the dialogue begins with a line that names no speaker",
        ),
    ],
)
def test_a_ragged_block_is_rejected_with_its_reason_and_line(
    tmp_path: Path, block: str, reason: str
) -> None:
    first, second = consultations(write(tmp_path, block + CHINESE))
    lines = block.count("\n")
    assert first == RejectedConsultation("1", reason, "dialogues.txt:1")
    assert isinstance(second, Consultation), f"the block at line {lines + 1} was lost"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "the line is no JSON object"),
        ('{"turns": []}', "no 'id'"),
        ('{"id": 1, "turns": []}', "'turns' is no list, or an empty one"),
        ('{"id": 1, "turns": [{"role": "nurse", "text": "x"}]}', "turn 0: the role must be"),
        ('{"id": 1, "turns": [{"role": "doctor"}]}', "turn 0 has no 'text'"),
        ('{"id": 1, "turn": []}', "unknown key 'turn'"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    file = jsonl(tmp_path, row("a", "x", "y"))
    file.write_text(file.read_text("utf-8") + line + "\n", "utf-8")
    *_, last = consultations(file)
    assert isinstance(last, RejectedConsultation)
    assert last.reason.startswith(reason)
    assert last.where == "dialogues.jsonl:2"


def test_nothing_is_lost_in_silence(tmp_path: Path) -> None:
    rows = [row(n, f"第{n}次问：胃疼怎么办？", "多喝水。") for n in range(30)]
    assert len(list(consultations(jsonl(tmp_path, *rows)))) == 30


# cleaning


IDLE: list[tuple[Language, str, str]] = [
    ("zh", "谢谢您的耐心解答！", "greeting"),
    ("zh", "好的，", ""),
    ("zh", "怎么挂您的号？", "appointment"),
    ("zh", "周三上午门诊", "appointment"),
    ("zh", "多少钱？", "price"),
    ("zh", "请扫码关注公众号", "advertising"),
    ("zh", "视网膜脱离要手术，费用问医院", ""),
    ("zh", "请马上去医院挂急诊号", ""),
    ("zh", "你好，黄斑水肿严重吗？", ""),
    ("en", "Thank you so much, doctor!", "greeting"),
    ("en", "Kind regards, Dr. Susan Quispe, Ophthalmologist", "greeting"),
    ("en", "Thanks, but is macular oedema bad?", ""),
    ("en", "How do I book an appointment?", "appointment"),
    ("en", "It costs $300.", "price"),
    ("en", "Click here to rate my answer", "advertising"),
    ("en", "Go to the emergency room now, whatever the cost of it.", ""),
    ("en", "An injection for macular oedema costs 300 dollars.", ""),
]


@pytest.mark.parametrize(("language", "sentence", "reason"), IDLE)
def test_idle_talk_goes_and_medicine_stays(language: Language, sentence: str, reason: str) -> None:
    if sentence != "好的，":  # a comma is no end: see the next test
        assert idle(sentence, language) == reason


def test_a_price_in_a_sentence_that_stays_is_hidden(tmp_path: Path) -> None:
    made = kept(
        jsonl(tmp_path, row(1, "黄斑水肿怎么治？", "黄斑水肿打针一次4000元，视网膜会好转。"))
    )
    assert made.turns[1].text == "黄斑水肿打针一次[价格]，视网膜会好转。"


def test_the_description_opens_where_the_doctor_speaks_first(tmp_path: Path) -> None:
    turns = [
        {"role": "doctor", "text": "黄斑水肿需要复查眼底。"},
        {"role": "patient", "text": "多久一次？"},
        {"role": "doctor", "text": "每月一次。"},
    ]
    file = jsonl(tmp_path, {"id": 1, "turns": turns, "description": "黄斑水肿3个月。"})
    assert kept(file).turns[0].text == "黄斑水肿3个月。"
    assert [turn.text for turn in kept(file, description_opens=False).turns] == [
        "多久一次？",
        "每月一次。",
    ]


def test_a_dialogue_begins_with_the_patient_ends_with_the_doctor_and_alternates(
    tmp_path: Path,
) -> None:
    roles = ["doctor", *["patient"] * 2, *["doctor"] * 2, "patient", "doctor", "patient"]
    texts = [f"黄斑水肿第{n}句。" for n in range(len(roles))]
    turns = [{"role": r, "text": t} for r, t in zip(roles, texts, strict=True)]
    made = kept(jsonl(tmp_path, {"id": 1, "turns": turns}))
    assert [turn.role for turn in made.turns] == ["patient", "doctor", "patient", "doctor"]
    assert made.turns[0].text == texts[1] + texts[2]
    assert {one.reason for one in made.removed} == {
        "doctor's turn before the patient's first",
        "patient's turn after the doctor's last",
    }


def test_a_dialogue_without_an_answer_is_rejected(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "视网膜脱离和黄斑裂孔是什么？", "谢谢！"))
    assert refused(file) == "no question with an answer is left"


def test_a_long_dialogue_is_cut_behind_an_answer(tmp_path: Path) -> None:
    made = kept(jsonl(tmp_path, row(1, *["黄斑水肿？", "视网膜水肿。"] * 5)), max_turns=5)
    assert len(made.turns) == 4
    assert made.turns[-1].role == "doctor"
    assert made.removed[-1].reason == "longer than 5 turns"


def test_what_comes_twice_is_kept_once(tmp_path: Path) -> None:
    one = row(1, "黄斑水肿怎么治？", "黄斑水肿可以打针。")
    made = list(consultations(jsonl(tmp_path, one, one, {**one, "id": 2})))
    assert isinstance(made[0], Consultation)
    assert [r.reason for r in made[1:] if isinstance(r, RejectedConsultation)] == [
        "duplicate: the id came before",
        "duplicate: the same words came before",
    ]


def test_an_id_that_tells_a_person_is_replaced_by_the_place_in_the_file(tmp_path: Path) -> None:
    made = list(
        consultations(
            jsonl(
                tmp_path,
                row("13812345678", "黄斑水肿怎么治？", "黄斑水肿可以打针。"),
                row("a@b.example", "胃疼", "喝水"),
            )
        )
    )
    assert [one.id for one in made] == ["dialogues-1", "dialogues-2"]


# what it is about


@pytest.mark.parametrize(
    ("language", "text", "about"),
    [
        ("zh", "黄斑水肿要打针吗？", True),
        ("zh", "糖尿病视网膜病变", True),
        ("zh", "眼前黑影飘动，像飞蚊，视力没变", True),
        ("zh", "白内障手术后眼压高", False),
        ("zh", "胃出血，做了造影", False),
        ("zh", "近视眼镜模糊，眼睛干", False),
        ("en", "Is my retinal detachment treated with surgery?", True),
        ("en", "New floaters in my left eye and blurred vision", True),
        ("en", "My dr said my blood pressure is fine", False),
        ("en", "Stomach haemorrhage and anaemia", False),
        ("en", "I have pink eye with discharge", False),
    ],
)
def test_dialogues_about_the_fundus_pass_the_threshold(
    language: Language, text: str, about: bool
) -> None:
    assert (relevance([text], language) >= THRESHOLD) == about


def test_a_word_said_twice_counts_once() -> None:
    once = relevance(["黄斑水肿"], "zh")
    assert once == relevance(["黄斑水肿", "黄斑水肿黄斑水肿"], "zh") > 0


def test_what_is_not_about_the_fundus_is_rejected_with_its_score(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "胃疼怎么办？", "多喝水。"))
    assert refused(file) == "not about the fundus: score 0 under 3"


def test_the_score_is_kept(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "黄斑水肿怎么治？", "可以打针。"))
    made = kept(file)
    assert made.score == relevance(["黄斑水肿怎么治？", "可以打针。"], "zh")


# persons


def test_what_may_still_name_a_person_is_refused_without_quoting_it(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path,
        row(1, "黄斑水肿怎么治？", "黄斑水肿可以打针，来 Xq Institute 找 Ab Cd 吧 a b@c 。"),
    )
    reason = refused(file)
    assert reason.startswith("may name a person or place: ")
    assert "Xq" not in reason


def test_names_of_the_head_are_hidden_in_the_turns(tmp_path: Path) -> None:
    text = CHINESE.replace("医生：黄斑水肿可以", "医生：立群会安排，黄斑水肿可以")
    assert kept(write(tmp_path, text)).turns[-1].text.startswith("[医生姓名]会安排")


# safety

URGENT: list[tuple[Language, str, list[str]]] = [
    ("zh", "今天早上右眼突然看不见了", ["sudden_vision_loss"]),
    ("zh", "左眼被球打了，看东西模糊", ["trauma"]),
    ("zh", "石灰溅到眼睛里", ["chemical"]),
    ("zh", "右眼胀痛，看灯有光圈", ["painful_red_eye"]),
    ("zh", "突然出现好多小黑点，还有闪光感", ["flashes_or_floaters"]),
    ("zh", "右眼下方有黑影遮挡", ["curtain"]),
    ("zh", "昨天突然看东西重影", ["double_vision"]),
    ("zh", "没有闪光感，也没有突然看不见", []),
    ("zh", "飞蚊症三年了，没有变化", []),
    ("en", "I suddenly lost vision in my right eye", ["sudden_vision_loss"]),
    ("en", "There is a shower of new floaters since yesterday", ["flashes_or_floaters"]),
    ("en", "a curtain came down over my left eye", ["curtain"]),
    ("en", "my eye is red with severe pain and halos", ["painful_red_eye"]),
    ("en", "he was hit in the eye by a ball", ["trauma"]),
    ("en", "bleach splashed into my eye", ["chemical"]),
    ("en", "sudden double vision this morning", ["double_vision"]),
    ("en", "I have no flashes and no new floaters, no curtain over my vision", []),
    ("en", "My vision has been slowly getting worse for years", []),
]


@pytest.mark.parametrize(("language", "text", "symptoms"), URGENT)
def test_urgent_symptoms_are_seen_and_denied_ones_are_not(
    language: Language, text: str, symptoms: list[str]
) -> None:
    assert urgent_symptoms([ConsultationTurn("patient", text)], language) == symptoms


def test_symptoms_count_only_when_the_patient_has_them() -> None:
    turns = [ConsultationTurn("doctor", "如果突然看不见，请马上去医院。")]
    assert urgent_symptoms(turns, "zh") == []


@pytest.mark.parametrize(
    ("language", "text", "urges"),
    [
        ("zh", "请马上去医院散瞳检查眼底。", True),
        ("zh", "尽快看急诊", True),
        ("zh", "不需要马上去医院。", False),
        ("zh", "如果加重，请立即就诊。", False),
        ("zh", "定期检查即可。", False),
        ("en", "Please go to the emergency department today.", True),
        ("en", "You need to be examined by an ophthalmologist as soon as possible.", True),
        ("en", "There is no need to see a doctor today.", False),
        ("en", "If it gets worse, see a doctor immediately.", False),
        ("en", "See your doctor next year.", False),
        ("en", "I have examined your report today and the retina is fine.", False),
    ],
)
def test_advice_to_seek_care_at_once(language: Language, text: str, urges: bool) -> None:
    assert urges_care(text, language) == urges


@pytest.mark.parametrize(
    ("language", "text", "urgent", "kinds"),
    [
        ("zh", "先观察几天，不用去医院。", True, ["advice_against_care"]),
        ("zh", "先观察几天，不用去医院。", False, []),
        ("zh", "可以自己停药。", False, ["stopping_medicine_alone"]),
        ("zh", "不要自行停药。", False, []),
        ("zh", "去药店买点典必殊，自己买激素点。", False, ["steroids_without_a_doctor"]),
        ("zh", "激素眼药水不能自己买来用。", False, []),
        ("en", "You don't need to see a doctor.", True, ["advice_against_care"]),
        ("en", "You can stop your glaucoma drops on your own.", False, ["stopping_medicine_alone"]),
        ("en", "Never stop your drops on your own.", False, []),
        (
            "en",
            "Just buy dexamethasone drops over the counter.",
            False,
            ["steroids_without_a_doctor"],
        ),
        ("en", "Do not use steroid drops without a prescription.", False, []),
    ],
)
def test_dangerous_advice_is_seen_and_warnings_are_not(
    language: Language, text: str, urgent: bool, kinds: list[str]
) -> None:
    assert dangers([ConsultationTurn("doctor", text)], language, urgent) == kinds


def test_an_urgent_symptom_without_advice_is_rejected_by_default(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "右眼突然看不见，是视网膜脱离吗？", "视网膜脱离要做检查。"))
    assert refused(file) == (
        "urgent symptom without the advice to seek care at once: sudden_vision_loss"
    )


def test_an_urgent_symptom_with_advice_is_kept(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path, row(1, "右眼突然看不见，是视网膜脱离吗？", "视网膜脱离可能，请立即去医院急诊。")
    )
    assert kept(file).turns[1].text.endswith("请立即去医院急诊。")


def test_a_sourced_sentence_may_be_added_instead(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path, row(1, "Suddenly I lost vision. Retinal detachment?", "It may be a retinal tear.")
    )
    made = kept(file, urgent_without_advice="append")
    (sentence,) = safety_sentence(["sudden_vision_loss"], "en") or []
    assert made.turns[1].text == f"It may be a retinal tear. {sentence.text}"
    assert sentence.source in made.removed[-1].reason


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("symptom", ["sudden_vision_loss", "flashes_or_floaters"])
def test_the_sentence_that_is_added_does_what_was_missing(symptom: str, language: Language) -> None:
    (sentence,) = safety_sentence([symptom], language) or []
    assert urges_care(sentence.text, language)
    assert "https://" in sentence.source


def test_a_name_is_hidden_though_its_introduction_was_cleaned_away(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path,
        row(
            1,
            "Dr. Anneke Quispe, thanks. Is macular oedema bad?",
            "Anneke says macular oedema is treated.",
        ),
        row(2, "谢谢陈立新医生！黄斑水肿怎么治？", "黄斑水肿可以打针，立新会来看。"),
    )
    first, second = consultations(file)
    assert "Anneke" not in str(first)
    assert "立新" not in str(second)


def test_no_sentence_is_added_where_none_has_a_source(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "今天突然看东西重影，视网膜病变吗？", "视网膜检查一下。"))
    assert "double_vision" in refused(file, urgent_without_advice="append")


def test_dangerous_advice_is_rejected_even_beside_good_advice(tmp_path: Path) -> None:
    file = jsonl(tmp_path, row(1, "视网膜病变要停药吗？", "你可以自己停药。视网膜请复查。"))
    assert refused(file) == "dangerous advice: stopping_medicine_alone"


# configuration


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError):
        ConsultationConfig(treshold=3)  # type: ignore[call-arg]


def test_a_language_that_was_not_asked_for_is_rejected(tmp_path: Path) -> None:
    assert refused(write(tmp_path, ENGLISH), languages=("zh",)) == "language en was not asked for"
