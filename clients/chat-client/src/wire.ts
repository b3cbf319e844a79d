/**
 * What client and server say to each other in /chat: version 2 of
 * docs/protocol.md.
 * Made by `make types` from schemas/catalog.py; do not edit.
 */

/** What a client may ask for, by the event's name. */
export interface Requests {
  join: { payload: JoinPayload; ack: JoinAck | ErrorAck };
  sync: { payload: SyncPayload; ack: SyncAck | ErrorAck };
  leave: { payload: RoomPayload; ack: Done | ErrorAck };
  quit: { payload: RoomPayload; ack: Done | ErrorAck };
  send: { payload: SendPayload; ack: SendAck | ErrorAck };
  edit: { payload: EditPayload; ack: EditAck | ErrorAck };
  delete: { payload: DeletePayload; ack: ChangeAck | ErrorAck };
  react: { payload: ReactPayload; ack: ReactAck | ErrorAck };
  pin: { payload: PinPayload; ack: ChangeAck | ErrorAck };
  mark_read: { payload: MarkReadPayload; ack: MarkReadAck | ErrorAck };
  typing: { payload: TypingPayload; ack: Done | ErrorAck };
  history: { payload: HistoryPayload; ack: HistoryAck | ErrorAck };
  media: { payload: MediaPayload; ack: MediaAck | ErrorAck };
  reads: { payload: ReadsPayload; ack: ReadsAck | ErrorAck };
  users: { payload: UsersPayload; ack: UsersAck | ErrorAck };
  rooms: { payload: RoomsPayload; ack: RoomsAck | ErrorAck };
  room_create: { payload: RoomCreatePayload; ack: RoomCreateAck | ErrorAck };
  room_set: { payload: RoomSetPayload; ack: Done | ErrorAck };
  room_delete: { payload: RoomPayload; ack: Done | ErrorAck };
  members: { payload: MembersPayload; ack: MembersAck | ErrorAck };
  members_add: { payload: MembersAddPayload; ack: MembersAddAck | ErrorAck };
  member_remove: { payload: MemberRemovePayload; ack: MemberRemoveAck | ErrorAck };
  unban: { payload: UnbanPayload; ack: Done | ErrorAck };
  member_set: { payload: MemberSetPayload; ack: MemberSetAck | ErrorAck };
  invite_create: { payload: InviteCreatePayload; ack: InviteAck | ErrorAck };
  invite_revoke: { payload: InviteRevokePayload; ack: Done | ErrorAck };
  invites: { payload: RoomPayload; ack: InvitesAck | ErrorAck };
  report: { payload: ReportPayload; ack: Done | ErrorAck };
  reports: { payload: NotesPayload; ack: ReportsAck | ErrorAck };
  audit: { payload: NotesPayload; ack: AuditAck | ErrorAck };
  block: { payload: BlockPayload; ack: Done | ErrorAck };
  blocks: { payload: BlocksPayload; ack: BlocksAck | ErrorAck };
  me: { payload: MePayload; ack: MeAck | ErrorAck };
  room_mine: { payload: RoomMinePayload; ack: MineAck | ErrorAck };
  mark_unread: { payload: MarkUnreadPayload; ack: MineAck | ErrorAck };
  refresh: { payload: RefreshPayload; ack: RefreshAck | ErrorAck };
}

/** What the server tells, by the event's name. */
export interface Broadcasts {
  message: Message;
  message_edited: MessageEdited;
  message_deleted: MessageDeleted;
  reaction: Reaction;
  pin: Pin;
  member_joined: MemberJoined;
  member_left: MemberLeft;
  member_changed: MemberChanged;
  room_created: RoomCreated;
  room_changed: RoomChanged;
  room_deleted: RoomDeleted;
  reactions: Reactions;
  read: Read;
  typing: Typing;
  presence: Presence;
  member_count: MemberCount;
  state: RoomState;
  membership_ended: MembershipEnded;
  hello: Hello;
  room_added: RoomAdded;
  room_removed: RoomRemoved;
  role: OwnRole;
  room_mine: RoomMine;
  read_mine: ReadMine;
  block: Block;
  rooms_changed: RoomsChanged;
  me_reload: MeReload;
  closing: Closing;
  service: Service;
  token_expired: TokenExpired;
  reload: Reload;
}

