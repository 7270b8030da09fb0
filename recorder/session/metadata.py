"""What the user says of the recording, for the files to come and for the one that is being written."""

from recorder.errors import UsageError
from recorder.frames.timeline import FrameRef
from recorder.session.session import Session
from recorder.settings.metadata import check_key
from recorder.settings.model import override
from recorder.storage.records import MetadataRow
from recorder.storage.user_metadata import PLACES, value_of


async def give(
    session: Session, key: str, text: str, source: str, number: int | None = None
) -> tuple[FrameRef | None, bool]:
    """Have `key` be `text` from now on (empty: nothing), or from the frame whose counter is `number`.

    Every later file of the session begins with it. Returns the last frame before it, None where there is
    none, and whether the file that is being written has it. Raises UsageError for what no file can hold.
    """
    try:
        check_key(key)
    except ValueError as error:
        raise UsageError(f"meta: {error}") from None
    value = text if key in PLACES else value_of(text)
    session.settings = override(session.settings, f"metadata.{key}", value)
    if not session.running or session.run is None:
        return None, False
    run = session.run
    if session.promised or session.files.has_next:
        # The next file is being made, and may not know of it.
        session.files.keep(MetadataRow(-1, 0.0, key, text, source, -1))
    frame, elapsed_s = session.position()
    if number is not None:
        frame = await run.timeline.delivered(number) or frame
    file_index = session.file_of(frame)
    is_inside = frame is not None and frame.file_index == file_index
    index = frame.index if frame is not None and is_inside else -1
    row = MetadataRow(index, elapsed_s, key, text, source, frame.number if frame else -1)
    return frame, await session.add_row(file_index, row, index)
