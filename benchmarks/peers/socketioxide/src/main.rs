// Socket.IO in Rust: socketioxide, axum and tokio on one thread, with mimalloc.
// PORT, REDIS; prints "ready".
// MODE=chat: the same job as this server's, but by names: validation, one script a send, one
// channel a room, the ack after it, everybody told what Redis publishes. It verifies no token.
// MODE=plain (the default): join, message and broadcast through socketioxide-redis, in /.
use axum::serve::ListenerExt;
use futures_util::StreamExt;
use redis::{aio::MultiplexedConnection, AsyncCommands, Script};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use socketioxide::{
    adapter::Adapter,
    extract::{AckSender, Data, Extension, SocketRef, State, TryData},
    SocketIo,
};
use socketioxide_redis::{RedisAdapter, RedisAdapterCtr};
use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Auth {
    user: String,
}
#[derive(Deserialize)]
struct Join {
    room: Value,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    room: String,
    #[serde(rename = "clientId")]
    client_id: String,
    r#type: String,
    text: String,
}
#[derive(Serialize, Deserialize)]
struct Message {
    offset: u64,
    uid: String,
    message: u64,
    room: String,
    user: String,
    r#type: String,
    text: String,
    #[serde(rename = "clientId")]
    client_id: String,
    at: u64,
}
#[derive(Serialize)]
struct Body<'a> {
    room: &'a str,
    user: &'a str,
    r#type: &'a str,
    text: &'a str,
    #[serde(rename = "clientId")]
    client_id: &'a str,
}

// What the other peers that do this job run as well.
const APPEND: &str = include_str!("../../append.lua");

struct Chat {
    redis: MultiplexedConnection,
    sink: tokio::sync::Mutex<redis::aio::PubSubSink>,
    rooms: Mutex<HashMap<String, usize>>,
    append: Script,
}
type Shared = Arc<Chat>;
#[derive(Clone)]
struct User(Arc<str>);
#[derive(Clone, Default)]
struct Joined(Arc<Mutex<Vec<String>>>);

