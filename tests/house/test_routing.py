import pytest
from asgiref.testing import ApplicationCommunicator

from webapp.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


async def answer(path: str, *, origin: str) -> str:
    """The type of the first message that a browser's socket gets."""
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    message = await communicator.receive_output(timeout=5)
    if message["type"] == "websocket.accept":
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(timeout=5)
    return message["type"]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/ws/nothing/", "/ws/jobs/not-a-uuid/"])
async def test_a_socket_on_an_unknown_path_is_refused_quietly(path):
    assert await answer(path, origin="http://localhost") == "websocket.close"


@pytest.mark.asyncio
async def test_a_page_of_another_site_gets_no_socket():
    assert await answer("/ws/dashboard/", origin="http://localhost") == "websocket.accept"
    assert await answer("/ws/dashboard/", origin="http://elsewhere.example") == "websocket.close"
