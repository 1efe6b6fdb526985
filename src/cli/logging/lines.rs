//! Log lines on their way to standard error: gathered in memory, and written by a thread of its own.
//!
//! A reader that does not keep up must not delay a review, so nothing waits for it: beyond a bound lines are lost, counted,
//! and told of once the reader is back. The thread writes all lines of some milliseconds at once. A write for each line
//! would cost more than the line itself, and would take the core from the thread that answers reviews.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;

/// For how long lines are gathered: nobody sees the difference, and with a thousand lines a second it makes one write of five.
const GATHERED_FOR: Duration = Duration::from_millis(5);

/// The memory of all lines that are not written yet. Some 2,000 lines: a reader may stall for seconds, since only notable
/// reviews are logged.
const MAX_BYTES: usize = 1024 * 1024;

/// What the buffers keep after a burst.
const KEPT_BYTES: usize = 32 * 1024;

/// How long the end of the process waits for a reader that does not read.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The target of the line that says how many were lost.
pub(super) const LOST: &str = "podgate::lost";

/// Takes whole lines, and never waits. Clones fill the same buffer.
#[derive(Clone)]
pub(super) struct LogLines(Arc<SharedLines>);

struct SharedLines {
    state: Mutex<LineBuffer>,
    /// The thread has something to do.
    filled: Condvar,
    /// The thread has written what it took, or has ended.
    written: Condvar,
    lost: IntCounter,
}

#[derive(Default)]
struct LineBuffer {
    gathered: Vec<u8>,
    /// Bytes that the thread has taken and not written yet.
    in_flight: usize,
    /// Lines that were lost and not told of yet.
    lost: u64,
    is_thread_asleep: bool,
    is_flush_requested: bool,
    is_closed: bool,
    has_ended: bool,
}

impl LogLines {
    /// Starts the thread that writes them there. Lines that are lost are counted.
    ///
    /// # Errors
    /// The system's, if there can be no such thread.
    pub(super) fn to(output: impl Write + Send + 'static, lost: IntCounter) -> io::Result<Self> {
        let state = Mutex::default();
        let shared = Arc::new(SharedLines { state, filled: Condvar::new(), written: Condvar::new(), lost });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all_to(output))?;
        Ok(Self(shared))
    }

    /// Has all lines so far written at once, and waits for that, but not longer than this.
    pub(super) fn flush(&self, timeout: Duration) {
        let mut state = self.0.lock();
        state.is_flush_requested = true;
        self.0.filled.notify_one();
        let is_unwritten = |state: &mut LineBuffer| !state.is_empty();
        drop(self.0.written.wait_timeout_while(state, timeout, is_unwritten));
    }

    /// Writes what there is, and ends the thread. A reader that does not read is not waited for.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.filled.notify_one();
        drop(self.0.written.wait_timeout_while(state, END_TIMEOUT, |state| !state.has_ended));
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.gathered.len() + state.in_flight + line.len() > MAX_BYTES {
            state.lost += 1;
            self.0.lost.inc();
            return Ok(line.len());
        }
        state.gathered.extend_from_slice(line);
        let is_asleep = std::mem::take(&mut state.is_thread_asleep);
        drop(state);
        if is_asleep {
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LineBuffer {
    fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.in_flight == 0
    }
}

impl SharedLines {
    /// The life of the thread.
    fn write_all_to(&self, mut output: impl Write) {
        let mut taken = Vec::new();
        while let Some(lost) = self.take(&mut taken) {
            if lost > 0 {
                tracing::warn!(target: LOST, lost, "log lines were lost: their reader did not keep up");
            }
            let result = output.write_all(&taken).and_then(|()| output.flush());
            self.note_written(&mut taken, result.is_ok());
        }
        self.lock().has_ended = true;
        self.written.notify_all();
    }

