"""Images that were uploaded and wait for the message that shows them."""

import secrets
from typing import Final

import orjson

from realtime.images.service import File, Upload
from realtime.redis.client import RedisClient
from realtime.store import keys

# Time for the message: half of what a claim of the files waits for (`image_uses`), so
# that they are there when it comes.
UPLOAD_SECONDS: Final = 300

# Random bytes of an upload's id: nobody guesses one in its life.
ID_BYTES: Final = 16

# Stands for a room where a file is claimed for an upload: no room has this id.
NO_ROOM: Final = "."


class Uploads:
    """What is known of uploads, in Redis; their files are in the images' store.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    @staticmethod
    def new_id() -> str:
        """Return an id for an upload."""
        return secrets.token_urlsafe(ID_BYTES)

    async def keep(self, upload_id: str, user: str, upload: Upload) -> None:
        """Keep an upload of a user for :data:`UPLOAD_SECONDS`."""
        said = orjson.dumps({"user": user, "upload": upload[:-1]}, default=list)
        await self._redis.call(
            "SET", keys.upload(upload_id), said, "EX", UPLOAD_SECONDS
        )

    async def find(self, upload_id: str, user: str) -> Upload | None:
        """Return an upload of a user; None: it ended, or is another's."""
        found = await self._redis.call("GET", keys.upload(upload_id))
        if found is None:
            return None
        kept = orjson.loads(found)
        if kept["user"] != user:
            return None
        image, mime, animated, thumbhash, thumbnails, sizes = kept["upload"]
        files = [File(*each) for each in thumbnails]
        return Upload(File(*image), mime, animated, thumbhash, files, sizes, {})
