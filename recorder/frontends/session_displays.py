"""The displays of a session: the preview page for browsers, and a window with it on this computer."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from recorder.control.completion import complete
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.display_connection import DisplayAccess, PageAddress
from recorder.frontends.live_status import live_status
from recorder.frontends.news import News
from recorder.frontends.rate_meter import RateMeter
from recorder.frontends.window.process import OWN_ADDRESS, is_window_wanted, keep_window, why_no_window

log = logging.getLogger(__name__)

# Who leads a session by lines through a pipe: nobody, a program that tells where the page is, or one that
# shows it within its own.
Leader = Literal["none", "tells of the page", "shows the page"]


@contextlib.asynccontextmanager
async def open_displays(
    dispatch: Dispatcher, *, attended: bool, leader: Leader = "none"
) -> AsyncIterator[None]:
    """Open the page and the window that the settings ask for, during `with`.

    `attended`: somebody sits at this computer; `leader`: whether another program leads the session. Raises
    UsageError where the page's address cannot be used.
    """
    session = dispatch.session
    recent = RateMeter()
    news = News(session)

    def status() -> dict[str, Any]:
        return {
            **live_status(session, recent).for_json(),
            "standing": vars(news.standing()),
            "view": session.preview.view(),
        }

    access = DisplayAccess(
        preview=session.preview,
        command=dispatch.execute_for_client,
        complete=lambda text: list(complete(text, session)),
        status=status,
        news=news,
        marks=news.marks,
    )
    wanted = session.settings.preview
    first = wanted.web or (OWN_ADDRESS if leader == "shows the page" else None)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_heard(news, dispatch))

        @contextlib.asynccontextmanager
        async def serve(where: str) -> AsyncIterator[PageAddress]:
            # Imported only for those who ask for the page: it takes a tenth of a second.
            from recorder.frontends.page.server import serve_page  # noqa: PLC0415

            async with serve_page(where, wanted.token, access) as served:
                # Who leads the session is told of the one that is there from the beginning.
                if leader == "none" or where != first:
                    log.info("page: %s", served.told)
                yield served

        served = await stack.enter_async_context(serve(first)) if first is not None else None
        dispatch.displays.page = served.told if served and wanted.web else ""
        dispatch.displays.page_here = served.here if served else ""
        dispatch.displays.no_window = why_no_window(wanted, attended=attended)
        if is_window_wanted(wanted.window, attended=attended):
            here = served.here if served else None
            await stack.enter_async_context(keep_window(session.preview, here, serve))
        yield


@contextlib.contextmanager
def _heard(news: News, dispatch: Dispatcher) -> Iterator[None]:
    """Have the warnings of this program's log, and what commands did, among the news during `with`."""
    logger = logging.getLogger("recorder")
    logger.addHandler(news)
    dispatch.watchers.append(news.on_answer)
    try:
        yield
    finally:
        dispatch.watchers.remove(news.on_answer)
        logger.removeHandler(news)
        news.close()
