import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.converse.transcript import Unreadable, read_transcript
from fundoscope.records import Turn


def read(text, language="en"):
    return [(turn.question, turn.answer) for turn in read_transcript(text, language)]


def refused(text, language="en"):
    with pytest.raises(Unreadable) as caught:
        read_transcript(text, language)
    return caught.value


TWO = [("What is this?", "A photograph."), ("And its quality?", "It is good.")]
TWO_ZH = [("这是什么？", "一张照片。"), ("质量如何？", "良好。")]


# forms, each written by hand as models write them; @1 to @4 stand for what is said


def filled(text, turns):
    for number, said in enumerate((said for turn in turns for said in turn), 1):
        text = text.replace(f"@{number}", said)
    return text


@pytest.mark.parametrize(
    "text",
    [
        "User: @1\nAssistant: @2\nUser: @3\nAssistant: @4",
        "USER: @1\r\nASSISTANT: @2\r\n\r\nuser : @3\r\nassistant : @4\r\n",
        "\ufeff\n  Human: @1\n  GPT: @2\n  Human: @3\n  GPT: @4\u00a0\n",
        "**User:** @1\n\n**Assistant:** @2\n\n**User:** @3\n\n**Assistant:** @4",
        "**User**: @1\n**Assistant**: @2\n**User**: @3\n**Assistant**: @4",
        "*User:* @1\n*Assistant:* @2\n*User:* @3\n*Assistant:* @4",
        "__User__: @1\n__Assistant__: @2\n__User__: @3\n__Assistant__: @4",
        "**User: @1**\nAssistant: @2\n**User: @3**\nAssistant: @4",
        "### User\n@1\n\n### Assistant\n@2\n\n### User\n@3\n\n### Assistant\n@4",
        "## **User:**\n@1\n## **Assistant:**\n@2\n## **User:**\n@3\n## **Assistant:**\n@4",
        "User:\n@1\nAssistant:\n@2\nUser:\n@3\nAssistant:\n@4",
        "- **User:** @1\n- **Assistant:** @2\n- **User:** @3\n- **Assistant:** @4",
        "* User: @1\n* Assistant: @2\n* User: @3\n* Assistant: @4",
        "1. User: @1\n   Assistant: @2\n2. User: @3\n   Assistant: @4",
        "1) Q: @1\nA: @2\n2) Q: @3\nA: @4",
        "Q1: @1\nA1: @2\nQ2: @3\nA2: @4",
        "Q1. @1\nA1. @2\nQ2. @3\nA2. @4",
        "**Question 1:** @1\n**Answer 1:** @2\n**Question 2:** @3\n**Answer 2:** @4",
        "Patient: @1\nDoctor: @2\nPatient: @3\nDoctor: @4",
        "User: @1\nModel: @2\nUser: @3\nModel: @4",
        "Turn 1\nUser: @1\nAssistant: @2\n\nTurn 2\nUser: @3\nAssistant: @4",
        "**Turn 1**\n\nUser: @1\nAssistant: @2\n\n---\n\n"
        "**Turn 2:**\n\nUser: @3\nAssistant: @4\n\n---",
        "Turn 1 - User: @1\nTurn 1 - Assistant: @2\nTurn 2 - User: @3\nTurn 2 - Assistant: @4",
        "User (Turn 1): @1\nAssistant (Turn 1): @2\nUser (Turn 2): @3\nAssistant (Turn 2): @4",
        "> **User:** @1\n>\n> **Assistant:** @2\n>\n> **User:** @3\n>\n> **Assistant:** @4",
        "```\nUser: @1\nAssistant: @2\nUser: @3\nAssistant: @4\n```\nLet me know!",
        "<|user|>\n@1\n<|assistant|>\n@2\n<|user|>\n@3\n<|assistant|>\n@4",
        "[User]: @1\n[Assistant]: @2\n[User]: @3\n[Assistant]: @4",
        'User: "@1"\nAssistant: "@2"\nUser: “@3”\nAssistant: “@4”',
        "Sure! Here is the conversation:\n\nUser: @1\nAssistant: @2\nUser: @3\nAssistant: @4\n\n"
        "Let me know if you would like changes.",
        "User: @1\nAssistant: @2\nUser: @3\nAssistant: @4\n\n---\n"
        "*This dialogue keeps to what was given.*\nI hope this helps.",
        "<think>\nUser: a draft\nAssistant: of it\n</think>\n\n"
        "User: @1\nAssistant: @2\nUser: @3\nAssistant: @4",
        "User: @1 Assistant: @2 User: @3 Assistant: @4",
        "User: @1 **Assistant:** @2\nUser: @3 **Assistant:** @4",
        r"User: @1\nAssistant: @2\nUser: @3\nAssistant: @4",
    ],
)  # fmt: skip
def test_the_same_two_turns_are_read_in_every_form(text):
    assert read(filled(text, TWO)) == TWO


