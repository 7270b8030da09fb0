"""The displays of a session: the preview page for browsers, the window on this computer."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from recorder.control.completion import complete
from recorder.control.dispatcher import Dispatcher
from recorder.frontends.display_connection import SessionAccess
from recorder.frontends.live_status import live_status
from recorder.frontends.news import News
from recorder.frontends.rate_meter import RateMeter
from recorder.frontends.window.process import open_window, why_no_window

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_displays(dispatch: Dispatcher, *, attended: bool) -> AsyncIterator[None]:
    """Open the page and the window that the settings ask for, during `with`.

    `attended`: somebody sits at this computer. Raises UsageError where the page's address cannot be used.
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

    access = SessionAccess(
        preview=session.preview,
        command=dispatch.execute_for_client,
        complete=lambda text: list(complete(text, session)),
        status=status,
        news=news,
    )
    wanted = session.settings.preview
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_heard(news))
        if wanted.web is not None:
            # Imported only for those who ask for the page: it takes a tenth of a second.
            from recorder.frontends.page.server import serve_page  # noqa: PLC0415

            page = await stack.enter_async_context(serve_page(wanted.web, wanted.token, access))
            dispatch.displays.page = page
        dispatch.displays.no_window = no_window = why_no_window(wanted, attended=attended)
        if not no_window:
            await stack.enter_async_context(open_window(access))
        elif wanted.window is True:
            log.warning("no window: %s; the page shows the preview too, with preview.web", no_window)
        yield


@contextlib.contextmanager
def _heard(news: News) -> Iterator[None]:
    """Have the warnings of this program's log among the news during `with`."""
    logger = logging.getLogger("recorder")
    logger.addHandler(news)
    try:
        yield
    finally:
        logger.removeHandler(news)
        news.close()
