"""Looks whether the user's own nodes serve, before anything is put to the trial."""

from collections.abc import Mapping

from realtime.start_error import StartError
from realtime.verify.connection import Connection, LostError, SilentError
from realtime.verify.site import RemoteSite

ANSWER_SECONDS = 6.0
"""Deadline of one answer; nothing is at fault yet."""


async def try_places(site: RemoteSite, auth: Mapping[str, object]) -> None:
    """Have every node answer a request.

    Otherwise a node that is down would pass: clients would go on at the others.

    Args:
        site: The user's deployment.
        auth: Credentials of anybody.

    Raises:
        StartError: One of them is no node, refuses the credentials, or is not ready.
    """
    for place in site.places:
        connection = Connection(lambda _name, _payload: None, connector=site.connector)
        try:
            await connection.open(place.url, auth, ["websocket"])
            ack = await connection.request("rooms", {}, seconds=ANSWER_SECONDS)
        except (LostError, SilentError) as error:
            reason = str(error).rstrip(".")
            raise StartError(
                f"{place.given} does not serve: {reason}. Is it a chatroom server, and"
                " are tokens signed with its CHATROOM_JWT_SECRET?"
            ) from error
        finally:
            await connection.close()
        if not ack.get("ok"):
            raise StartError(f"{place.given} does not serve: {ack.get('error')}")