@pytest.mark.parametrize(
    "text",
    [
        "用户：@1\n助手：@2\n用户：@3\n助手：@4",
        "**用户**：@1\n\n**助手**：@2\n\n**用户：** @3\n\n**助手：** @4",
        "问：@1\n答：@2\n问：@3\n答：@4",
        "问题1：@1\n回答1：@2\n问题2：@3\n回答2：@4",
        "问题一：@1\n答案一：@2\n问题二：@3\n答案二：@4",
        "患者：@1\n医生：@2\n患者：@3\n医生：@4",
        "人类: @1\n模型: @2\n人类: @3\n模型: @4",
        "好的，以下是对话：\n\n第1轮\n用户：@1\n助手：@2\n\n第2轮\n用户：@3\n助手：@4\n\n以上是对话。",
        "**第一轮对话**\n【用户】：@1\n【助手】：@2\n**第二轮对话**\n【用户】：@3\n【助手】：“@4”",
        "### 用户\n@1\n### 助手\n@2\n### 用户\n@3\n### 助手\n@4\n\n如需修改，请告诉我。",
        "User: @1\nAssistant: @2\nUser: @3\nAssistant: @4",
        "用户：@1助手：@2用户：@3助手：@4",
    ],
)  # fmt: skip
def test_the_same_two_turns_are_read_in_every_chinese_form(text):
    assert read(filled(text, TWO_ZH), "zh") == TWO_ZH


def json_forms():
    (q1, a1), (q2, a2) = TWO
    pairs = [{"question": q1, "answer": a1}, {"question": q2, "answer": a2}]
    sides = [("human", q1), ("gpt", a1), ("human", q2), ("gpt", a2)]
    shapes = [
        {"turns": pairs},
        pairs,
        {"conversations": [{"from": who, "value": said} for who, said in sides]},
        [{"from": who, "value": said} for who, said in sides],
        {"messages": [{"role": who, "content": said} for who, said in sides]},
        [{"role": "system", "content": "Be brief."}]
        + [{"role": who, "content": [{"type": "text", "text": said}]} for who, said in sides],
        [{"user": q1, "assistant": a1}, {"user": q2, "assistant": a2}],
        {"turn_1": {"User": q1, "Assistant": a1}, "turn_2": {"User": q2, "Assistant": a2}},
        {"Q1": q1, "A1": a1, "Q2": q2, "A2": a2},
        {"对话": [{"问题": q1, "回答": a1}, {"问题": q2, "回答": a2}]},
        {"result": {"dialogue": [{"speaker": who, "text": said} for who, said in sides]}},
        [[q1, a1], [q2, a2]],
        ["User: " + q1, "Assistant: " + a1, "User: " + q2, "Assistant: " + a2],
        {"turns": [{"question": f"User: {q}", "answer": f"Assistant: {a}"} for q, a in TWO]},
        {"id": "x", "count": 2, "turns": [{"id": 1} | pairs[0], {"id": 2} | pairs[1]]},
    ]
    for shape in shapes:
        yield json.dumps(shape)
        yield "```json\n" + json.dumps(shape, indent=2, ensure_ascii=False) + "\n```"
    lines = "\n".join(map(json.dumps, pairs))
    yield lines
    yield "Here is the JSON you asked for:\n" + json.dumps(shapes[0]) + "\nLet me know."
    yield 'Here it is: {"turns": ' + json.dumps(pairs) + "}"
    yield "<think>hm {</think>" + json.dumps(shapes[0])


