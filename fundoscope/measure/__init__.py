"""From masks to the quantities that clinicians use, in pixels, millimetres and ratios."""
