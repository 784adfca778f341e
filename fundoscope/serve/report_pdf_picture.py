"""A photograph with its layers on a page of PDF: pixels as a picture, shapes as lines."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.platypus import Flowable  # type: ignore[import-untyped]

from fundoscope.serve.layers import Layer, Path, Ring, jpeg, layers_of, shown_pixels
from fundoscope.serve.photograph_views import colour_key, css_colour
from fundoscope.serve.replies import Seen
from fundoscope.serve.report_words import Words

DRAWN = ("artery_vein", "disc_cup", "fovea", "lesions", "zones")
"""Layers that a page shows; the others would hide them."""
VESSEL_OPACITY = 0.6
HIGHEST_PT = 300.0
GAP_PT = 10.0


class Picture(Flowable):
    """The photograph beside itself with its outlines, and what the colours mean."""

    def __init__(self, seen: Seen, words: Words, width_pt: float, font: str) -> None:
        super().__init__()
        self.seen, self.font = seen, font
        self.layers = [layer for layer in layers_of(seen) if layer.name in DRAWN]
        self.key = colour_key(tuple(self.layers), seen, words)
        rows, cols = seen.perceived.view.shape
        self.width = width_pt
        side = (width_pt - GAP_PT) / 2 if self.layers else width_pt
        self.per_px = min(side / cols, HIGHEST_PT / rows)
        self.size = (cols * self.per_px, rows * self.per_px)
        self.height = self.size[1] + 24

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return the room that it takes, points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw it with its lower left corner at the origin."""
        pixels = shown_pixels(self.seen)
        width, height = self.size
        bottom = 16.0
        self.canv.drawImage(_reader(jpeg(pixels)), 0, bottom, width, height)
        if not self.layers:
            return
        photograph = Image.fromarray(pixels)
        for layer in self.layers:
            if layer.picture:
                over = layer.picture.convert("RGBA")
                alpha = over.getchannel("A").point(lambda a: round(a * VESSEL_OPACITY))
                photograph.paste(over.convert("RGB"), (0, 0), alpha)
        left = width + GAP_PT
        self.canv.drawImage(_reader(_as_jpeg(photograph)), left, bottom, width, height)
        self.canv.saveState()
        self.canv.translate(left, bottom)
        clip = self.canv.beginPath()
        clip.rect(0, 0, width, height)
        self.canv.clipPath(clip, stroke=0)
        for layer in self.layers:
            self._shapes(layer)
        self.canv.restoreState()
        self._draw_key()

    def _at(self, row: float, col: float) -> tuple[float, float]:
        return (col + 0.5) * self.per_px, self.size[1] - (row + 0.5) * self.per_px

    def _shapes(self, layer: Layer) -> None:
        self.canv.setLineWidth(0.6)
        for shape in layer.shapes:
            self.canv.setStrokeColor(css_colour(shape.colour))
            if isinstance(shape, Ring):
                self.canv.circle(*self._at(*shape.centre), shape.radius_px * self.per_px)
            else:
                self.canv.drawPath(self._path(shape))

    def _path(self, shape: Path) -> Any:
        path = self.canv.beginPath()
        path.moveTo(*self._at(*shape.points[0]))
        for point in shape.points[1:]:
            path.lineTo(*self._at(*point))
        if shape.closed:
            path.close()
        return path

    def _draw_key(self) -> None:
        """Draw what the colours mean, below the right picture, or wherever there is room."""
        rooms = [17 + self.canv.stringWidth(name, self.font, 7) for name, _ in self.key]
        x = max(0.0, min(self.size[0] + GAP_PT, self.width - sum(rooms)))
        for (name, colour), room in zip(self.key, rooms, strict=True):
            self.canv.setFillColor(colour)
            self.canv.rect(x, 4, 6, 6, stroke=0, fill=1)
            self.canv.setFillColor("#515e5a")
            self.canv.setFont(self.font, 7)
            self.canv.drawString(x + 9, 4.5, name)
            x += room


def _as_jpeg(photograph: Image.Image) -> bytes:
    stream = io.BytesIO()
    photograph.save(stream, "JPEG", quality=88)
    return stream.getvalue()


def _reader(content: bytes) -> ImageReader:
    return ImageReader(io.BytesIO(content))
