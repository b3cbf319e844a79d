"""Who asks over HTTP: a user by their token, or a backend by its key."""

from typing import Final, NamedTuple

from aiohttp import hdrs, web
from marshmallow import ValidationError

from handlers.api.payload import invalid
from realtime.auth.api_keys import ANY_ROOM, ApiKey, parse_key
from realtime.auth.authenticator import Authenticator
from realtime.auth.tokens import TokenError
from realtime.errors import ForbiddenError, UnauthorizedError
from realtime.presence.sessions import ChatSession
from realtime.store.api_keys import ApiKeys
from schemas.field_types import PersonId
from schemas.routes import Route, Scope

# A backend's key may act as the user whom this names; in development mode anybody may.
USER_HEADER: Final = "X-Chat-User"

_BEARER: Final = "Bearer "
_PERSON: Final = PersonId()


class HttpSession(ChatSession):
    """Stands for who asks, for one request.

    Args:
        user: The user, or the key's sender.
        name: The display name, if there is one.
        is_by_key: Whether an API key was shown.
    """

    __slots__ = ("fingerprint", "is_by_key")

    def __init__(
        self, user: str, name: str | None = None, *, is_by_key: bool = False
    ) -> None:
        # One order of sends, and one rate, for each.
        super().__init__(f"api {user}", user, name=name)
        self.fingerprint = ""
        self.is_by_key = is_by_key


class Caller(NamedTuple):
    """Who asks, and by what right.

    Attributes:
        session: Stands for the user or the key in the handlers; it has no connection.
        key: The key that was shown; None: the user themselves ask.
    """

    session: HttpSession
    key: ApiKey | None = None

    @property
    def is_system(self) -> bool:
        """Whether a key asks for nobody: no member, and held to its scopes alone."""
        return self.key is not None and self.session.user == self.key.sender

    def require(self, route: Route, room: str | None) -> None:
        """Hold a key to its scopes and rooms, and users to what is theirs.

        Args:
            route: What it is used for.
            room: The room that is named.

        Raises:
            ForbiddenError: The key is not for this, or it is for keys only.
        """
        key = self.key
        if route.for_keys and (key is None or route.scope not in key.scopes):
            said = f"This is for API keys with the scope {route.scope}."
            raise ForbiddenError(said, reason="scope")
        if key is None or route.any_key:
            return
        if self.is_system and (route.scope is None or route.scope not in key.scopes):
            needed = route.scope or Scope.USERS_ACT
            raise ForbiddenError(f"This key lacks the scope {needed}.", reason="scope")
        is_wide = route.across_rooms and key.rooms != ANY_ROOM
        if not key.reaches(room) if room is not None else is_wide:
            raise ForbiddenError("This key is for other rooms.", reason="rooms")


class Callers:
    """Finds out who asks.

    Args:
        auth: Verifies users' tokens.
        api_keys: The keys there are.
    """

    def __init__(self, auth: Authenticator, api_keys: ApiKeys) -> None:
        self._auth = auth
        self._api_keys = api_keys

    async def find(self, request: web.Request) -> Caller:
        """Return who asks.

        Raises:
            UnauthorizedError: Nobody that is known: no token, no key.
            ForbiddenError: A key that comes from a page, or acts for a user unasked.
            InvalidError: The user that is named cannot be one.
            UnavailableError: Redis or the token's keys cannot be reached.
        """
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        shown = given.removeprefix(_BEARER).strip() if given.startswith(_BEARER) else ""
        acting_as = request.headers.get(USER_HEADER)
        if shown.startswith("ck_"):
            return await self._by_key(request, shown, acting_as)
        if self._auth.development and not shown:
            if acting_as is None:
                raise UnauthorizedError(
                    f"Development mode: say who you are with {USER_HEADER}.",
                    reason="token_missing",
                )
            return await self._by_token({"user": acting_as})
        if acting_as is not None:
            raise ForbiddenError(f"{USER_HEADER} is for API keys.", reason="scope")
        return await self._by_token({"token": shown} if shown else {})

    async def _by_token(self, auth: dict[str, str]) -> Caller:
        try:
            identity = await self._auth.authenticate(auth)
        except TokenError as error:
            if error.reason != "token_missing":
                raise
            raise UnauthorizedError(
                "Send Authorization: Bearer with a token or an API key.",
                reason=error.reason,
            ) from None
        return Caller(HttpSession(identity.user, identity.name))

    async def _by_key(
        self, request: web.Request, shown: str, acting_as: str | None
    ) -> Caller:
        if hdrs.ORIGIN in request.headers:
            raise ForbiddenError(
                "An API key must not be used by a page: whoever opens it can read the"
                " key. Revoke it.",
                reason="origin",
            )
        parsed = parse_key(shown)
        key = None if parsed is None else await self._api_keys.find(parsed[0])
        if parsed is None or key is None or not key.is_proven_by(parsed[1]):
            raise UnauthorizedError("There is no such API key.", reason="key_invalid")
        if acting_as is None:
            return Caller(HttpSession(key.sender, is_by_key=True), key)
        if Scope.USERS_ACT not in key.scopes:
            raise ForbiddenError(
                f"This key lacks the scope {Scope.USERS_ACT}.", reason="scope"
            )
        try:
            user = _PERSON.deserialize(acting_as)
        except ValidationError as error:
            raise invalid(USER_HEADER, str(error.messages[0])) from None
        return Caller(HttpSession(user, is_by_key=True), key)
