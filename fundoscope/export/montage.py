"""One picture of several records: photographs with the boxes of their lesions, and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.records import Box, Record
from fundoscope.terms import scale, term

Colour = tuple[int, int, int]

COLOURS: Mapping[str, Colour] = {
    "microaneurysm": (86, 180, 233),
    "haemorrhage": (255, 255, 255),
    "hard_exudate": (0, 220, 130),
    "soft_exudate": (204, 121, 255),
    "lacquer_crack": (240, 228, 66),
    "choroidal_neovascularisation": (255, 150, 0),
    "fuchs_spot": (255, 110, 180),
    "optic_disc": (60, 90, 255),
}
"""By kind of box; told apart also by readers who see red and green alike."""
OTHER_COLOUR: Colour = (190, 190, 190)

TILE_PX = 440
CAPTION_PX = 62
MARGIN_PX = 14
LEGEND_PX = 46
PAPER: Colour = (18, 18, 20)
TEXT: Colour = (235, 235, 235)
FAINT: Colour = (160, 160, 165)


def draw_montage(records: Sequence[Record], folder: Path, out: Path, columns: int = 3) -> Path:
    """Draw photographs with their boxes, a caption under each and a legend below all.

    Parameters
    ----------
    records : sequence of Record
        Each with a photograph; at least one.
    folder : Path
        What the records' `photograph.file` is relative to.
    out : Path
        A PNG; its folder must be there.
    columns : int

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ConfigError
        If there is no record, or a record without a photograph.
    PhotographError
        If a photograph cannot be read.
    """
    if not records or columns < 1:
        raise ConfigError(
            f"{len(records)} records in {columns} columns",
            where="drawing a montage",
            mend="pass at least one record and at least one column",
        )
    columns = min(columns, len(records))
    lines = -(-len(records) // columns)
    wide = columns * (TILE_PX + MARGIN_PX) + MARGIN_PX
    high = lines * (TILE_PX + CAPTION_PX + MARGIN_PX) + MARGIN_PX
    kinds = _kinds(records)
    legend = _legend(kinds, wide)
    sheet = Image.new("RGB", (wide, high + legend.height), PAPER)
    for number, record in enumerate(records):
        line, column = divmod(number, columns)
        left = MARGIN_PX + column * (TILE_PX + MARGIN_PX)
        top = MARGIN_PX + line * (TILE_PX + CAPTION_PX + MARGIN_PX)
        sheet.paste(_tile(record, folder), (left, top))
    sheet.paste(legend, (0, high))
    return _write(sheet, out)


def _write(sheet: Image.Image, out: Path) -> Path:
    partial = out.with_name(out.name + ".partial")
    sheet.save(partial, format="PNG", optimize=True)
    return partial.replace(out)


def _tile(record: Record, folder: Path) -> Image.Image:
    """A photograph scaled into its square, boxes drawn on it, two lines of caption below."""
    tile = Image.new("RGB", (TILE_PX, TILE_PX + CAPTION_PX), PAPER)
    photograph = _read(record, folder)
    shrink = TILE_PX / max(photograph.size)
    size = (round(photograph.width * shrink), round(photograph.height * shrink))
    left, top = (TILE_PX - size[0]) // 2, (TILE_PX - size[1]) // 2
    tile.paste(photograph.resize(size, Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(tile)
    for kind, box in _boxes(record):
        draw.rectangle(_around(box, size, left, top), outline=_colour(kind), width=2)
    _caption(draw, record)
    return tile


def _read(record: Record, folder: Path) -> Image.Image:
    if not record.photograph.file:
        raise ConfigError(
            f"the record {record.key} has no photograph",
            where="drawing a montage",
            mend="read the source with its photographs, not with its labels only",
        )
    file = folder / record.photograph.file
    try:
        with Image.open(file) as image:
            image.draft("RGB", (2 * TILE_PX, 2 * TILE_PX))
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise PhotographError(
            f"the photograph cannot be read: {problem}",
            where=str(file),
            mend="check the folder and the file",
        ) from problem


def _boxes(record: Record) -> list[tuple[str, Box]]:
    """Every box with its kind, structures first so that lesions lie on top."""
    structures = [(structure.term, structure.box) for structure in record.structures]
    return structures + [(lesion.kind, lesion.box) for lesion in record.lesions]


def _around(
    box: Box, size: tuple[int, int], left: int, top: int
) -> tuple[float, float, float, float]:
    """A box in the tile's pixels, two pixels wider so that small lesions stay visible in it."""
    return (
        left + box[0] * size[0] - 3,
        top + box[1] * size[1] - 3,
        left + box[2] * size[0] + 2,
        top + box[3] * size[1] + 2,
    )


def _caption(draw: ImageDraw.ImageDraw, record: Record) -> None:
    draw.text((4, TILE_PX + 8), _short(draw, record.photograph.id, 19), TEXT, font=_font(19))
    said = [_level(grade.scale, grade.level) for grade in record.grades]
    draw.text((4, TILE_PX + 35), _short(draw, "; ".join(said), 15), FAINT, font=_font(15))


def _level(scale_id: str, level: int) -> str:
    """A grade as short as it can be said with its scale: `ICDR 2`, `quality good`."""
    spoken = scale(scale_id)
    if spoken.term == "quality" and level in spoken.levels:
        return f"quality {spoken.levels[level].en[0]}"
    return f"{spoken.en[0].removesuffix(' scale')} {level}"


def _short(draw: ImageDraw.ImageDraw, text: str, size: int) -> str:
    """The text, cut where the tile ends."""
    if draw.textlength(text, font=_font(size)) <= TILE_PX - 8:
        return text
    while draw.textlength(text + "...", font=_font(size)) > TILE_PX - 8:
        text = text[:-1]
    return text + "..."


def _kinds(records: Sequence[Record]) -> list[str]:
    """Kinds of the boxes that are drawn, in the order of `COLOURS`, then others."""
    drawn = {kind for record in records for kind, _ in _boxes(record)}
    return [k for k in COLOURS if k in drawn] + sorted(drawn - set(COLOURS))


def _legend(kinds: Sequence[str], wide: int) -> Image.Image:
    """A strip that names the colours, as many lines as it takes."""
    font, places, left, line = _font(16), [], MARGIN_PX, 0
    for kind in kinds:
        name = term(kind).en[0]
        step = 30 + round(font.getlength(name)) + 26
        if left + step > wide and left > MARGIN_PX:
            left, line = MARGIN_PX, line + 1
        places.append((kind, name, left, line))
        left += step
    strip = Image.new("RGB", (wide, LEGEND_PX + line * 30 if kinds else 0), PAPER)
    draw = ImageDraw.Draw(strip)
    for kind, name, left, line in places:
        top = 8 + line * 30
        draw.rectangle((left, top, left + 20, top + 20), outline=_colour(kind), width=3)
        draw.text((left + 30, top), name, TEXT, font=font)
    return strip


def _colour(kind: str) -> Colour:
    return COLOURS.get(kind, OTHER_COLOUR)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
