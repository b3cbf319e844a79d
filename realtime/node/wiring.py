"""The composition root: what a node consists of is made here, and only here.

A part is given those below it when it is made. What it tells upwards (a batch that
arrived, a token that ended) goes to whoever is named when it is run.
"""

import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from handlers import register
from realtime.addresses import Addresses, parse_networks
from realtime.auth.authenticator import Authenticator
from realtime.jobs.erasure import Erasure
from realtime.jobs.export import Export
from realtime.jobs.runner import JobRunner
from realtime.limits import new_counts
from realtime.moderation.numbers import ModerationNumbers
from realtime.moderation.review import NOTHING_HELD
from realtime.node.from_settings import (
    make_image_uses,
    make_images,
    make_keys,
    make_moderation,
    make_server,
    make_webhooks,
    told_limits,
)
from realtime.node.neighbours import Neighbours
from realtime.node.settings import RATE_NAMES, Settings
from realtime.presence.node_leases import NodeLease
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.presence.roster import Roster
from realtime.presence.sessions import Sessions
from realtime.rates import NEW_ROOMS, USER, RequestRates, parse_rates
from realtime.redis.durability import parse_level
from realtime.redis.site import RedisSite
from realtime.rooms.attempts import JoinAttempts
from realtime.rooms.attendance import Attendance
from realtime.rooms.catch_up import CatchUp
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.joining import Joining
from realtime.rooms.personal import Personal
from realtime.rooms.position_check import PositionCheck
from realtime.rooms.quitting import Quitting
from realtime.rooms.reaction_notices import ReactionNotices
from realtime.rooms.recovery import Recovery
from realtime.rooms.replay_buffer import RecentMemory
from realtime.rooms.room_states import RoomStates
from realtime.rooms.rooms_changed import RoomsChanged
from realtime.rooms.router import Router
from realtime.rooms.watch import Watch
from realtime.rooms.watch_check import WatchCheck
from realtime.services import Limits, Services
from realtime.socketio.manager import ChatroomManager
from realtime.socketio.remote import RemoteCalls
from realtime.store import events, scripts
from realtime.store.api_keys import ApiKeys
from realtime.store.blocks import Blocks
from realtime.store.image_sweep import ImageSweep
from realtime.store.invites import Invites
from realtime.store.jobs import Jobs
from realtime.store.membership import Memberships
from realtime.store.message_changes import MessageChanges
from realtime.store.message_log import MessageLog
from realtime.store.outbox import Outbox
from realtime.store.people import People
from realtime.store.personal_log import PersonalLog
from realtime.store.profiles import Profiles
from realtime.store.publishing import Publishing
from realtime.store.read_marks import ReadMarks
from realtime.store.reports import Reports
from realtime.store.revocations import Revocations
from realtime.store.room_index import RoomIndex
from realtime.store.room_lists import RoomLists
from realtime.store.room_media import RoomMedia
from realtime.store.room_snapshot import RoomSnapshots
from realtime.store.room_summaries import RoomSummaries
from realtime.store.shared_secret import SharedSecret
from realtime.store.uploads import Uploads
from realtime.store.user_rates import UserRates
from realtime.store.user_traces import UserTraces
from realtime.tasks import TaskStack
from realtime.traffic import Traffic
from realtime.webhooks.numbers import WebhookNumbers
from schemas.catalog import NAMESPACE

# Random bytes of a node's id: unique among nodes that ever shared a Redis.
NODE_ID_BYTES = 6