/** It was not carried out; `ok` is false. */
export interface ErrorAck {
  ok: false;
  error: ChatError;
}

/** What went wrong, for the program (`code`) and the person (`message`). */
export interface ChatError {
  code: "invalid" | "unauthorized" | "forbidden" | "not_found" | "conflict" | "not_attending" | "too_large" | "rate_limited" | "unavailable" | "unknown" | "unknown_event" | "internal";
  message: string;
  temporary: boolean;
  fields?: Record<string, string[]>;
  retryAfter?: number;
  reason?: string;
  until?: number;
}

/** `join`: with an invite into a private room. */
export interface JoinPayload {
  room: string;
  cursor?: string;
  invite?: string;
}

/** `join`: where the room stands, and what was missed. */
export interface JoinAck {
  room: string;
  reads: Record<string, number> | null;
  online: string[] | null;
  onlineCount: number;
  memberCount: number;
  ok: true;
  cursor: string;
  recovered: boolean;
  more?: boolean;
  events: (["message", Message] | ["message_edited", MessageEdited] | ["message_deleted", MessageDeleted] | ["reaction", Reaction] | ["pin", Pin] | ["member_joined", MemberJoined] | ["member_left", MemberLeft] | ["member_changed", MemberChanged] | ["room_created", RoomCreated] | ["room_changed", RoomChanged] | ["room_deleted", RoomDeleted])[];
  kind: "public" | "private" | "direct";
  name: string | null;
  topic: string | null;
  data: Record<string, unknown> | null;
  role: "member" | "moderator" | "owner";
  since: number;
  history: "all" | "joined";
  writers: "members" | "moderators";
  invite: "members" | "moderators";
  slow: number;
  rv: number;
  mutedUntil: number | null;
  lastMessage: number;
  lastReadMessage: number;
  unread: number;
  unreadMentions: number;
  pins: number[];
}

/** `message`: somebody wrote something; in the history as it is by now. */
export interface Message {
  offset: number;
  uid: string;
  room: string;
  message: number;
  user: string;
  name?: string;
  clientId?: string;
  type: "text" | "image" | "system" | "deleted";
  text?: string;
  image?: Image;
  images?: Image[];
  replyTo?: number;
  mentions?: string[];
  mentionAll?: boolean;
  silent?: boolean;
  data?: Record<string, unknown>;
  at: number;
  editedAt?: number;
  edits?: number;
  reactions?: Record<string, number>;
  deleted?: Deleted;
  rev?: number;
}

/** Where an image is and what it is like; each `url` is signed and expires. */
export interface Image {
  url: string;
  mime: string;
  size: number;
  width: number;
  height: number;
  thumbhash?: string;
  thumbnails?: Thumbnail[];
  animated?: boolean;
}

/** A smaller WebP of an image. */
export interface Thumbnail {
  url: string;
  width: number;
  height: number;
}

/** Who deleted a message, why and when. */
export interface Deleted {
  by?: string;
  reason?: string;
  at: number;
}

/** `message_edited`: its author gave a message new words. */
export interface MessageEdited {
  offset: number;
  uid: string;
  room: string;
  message: number;
  user: string;
  text: string;
  mentions?: string[];
  editedAt: number;
  edits: number;
  at: number;
}

/** `message_deleted`: nothing of a message is left but its place. */
export interface MessageDeleted {
  offset: number;
  uid: string;
  room: string;
  message: number;
  by?: string;
  reason?: string;
  at: number;
}

/** `reaction`: somebody reacted to a message, or took it back. */
export interface Reaction {
  offset: number;
  uid: string;
  room: string;
  message: number;
  user: string;
  key: string;
  on: boolean;
  count: number;
  at: number;
}

/** `pin`: a message was pinned, or is no more. */
export interface Pin {
  offset: number;
  uid: string;
  room: string;
  message: number;
  on: boolean;
  by: string;
  at: number;
}

/** `member_joined`: somebody was made a member by another one. */
export interface MemberJoined {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
  user: string;
  role: "member" | "moderator" | "owner";
}

