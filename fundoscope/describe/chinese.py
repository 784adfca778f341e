"""Statements worded in Chinese. Every wording is read back by `fundoscope.verify.claims`."""

from __future__ import annotations

from collections.abc import Sequence

from fundoscope import terms
from fundoscope.describe.wording import Pick, box_text, number_text
from fundoscope.records import Statement

PICTURE = (
    "这是一张{modality}。",
    "该图像是一张{modality}。",
    "您看到的是一张{modality}。",
    "图片类型为{modality}。",
)
PICTURE_OF_EYE = (
    "这是一张{eye}的{modality}。",
    "该图像是{eye}的{modality}。",
    "您看到的是{eye}的{modality}。",
    "图片为{eye}的{modality}。",
)
EYE = ("这是{eye}。", "照片拍摄的是{eye}。", "眼别为{eye}。")
QUALITY = (
    "图像质量为{words}（{scale}）。",
    "照片质量评为{words}（{scale}）。",
    "就成像质量而言，质量为{words}（{scale}）。",
    "按{scale}，图像质量为{words}。",
)
GRADABILITY = ("该照片被判定为{words}。", "阅片者认为照片{words}。")
GRADE = (
    "按 {scale}，{term}为 {level} 级，即{words}。",
    "{term}的 {scale}为 {level} 级：{words}。",
    "{scale}：{level} 级，{words}。",
)
GRADE_WITHOUT_WORDS = (
    "按 {scale}，{term}为 {level} 级。",
    "{term}的 {scale}为 {level} 级。",
)
GRADE_BY_WORDS = ("{scale}为{words}。", "按{scale}，为{words}。", "{scale}：{words}。")
RISK = (
    "{scale}为 {level} 级：{words}。",
    "{scale}：{level} 级，即{words}。",
)
PRESENT = (
    "所见包括：{names}。",
    "记录到的情况：{names}。",
    "阅片记录为{names}。",
    "该眼可见{names}。",
)
PRESENT_NORMAL = ("阅片结论为{names}。", "阅片者描述为{names}。", "记录为{names}。")
PRESENT_ABNORMAL = ("存在异常。", "阅片者发现异常。", "可见异常。")
SUSPECTED = ("疑似{names}。", "可疑{names}，尚不确定。", "阅片者怀疑{names}。")
ABSENT = ("未见{names}。", "没有发现{names}。", "按阅片记录，无{names}。")
NOT_ASSESSED = ("{names}未评估。", "没有评估{names}。", "没有关于{names}的记录。")
MEASURED = (
    "{group}测得{values}。",
    "{group}的测量值：{values}。",
    "测量结果（{group}）：{values}。",
)
MEASURED_ALONE = ("测得{values}。", "测量值为：{values}。", "测量结果：{values}。")
UNMEASURED = (
    "{group}没有测量{names}。",
    "{group}{names}未测量。",
    "{group}无法给出{names}的数值。",
)
LESIONS = ("共勾画出 {count} 处{name}", "标注者勾画了 {count} 处{name}", "图中有 {count} 处{name}")
AREA = ("，占照片面积的 {area}", "，合计覆盖照片面积的 {area}")
AREA_ALONE = "勾画的{name}占照片面积的 {area}。"
BOXES = ("{kind}的位置框：{boxes}。", "{kind}位于 {boxes}。", "可在以下位置看到{kind}：{boxes}。")
STRUCTURE = ("{term}位于 {box}（{place}）。", "{term}的位置框为 {box}（{place}）。")
QUALITY_UNKNOWN = ("图像质量未分级。", "没有评估图像质量。")
EYE_UNKNOWN = ("眼别未记录。", "没有记录眼别。")
_EYES = {"left": "左眼", "right": "右眼"}


def picture(modality: Statement | None, eye: Statement | None, pick: Pick) -> str:
    """Word the kind of picture and the eye side."""
    if modality is None:
        assert eye is not None
        if eye.value == "unmeasured":
            return pick(EYE_UNKNOWN)
        return pick(EYE).format(eye=_EYES[str(eye.value)])
    name = terms.term(modality.term).zh[0]
    if eye is None:
        return pick(PICTURE).format(modality=name)
    return pick(PICTURE_OF_EYE).format(modality=name, eye=_EYES[str(eye.value)])


