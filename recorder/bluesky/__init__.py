"""A detector for bluesky's plans that is a running recorder; see notes/bluesky.md."""

from recorder.bluesky.detector import RecorderDetector

__all__ = ["RecorderDetector"]
