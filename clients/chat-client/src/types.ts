/** Types of the client's surface; no code. */

import type { ConnectionOptions, ConnectionState } from "./connection/connection.js";
import type { ChatRequestError } from "./connection/errors.js";
import type { OutboxItem } from "./outbox/outbox.js";
import type { Platform } from "./platform.js";
import type { Broadcasts, ErrorAck, Message, Requests } from "./wire.js";

/** How the client stands, in words that an application can show. */
export interface Status {
  state: ConnectionState;
  /** Online, and not yet up to date in every room. */
  isCatchingUp: boolean;
  /** Messages on their way. */
  sending: number;
  /** Messages that the server refused; the user decides. */
  failed: number;
  /** Why things are as they are, if there is something to say. */
  trouble: { code: string; message: string } | null;
}

export interface ClientOptions {
  /** Where it runs: `webPlatform()` in pages. By default nothing outlives the program. */
  platform?: Platform;
  /** Messages held a room, at most. */
  keepMessages?: number;
}

export type Options = ConnectionOptions & ClientOptions;

/** The answer to a request that was carried out. */
export type Answer<Name extends keyof Requests> = Exclude<Requests[Name]["ack"], ErrorAck>;

/** Makes a request; rejects with a `ChatRequestError`. */
export type Request = <Name extends keyof Requests>(
  name: Name,
  payload: Requests[Name]["payload"],
  options?: RequestOptions<Answer<Name>>,
) => Promise<Answer<Name>>;

export interface RequestOptions<Ack> {
  timeoutMs?: number;
  /** Called in the very step in which the ack arrives, before any event that follows it. */
  onOk?: (ack: Ack) => void;
}

type ChangeName =
  | "message_edited"
  | "message_deleted"
  | "reaction"
  | "reactions"
  | "pin"
  | "member_joined"
  | "member_left"
  | "member_changed"
  | "room_created"
  | "room_changed"
  | "room_deleted";

/** An event of a room other than a new message. */
export type Change = {
  [Name in ChangeName]: { room: string; name: Name; payload: Broadcasts[Name] };
}[ChangeName];

/** What a client tells, by name. */
export interface Events {
  status: Status;
  /** A message is new here; in order, each once. `isLive`: it was not missed before. */
  message: { room: string; message: Message; isLive: boolean };
  /** An edit, a deletion, a reaction, or another event of the room's log. */
  changed: Change;
  /** The room's messages were made anew; show `room(id).messages`. */
  replaced: { room: string };
  /** Somebody has read on; see `room(id)`. */
  reads: { room: string };
  /** Somebody came or went; see `room(id)`. */
  presence: { room: string };
  /** See `typing(id)`. */
  typing: { room: string };
  /** Somebody is called otherwise now; see `nameOf(user)`. */
  names: object;
  /** What `timeline(id).entries` gives is different. */
  timeline: { room: string };
  /** See `drafts.get(id)`. */
  drafts: { room: string };
  /** A message on its way has taken a step; see `outbox(id)`. */
  outbox: { room: string; item: OutboxItem };
  /** The room cannot be attended, or not any more. */
  refused: { room: string; error: ChatRequestError };
}
