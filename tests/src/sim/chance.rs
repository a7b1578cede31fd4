//! Chance that repeats.
//!
//! [`Chance`] is the world's own: every decision of a schedule is drawn from one. [`seed`] is for everything else:
//! the product and the crates under it ask the operating system, and on a thread that has called it the answer comes
//! from a seeded generator. That makes std's `RandomState`, all versions of `getrandom`, `rand::rng()` and tokio's
//! own chance (`select!`, `watch`) repeat, in crates as they are published.
//!
//! Two things have to be kept:
//! - **A run has a thread of its own**, which calls [`seed`] first of all: std and `rand` keep what they have drawn per
//!   thread. Threads that this thread starts are not seeded.
//! - **A run that has to be the same again has a process of its own.** Tokio numbers its runtimes per process, and the
//!   number goes into the runtime's chance: the second run in a process, or one beside another, polls the branches of
//!   a `select!` in another order. Nothing public sets that number back.

use std::cell::RefCell;
use std::fmt::{self, Display, Write as _};
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

thread_local! {
    static SEEDED: RefCell<Option<Xoshiro256PlusPlus>> = const { RefCell::new(None) };
}

/// From now on, what this thread asks the operating system for is drawn from `seed`.
pub fn seed(seed: u64) {
    SEEDED.with_borrow_mut(|seeded| *seeded = Some(Xoshiro256PlusPlus::seed_from_u64(seed)));
}

/// A seeded generator for the world's decisions. The same seed draws the same on every machine.
#[derive(Clone, Debug)]
pub struct Chance {
    seed: u64,
    generator: Xoshiro256PlusPlus,
}

impl Chance {
    /// All that is drawn follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, generator: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// An independent stream. It follows from the seed and the label alone, not from what was drawn so far, so that
    /// a draw more in one place changes nothing elsewhere; the same label gives the same stream again.
    #[must_use]
    pub fn fork(&self, label: impl Display) -> Self {
        let mut hash = Fnv(FNV_OFFSET);
        for byte in self.seed.to_le_bytes() {
            hash.byte(byte);
        }
        write!(hash, "{label}").expect("a hash takes everything");
        Self::new(hash.0)
    }

    /// Any number; also a seed for [`seed`].
    pub fn number(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number within `range`.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.generator.random_range(range)
    }

    /// An index below `len`.
    ///
    /// # Panics
    /// When `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.generator.random_range(0..len)
    }

    /// A time within `range`, in whole microseconds.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn duration(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let micros = |time: &Duration| u64::try_from(time.as_micros()).expect("a time of a simulation");
        Duration::from_micros(self.range(micros(range.start())..=micros(range.end())))
    }

    /// True with this probability, 0 to 1.
    ///
    /// # Panics
    /// When it is none.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.generator.random_bool(probability)
    }

    /// One of these; `None` when there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() {
            return None;
        }
        of.get(self.index(of.len()))
    }

    /// Puts these into any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a.
struct Fnv(u64);

impl Fnv {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}