/** `member_left`: somebody was put out; `said`: why, in the words of who did. */
export interface MemberLeft {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
  user: string;
  reason: "kicked" | "banned";
  said?: string;
}

/** `member_changed`: the role and muting that hold now. */
export interface MemberChanged {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
  user: string;
  role: "member" | "moderator" | "owner";
  mutedUntil: number | null;
}

/** `room_created`: the first event of a room that was made by request. */
export interface RoomCreated {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
  kind: "public" | "private" | "direct";
  name?: string;
  topic?: string;
  data?: Record<string, unknown>;
  history?: "all" | "joined";
  writers?: "members" | "moderators";
  invite?: "members" | "moderators";
  slow?: number;
}

/** `room_changed`: all settings as they are now. */
export interface RoomChanged {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
  kind: "public" | "private" | "direct";
  name: string | null;
  topic: string | null;
  data: Record<string, unknown> | null;
  history: "all" | "joined";
  writers: "members" | "moderators";
  invite: "members" | "moderators";
  slow: number;
}

/** `room_deleted`: the last event of a room. */
export interface RoomDeleted {
  offset: number;
  uid: string;
  room: string;
  by: string;
  after: number;
  at: number;
}

/** `sync`: what `join` does, for all of a client's rooms at once. */
export interface SyncPayload {
  rooms: SyncRoomPayload[];
}

/** One room of `sync`. */
export interface SyncRoomPayload {
  room: string;
  cursor?: string;
}

/** `sync`: one answer a room, in the order asked. */
export interface SyncAck {
  ok: true;
  rooms: (JoinAck | SyncDenied)[];
}

/** A room of `sync` that could not be joined. */
export interface SyncDenied {
  ok: false;
  error: ChatError;
  room: string;
}

/** `leave`, `quit`: the room alone. */
export interface RoomPayload {
  room: string;
}

/** It was carried out; there is nothing else to say. */
export interface Done {
  ok: true;
}

/** `send`: a text, or images with or without a caption. */
export interface SendPayload {
  room: string;
  clientId: string;
  type: "text" | "image";
  text?: string;
  image?: Uint8Array | ArrayBuffer | Blob;
  images?: (Uint8Array | ArrayBuffer | Blob)[];
  replyTo?: number;
  mentions?: string[];
  mentionAll?: boolean;
  silent?: boolean;
  data?: Record<string, unknown>;
}

/** `send`: stored and published, at this place. */
export interface SendAck {
  ok: true;
  message: number;
  offset: number;
  uid: string;
  at: number;
  duplicate: boolean;
  durability: string;
}

/** `edit`: the words that an own message is to have, as a whole. */
export interface EditPayload {
  room: string;
  message: number;
  clientId: string;
  text: string;
  mentions?: string[];
}

/** `edit`: stored and published, at this place. */
export interface EditAck {
  ok: true;
  offset?: number;
  uid?: string;
  at?: number;
  duplicate: boolean;
  message: number;
}

/** `delete`: what is said of why is shown to all. */
export interface DeletePayload {
  room: string;
  message: number;
  reason?: string;
}

/** `delete`, `pin`: the change's place; a duplicate changed nothing. */
export interface ChangeAck {
  ok: true;
  offset?: number;
  uid?: string;
  at?: number;
  duplicate: boolean;
}

/** `react`: set it, or take it back. */
export interface ReactPayload {
  room: string;
  message: number;
  key: string;
  on: boolean;
}

/** `react`: how many have this reaction now. */
export interface ReactAck {
  ok: true;
  count: number;
  duplicate: boolean;
}

/** `pin`: pin it for all, or take the pin off. */
export interface PinPayload {
  room: string;
  message: number;
  on: boolean;
}

/** `mark_read`: the highest message number that the user has read. */
export interface MarkReadPayload {
  room: string;
  message: number;
}

/** `mark_read`: the mark that now holds, and what is left. */
export interface MarkReadAck {
  ok: true;
  lastReadMessage: number;
  unread: number;
}

/** `typing`: began or ended. */
export interface TypingPayload {
  room: string;
  on: boolean;
}

