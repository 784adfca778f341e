"""How large a pixel is on the retina, and who said so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fundoscope.errors import ScaleError

REFERENCE_AXIAL_LENGTH_MM = 24.0
"""Axial length of the eye that a camera's field of view is turned into millimetres for."""
REFRACTIVE_INDEX = 1.336
"""Of aqueous and vitreous."""
ASSUMED_DISC_DIAMETER_MM = 1.8
"""Vertical diameter of an optic disc taken as the ruler where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Millimetres on the retina per pixel, square pixels, and where the number came from.

    Raises
    ------
    ScaleError
        If `mm_per_px` is not a positive, finite number.
    """

    mm_per_px: float
    origin: str
    """Such as `from the user`; read by people, beside every value in millimetres."""

    def __post_init__(self) -> None:
        _check_positive("mm_per_px", self.mm_per_px, self.origin)

    @property
    def um_per_px(self) -> float:
        """Micrometres per pixel."""
        return self.mm_per_px * 1000

    def __str__(self) -> str:
        return f"{self.mm_per_px:.4g} mm/px {self.origin}"

    def resized(self, factor: float) -> Scale:
        """Return the scale of the same photograph after its sides were multiplied by `factor`."""
        _check_positive("factor", factor, self.origin)
        return Scale(self.mm_per_px / factor, self.origin)


def scale_from_user(mm_per_px: float) -> Scale:
    """Return the scale that the user states, millimetres per pixel.

    Raises
    ------
    ScaleError
        If it is not positive.
    """
    return Scale(mm_per_px, "from the user")


def mm_per_degree(axial_length_mm: float = REFERENCE_AXIAL_LENGTH_MM) -> float:
    """Return millimetres on the retina per degree of visual angle, 0.290 for an eye of 24 mm.

    Parameters
    ----------
    axial_length_mm : float
        Above 1.82 mm, how far the eye's second principal point lies behind the cornea.

    Raises
    ------
    ScaleError
        If the axial length makes no eye.

    References
    ----------
    Bennett, Rudnicka & Edgar 1994, Graefes Arch Clin Exp Ophthalmol 232, 361-367: an angle at
    the second principal point, in a medium of the refractive index of aqueous and vitreous.
    """
    behind_mm = axial_length_mm - 1.82
    _check_positive("axial_length_mm - 1.82", behind_mm, "the eye's axial length")
    return math.radians(1) / REFRACTIVE_INDEX * behind_mm


def scale_from_field_of_view(
    degrees_across: float,
    pixels_across: float,
    axial_length_mm: float = REFERENCE_AXIAL_LENGTH_MM,
) -> Scale:
    """Return an approximate scale from the camera's field of view.

    Taken as even over the field, through `mm_per_degree`. An eye of 22 mm instead of 24 would
    have a scale 9 % smaller, and a nominal field may be several per cent off: good for a first
    look, not for comparing eyes.

    Parameters
    ----------
    degrees_across : the camera's nominal field of view, such as 45
    pixels_across : diameter of the visible field in the photograph, its masked border left out

    Raises
    ------
    ScaleError
        If one of them is not positive.
    """
    where = "the camera's field of view"
    _check_positive("degrees_across", degrees_across, where)
    _check_positive("pixels_across", pixels_across, where)
    return Scale(
        degrees_across * mm_per_degree(axial_length_mm) / pixels_across,
        f"approximately, from a field of view of {degrees_across:g} degrees "
        f"over {pixels_across:g} px",
    )


def scale_from_disc(
    disc_height_px: float, disc_diameter_mm: float = ASSUMED_DISC_DIAMETER_MM
) -> Scale:
    """Return an approximate scale that takes the optic disc as a ruler.

    Discs differ between people by a quarter and more, so all that is left of a size in
    millimetres is its ratio to the disc.

    Parameters
    ----------
    disc_height_px : vertical diameter of the disc in the photograph
    disc_diameter_mm : the vertical diameter that it is assumed to have

    Raises
    ------
    ScaleError
        If one of them is not positive.
    """
    _check_positive("disc_height_px", disc_height_px, "the optic disc")
    _check_positive("disc_diameter_mm", disc_diameter_mm, "the optic disc")
    return Scale(
        disc_diameter_mm / disc_height_px,
        f"from the disc, assumed {disc_diameter_mm:g} mm high",
    )


def _check_positive(name: str, value: float, where: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ScaleError(
            f"{name} must be a positive number, got {value!r}",
            where=where,
            mend="pass the camera's scale, or measure without one, in pixels",
        )