fn name_ok(s: &str) -> bool {
    (1..=64).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
fn uid() -> String {
    format!(
        "{:x}",
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
    )
}

async fn join<A: Adapter>(
    s: SocketRef<A>,
    Data(d): Data<Join>,
    ack: AckSender<A>,
    State(chat): State<Shared>,
    Extension(user): Extension<User>,
    Extension(joined): Extension<Joined>,
) {
    let room = d.room.as_str().unwrap_or_default().to_owned();
    let channel = format!("chatroom-{room}");
    let first = {
        let mut rooms = chat.rooms.lock().unwrap();
        let n = rooms.entry(channel.clone()).or_insert(0);
        *n += 1;
        *n == 1
    };
    if first {
        chat.sink.lock().await.subscribe(&channel).await.unwrap();
    }
    let key = format!("{{{channel}}}:");
    let mut redis = chat.redis.clone();
    let _: () = redis::pipe()
        .atomic()
        .hset_nx(format!("{key}members"), &*user.0, "{}")
        .hset(format!("{key}sessions"), s.id.to_string(), &*user.0)
        .query_async(&mut redis)
        .await
        .unwrap();
    let (top, reads): (Option<u64>, HashMap<String, u64>) = redis::pipe()
        .hget(format!("{key}meta"), "offset")
        .hgetall(format!("{key}lastRead"))
        .query_async(&mut redis)
        .await
        .unwrap();
    joined.0.lock().unwrap().push(channel.clone());
    s.join(channel);
    ack.send(&json!({"ok": true, "room": room, "cursor": format!("{}:", top.unwrap_or(0)), "reads": reads})).ok();
}

async fn send<A: Adapter>(
    TryData(payload): TryData<Send>,
    ack: AckSender<A>,
    State(chat): State<Shared>,
    Extension(user): Extension<User>,
    Extension(joined): Extension<Joined>,
) {
    let Ok(p) = payload else {
        ack.send(&json!({"ok": false, "error": {"code": "invalid"}}))
            .ok();
        return;
    };
    let text = p.text.trim();
    if !name_ok(&p.room)
        || !name_ok(&p.client_id)
        || p.r#type != "text"
        || text.is_empty()
        || text.chars().count() > 4000
    {
        ack.send(&json!({"ok": false, "error": {"code": "invalid"}}))
            .ok();
        return;
    }
    let channel = format!("chatroom-{}", p.room);
    if !joined.0.lock().unwrap().contains(&channel) {
        ack.send(&json!({"ok": false, "error": {"code": "not_attending"}}))
            .ok();
        return;
    }
    let key = format!("{{{channel}}}:");
    let body = serde_json::to_string(&Body {
        room: &p.room,
        user: &user.0,
        r#type: &p.r#type,
        text,
        client_id: &p.client_id,
    })
    .unwrap();
    let uid = uid();
    let mut redis = chat.redis.clone();
    let r: Vec<i64> = chat
        .append
        .key(format!("{key}log"))
        .key(format!("{key}messages"))
        .key(format!("{key}meta"))
        .key(format!("{key}lastRead"))
        .key(format!("{key}members"))
        .key(format!("{key}sent:{}:{}", user.0, p.client_id))
        .arg(&channel)
        .arg(&*user.0)
        .arg(&uid)
        .arg(&body[1..body.len() - 1])
        .invoke_async(&mut redis)
        .await
        .unwrap();
    if r[0] < 0 {
        ack.send(&json!({"ok": false, "error": {"code": "forbidden"}}))
            .ok();
        return;
    }
    ack.send(
        &json!({"ok": true, "message": r[1], "offset": r[1], "uid": uid, "duplicate": r[0] == 1}),
    )
    .ok();
}

async fn left<A: Adapter>(
    s: SocketRef<A>,
    State(chat): State<Shared>,
    Extension(joined): Extension<Joined>,
) {
    let channels = std::mem::take(&mut *joined.0.lock().unwrap());
    for channel in channels {
        let last = {
            let mut rooms = chat.rooms.lock().unwrap();
            let n = rooms.get_mut(&channel).unwrap();
            *n -= 1;
            let last = *n == 0;
            if last {
                rooms.remove(&channel);
            }
            last
        };
        if last {
            chat.sink.lock().await.unsubscribe(&channel).await.ok();
        }
        let _: Result<(), _> = chat
            .redis
            .clone()
            .hdel(format!("{{{channel}}}:sessions"), s.id.to_string())
            .await;
    }
}

async fn serve(app: axum::Router, port: u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    let listener = socket.listen(4096).unwrap().tap_io(|tcp| {
        tcp.set_nodelay(true).ok();
    });
    println!("ready");
    axum::serve(listener, app).await.unwrap();
}

async fn chat(url: String, port: u16) {
    let client = redis::Client::open(url).unwrap();
    let redis = client
        .get_multiplexed_async_connection_with_config(
            &redis::AsyncConnectionConfig::new().set_response_timeout(None),
        )
        .await
        .unwrap();
    let (sink, mut published) = client.get_async_pubsub().await.unwrap().split();
    let state: Shared = Arc::new(Chat {
        redis,
        sink: tokio::sync::Mutex::new(sink),
        rooms: Default::default(),
        append: Script::new(APPEND),
    });
    let (layer, io) = SocketIo::builder()
        .max_buffer_size(100_000)
        .with_state(state)
        .build_layer();
    io.ns(
        "/chat",
        |s: SocketRef, TryData(auth): TryData<Auth>| async move {
            let user = auth.map(|a| a.user).unwrap_or_default();
            if user.is_empty() {
                s.disconnect().ok();
                return;
            }
            s.extensions.insert(User(user.into()));
            s.extensions.insert(Joined::default());
            s.on("join", join);
            s.on("send", send);
            s.on_disconnect(left);
        },
    );
    tokio::spawn(async move {
        while let Some(m) = published.next().await {
            let Ok((event, message)) =
                serde_json::from_slice::<(String, Message)>(m.get_payload_bytes())
            else {
                continue;
            };
            io.of("/chat")
                .unwrap()
                .local()
                .to(m.get_channel_name().to_owned())
                .emit(event, &message)
                .await
                .ok();
        }
    });
    serve(axum::Router::new().layer(layer), port).await
}

async fn plain(url: String, port: u16) {
    let client = redis::Client::open(format!("{url}?protocol=resp3")).unwrap();
    let (layer, io) = SocketIo::builder()
        .max_buffer_size(100_000)
        .with_adapter::<RedisAdapter<_>>(RedisAdapterCtr::new_with_redis(&client).await.unwrap())
        .build_layer();
    async fn connected<A: Adapter>(s: SocketRef<A>) {
        s.on(
            "join",
            async |s: SocketRef<A>, Data(d): Data<Value>, ack: AckSender<A>| {
                s.join(format!("chatroom-{}", d["room"]));
                ack.send(&json!({"ok": true})).ok();
            },
        );
        s.on(
            "message",
            async |s: SocketRef<A>, Data(d): Data<Value>, ack: AckSender<A>| {
                s.within(format!("chatroom-{}", d["room"]))
                    .emit("message", &d)
                    .await
                    .ok();
                ack.send(&json!({"ok": true})).ok();
            },
        );
    }
    io.ns("/", connected).await.unwrap();
    serve(axum::Router::new().layer(layer), port).await
}

fn main() {
    let (url, port) = (
        env::var("REDIS").expect("REDIS"),
        env::var("PORT").expect("PORT").parse().expect("a port"),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if env::var("MODE").as_deref() == Ok("chat") {
        runtime.block_on(chat(url, port))
    } else {
        runtime.block_on(plain(url, port))
    }
}
