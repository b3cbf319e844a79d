"""Says at start, in plain words, why a cluster does not fit: each primary is asked."""

from realtime.errors import StartError
from realtime.redis.check import REFUSALS, check_server, reason_of
from realtime.redis.cluster.slots import SLOTS
from realtime.redis.cluster.topology import Address, Topology, best_of
from realtime.redis.url import mask_url, parse_cluster_url
from realtime.tasks import heed_cancellation


async def check_cluster(
    url: str, *, timeout_seconds: float, durability: str
) -> list[str]:
    """Return when all primaries of a cluster can hold the rooms.

    Returns:
        What its operator should know: shards without a replica, for one.

    Raises:
        StartError: No node can be reached or is part of a cluster, slots are without a
            primary, or a primary does not fit.
    """
    shown = mask_url(url)
    try:
        parsed = parse_cluster_url(url, timeout_seconds=timeout_seconds)
    except ValueError as error:
        raise StartError(f"CHATROOM_REDIS_URL: {error}.") from error
    topology = Topology(parsed, timeout_seconds=timeout_seconds)
    tables = await topology.ask(len(parsed.seeds))
    if not tables:
        # One of them says why.
        await _check_node(topology, Address(*parsed.seeds[0]), durability, url)
        raise StartError(f"The Redis cluster at {shown} does not tell of its slots.")
    table = best_of(tables)
    if table.covered < SLOTS:
        raise StartError(
            f"The Redis cluster at {shown} has {SLOTS - table.covered} of {SLOTS} slots"
            " without a primary: see CLUSTER INFO."
        )
    if not table.is_well:
        raise StartError(
            f"The Redis cluster at {shown} does not serve: see CLUSTER INFO."
        )
    for address in table.replicas:
        await _check_node(topology, address, durability, url)
    # A server that was just told of a replica may not list it yet.
    alone = sorted(
        str(each)
        for each in table.replicas
        if not any(known.replicas.get(each) for known in tables)
    )
    if not alone:
        return []
    return [
        f"Shards of the Redis cluster have no replica: {', '.join(alone)}. When one"
        " fails, its rooms are away until it is back."
    ]


async def _check_node(
    topology: Topology, address: Address, durability: str, url: str
) -> None:
    connection = topology.connection(address)
    try:
        await connection.connect()
        heed_cancellation()
        about = await check_server(connection, str(address), durability)
    except REFUSALS as error:
        raise reason_of(error, str(address)) from error
    finally:
        await connection.disconnect(nowait=True)
    if about.get("cluster_enabled") != "1":
        plain = mask_url(url).replace("+cluster", "", 1).partition(",")[0]
        raise StartError(
            f"Redis at {address} is no part of a cluster: set CHATROOM_REDIS_URL to"
            f" {plain}."
        )
