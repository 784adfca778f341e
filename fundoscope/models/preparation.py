"""A photograph made ready for a vision encoder, and what resolution that costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from transformers import CLIPImageProcessorPil

from fundoscope.errors import ModelError, nearest
from fundoscope.perceive.field import Field, Pixels, find_field
from fundoscope.perceive.frames import Frame, frame_of_field, frame_round
from fundoscope.read.photographs import read_pixels

Way = Literal["field", "centre_crop"]
"""`field`: cropped to the field of view and padded to a square, so that all of the retina is
seen. `centre_crop`: the square in the middle of the frame, as released LLaVAs were trained."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photograph as an encoder takes it."""

    values: npt.NDArray[np.float32]
    """Shape (3, S, S), less the mean, divided by the deviation of each colour."""
    px_per_input_px: float
    """Pixels of the photograph in one pixel that the encoder sees, along a line."""
    kept: float
    """Share of the field of view's area, at most 1, that the encoder sees."""

    def told(self) -> str:
        """Return the loss in words."""
        return (
            f"the model sees {self.kept:.0%} of the field of view; one of its pixels is "
            f"{self.px_per_input_px:.1f} of the photograph's, so smaller lesions are lost to it"
        )


@dataclass(frozen=True)
class Preparation:
    """How photographs are made ready: a size, a way, and the encoder's constants."""

    side_px: int
    way: Way = "field"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self) -> None:
        if self.way not in get_args(Way):
            raise ModelError(
                f"no way {self.way!r} to prepare photographs", mend=nearest(self.way, get_args(Way))
            )

    @classmethod
    def of_folder(cls, folder: Path, way: Way) -> Preparation:
        """Return the preparation that a model's folder describes."""
        if (
            not (folder / "preprocessor_config.json").is_file()
            and not (folder / "processor_config.json").is_file()
        ):
            raise ModelError(
                "no preprocessor_config.json says how photographs are prepared",
                where=str(folder),
                mend="copy that of the vision encoder there",
            )
        held = CLIPImageProcessorPil.from_pretrained(folder)
        side = held.crop_size["height"] if held.crop_size else held.size["shortest_edge"]
        return cls(side, way, tuple(held.image_mean), tuple(held.image_std))

    def constants(self) -> Any:
        """Return the constants as transformers keeps them."""
        return CLIPImageProcessorPil(
            size={"shortest_edge": self.side_px},
            crop_size={"height": self.side_px, "width": self.side_px},
            image_mean=list(self.mean),
            image_std=list(self.std),
        )

    def prepared(self, photograph: Path | Pixels) -> Prepared:
        """Return a photograph made ready.

        Parameters
        ----------
        photograph : Path, or uint8 array, shape (H, W, 3)

        Raises
        ------
        PhotographError
            If it is missing, no image, or too large to be safe.
        """
        pixels = read_pixels(photograph) if isinstance(photograph, Path) else photograph
        field = find_field(pixels)
        if self.way == "field":
            return self._by_field(pixels, field)
        return self._by_centre(pixels, field)

    def _by_field(self, pixels: Pixels, field: Field) -> Prepared:
        frame = field_frame(pixels, field, self.side_px)
        cut = frame.cut(pixels).astype(np.float32) / 255
        values = (cut - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return Prepared(np.ascontiguousarray(values.transpose(2, 0, 1)), 1 / frame.scale, 1.0)

    def _by_centre(self, pixels: Pixels, field: Field) -> Prepared:
        made = self.constants()(pixels, return_tensors="np", input_data_format="channels_last")
        height, width = pixels.shape[:2]
        side = min(height, width)
        seen = field.mask((height, width))
        top, left = (height - side) // 2, (width - side) // 2
        inside = seen[top : top + side, left : left + side]
        kept = float(inside.sum() / max(1, seen.sum()))
        return Prepared(made["pixel_values"][0].astype(np.float32), side / self.side_px, kept)


def field_frame(pixels: Pixels, field: Field, size_px: int) -> Frame:
    """Return the square round the field of view; round the whole frame where none was found."""
    height, width = pixels.shape[:2]
    if field.whole_frame:
        centre = (height / 2, width / 2)
        return frame_round(centre, max(height, width), (height, width), size_px)
    return frame_of_field(field, (height, width), size_px)