/** `history`: messages by number; the bounds are exclusive; or around one. */
export interface HistoryPayload {
  room: string;
  before?: number;
  after?: number;
  around?: number;
  at?: number;
  limit?: number;
}

/** `history`: a page, ascending by number. */
export interface HistoryAck {
  ok: true;
  messages: Message[];
  more: boolean;
  firstAvailable: number;
  moreAfter?: boolean;
  around?: number;
}

/** `media`: messages with images below a number, or the newest. */
export interface MediaPayload {
  room: string;
  before?: number;
  limit?: number;
}

/** `media`: a page, descending by number. */
export interface MediaAck {
  ok: true;
  messages: Message[];
  more: boolean;
}

/** `reads`: how many have not read some messages. */
export interface ReadsPayload {
  room: string;
  messages: number[];
}

/** `reads`: how many members have not read each message, in the order asked. */
export interface ReadsAck {
  ok: true;
  counts: number[];
}

/** `users`: what members of the room are called. */
export interface UsersPayload {
  room: string;
  users: string[];
}

/** `users`: those of the asked who are members, in the order asked. */
export interface UsersAck {
  ok: true;
  users: Profile[];
}

/** A member, and what they are called and shown by. */
export interface Profile {
  user: string;
  name?: string;
  picture?: string;
}

/** `rooms`: a page of the user's rooms. */
export interface RoomsPayload {
  after?: string;
  limit?: number;
  sort?: "recent";
  cursor?: string;
  filter?: "active" | "archived" | "pinned" | "unread";
}

/** `rooms`: a page of the rooms that the user is a member of. */
export interface RoomsAck {
  ok: true;
  rooms: RoomEntry[];
  more: boolean;
  next?: string;
}

/** A room of `rooms`; `newest` is null while it is empty. */
export interface RoomEntry {
  muted: boolean;
  pinned: boolean;
  archived: boolean;
  markedUnread: boolean;
  push: "all" | "mentions" | "none";
  room: string;
  name: string | null;
  kind: "public" | "private" | "direct";
  role: "member" | "moderator" | "owner";
  lastMessage: number;
  lastReadMessage: number;
  unread: number;
  unreadMentions: number;
  newest: Message | null;
  at?: number;
}

/** `room_create`: a room of a kind, with its settings and first members. */
export interface RoomCreatePayload {
  name?: string;
  topic?: string;
  data?: Record<string, unknown>;
  history?: "all" | "joined";
  writers?: "members" | "moderators";
  invite?: "members" | "moderators";
  slow?: number;
  kind: "public" | "private" | "direct";
  room?: string;
  users?: string[];
  clientId: string;
}

/** `room_create`: the room's id; `duplicate`: it was made before. */
export interface RoomCreateAck {
  ok: true;
  room: string;
  duplicate: boolean;
}

/** `room_set`: what changes of a room; `private` makes a public one so. */
export interface RoomSetPayload {
  name?: string;
  topic?: string;
  data?: Record<string, unknown>;
  history?: "all" | "joined";
  writers?: "members" | "moderators";
  invite?: "members" | "moderators";
  slow?: number;
  room: string;
  private?: boolean;
}

/** `members`: a page of them, by their ids. */
export interface MembersPayload {
  room: string;
  after?: string;
  limit?: number;
}

/** `members`: a page, ascending by user id. */
export interface MembersAck {
  ok: true;
  members: Member[];
  more: boolean;
}

/** A line of `members`; `since`: when they came, in Unix ms. */
export interface Member {
  user: string;
  role: "member" | "moderator" | "owner";
  since: number;
  mutedUntil: number | null;
  online: boolean;
  name?: string;
  picture?: string;
}

/** `members_add`: users who become members. */
export interface MembersAddPayload {
  room: string;
  users: string[];
  role?: "member" | "moderator" | "owner";
}

/** `members_add`: those who were no members before. */
export interface MembersAddAck {
  ok: true;
  added: string[];
}

/** `member_remove`: a kick; with `ban` or `banSeconds` they stay out. */
export interface MemberRemovePayload {
  room: string;
  user: string;
  ban?: boolean;
  banSeconds?: number;
  reason?: string;
}

/** `member_remove`: false for who was no member, and is banned now. */
export interface MemberRemoveAck {
  ok: true;
  removed: boolean;
}

