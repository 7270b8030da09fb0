"""Recordings for notebooks and programs: what `recorder.open` returns. See `recording.OpenedRecording`."""
