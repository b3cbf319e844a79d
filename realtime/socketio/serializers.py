"""Packet classes: this project's, and those that python-socketio lets one choose."""

from typing import Any

from socketio import packet as stock_packet

from realtime import json_codec
from realtime.socketio import packets
from realtime.socketio.packets import SocketPacket, SocketPacketError


class ServerPacket(stock_packet.Packet):
    """The library's packet with a JSON codec of its own.

    The library keeps the codec in the class, for the whole process; clients in the
    same process keep theirs this way.
    """

    json = json_codec


def parse(
    packet_class: Any, data: str | bytes, *, max_attachments: int
) -> SocketPacket:
    """Return a packet that was encoded by another serializer, such as msgpack.

    Raises:
        SocketPacketError: It is no packet, or has too many attachments.
    """
    try:
        packet = packet_class(encoded_packet=data)
    except Exception as error:
        raise SocketPacketError("the serializer refused it") from error
    return packets.checked(
        packet.packet_type,
        packet.namespace or "/",
        packet.id,
        packet.data,
        packet.attachment_count,
        max_attachments=max_attachments,
    )