@pytest.mark.parametrize("text", list(json_forms()))
def test_json_is_read_in_many_shapes(text):
    assert read(text) == TWO


# what must not be lost


def test_an_answer_over_several_lines_is_kept_whole():
    answer = "Two kinds are outlined.\n\n- 3 haemorrhages\n- 2 hard exudates\n\nNo more."
    text = f"User: Lesions?\nAssistant: {answer}\nUser: Else?\nAssistant: No."
    assert read(text)[0][1] == answer


def test_a_nested_list_keeps_its_depth_below_a_bullet_with_the_role():
    text = "- User: Lesions?\n- Assistant: These:\n  - retina\n    - centre"
    assert read(text) == [("Lesions?", "These:\n- retina\n  - centre")]


def test_a_table_in_an_answer_is_left_as_it_is():
    table = "| quantity | value |\n|---|---|\n| vessel density | 0.12 |"
    assert read(f"User: Values?\nAssistant: Here:\n\n{table}")[0][1] == f"Here:\n\n{table}"


def test_code_in_an_answer_is_left_as_it_is():
    answer = "So:\n```\nuser\n  a,\nb\n```\nDone."
    assert read(f"User: How?\nAssistant: {answer}")[0][1] == answer


def test_a_sentence_cut_by_a_line_break_is_one_sentence_again():
    text = (
        "User: Vessels?\nAssistant: In the whole photograph the fractal dimension is\n"
        "1.45, and the\nvessel density is 0.12."
    )
    assert read(text)[0][1] == (
        "In the whole photograph the fractal dimension is 1.45, and the vessel density is 0.12."
    )
    assert read("用户：血管？\n助手：分形维数为\n1.45，\n血管密度为 0.12。", "zh")[0][1] == (
        "分形维数为 1.45，血管密度为 0.12。"
    )


def test_labels_within_an_answer_are_no_speakers():
    answer = "Two.\nModel: TRC-50.\nAnswer: unknown.\nA: arteries\nPatient: not named."
    text = f"User: What is it?\nAssistant: {answer}\nUser: Else?\nAssistant: No."
    assert read(text) == [("What is it?", answer), ("Else?", "No.")]


def test_plain_names_count_even_where_another_name_comes_first():
    text = "Answer: as you asked.\n\nUser: a?\nAssistant: b\nUser: c?\nAssistant: d"
    assert read(text) == [("a?", "b"), ("c?", "d")]


def test_letters_that_count_a_list_are_no_speakers():
    text = "Q: Which?\nA: Two kinds.\nA. Arteries.\nQ. None of the rest."
    assert read(text) == [("Which?", "Two kinds.\nA. Arteries.\nQ. None of the rest.")]


def test_bold_words_at_the_start_of_an_answer_stay_bold():
    assert read("**User:** Is it?\n**Assistant:** **Yes**, it is.")[0][1] == "**Yes**, it is."


def test_a_box_at_the_start_of_an_answer_is_not_taken_for_json():
    text = "User: Where?\nAssistant:\n[0.1000, 0.2000, 0.3000, 0.4000] holds it."
    assert read(text) == [("Where?", "[0.1000, 0.2000, 0.3000, 0.4000] holds it.")]


def test_quotes_within_a_text_stay():
    text = 'User: What does "ICDR" mean?\nAssistant: "ICDR" is a scale, and so is "EyeQ"'
    assert read(text)[0] == ('What does "ICDR" mean?', '"ICDR" is a scale, and so is "EyeQ"')


@pytest.mark.parametrize(
    "question",
    ["<image>\nWhat is this?", "What is this?\n<image>", "<image> What is this? <IMAGE> <image>"],
)
def test_the_image_mark_is_taken_from_the_first_question(question):
    text = f"User: {question}\nAssistant: A photograph."
    assert read(text) == [("What is this?", "A photograph.")]
    assert read(json.dumps([{"question": question, "answer": "A photograph."}])) == read(text)


