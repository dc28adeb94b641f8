"""Which consumer answers which WebSocket path."""

from typing import Any

from django.urls import path, re_path

from webapp.live.consumers import (
    DashboardConsumer,
    JobConsumer,
    LabConsumer,
    LabRunConsumer,
    ModelsConsumer,
)


async def nobody_here(scope: Any, receive: Any, send: Any) -> Any:
    """Refuses a socket on a path that has no consumer."""
    await send({"type": "websocket.close"})


# Channels routes ASGI applications through Django's path, whose types know only views.
websocket_urlpatterns: list[Any] = [
    path("ws/jobs/<uuid:job_id>/", JobConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/dashboard/", DashboardConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/models/", ModelsConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/lab/", LabConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/lab/runs/<uuid:run_id>/", LabRunConsumer.as_asgi()),  # type: ignore[arg-type]
    re_path(r"", nobody_here),
]
