"""Models that look at a photograph and talk about it (extra `train`)."""