def test_the_image_mark_elsewhere_is_left_for_the_check_to_refuse():
    text = "User: What?\nAssistant: This.\nUser: <image> And?\nAssistant: No."
    assert read(text)[1][0] == "<image> And?"


def test_a_last_answer_that_ends_with_a_plain_remark_keeps_it():
    answer = "They are seen.\n\nNote that this vein turns.\nThe above values hold."
    assert read(f"User: Vessels?\nAssistant: {answer}") == [("Vessels?", answer)]


def test_line_breaks_in_json_are_kept():
    assert read('[{"question": "a?", "answer": "b\\n- c"}]') == [("a?", "b\n- c")]
    assert read('[{"question": "a?", "answer": "b\n- c"}]') == [("a?", "b\n- c")]


# what is refused, and why


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \ufeff\n\u3000", "empty"),
        ("<think>done</think>\n", "empty"),
        ("<think>User: a\nAssistant: b", "thought"),
        ("I am sorry, I cannot help with that.", "no roles"),
        ("The user asks. The assistant answers.", "no roles"),
        ("User: a?\nAssistant: b\nUser: c?", "no answer"),
        ("User: a?\nUser: b?\nAssistant: c", "no answer"),
        ("Assistant: b\nUser: a?\nAssistant: c", "answer first"),
        ("User: a?\nAssistant: b\nAssistant: c", "answer first"),
        ("User: a?\nAssistant:\nUser: c?\nAssistant: d", "empty answer"),
        ("User:\nAssistant: b", "empty question"),
        ('{"turns": [{"question": "a?", "answer": "b"}, {"question": "c', "broken JSON"),
        ('```json\n[{"question": "a?", "answer": "b"},', "broken JSON"),
        ("{" * 5000, "broken JSON"),
        ('{"a":' * 5000, "broken JSON"),
        ('{"turns": []}', "no turns in JSON"),
        ('{"error": "overloaded"}', "no turns in JSON"),
        ('{"turns": [{"question": "a?", "answer": null}]}', "not text"),
        ('{"turns": [{"question": "a?", "answer": 3}]}', "not text"),
        ('{"turns": [{"question": "a?"}]}', "no turns in JSON"),
        ('[{"role": "user", "content": "a?"}]', "no answer"),
    ],
)
def test_what_is_no_conversation_is_refused_with_its_reason(text, kind):
    assert refused(text).kind == kind


def test_the_reason_names_the_turn_and_speaks_the_language():
    text = "User: a?\nAssistant: b\nUser: c?"
    assert refused(text).reason == "question 2 has no answer"
    assert refused(text, "zh").reason == "第 2 个问题没有回答"


# what a released pipeline of this kind lost (measured): its reader, and what it did


def test_headings_instead_of_plain_roles_are_not_written_as_minus_one():
    assert len(read("### User\na?\n### Assistant\nb")) == 1


def test_more_than_the_first_line_of_an_answer_survives():
    assert read("User: a?\nAssistant: first.\nSecond.")[0][1] == "first.\nSecond."


def test_a_missing_last_answer_is_no_data():
    assert refused("User: a?\nAssistant: b\nUser: c?\nAssistant:").kind == "empty answer"


def test_null_content_is_refused_and_not_dropped():
    assert refused(None).reason == "the answer was empty"


# any turns, in any style

