"""Words that turn a mention into a claim, or into none: negation, doubt, contrast."""

from __future__ import annotations

from collections.abc import Mapping

from fundoscope.records import Language

CUES: Mapping[Language, Mapping[str, tuple[str, ...]]] = {
    "en": {
        # "no X", "without X": denies what follows, up to the end of the clause
        "deny": (
            "no", "without", "absence of", "free of", "negative for", "lacks", "neither", "nor",
            "no sign of", "no signs of", "no evidence of", "none of", "rules out", "not",
            "does not show", "is not", "are not", "was not", "were not", "never", "cannot be seen",
        ),
        # "X is absent": denies what stands before it in the clause
        "absent": (
            "is absent", "are absent", "absent", "not present", "not seen", "not found",
            "not visible", "not detected", "is not present", "are not present", "is not seen",
            "are not seen", "was not found", "were not found", "were not seen", "was not seen",
            "ruled out", "none", "not apparent", "none outlined", "not marked", "none was outlined",
            "none were outlined",
        ),
        "doubt": (
            "suspected", "not certain", "uncertain", "suspicion of",
            "suspicious for", "possible", "possibly", "may", "might",
            "could be", "probable", "probably", "likely", "cannot be excluded", "cannot exclude",
            "can not be excluded", "suggestive of", "questionable",
        ),
        # nobody looked, or no figure is to be had
        "unknown": (
            "not assessed", "not measured", "not graded", "not recorded", "not outlined",
            "not labelled", "not looked for", "unmeasured", "unknown", "could not be measured",
            "cannot be measured", "was not measured", "were not measured", "was not assessed",
            "were not assessed", "is not recorded", "was not recorded", "was not graded",
            "were not graded", "were not outlined", "was not outlined", "is not known",
            "no measurement of", "no measurements of", "no figure for", "no figures for",
            "no grade for", "no grading of", "no information on", "no information about",
            "nothing is recorded about", "nothing was recorded about", "i cannot tell",
            "cannot be told", "cannot say", "was not looked for", "were not looked for",
            "not been assessed", "not been measured", "not been graded", "not been recorded",
            "not been outlined", "cannot be given", "no statement on", "no statement about",
        ),
        # what follows is not asserted
        "aside": (
            "does not mean", "do not mean", "is not the same as", "says nothing about",
            "say nothing about", "speaks only of",
            "speak only of", "covers only", "does not rule out",
            "whether", "not a statement about", "neither proves nor excludes", "does not prove",
            "does not establish", "not enough to say",
        ),
        "except": ("other than", "except", "except for", "apart from", "aside from", "besides"),
        "contrast": (
            "but", "however", "whereas", "while", "although", "though", "yet", "nevertheless",
        ),
        "grade_word": ("grade", "graded", "level", "category", "stage", "class"),
        "quality_word": ("quality", "image quality", "picture quality", "photographic quality"),
        "eye_word": ("eye side", "side of the eye", "which eye", "laterality", "left or right"),
        "left_eye": ("left eye", "left fundus", "oculus sinister", "os eye"),
        "right_eye": ("right eye", "right fundus", "oculus dexter", "od eye"),
        "cover_word": ("cover", "covers", "covering", "occupy", "occupies", "occupying", "area"),
        # says that something is as it should be, whatever it is
        "normal_word": (
            "normal", "healthy", "unremarkable", "within normal limits", "in good health",
        ),
        "sure": ("without doubt", "without any doubt", "no doubt", "not only"),
        "respectively": ("respectively",),
        "span_word": ("from", "scale of", "out of", "runs from", "ranges from"),
    },
    "zh": {
        "deny": (
            "无", "没有", "未见", "未见到", "未发现", "未检出", "未看到", "不存在", "未提示",
            "不伴",
            "排除", "未见明显", "无明显", "没有发现", "没有见到", "未显示", "并非", "不是",
            "均未见",
        ),
        "absent": ("阴性", "均不存在", "未见异常征象", "均为阴性", "未出现", "一处也没有"),
        "doubt": (
            "疑似", "可疑", "尚不确定", "不确定", "怀疑", "可能", "不排除", "不能排除", "待排",
            "倾向于",
        ),
        "unknown": (
            "未评估", "未测量", "未作评估", "未做评估", "未进行评估", "未进行测量", "没有测量",
            "没有评估", "没有分级", "没有记录", "没有勾画", "无法测量", "未能测量", "未记录",
            "未分级",
            "未勾画", "未标注", "无法判断", "无法得知", "不清楚", "不知道", "无从得知", "未检查",
            "无法给出", "没有关于", "没有相关记录", "没有查看", "未作标注", "未作分级", "未作记录",
            "未作测量", "未被评估", "无法说明", "没有标注",
        ),
        "aside": (
            "不等于", "不代表", "不意味着", "并不说明", "没有说明", "只说明", "只针对", "仅针对",
            "仅涉及", "只涉及", "是否", "不能证明", "不足以说明",
        ),
        "except": ("除了", "除", "以外", "之外"),
        "contrast": ("但", "但是", "不过", "然而", "而", "却"),
        "grade_word": ("级", "分级为", "等级", "类", "级别"),
        "quality_word": ("质量", "图像质量", "成像质量", "照片质量", "画质"),
        "eye_word": ("眼别", "左眼还是右眼", "哪只眼", "哪一只眼"),
        "left_eye": ("左眼",),
        "right_eye": ("右眼",),
        "cover_word": ("占", "覆盖", "面积"),
        "normal_word": ("正常", "健康", "无异常", "未见异常", "在正常范围内"),
        "sure": ("毫无疑问", "无疑", "不仅"),
        "respectively": ("分别为", "分别是", "分别"),
        "span_word": ("从", "范围"),
    },
}  # fmt: skip
"""Cue phrases by language and by what they do."""

SEVERITIES: Mapping[int, Mapping[Language, tuple[str, ...]]] = {
    1: {"en": ("mild",), "zh": ("轻度",)},
    2: {"en": ("moderate",), "zh": ("中度",)},
    3: {"en": ("severe",), "zh": ("重度",)},
    4: {"en": ("proliferative",), "zh": ("增殖期", "增殖性")},
}
"""Words of severity that grade diabetic retinopathy when they stand in its clause."""
