"""What the handlers are given: the parts that carry requests out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from realtime.auth.authenticator import Authenticator
from realtime.elsewhere import Elsewhere
from realtime.images.service import Images
from realtime.jobs.runner import JobRunner
from realtime.moderation.review import Moderation
from realtime.presence.room_counts import RoomCounts
from realtime.presence.sessions import Sessions
from realtime.rates import RequestRates
from realtime.rooms.attempts import JoinAttempts
from realtime.rooms.attendance import Attendance
from realtime.rooms.joining import Joining
from realtime.rooms.personal import Personal
from realtime.rooms.quitting import Quitting
from realtime.rooms.reaction_notices import ReactionNotices
from realtime.store.blocks import Blocks
from realtime.store.image_uses import ImageUses
from realtime.store.invites import Invites
from realtime.store.jobs import Jobs
from realtime.store.membership import Memberships
from realtime.store.message_changes import MessageChanges
from realtime.store.message_log import MessageLog
from realtime.store.people import People
from realtime.store.personal_log import PersonalLog
from realtime.store.profiles import Profiles
from realtime.store.read_marks import ReadMarks
from realtime.store.reports import Reports
from realtime.store.revocations import Revocations
from realtime.store.room_index import RoomIndex
from realtime.store.room_lists import RoomLists
from realtime.store.room_media import RoomMedia
from realtime.store.room_summaries import RoomSummaries
from realtime.store.uploads import Uploads
from realtime.store.user_rates import UserRates
from realtime.traffic import Traffic
from realtime.webhooks.administration import HookAdministration


class Limits(NamedTuple):
    """How much of something there may be at this node."""

    user_sessions: int
    address_sessions: int
    node_sessions: int
    answer_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of one node, wired by :mod:`realtime.node.wiring`."""

    auth: Authenticator
    sessions: Sessions
    log: MessageLog
    changes: MessageChanges
    reaction_notices: ReactionNotices
    member_counts: RoomCounts
    read_marks: ReadMarks
    memberships: Memberships
    summaries: RoomSummaries
    people: People
    personal_log: PersonalLog
    lists: RoomLists
    rooms: RoomIndex
    personal: Personal
    attempts: JoinAttempts
    attendance: Attendance
    joining: Joining
    quitting: Quitting
    invites: Invites
    reports: Reports
    blocks: Blocks
    profiles: Profiles
    revocations: Revocations
    uploads: Uploads
    images: Images
    image_uses: ImageUses
    media: RoomMedia
    hooks: HookAdministration
    jobs: Jobs
    job_runner: JobRunner
    moderation: Moderation | None
    """What looks at messages before they are stored; None where nothing does."""
    rates: RequestRates
    user_rates: UserRates
    limits: Limits
    told_limits: Mapping[str, object]
    """What a client that connects is told of them."""
    elsewhere: Elsewhere
    """What users hold at other processes of the machine."""
    limited: Counter[str]
    """How often each limit of :mod:`realtime.limits` was met."""
    traffic: Traffic
    """How busy the node is, and whether messages are late."""