WORDS = st.text("abcdef ABC,.%[]0123456789µ眼底血管。“-", min_size=1, max_size=60).map(
    lambda text: f"The {text.strip()}."
)
LISTS = st.lists(WORDS, min_size=2, max_size=4).map(
    lambda items: "These:\n\n" + "\n".join(f"- {item}" for item in items)
)
TABLES = st.lists(WORDS, min_size=1, max_size=3).map(
    lambda rows: "Values:\n\n| what |\n|---|\n" + "\n".join(f"| {row} |" for row in rows)
)
ANSWERS = st.one_of(WORDS, LISTS, TABLES, st.tuples(WORDS, WORDS).map("\n\n".join))
TURNS = st.lists(st.tuples(WORDS.map(lambda t: t[:-1] + "?"), ANSWERS), min_size=1, max_size=6)
ROLES = [
    ("User", "Assistant"), ("Human", "GPT"), ("Q", "A"), ("Question", "Answer"), ("用户", "助手"),
    ("Patient", "Doctor"), ("问", "答"), ("问题", "回答"), ("患者", "医生"), ("人类", "模型"),
]  # fmt: skip
STYLES = [
    lambda who, n, said: f"{who}: {said}",
    lambda who, n, said: f"{who}：{said}",
    lambda who, n, said: f"{who}:\n{said}",
    lambda who, n, said: f"**{who}:** {said}\n",
    lambda who, n, said: f"**{who}**: {said}\n",
    lambda who, n, said: f"### {who}\n\n{said}\n",
    lambda who, n, said: f"#### **{who}:**\n{said}\n",
    lambda who, n, said: f"{who} {n}: {said}",
    lambda who, n, said: f"{who}{n}：{said}",
    lambda who, n, said: f"Turn {n} - {who}: {said}",
    lambda who, n, said: f"**Turn {n}**\n{who}: {said}",
    lambda who, n, said: f"第{n}轮\n{who}：{said}",
    lambda who, n, said: f"{n}. {who}: {said}".replace("\n", "\n   "),
    lambda who, n, said: f"- **{who}:** {said}".replace("\n", "\n  "),
    lambda who, n, said: f"> **{who}:** {said}\n".replace("\n", "\n> "),
    lambda who, n, said: f"---\n{who}: {said}\n",
]
FRAMES = [
    "{}", "Sure! Here it is:\n\n{}", "```\n{}\n```", "{}\n\nLet me know if it helps.",
    "<think>hm</think>{}",
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(TURNS, st.sampled_from(ROLES), st.sampled_from(STYLES), st.sampled_from(FRAMES))
def test_any_turns_in_any_style_are_read_back_equal(turns, roles, style, frame):
    parts = [
        style(who, number, said)
        for number, turn in enumerate(turns, 1)
        for who, said in zip(roles, turn, strict=True)
    ]
    assert read(frame.format("\n".join(parts))) == turns


@settings(deadline=None, max_examples=100)
@given(TURNS, st.sampled_from([None, 2]), st.sampled_from(FRAMES))
def test_any_turns_in_json_are_read_back_equal(turns, indent, frame):
    shape = {"turns": [{"question": q, "answer": a} for q, a in turns]}
    assert read(frame.format(json.dumps(shape, indent=indent))) == turns


@settings(deadline=None, max_examples=300)
@given(st.text(), st.sampled_from(["en", "zh"]))
def test_any_text_is_read_or_refused_and_nothing_else(text, language):
    try:
        turns = read_transcript(text, language)
    except Unreadable as problem:
        assert problem.reason
    else:
        assert turns and all(isinstance(turn, Turn) and turn.answer for turn in turns)


UNITS = [
    "User: ", "User:\n", '{"', "[[", "- ", "1. ", "**User:**\n", "[ ", '{"a":', "问：", "<think>",
    "A, ", "```\n", "it is\n", "a,\n", "Let me know.\n", "---\n", "Turn 1\n", '{"a": 1}', '"a", ',
    "User: a?\nAssistant: b\n", "<image>", "<image> ",
]  # fmt: skip


@pytest.mark.parametrize("unit", [*'#*_>- \n[{"<`:：.1QA用\\\t(', *UNITS])
def test_the_time_does_not_explode_whatever_is_repeated(unit):
    much = unit * (1_000_000 if len(unit) == 1 else 100_000 // len(unit))
    started = time.process_time()
    for text in (much, f"User: a?\nAssistant: b{much}", f"User: {much}\nAssistant: b"):
        with suppress(Unreadable):
            read_transcript(text, "en")
    assert time.process_time() - started < 10  # quadratic would be minutes


def test_a_usual_answer_is_read_in_well_under_a_millisecond():
    text = "\n\n".join(f"User: {q}\n\nAssistant: {a} {a}\n- one\n- two" for q, a in TWO * 3)
    best = 1.0
    for _ in range(30):
        started = time.perf_counter()
        read_transcript(text, "en")
        best = min(best, time.perf_counter() - started)
    assert best < 0.001