/** `unban`: a user who may come again. */
export interface UnbanPayload {
  room: string;
  user: string;
}

/** `member_set`: a role, or a pause in writing; 0 seconds end it. */
export interface MemberSetPayload {
  room: string;
  user: string;
  role?: "member" | "moderator" | "owner";
  muteSeconds?: number;
}

/** `member_set`: the role and muting that hold now. */
export interface MemberSetAck {
  ok: true;
  role: "member" | "moderator" | "owner";
  mutedUntil: number | null;
}

/** `invite_create`: how long it lasts, and how often it may be used. */
export interface InviteCreatePayload {
  room: string;
  expiresSeconds?: number;
  uses?: number;
}

/** `invite_create`: the invite. */
export interface InviteAck {
  invite: string;
  expiresAt: number;
  usesLeft: number | null;
  at: number;
  by: string;
  ok: true;
}

/** `invite_revoke`: which one. */
export interface InviteRevokePayload {
  room: string;
  invite: string;
}

/** `invites`: those that are good now, by their ends. */
export interface InvitesAck {
  ok: true;
  invites: InviteEntry[];
}

/** An invite of `invites`; `usesLeft` is null for any number. */
export interface InviteEntry {
  invite: string;
  expiresAt: number;
  usesLeft: number | null;
  at: number;
  by: string;
}

/** `report`: a message, or a user. */
export interface ReportPayload {
  room: string;
  message?: number;
  user?: string;
  reason: string;
}

/** `reports`, `audit`: a page, the newest first. */
export interface NotesPayload {
  room: string;
  before?: string;
  limit?: number;
}

/** `reports`: a page, the newest first. */
export interface ReportsAck {
  ok: true;
  reports: ReportEntry[];
  more: boolean;
}

/** A report; of a message with its words as they were then. */
export interface ReportEntry {
  id: string;
  at: number;
  by: string;
  reason: string;
  user: string;
  message?: number;
  copy?: Message;
}

/** `audit`: a page, the newest first. */
export interface AuditAck {
  ok: true;
  acts: Act[];
  more: boolean;
}

/** What somebody did in a room. */
export interface Act {
  id: string;
  act: string;
  by: string;
  at: number;
  details: Record<string, unknown>;
}

/** `block`: whom, and whether from now on or no longer. */
export interface BlockPayload {
  user: string;
  on: boolean;
}

/** `blocks`: nothing is asked with it. */
export interface BlocksPayload {

}

/** `blocks`: whom the user blocks, sorted. */
export interface BlocksAck {
  ok: true;
  users: string[];
}

/** `me`: follow what becomes of one's rooms, on all devices. */
export interface MePayload {
  cursor?: string;
  list?: boolean;
}

/** `me`: what was missed of one's own log, and a page of rooms if asked for. */
export interface MeAck {
  ok: true;
  cursor: string;
  recovered: boolean;
  events: (["room_added", RoomAdded] | ["room_removed", RoomRemoved] | ["role", OwnRole] | ["room_mine", RoomMine] | ["read_mine", ReadMine] | ["block", Block])[];
  unwatched?: number;
  rooms?: RoomEntry[];
  more?: boolean;
  next?: string;
}

/** `room_added`: the user is a member of this room now. */
export interface RoomAdded {
  offset: number;
  uid: string;
  at: number;
  room: string;
}

/** `room_removed`: the user is a member of this room no longer. */
export interface RoomRemoved {
  offset: number;
  uid: string;
  at: number;
  room: string;
  reason: string;
}

/** `role`: the user has this role in a room now. */
export interface OwnRole {
  offset: number;
  uid: string;
  at: number;
  room: string;
  role: "member" | "moderator" | "owner";
}

/** `room_mine`: the user's own settings of a room are these now. */
export interface RoomMine {
  muted: boolean;
  pinned: boolean;
  archived: boolean;
  markedUnread: boolean;
  push: "all" | "mentions" | "none";
  offset: number;
  uid: string;
  at: number;
  room: string;
}

/** `read_mine`: the user has read a room up to here, at one of their devices. */
export interface ReadMine {
  offset: number;
  uid: string;
  at: number;
  room: string;
  lastReadMessage: number;
}

