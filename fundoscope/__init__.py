"""fundoscope: from retinal photographs and their labels to verified dialogues."""

__version__ = "0.1.0"