def quality(statement: Statement, pick: Pick) -> str:
    """Word a quality grade."""
    if statement.value == "unmeasured":
        return pick(QUALITY_UNKNOWN)
    scale = terms.scale(statement.scale)
    words = scale.levels[int(str(statement.value))].zh[0]
    options = GRADABILITY if scale.id == "gradable" else QUALITY
    return pick(options).format(words=words, scale=scale.zh[0])


def grade(statement: Statement, pick: Pick) -> str:
    """Word a grade with its scale."""
    scale = terms.scale(statement.scale)
    level = int(str(statement.value))
    if scale.id in ("clinical_dr", "messidor2_dme"):
        options: tuple[str, ...] = GRADE_BY_WORDS
    elif scale.id == "dme_risk":
        options = RISK
    elif scale.id == "messidor_dr":
        options = GRADE_WITHOUT_WORDS
    else:
        options = GRADE
    return pick(options).format(
        term=terms.term(scale.term).zh[0],
        level=level,
        scale=scale.zh[0],
        words=scale.levels[level].zh[0],
    )


def findings(status: str, statements: Sequence[Statement], pick: Pick) -> str:
    """Word findings that share a status."""
    if status == "present" and [s.term for s in statements] == ["normal_fundus"]:
        options: tuple[str, ...] = PRESENT_NORMAL
    elif status == "present" and [s.term for s in statements] == ["abnormality"]:
        options = PRESENT_ABNORMAL
    else:
        options = {"present": PRESENT, "suspected": SUSPECTED, "absent": ABSENT}.get(
            status, NOT_ASSESSED
        )
    return pick(options).format(names="、".join(terms.term(s.term).zh[0] for s in statements))


def measurements(statements: Sequence[Statement], pick: Pick) -> str:
    """Word measured values that share vessels and zone."""
    values = "，".join(f"{terms.quantity(s.term).zh[0]} {number_text(s)}" for s in statements)
    group = _group(statements[0])
    return pick(MEASURED if group else MEASURED_ALONE).format(group=group, values=values)


def _group(statement: Statement) -> str:
    """Return `B 区动脉`, or nothing."""
    zone = {"whole": "全图", "zone_b": "B 区", "zone_c": "C 区"}.get(statement.where, "")
    vessels = {"all": "全部血管", "arteries": "动脉", "veins": "静脉"}.get(statement.of, "")
    return zone + vessels


def unmeasured(statements: Sequence[Statement], pick: Pick) -> str:
    """Word quantities that have no value."""
    names = "、".join(terms.quantity(s.term).zh[0] for s in statements)
    group = _group(statements[0])
    return pick(UNMEASURED).format(group=f"{group}：" if group else "", names=names)


def lesions(count: Statement | None, area: Statement | None, pick: Pick) -> str:
    """Word how many lesions of a kind are outlined, and how much they cover."""
    if count is None:
        assert area is not None
        return AREA_ALONE.format(name=terms.term(area.term).zh[0], area=number_text(area))
    text = pick(LESIONS).format(count=count.value, name=terms.term(count.term).zh[0])
    if area is not None:
        text += pick(AREA).format(area=number_text(area))
    return f"{text}。"


def boxes(statements: Sequence[Statement], pick: Pick) -> str:
    """Word boxes of one kind of lesion with their places."""
    texts = [f"{box_text(s)}（{terms.PLACES[s.where]['zh'][0]}）" for s in statements]
    return pick(BOXES).format(kind=terms.term(statements[0].term).zh[0], boxes="、".join(texts))


def structure(statement: Statement, pick: Pick) -> str:
    """Word where a structure lies."""
    return pick(STRUCTURE).format(
        term=terms.term(statement.term).zh[0],
        box=box_text(statement),
        place=terms.PLACES[statement.where]["zh"][0],
    )
