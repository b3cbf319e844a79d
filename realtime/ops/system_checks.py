"""What is wrong with the machine: limits of the kernel, memory, cores, disks."""

import math
import os
import shutil
from pathlib import Path
from typing import Final

from realtime.images.decoder_pool import OWN_BYTES, PIXEL_BYTES
from realtime.node.listening import LISTEN_BACKLOG
from realtime.node.settings import MIB, Settings
from realtime.ops.findings import Findings

# Of a worker without sessions, and of each one of them (docs/fleet.md).
WORKER_BYTES: Final = 60 * MIB
# Decoders of images, on a machine.
DECODERS: Final = 2

# A proxy takes a port for each client; fewer are soon used up.
LEAST_PORTS: Final = 20_000

# File systems on which file locks, or syncs, are not to be relied on.
NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"})


class System:
    """The machine, as its kernel tells of it.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def text(self, path: str) -> str:
        """Return what a file says, empty where there is none."""
        try:
            return (self._root / path).read_text().strip()
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """Return the number that a file begins with, None where there is none."""
        words = self.text(path).split()
        return int(words[0]) if words and words[0].isdecimal() else None

    @property
    def memory_bytes(self) -> int | None:
        """What this process may have: all there is, or what its container may."""
        known = [
            int(line.split()[1]) * 1024
            for line in self.text("proc/meminfo").splitlines()
            if line.startswith("MemTotal:")
        ]
        if (limit := self.number("sys/fs/cgroup/memory.max")) is not None:
            known.append(limit)
        return min(known) if known else None

    @property
    def cores(self) -> float:
        """How many cores this process may use."""
        cores = float(os.cpu_count() or 1)
        words = self.text("sys/fs/cgroup/cpu.max").split()
        if len(words) == 2 and words[0].isdecimal():
            cores = min(cores, int(words[0]) / int(words[1]))
        return cores

    def file_system(self, path: Path) -> str:
        """Return the kind of the file system that a path is on, empty if unknown."""
        best, kind = "", ""
        for line in self.text("proc/mounts").splitlines():
            _device, place, what, *_ = line.split()
            if path.is_relative_to(place) and len(place) >= len(best):
                best, kind = place, what
        return kind


def of_system(settings: Settings, system: System) -> Findings:
    """Return what is wrong with the machine for these settings."""
    found = Findings("system")
    _look_at_network(settings, system, found)
    _look_at_memory(settings, system, found)
    if settings.workers > math.ceil(system.cores):
        found.warning(
            f"CHATROOM_WORKERS is {settings.workers} and this process may use"
            f" {system.cores:g} cores: they wait for each other; one a core is best."
        )
    _look_at_folder(settings, system, found)
    return found


def _look_at_network(settings: Settings, system: System, found: Findings) -> None:
    for name, path in (
        ("net.core.somaxconn", "proc/sys/net/core/somaxconn"),
        ("net.ipv4.tcp_max_syn_backlog", "proc/sys/net/ipv4/tcp_max_syn_backlog"),
    ):
        size = system.number(path)
        if size is not None and size < LISTEN_BACKLOG:
            found.warning(
                f"{name} is {size}: when thousands come back at once their connects"
                f" are dropped; sysctl -w {name}={LISTEN_BACKLOG}."
            )
    ports = system.text("proc/sys/net/ipv4/ip_local_port_range").split()
    if len(ports) == 2 and int(ports[1]) - int(ports[0]) < LEAST_PORTS:
        found.warning(
            f"net.ipv4.ip_local_port_range is {ports[0]} to {ports[1]}: a proxy on this"
            " machine cannot hold more clients than that; set it to 10240 65535."
        )
    tracked = system.number("proc/sys/net/netfilter/nf_conntrack_max")
    wanted = settings.node_sessions + settings.node_unauthenticated
    if tracked is not None and tracked < wanted:
        found.warning(
            f"net.netfilter.nf_conntrack_max is {tracked} and the settings allow"
            f" {wanted} connections: those above it are dropped without a word."
        )


def _look_at_memory(settings: Settings, system: System, found: Findings) -> None:
    memory = system.memory_bytes
    decoder = OWN_BYTES + PIXEL_BYTES * settings.image_limit_pixels
    each = WORKER_BYTES + settings.node_recent_bytes
    wanted = settings.workers * each + DECODERS * decoder
    if memory is not None and memory < wanted:
        found.warning(
            f"There are {memory // MIB} MiB of memory, and {settings.workers} workers"
            f" with two large images at once may take {wanted // MIB} MiB: lower"
            " CHATROOM_IMAGE_LIMIT_PIXELS or CHATROOM_NODE_RECENT_BYTES."
        )
    if settings.redis_url is not None:
        return
    # The embedded Valkey is on this machine.
    if system.number("proc/sys/vm/overcommit_memory") == 0:
        found.warning(
            "vm.overcommit_memory is 0: Valkey may fail to rewrite its file when memory"
            " is short; sysctl -w vm.overcommit_memory=1."
        )
    if "[always]" in system.text("sys/kernel/mm/transparent_hugepage/enabled"):
        found.warning(
            "Transparent huge pages are on: Valkey stops for moments while it rewrites"
            " its file; echo madvise > /sys/kernel/mm/transparent_hugepage/enabled."
        )


def _look_at_folder(settings: Settings, system: System, found: Findings) -> None:
    is_embedded = settings.redis_url is None
    if not is_embedded and settings.images_url is not None:
        return
    folder = settings.data_dir.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        found.error(f"CHATROOM_DATA_DIR: {there} is a file.")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        found.error(f"CHATROOM_DATA_DIR: this user may not write to {there}.")
    kind = system.file_system(there)
    if is_embedded and kind in NETWORK:
        found.error(
            f"CHATROOM_DATA_DIR: {folder} is on {kind}: locks there do not keep two"
            " Valkeys from writing to the same file; use a local disk."
        )
    free = shutil.disk_usage(there).free
    if is_embedded and free < settings.data_free_bytes:
        found.error(
            f"The disk of {there} has {free // MIB} MiB free and"
            f" CHATROOM_DATA_FREE_BYTES keeps {settings.data_free_bytes // MIB}:"
            " messages are refused."
        )
    elif settings.images_url is None and free < settings.image_free_bytes:
        found.warning(
            f"The disk of {there} has {free // MIB} MiB free and"
            f" CHATROOM_IMAGE_FREE_BYTES keeps {settings.image_free_bytes // MIB}:"
            " images are refused."
        )
