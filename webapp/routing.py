"""Which consumer answers which WebSocket path."""

from typing import Any

from django.urls import re_path


async def nobody_here(scope: Any, receive: Any, send: Any) -> Any:
    """Refuses a socket on a path that has no consumer."""
    await send({"type": "websocket.close"})


websocket_urlpatterns: list[Any] = [
    re_path(r"", nobody_here),
]
