"""A photograph and its layers as a page shows them: addresses without a server, and SVG."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from fundoscope import terms
from fundoscope.measure.overlay import LESION_COLOURS, VESSEL_COLOURS
from fundoscope.serve.layers import (
    Colour,
    Layer,
    Path,
    Ring,
    data_url,
    jpeg,
    layers_of,
    png,
    shown_pixels,
)
from fundoscope.serve.replies import Seen
from fundoscope.serve.report_words import Words


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer: a picture, shapes, or both."""

    name: str
    picture: str = ""
    """Address of a PNG; empty where there is none."""
    svg: str = ""
    """Shapes, as mark-up that is safe to show."""


@dataclass(frozen=True, slots=True)
class PhotographView:
    """What the templates show of one photograph."""

    number: int
    width: int
    height: int
    photograph: str
    """Address of a JPEG."""
    layers: tuple[LayerView, ...]
    key: tuple[tuple[str, str], ...]
    """(name, CSS colour) of what is told apart by colour."""


def photograph_view(seen: Seen, number: int, words: Words) -> PhotographView:
    """Return a photograph with its layers, `number` from 1."""
    height, width = seen.perceived.view.shape
    layers = layers_of(seen)
    return PhotographView(
        number=number,
        width=width,
        height=height,
        photograph=data_url(jpeg(shown_pixels(seen)), "image/jpeg"),
        layers=tuple(_layer_view(layer, words) for layer in layers),
        key=colour_key(layers, seen, words),
    )


def css_colour(colour: Colour) -> str:
    """Return a colour as CSS writes it: `#f03c32`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _layer_view(layer: Layer, words: Words) -> LayerView:
    picture = data_url(png(layer.picture), "image/png") if layer.picture else ""
    shapes = Markup("").join(_svg(shape, words) for shape in layer.shapes)
    return LayerView(layer.name, picture, shapes)


def _svg(shape: Ring | Path, words: Words) -> Markup:
    """Return a shape as SVG has it, whose origin is the corner of a pixel and not its centre."""
    title = Markup("<title>{}</title>").format(_name(shape.words, words)) if shape.words else ""
    colour = css_colour(shape.colour)
    if isinstance(shape, Ring):
        row, col = shape.centre
        drawn = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" stroke="{}">{}</circle>')
        ring = drawn.format(col + 0.5, row + 0.5, shape.radius_px, colour, title)
        if not shape.words:
            return ring
        label = Markup('<text x="{:.1f}" y="{:.1f}" fill="{}">{}</text>')
        size = shape.words[-1].upper()  # zone_b -> B
        return ring + label.format(col, row - shape.radius_px, colour, size)
    points = "L".join(f"{col + 0.5:g} {row + 0.5:g}" for row, col in shape.points)
    closed = "Z" if shape.closed else ""
    return Markup('<path d="M{}{}" stroke="{}"{}>{}</path>').format(
        points, closed, colour, Markup(' class="filled" fill="{}"').format(colour)
        if shape.words in LESION_COLOURS else "", title,
    )  # fmt: skip


def _name(term: str, words: Words) -> str:
    if term in terms.ZONES:
        return terms.ZONES[term][words.language][0]
    return terms.term(term).names(words.language)[0]


def colour_key(layers: tuple[Layer, ...], seen: Seen, words: Words) -> tuple[tuple[str, str], ...]:
    """Return (name, CSS colour) of what is told apart by colour in these layers."""
    found = []
    if any(layer.name == "artery_vein" for layer in layers):
        found += [(words(of), css_colour(VESSEL_COLOURS[of])) for of in ("arteries", "veins")]
    for kind, mask in seen.masks.lesions.items():
        if mask.any() and kind in LESION_COLOURS:
            found.append((_name(kind, words), css_colour(LESION_COLOURS[kind])))
    return tuple(found)
