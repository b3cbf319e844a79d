// One channel a room: subscribed to while somebody here attends it.
export class Attendance {
  #rooms = new Map();
  #subscriber;
  #tell;

  constructor(subscriber, tell) {
    this.#subscriber = subscriber;
    this.#tell = (event, channel) => tell(channel, event);
  }

  // Somebody attends it; what is published from the end of this on is told.
  async enter(channel) {
    let room = this.#rooms.get(channel);
    if (!room) {
      room = { attending: 0, subscribed: this.#subscriber.subscribe(channel, this.#tell) };
      this.#rooms.set(channel, room);
    }
    room.attending += 1;
    await room.subscribed;
  }

  leave(channel) {
    const room = this.#rooms.get(channel);
    room.attending -= 1;
    if (room.attending) return;
    this.#rooms.delete(channel);
    this.#subscriber.unsubscribe(channel);
  }
}