class Parts:
    """What a node has from before its start until after its end. Nothing runs yet.

    Args:
        settings: What it runs with; ``redis_url`` must be set.
        neighbours: The other nodes of its machine, as far as they share something.

    Raises:
        ValueError: A setting names what cannot be used.
    """

    def __init__(self, settings: Settings, neighbours: Neighbours) -> None:
        if settings.redis_url is None:
            raise ValueError("a node needs the address of its Redis")
        self.id = secrets.token_hex(NODE_ID_BYTES)
        self.limited = new_counts()
        self.traffic = Traffic()
        self.rates = parse_rates(settings.rates, RATE_NAMES)
        announce = settings.announce_members
        timeout_seconds = settings.redis_timeout_seconds

        # Redis, and what it keeps.
        site = RedisSite(settings.redis_url, timeout_seconds=timeout_seconds)
        self.redis = site.client(limit_calls=settings.redis_calls, scripts=scripts.ALL)
        self.subscriber = site.subscriber(
            silence_seconds=settings.redis_silence_seconds
        )
        self.durability = site.durability(
            level=parse_level(settings.durability),
            timeout_seconds=settings.durability_seconds,
            scripts=scripts.ALL,
        )
        self.outbox = Outbox(self.redis, node=self.id)
        self.log = MessageLog(
            self.redis,
            remember_seconds=settings.client_id_seconds,
            log_limit=settings.log_events,
            log_age_ms=settings.log_seconds * 1000,
            history_limit=settings.history_messages,
            durability=self.durability,
            outbox=self.outbox,
        )
        changes = MessageChanges(
            self.redis,
            self.log,
            edit_seconds=settings.edit_seconds,
            announce_members=announce,
        )
        self.reaction_notices = ReactionNotices(self.redis)
        personal_log = PersonalLog(self.redis)
        memberships = Memberships(
            self.redis,
            personal=personal_log,
            user_rooms_limit=settings.user_rooms,
            empty_room_seconds=settings.empty_room_seconds,
            new_rooms=self.rates.get(NEW_ROOMS),
            opens=settings.opens_rooms,
        )
        summaries = RoomSummaries(self.redis, memberships)
        self.lists = RoomLists(self.redis, summaries, personal_log)
        self.rooms = RoomIndex(self.redis)
        snapshots = RoomSnapshots(self.redis, announce_members=announce)
        self.secret = SharedSecret(self.redis)
        self.publishing = Publishing(self.redis)
        self.user_rates = UserRates(
            self.redis, self.rates.get(USER), clock=time.monotonic
        )

        self.profiles = Profiles(self.redis)

        # Who is here.
        self.presence_counts = RoomCounts.of_presence(self.redis)
        self.member_counts = RoomCounts.of_members(
            self.redis, announce_members=announce
        )
        presence = Presence(
            self.redis,
            node=self.id,
            announce_users=announce,
            counts=self.presence_counts,
        )
        self.roster = Roster(presence)
        self.lease = NodeLease(
            self.redis,
            presence=presence,
            relist=self.roster.relist,
            reconcile=self.roster.reconcile,
            lease_seconds=settings.lease_seconds,
        )
        self.sessions = Sessions()

        # The rooms of this node, and the sockets that are in them.
        self.addresses = Addresses(
            parse_networks(settings.trusted_proxies), neighbours.elsewhere
        )
        self.catch_up = CatchUp(self.log, self.subscriber)
        memory = RecentMemory(settings.node_recent_bytes, self.limited)
        self.feeds = RoomFeeds(
            self.catch_up, self.subscriber, open_seconds=timeout_seconds, memory=memory
        )
        self.position_check = PositionCheck(self.log, self.feeds, self.subscriber)
        self.manager = ChatroomManager(
            redis=self.redis, channels=self.feeds, namespace=NAMESPACE
        )
        self.remote = RemoteCalls(self.manager, self.limited)
        self.server = make_server(
            settings,
            manager=self.manager,
            addresses=self.addresses,
            rates=self.rates,
            limited=self.limited,
            sid_mark=neighbours.sid_mark,
        )
        attempts = JoinAttempts(settings.session_rooms)
        attendance = Attendance(
            manager=self.manager,
            roster=self.roster,
            attempts=attempts,
            namespace=NAMESPACE,
        )
        self.images = make_images(settings, self.secret, neighbours)
        self.image_uses = make_image_uses(settings, self.redis)
        self.image_sweep = ImageSweep(
            self.redis,
            self.image_uses,
            self.images.store,
            every_seconds=settings.image_sweep_seconds,
        )
        self.moderated = ModerationNumbers()
        self.moderation = make_moderation(
            settings, self.redis, numbers=self.moderated, limited=self.limited
        )
        self.webhook_numbers = WebhookNumbers()
        self.webhooks = make_webhooks(
            settings,
            self.redis,
            self.outbox,
            node=self.id,
            numbers=self.webhook_numbers,
        )
        self.joining = Joining(
            feeds=self.feeds,
            recovery=Recovery(self.log, self.traffic.recoveries),
            memberships=memberships,
            snapshots=snapshots,
            roster=self.roster,
            attendance=attendance,
            attempts=attempts,
            present=partial(events.resign_images, address=self.images.address),
            member_counts=self.member_counts,
        )
        self._make_personal(settings, memberships, personal_log, memory)
        self.room_states = RoomStates(
            self.manager, self.feeds, snapshots, namespace=NAMESPACE
        )
        self.quitting = Quitting(
            manager=self.manager,
            states=self.room_states,
            memberships=memberships,
            roster=self.roster,
            attendance=attendance,
            attempts=attempts,
            member_counts=self.member_counts,
            namespace=NAMESPACE,
        )
        self.router = Router(
            manager=self.manager,
            feeds=self.feeds,
            remote=self.remote,
            quitting=self.quitting,
            cork=self.server.cork,
            personal=self.personal,
            changed=self.rooms_changed,
            check=self.watch_check,
            traffic=self.traffic,
        )

        # What answers clients.
        self.revocations = Revocations(
            self.redis, keep_seconds=settings.revoked_seconds
        )
        self.auth = Authenticator(
            make_keys(settings),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            require_exp=settings.require_exp,
            good_from=self.revocations.good_from,
        )
        self.request_rates = RequestRates(self.rates)
        blocks, jobs = Blocks(self.redis, personal_log), Jobs(self.redis)
        self._make_jobs(jobs, changes, memberships, blocks, personal_log)
        self.services = Services(
            auth=self.auth,
            sessions=self.sessions,
            log=self.log,
            changes=changes,
            reaction_notices=self.reaction_notices,
            member_counts=self.member_counts,
            read_marks=ReadMarks(self.redis, announce_members=announce),
            memberships=memberships,
            summaries=summaries,
            people=People(
                self.redis,
                memberships,
                self.log,
                personal=personal_log,
                empty_room_seconds=settings.empty_room_seconds,
                secret=lambda: self.secret.value,
            ),
            personal_log=personal_log,
            lists=self.lists,
            rooms=self.rooms,
            personal=self.personal,
            attempts=attempts,
            attendance=attendance,
            joining=self.joining,
            quitting=self.quitting,
            invites=Invites(self.redis),
            reports=Reports(self.redis, self.outbox),
            blocks=blocks,
            profiles=self.profiles,
            revocations=self.revocations,
            uploads=Uploads(self.redis),
            images=self.images,
            image_uses=self.image_uses,
            media=RoomMedia(self.redis),
            hooks=self.webhooks.administration,
            jobs=jobs,
            job_runner=self.jobs,
            moderation=self.moderation,
            rates=self.request_rates,
            user_rates=self.user_rates,
            limits=Limits(
                user_sessions=settings.user_sessions,
                address_sessions=settings.address_sessions,
                node_sessions=settings.node_sessions,
                answer_bytes=settings.write_buffer_bytes,
            ),
            told_limits=told_limits(settings, self.rates),
            elsewhere=neighbours.elsewhere,
            limited=self.limited,
            traffic=self.traffic,
        )
        self.namespace = register(self.server, self.services)
        self.api_keys = ApiKeys(self.redis)

    def _make_jobs(
        self,
        jobs: Jobs,
        changes: MessageChanges,
        memberships: Memberships,
        blocks: Blocks,
        personal: PersonalLog,
    ) -> None:
        """Make what exports and erases users."""
        traces = UserTraces(self.redis)
        export = Export(self.rooms, traces, self.profiles, blocks, personal)
        erasure = Erasure(
            *(self.rooms, traces, changes),
            notices=self.reaction_notices,
            memberships=memberships,
            member_counts=self.member_counts,
            blocks=blocks,
            revocations=self.revocations,
            jobs=jobs,
        )
        self.jobs = JobRunner(jobs, {"export": export.run, "erase": erasure.run})

    def _make_personal(
        self,
        settings: Settings,
        memberships: Memberships,
        log: PersonalLog,
        memory: RecentMemory,
    ) -> None:
        """Make what tells users of their rooms: their own logs, and their lists."""
        self.personal_catch_up = CatchUp(log, self.subscriber, reload=events.me_reload)
        feeds = RoomFeeds(
            self.personal_catch_up,
            self.subscriber,
            open_seconds=settings.redis_timeout_seconds,
            memory=memory,
        )
        self.personal_check = PositionCheck(log, feeds, self.subscriber)
        watch = Watch(
            self.feeds, limit=settings.node_watched_rooms, limited=self.limited
        )
        self.rooms_changed = RoomsChanged(
            self.redis,
            watch,
            memberships,
            self.manager,
            namespace=NAMESPACE,
            present=partial(events.resign_images, address=self.images.address),
        )
        self.watch_check = WatchCheck(
            watch, self.lists, memberships, self.rooms_changed
        )
        self.personal = Personal(
            feeds=feeds,
            recovery=Recovery(log),
            log=log,
            lists=self.lists,
            memberships=memberships,
            watch=watch,
            changed=self.rooms_changed,
            check=self.watch_check,
            manager=self.manager,
            namespace=NAMESPACE,
        )

    async def _heard_quit(self, message: dict[str, Any]) -> None:
        """Take the control message of a quit."""
        await self.personal.heard_quit(message)
        await self.quitting.heard(message)

    async def _heard_gone(self, message: dict[str, Any]) -> None:
        """Take the control message of a room's deletion."""
        self.personal.heard_gone(message)
        await self.quitting.room_gone(message)

    def start(self, tasks: TaskStack) -> None:
        """Run all parts but the server; those that others use end after them."""
        # Confirmed before the subscriber is ready, which is what readiness asks.
        for channel in self.manager.control_channels:
            _confirmed = self.subscriber.subscribe(channel)
        for name, run in (
            ("redis", self.redis.run()),
            ("durability", self.durability.run()),
            ("fan-out", self.manager.run()),
            (
                "remote-calls",
                self.remote.run(
                    {
                        events.QUIT: self._heard_quit,
                        events.GONE: self._heard_gone,
                    }
                ),
            ),
            ("catch-up", self.catch_up.run(self.router)),
            ("personal-catch-up", self.personal_catch_up.run(self.personal)),
            ("personal", self.personal.run()),
            ("rooms-changed", self.rooms_changed.run()),
            ("subscriber", self.subscriber.run(self.router)),
            ("room-states", self.room_states.run()),
            ("position-check", self.position_check.run()),
            ("personal-check", self.personal_check.run()),
            ("watch-check", self.watch_check.run()),
            ("presence-counts", self.presence_counts.run()),
            ("member-counts", self.member_counts.run()),
            ("reaction-notices", self.reaction_notices.run()),
            ("user-rates", self.user_rates.run()),
            ("profiles", self.profiles.run()),
            ("shared-secret", self.secret.run()),
            ("publishing", self.publishing.run()),
            ("sessions", self.sessions.run(self.namespace.expire)),
            ("revocations", self.revocations.run(self.namespace.revoke)),
            ("roster", self.roster.run()),
            ("node-lease", self.lease.run()),
            ("image-sweep", self.image_sweep.run()),
            ("image-space", self.images.store.run()),
            ("webhooks", self.webhooks.run()),
            ("room-index", self.rooms.run()),
            ("jobs", self.jobs.run()),
        ):
            tasks.start(run, name)
        if self.moderation is not None:
            tasks.start(self.moderation.run(), "moderation")

    def held(self) -> Mapping[str, int]:
        """Return what the node holds, counted by kind; takes a look at each room."""
        return {
            **self.namespace.held(),
            **self.server.held(),
            **self.manager.held(),
            **self.feeds.held(),
            **self.personal.held(),
            "rooms_to_tell": len(self.rooms_changed),
            # Of the last lists that were asked for; bounded, and outdated soon.
            "room_orders": len(self.lists),
            # One channel for what concerns all nodes, and one of its own.
            **self.subscriber.held(),
            "control_messages": len(self.remote),
            # An entry outlives its session until it is due, or is one of too many.
            **self.sessions.held(),
            **self.joining.held(),
            **self.roster.held(),
            # Of users: full buckets are dropped when there are some thousands.
            "request_buckets": len(self.request_rates),
            **self.user_rates.held(),
            "presence_counts": len(self.presence_counts),
            "member_counts": len(self.member_counts),
            "reaction_notices": len(self.reaction_notices),
            "profiles": len(self.profiles),
            "room_states": len(self.room_states),
            **(NOTHING_HELD if self.moderation is None else self.moderation.held()),
            **self.webhooks.held(),
            "jobs": len(self.jobs),
            "image_slots": self.images.slots_taken,
            "durable_writes": len(self.durability),
            "revoked_users": len(self.revocations),
        }
