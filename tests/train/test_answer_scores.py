"""Answers are read by whole words, and what cannot be read is wrong."""

import pytest

from fundoscope.train.answer_scores import class_of, score_answers


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("Yes, the image is abnormal.", ("yes or no", "yes")),
        ("No.", ("yes or no", "no")),
        ("Nothing is seen.", None),
        ("Abnormal.", None),
        ("On the ICDR scale this is grade 2: moderate.", ("grade", "2")),
        ("The grade is 0 on the ICDR scale, that is, none.", ("grade", "0")),
        ("Diabetic retinopathy is graded 4 on the ICDR scale.", ("grade", "4")),
        ("Its quality is graded good (owner's grading).", ("quality", "good")),
        ("The image quality is reject.", ("quality", "reject")),
        ("Vertical cup-to-disc ratio 0.327.", None),
        ("没有出血。", ("yes or no", "no")),
        ("有硬性渗出。", ("yes or no", "yes")),
    ],
)
def test_a_class_is_read_by_its_exact_words(answer: str, read) -> None:
    assert class_of(answer) == read


def test_no_is_not_found_inside_abnormal() -> None:
    # upstream's metric counts "Yes, the image is abnormal." as right where the truth is "no"
    scores = score_answers([("no", "Yes, the image is abnormal.")])
    assert scores["yes or no"].right == 0


def test_scores_stand_beside_the_best_constant_answer() -> None:
    truth = ["Yes."] * 3 + ["No."]
    scores = score_answers(zip(truth, ["Yes.", "Yes.", "No.", "No."], strict=True))["yes or no"]
    assert (scores.asked, scores.right, scores.constant_right) == (4, 3, 3)
    assert scores.balanced == pytest.approx((2 / 3 + 1) / 2)
    assert scores.classes["no"].f1 == pytest.approx(2 / 3)


def test_an_answer_that_no_rule_reads_is_wrong_not_left_out() -> None:
    score = score_answers([("Yes.", "Perhaps.")])["yes or no"]
    assert (score.asked, score.right, score.unread) == (1, 0, 1)
