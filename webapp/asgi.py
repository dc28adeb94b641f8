"""The ASGI application: pages over HTTP, live events over WebSockets."""

import gc
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
pages = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402 - needs the apps that the line above loads
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from webapp.request_body import limited  # noqa: E402
from webapp.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": limited(pages),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        ),
    }
)

# A full collection walks all that is loaded and all open sockets: 500 of them made pauses of a
# tenth of a second every three seconds. What is loaded stays; for the rest it comes less often.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
