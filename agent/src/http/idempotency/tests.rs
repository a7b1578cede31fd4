use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use super::*;

/// A resource that counts how often it acts; it waits for a permit first.
struct Counter {
    acted: Arc<AtomicU32>,
    permits: Arc<Semaphore>,
    router: TowerToHyperService<Router>,
}

impl Counter {
    fn new(permits: usize) -> Self {
        let acted = Arc::<AtomicU32>::default();
        let permits = Arc::new(Semaphore::new(permits));
        let (count, gate) = (Arc::clone(&acted), Arc::clone(&permits));
        let act = move |body: String| {
            let (count, gate) = (Arc::clone(&count), Arc::clone(&gate));
            async move {
                gate.acquire().await.unwrap().forget();
                let acted = count.fetch_add(1, Ordering::SeqCst) + 1;
                let status = if body == "fail" { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
                (status, format!("{acted} {body}"))
            }
        };
        let router = Router::new()
            .route("/v1/borrows", post(act.clone()))
            .route("/v1/seats", post(act))
            .layer(from_fn_with_state(Answers::default(), once));
        Self { acted, permits, router: TowerToHyperService::new(router) }
    }

    async fn post(&self, path: &str, user: &str, key: Option<&str>, body: &str) -> (u16, String) {
        let mut request = axum::http::Request::post(path).extension(Caller {
            user: user.to_owned(),
            pid: None,
            manages_device: false,
            uid: None,
        });
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.call(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn acted(&self) -> u32 {
        self.acted.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn the_same_request_with_the_same_key_acts_once() {
    let counter = Counter::new(100);
    let ask = async |path: &str, user: &str, key: Option<&str>, body: &str| {
        counter.post(path, user, key, body).await
    };
    for _ in 0..2 {
        assert_eq!(ask("/v1/borrows", "eva", Some("k"), "a").await, (200, "1 a".to_owned()));
    }
    let (status, told) = ask("/v1/borrows", "eva", Some("k"), "b").await;
    assert_eq!(status, 422);
    assert!(told.contains("idempotency-mismatch"), "{told}");
    assert_eq!(counter.acted(), 1);
    // Another caller's key is another key, a failure is no answer to keep, and streams know no keys.
    assert_eq!(ask("/v1/borrows", "max", Some("k"), "a").await.1, "2 a");
    assert_eq!(ask("/v1/borrows", "eva", Some("f"), "fail").await, (502, "3 fail".to_owned()));
    assert_eq!(ask("/v1/borrows", "eva", Some("f"), "fail").await, (502, "4 fail".to_owned()));
    assert_eq!(ask("/v1/borrows", "eva", None, "a").await.1, "5 a");
    assert_eq!(ask("/v1/seats", "eva", Some("k"), "a").await.1, "6 a");
    for key in ["", "a b", &"x".repeat(KEY_BYTES_MAX + 1)] {
        assert_eq!(ask("/v1/borrows", "eva", Some(key), "a").await.0, 400, "{key:?}");
    }
}

#[test]
fn an_answer_is_kept_for_ten_minutes() {
    let now = Instant::now();
    let mut kept = Kept::default();
    let slot = ([1; 32], [2; 32]);
    assert!(matches!(kept.begin(slot, [3; 32], now), Found::Nothing));
    let body = Zeroizing::new(b"done".to_vec());
    kept.keep(&slot, Answer { at: now, status: StatusCode::OK, content_type: None, body });
    let almost = now + KEPT_FOR - Duration::from_secs(1);
    assert!(matches!(kept.begin(slot, [3; 32], almost), Found::Answer(_)));
    assert!(matches!(kept.begin(slot, [3; 32], now + KEPT_FOR), Found::Nothing));
    assert_eq!(kept.bytes, 0);
}

#[tokio::test]
async fn what_is_under_way_is_not_begun_again_and_goes_on_without_its_caller() {
    let counter = Counter::new(0);
    let first = counter.post("/v1/borrows", "eva", Some("k"), "a");
    // The caller gives up while the request waits.
    assert!(tokio::time::timeout(Duration::from_millis(20), first).await.is_err());
    let (status, told) = counter.post("/v1/borrows", "eva", Some("k"), "a").await;
    assert_eq!(status, 409);
    assert!(told.contains("in-progress"), "{told}");
    counter.permits.add_permits(1);
    let answered = async {
        loop {
            let answer = counter.post("/v1/borrows", "eva", Some("k"), "a").await;
            if answer.0 != 409 {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), answered).await.unwrap();
    assert_eq!(answer, (200, "1 a".to_owned()));
    assert_eq!(counter.acted(), 1);
}

#[test]
fn what_is_kept_has_bounds() {
    let now = Instant::now();
    let mut kept = Kept::default();
    let slot = |caller: usize, key: usize| (hash(&[&caller.to_le_bytes()]), hash(&[&key.to_le_bytes()]));
    let answer = |n: usize, length| Answer {
        at: now + Duration::from_millis(u64::try_from(n).unwrap()),
        status: StatusCode::OK,
        content_type: None,
        body: Zeroizing::new(vec![0; length]),
    };
    let begin = |kept: &mut Kept, slot| matches!(kept.begin(slot, [0; 32], now), Found::Nothing);
    // One caller's oldest answer goes for his newest, and nobody else's.
    assert!(begin(&mut kept, slot(0, 0)));
    kept.keep(&slot(0, 0), answer(0, 1));
    for key in 0..=PER_CALLER_MAX {
        assert!(begin(&mut kept, slot(1, key)), "{key}");
        kept.keep(&slot(1, key), answer(key + 1, 1));
    }
    assert!(!kept.slots.contains_key(&slot(1, 0)) && kept.slots.contains_key(&slot(0, 0)));
    assert_eq!(kept.slots.len(), PER_CALLER_MAX + 1);
    // What is under way does not go.
    for key in 0..PER_CALLER_MAX {
        assert!(begin(&mut kept, slot(2, key)));
    }
    assert!(!begin(&mut kept, slot(2, PER_CALLER_MAX)));
    for key in 0..PER_CALLER_MAX {
        kept.keep(&slot(2, key), answer(1_000 + key, ANSWER_BYTES_MAX));
    }
    assert!(kept.bytes <= BYTES_MAX);
    let bytes: usize = kept.slots.values().filter_map(|(_, answer)| Some(answer.as_ref()?.body.len())).sum();
    assert_eq!(kept.bytes, bytes);
    for caller in 3..2 * ALL_MAX {
        if begin(&mut kept, slot(caller, 0)) {
            kept.keep(&slot(caller, 0), answer(2_000 + caller, 1));
        }
    }
    assert!(kept.slots.len() <= ALL_MAX);
}
