"""The pages about notices: what members are told, as it is sent. Made up from examples: no member is in them."""

from itertools import groupby

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.console.gallery import Gallery, GalleryError, Message
from services.console.pages import Pages
from services.runtime.clock import Clock
from services.runtime.service_desk import RefusedError, only

HERE = "/notices"
# A mail brings its styles with it, and nothing else: no script, no picture from elsewhere, no way out of its frame.
OF_A_MAIL = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}


class NoticePages:
    def __init__(self, gallery: Gallery, pages: Pages, clock: Clock) -> None:
        self._gallery = gallery
        self._pages = pages
        self._clock = clock

    async def every(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        try:
            messages, missing = self._gallery.messages(), None
        except GalleryError as error:
            messages, missing = [], str(error)
        notices = {name: list(each) for name, each in groupby(messages, key=lambda message: message.notice)}
        brands = {
            brand: list(dict.fromkeys(each.locale for each in messages if each.brand == brand))
            for brand in dict.fromkeys(message.brand for message in messages)
        }
        return self._pages.page(
            "notices.html", here=HERE, now=self._clock.now(), notices=notices, brands=brands, missing=missing,
            count=len(messages), doubts=self._gallery.doubts() or (), still=True,
        )  # fmt: skip

    async def one(self, request: Request) -> Response:
        """In one brand and language: the first there is, unless asked. Raises `RefusedError`."""
        only(request, "brand", "language")
        notice = request.path_params["notice"]
        every = [message for message in self._messages() if message.notice == notice]
        kinds = list(dict.fromkeys((message.brand, message.locale) for message in every))
        asked = tuple(request.query_params.get(name, "") for name in ("brand", "language"))
        chosen = next((each for each in kinds if all(a in {"", b} for a, b in zip(asked, each, strict=True))), None)
        if chosen is None:
            raise RefusedError(404, "unknown", "No such notice: not of this name, or not in this brand and language")
        shown = [message for message in every if (message.brand, message.locale) == chosen]
        return self._pages.page(
            "notice.html", here=HERE, now=self._clock.now(), notice=notice, kinds=kinds, chosen=chosen, shown=shown,
            still=True,
        )  # fmt: skip

    async def mail(self, request: Request) -> Response:
        """A mail by itself, for its frame. Raises `RefusedError`."""
        only(request)
        try:
            html = self._gallery.mail(request.path_params["name"])
        except GalleryError as error:
            raise RefusedError(503, "unavailable", f"No gallery: {error}") from None
        if html is None:
            raise RefusedError(404, "unknown", "No such mail: the gallery has none of this name")
        return HTMLResponse(html, headers=OF_A_MAIL)

    def _messages(self) -> list[Message]:
        try:
            return list(self._gallery.messages())
        except GalleryError as error:
            raise RefusedError(503, "unavailable", f"No gallery: {error}") from None
