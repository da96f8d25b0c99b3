"""The pages about complaints."""

import re

from starlette.requests import Request
from starlette.responses import Response

from services.console.complaints import KIND, LISTS, OF_STATE, Complaints
from services.console.pages import Pages
from services.console.timeline import timeline
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.service_desk import RefusedError, only

HERE = "/complaints"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}", re.ASCII)


class ComplaintPages:
    def __init__(self, database: Database, pages: Pages, clock: Clock) -> None:
        self._complaints = Complaints(database)
        self._pages = pages
        self._clock = clock

    async def search(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request, "state")
        state, now = request.query_params.get("state", "due"), self._clock.now()
        if state not in LISTS:
            raise RefusedError(400, "parameter", f"Not usable: one of {', '.join(LISTS)}", "state")
        questions = {"due": self._complaints.due, "missed": self._complaints.missed}
        rows = await questions.get(state, self._complaints.for_a_person)()
        standing = await self._complaints.standing(now)
        return self._pages.page(
            "complaints.html", here=HERE, now=now, state=state, rows=rows, standing=standing, kind=KIND,
            most=max((row["due"] for row in standing.days), default=1),
        )  # fmt: skip

    async def one(self, request: Request) -> Response:
        """Raises `RefusedError`."""
        only(request)
        id_ = request.path_params["id"]
        complaint = await self._complaints.one(id_) if _ID.fullmatch(id_) else None
        if complaint is None:
            raise RefusedError(404, "unknown", "No such complaint: nothing of it has arrived, or it was refused")
        now = self._clock.now()
        drawn = timeline(complaint.case["received_at"], [dict(row) for row in complaint.obligations], now)
        return self._pages.page(
            "complaint.html", here=HERE, now=now, id=id_, told=complaint, of_state=OF_STATE, kind=KIND, drawn=drawn
        )