/// The C library's functions that a program gets chance from, ours in their place.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod interposed {
    use std::ffi::{c_char, c_long, c_uint, c_void};
    use std::sync::atomic::{AtomicPtr, Ordering};

    use rand::Rng;

    use super::SEEDED;

    /// `SYS_getrandom`.
    const GETRANDOM: c_long = if cfg!(target_arch = "x86_64") { 318 } else { 278 };
    /// `RTLD_NEXT`: the C library's own, behind ours.
    const NEXT: *mut c_void = std::ptr::without_provenance_mut(usize::MAX);

    #[expect(unsafe_code, reason = "the C library's own functions are behind the two of ours")]
    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    /// What std, `getrandom` 0.3 and 0.4 call.
    ///
    /// # Safety
    /// As getrandom(2).
    #[expect(unsafe_code, reason = "it stands in for the C library's function, whose arguments are pointers")]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut c_void, len: usize, flags: c_uint) -> isize {
        let number = GETRANDOM;
        // SAFETY: the caller keeps to getrandom(2); its arguments fit the registers of a system call.
        let filled =
            unsafe { syscall(number, buffer as c_long, len as c_long, c_long::from(flags), 0, 0, 0) };
        isize::try_from(filled).unwrap_or(-1)
    }

    /// What `getrandom` 0.2 calls, with `SYS_getrandom`; and std for other system calls, which are passed on.
    ///
    /// The C library's function takes as many arguments as the system call has; on the two architectures that this is
    /// built for, those that are not given are registers that nobody looks at.
    ///
    /// # Safety
    /// As the system call.
    #[expect(
        unsafe_code,
        reason = "it stands in for the C library's function, whose arguments may be pointers"
    )]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn syscall(
        number: c_long,
        a: c_long,
        b: c_long,
        c: c_long,
        d: c_long,
        e: c_long,
        f: c_long,
    ) -> c_long {
        type Syscall = unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;
        static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

        if number == GETRANDOM && a != 0 && b > 0 {
            let len = usize::try_from(b).unwrap_or(0);
            // SAFETY: the caller gives a buffer of this length, as getrandom(2) asks. It may not have been written yet,
            // which matters to nobody here: it is only ever written.
            let bytes = unsafe { std::slice::from_raw_parts_mut(a as *mut u8, len) };
            if fill(bytes) {
                return b;
            }
        }
        let mut real = REAL.load(Ordering::Relaxed);
        if real.is_null() {
            // SAFETY: the name ends with a zero.
            real = unsafe { dlsym(NEXT, c"syscall".as_ptr()) };
            if real.is_null() {
                std::process::abort();
            }
            REAL.store(real, Ordering::Relaxed);
        }
        // SAFETY: it is the C library's function of this name; the arguments are the caller's.
        unsafe {
            let real: Syscall = std::mem::transmute(real);
            real(number, a, b, c, d, e, f)
        }
    }

    /// Fills `bytes` if this thread is seeded.
    fn fill(bytes: &mut [u8]) -> bool {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(generator) => {
                generator.fill_bytes(bytes);
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    /// For the copies of this program that the tests start.
    const SAMPLE: &str = "SEATKEEPER_TEST_SAMPLE";

    /// What chance gives to a new thread, each source under its name; seeded if there is a seed.
    fn sample(seeded: Option<u64>) -> Vec<(&'static str, String)> {
        let draw = move || {
            if let Some(number) = seeded {
                seed(number);
            }
            let mut drawn = vec![("RandomState", RandomState::new().hash_one("x").to_string())];
            let mut bytes = [0; 40];
            getrandom_02::getrandom(&mut bytes).unwrap();
            drawn.push(("getrandom 0.2", format!("{bytes:x?}")));
            getrandom_03::fill(&mut bytes).unwrap();
            drawn.push(("getrandom 0.3", format!("{bytes:x?}")));
            getrandom_04::fill(&mut bytes).unwrap();
            drawn.push(("getrandom 0.4", format!("{bytes:x?}")));
            drawn.push(("rand", rand::rng().random::<u128>().to_string()));
            drawn.push(("select", select_order()));
            drawn
        };
        std::thread::spawn(draw).join().unwrap()
    }

    fn select_order() -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut order = String::new();
            for _ in 0..100 {
                tokio::select! {
                    () = std::future::ready(()) => order.push('a'),
                    () = std::future::ready(()) => order.push('b'),
                    () = std::future::ready(()) => order.push('c'),
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            order
        })
    }

    /// In a process of its own.
    fn sample_of_a_process(seed: u64) -> String {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program)
            .args(["--exact", "sim::chance::tests::a_new_thread_draws_what_its_seed_says", "--nocapture"])
            .env(SAMPLE, seed.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let drawn = text.lines().find_map(|line| line.split_once(SAMPLE)).expect(&text).1;
        drawn.to_owned()
    }

    #[test]
    fn a_new_thread_draws_what_its_seed_says() {
        if let Ok(seed) = std::env::var(SAMPLE) {
            let drawn = sample(Some(seed.parse().unwrap()));
            writeln!(std::io::stdout(), "\n{SAMPLE} {drawn:?}").unwrap();
            return;
        }
        let (one, again, other) = (sample(Some(7)), sample(Some(7)), sample(Some(8)));
        // Tokio's is not the same again in one process.
        let of_the_thread = |(name, _): &&(&str, String)| *name != "select";
        assert!(one.iter().filter(of_the_thread).eq(again.iter().filter(of_the_thread)), "{one:?} {again:?}");
        for ((name, drawn), (_, other)) in one.iter().zip(&other) {
            assert_ne!(drawn, other, "{name}");
        }
    }

    #[test]
    fn a_new_process_draws_what_its_seed_says() {
        let first = sample_of_a_process(7);
        assert_eq!(first, sample_of_a_process(7));
        assert_ne!(first, sample_of_a_process(8));
        assert!(first.contains("select"), "{first}");
    }

    #[test]
    fn threads_without_a_seed_ask_the_kernel() {
        seed(7);
        for ((name, one), (_, two)) in sample(None).iter().zip(&sample(None)) {
            assert_ne!(one, two, "{name}");
        }
    }

    #[test]
    fn a_fork_follows_from_its_label_alone() {
        let mut chance = Chance::new(3);
        let before = chance.fork("disk 1").number();
        chance.number();
        assert_eq!(chance.fork(format_args!("disk {}", 1)).number(), before);
        assert_ne!(chance.fork("disk 2").number(), before);
        assert_ne!(Chance::new(4).fork("disk 1").number(), before);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut chance = Chance::new(1);
        let mut seen = [0; 4];
        for _ in 0..1_000 {
            seen[chance.index(3)] += 1;
            assert!((5..=6).contains(&chance.range(5..=6)));
            let time = chance.duration(Duration::from_micros(100)..=Duration::from_millis(3));
            assert!((100..=3_000).contains(&time.as_micros()));
        }
        assert!(seen[..3].iter().all(|times| (250..420).contains(times)), "{seen:?}");
        assert!((150..250).contains(&(0..1_000).filter(|_| chance.chance(0.2)).count()));
        assert_eq!(chance.pick::<u8>(&[]), None);
        let mut items: Vec<u64> = (0..20).collect();
        chance.shuffle(&mut items);
        assert_ne!(items, (0..20).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }

    /// What a seed means must not change: seeds are written down in issues.
    #[test]
    fn the_stream_of_a_seed_is_known() {
        let mut chance = Chance::new(1);
        let drawn = [chance.number(), chance.number(), chance.fork("x").number()];
        assert_eq!(
            drawn,
            [14_971_601_782_005_023_387, 13_781_649_495_232_077_965, 4_404_548_772_463_060_120]
        );
    }
}