    /// Waits for lines, and takes all that were gathered meanwhile. Returns how many were lost; `None` at the end.
    fn take(&self, taken: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        while state.gathered.is_empty() && state.lost == 0 {
            if state.is_closed {
                return None;
            }
            state.is_thread_asleep = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_thread_asleep = false;
        let is_in_time = |state: &mut LineBuffer| !state.is_closed && !state.is_flush_requested;
        let gathered = self.filled.wait_timeout_while(state, GATHERED_FOR, is_in_time);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        state.is_flush_requested = false;
        std::mem::swap(&mut state.gathered, taken);
        state.in_flight = taken.len();
        Some(std::mem::take(&mut state.lost))
    }

    /// What was taken is written or, if the system does not take it, lost.
    fn note_written(&self, taken: &mut Vec<u8>, is_written: bool) {
        let mut state = self.lock();
        state.in_flight = 0;
        if !is_written {
            let lines = taken.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.lost.inc_by(lines);
        }
        taken.clear();
        taken.shrink_to(KEPT_BYTES);
        drop(state);
        self.written.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, LineBuffer> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn counter() -> IntCounter {
        IntCounter::new("lost", "lost").unwrap()
    }

    fn line(number: usize) -> String {
        format!("{number:099}\n")
    }

    /// What each write was given.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole_in_order_and_together() {
        let (writes, lost) = (Writes::default(), counter());
        let mut lines = LogLines::to(writes.clone(), lost.clone()).unwrap();
        let expected: Vec<String> = (0..1000).map(line).collect();
        for line in &expected {
            lines.write_all(line.as_bytes()).unwrap();
        }
        lines.close();
        let writes = writes.0.lock().unwrap();
        assert_eq!(writes.concat(), expected.concat());
        assert!(writes.len() < expected.len(), "{} writes", writes.len());
        assert!(writes.iter().all(|write| write.ends_with('\n')), "{writes:?}");
        assert_eq!(lost.get(), 0);
    }

    #[test]
    fn a_flush_does_not_wait_for_the_next_line() {
        let writes = Writes::default();
        let mut lines = LogLines::to(writes.clone(), counter()).unwrap();
        for number in 0..3 {
            lines.write_all(line(number).as_bytes()).unwrap();
            lines.flush(Duration::from_secs(60));
            assert_eq!(writes.0.lock().unwrap().concat(), (0..=number).map(line).collect::<String>());
        }
    }

    /// That it returns at all shows that nothing waits for the reader.
    #[test]
    fn what_nobody_reads_is_lost_and_counted_and_the_rest_comes_in_order() {
        const LINES: usize = 3 * MAX_BYTES / 100;
        let ((mut reader, pipe), lost) = (io::pipe().unwrap(), counter());
        let mut lines = LogLines::to(pipe, lost.clone()).unwrap();
        for number in 0..LINES {
            lines.write_all(line(number).as_bytes()).unwrap();
        }
        let held = |state: &LineBuffer| state.gathered.len() + state.in_flight;
        let held = held(&lines.0.lock());
        assert!(held <= MAX_BYTES, "{held}");
        assert!(lost.get() > 0);
        let reader = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        lines.flush(Duration::from_secs(60));
        lines.write_all(line(LINES).as_bytes()).unwrap();
        lines.close();
        let text = reader.join().unwrap();
        let numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&LINES), "what comes after the loss is written");
        assert_eq!(numbers.len() as u64 + lost.get(), LINES as u64 + 1);
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_for_ever() {
        let ((reader, pipe), lost) = (io::pipe().unwrap(), counter());
        let mut lines = LogLines::to(pipe, lost).unwrap();
        for number in 0..MAX_BYTES / 200 {
            lines.write_all(line(number).as_bytes()).unwrap();
        }
        lines.close();
        drop(reader);
    }

    #[test]
    fn what_the_system_does_not_take_is_counted() {
        let ((reader, pipe), lost) = (io::pipe().unwrap(), counter());
        drop(reader);
        let mut lines = LogLines::to(pipe, lost.clone()).unwrap();
        for number in 0..10 {
            lines.write_all(line(number).as_bytes()).unwrap();
        }
        lines.close();
        assert_eq!(lost.get(), 10);
    }
}