/** `block`: the user blocks somebody, or does no longer. */
export interface Block {
  offset: number;
  uid: string;
  at: number;
  user: string;
  on: boolean;
}

/** `room_mine`: one's own settings of a room; what is left out stays. */
export interface RoomMinePayload {
  room: string;
  muted?: boolean;
  pinned?: boolean;
  archived?: boolean;
  push?: "all" | "mentions" | "none";
}

/** `room_mine`, `mark_unread`: the user's settings of the room, all of them. */
export interface MineAck {
  muted: boolean;
  pinned: boolean;
  archived: boolean;
  markedUnread: boolean;
  push: "all" | "mentions" | "none";
  ok: true;
  room: string;
}

/** `mark_unread`: a mark of the user's own; what was read stays read. */
export interface MarkUnreadPayload {
  room: string;
  on: boolean;
}

/** `refresh`: a new token for the same user. */
export interface RefreshPayload {
  token: string;
}

/** `refresh`: when the session now ends, in Unix ms; null: it does not. */
export interface RefreshAck {
  ok: true;
  expiresAt: number | null;
}

/** `reactions`: those to a message of a large room, by now. Not in the log. */
export interface Reactions {
  room: string;
  message: number;
  counts: Record<string, number>;
}

/** `read`: a user has read up to here. Not in the log. */
export interface Read {
  room: string;
  user: string;
  lastReadMessage: number;
}

/** `typing`: a user began or ended writing. Not in the log. */
export interface Typing {
  room: string;
  user: string;
  name?: string;
  on: boolean;
}

/** `presence`: a user came or went; in large rooms only how many are here. */
export interface Presence {
  room: string;
  user?: string;
  name?: string;
  online?: boolean;
  onlineCount?: number;
}

/** `member_count`: how many members a large room has by now. */
export interface MemberCount {
  room: string;
  memberCount: number;
}

/** `state`: who is here and how far each has read, as of now. Not in the log. */
export interface RoomState {
  room: string;
  reads: Record<string, number> | null;
  online: string[] | null;
  onlineCount: number;
  memberCount: number;
}

/** `membership_ended`: the user quit at another device; do not join again. */
export interface MembershipEnded {
  room: string;
}

/** `hello`: what this server is, and who it takes the client for. */
export interface Hello {
  protocol: number;
  server: string;
  features: string[];
  limits: HelloLimits;
  user: string;
  name?: string;
  picture?: string;
  expiresAt: number | null;
}

/** What a client may ask for; a rate that is not named is not limited. */
export interface HelloLimits {
  textCharacters: number;
  mentions: number;
  images: number;
  dataBytes: number;
  payloadBytes: number;
  imageBytes: number;
  imagePixels: number;
  imageFramePixels: number;
  userImageBytes: number;
  historyMessages: number;
  roomsPage: number;
  syncRooms: number;
  users: number;
  sessionRooms: number;
  userRooms: number;
  announceMembers: number;
  rates: Record<string, RateLimit>;
}

/** So many at once, and one more each `interval` milliseconds. */
export interface RateLimit {
  interval: number;
  burst: number;
}

/** `rooms_changed`: what passed in rooms on the user's list. Not in a log. */
export interface RoomsChanged {
  rooms: ChangedRoom[];
}

/** A room of `rooms_changed`. */
export interface ChangedRoom {
  room: string;
  lastMessage: number;
  at: number;
  name?: string;
  kind?: "public" | "private" | "direct";
  newest?: Message;
  memberCount?: number;
  lastReadMessage?: number;
}

/** `me_reload`: what is known of one's rooms may be wrong; list them anew. */
export interface MeReload {

}

/** `closing`: the server is about to close this connection; come back. */
export interface Closing {
  reason: string;
  retryAfter: number;
}

/** `service`: this node lost its Redis, or has it again; connections live on. */
export interface Service {
  available: boolean;
}

/** `token_expired`: the session ends now; connect with a new token. */
export interface TokenExpired {
  code: "unauthorized";
  message: string;
}

/** `reload`: what was shown of this room may be wrong; join without a cursor. */
export interface Reload {
  room: string;
}
