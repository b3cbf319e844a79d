/** What the package offers to everybody; `./web`, `./react-native` and `./react` add to it. */

export { ChatroomClient } from "./client.js";
export { ChatRequestError, type ErrorDetails, type ErrorRecord } from "./connection/errors.js";
export type { Auth, ConnectionOptions, ConnectionState } from "./connection/connection.js";
export type { GetToken } from "./connection/token-renewal.js";
export { MESSAGE_BYTES, MESSAGE_IMAGES, type Content, type OutboxItem } from "./outbox/outbox.js";
export { MemoryTexts, plainPlatform } from "./platform.js";
export type { ByteStorage, DeviceListeners, Platform, TextStorage } from "./platform.js";
export type { RoomState } from "./rooms/room-state.js";
export type { Drafts } from "./drafts.js";
export type { Gap, Timeline, TimelineEntry } from "./rooms/timeline.js";
export { ROOM_ID } from "./rooms/rooms.js";
export type { Answer, Change, Events, Options, Status } from "./types.js";
export type * from "./wire.js";
