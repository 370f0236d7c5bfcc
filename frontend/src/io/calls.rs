//! Backend operations under way: many at a time, none a task of its own.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smsc_backend::Backend;

use crate::engine::{Answered, Call, CallId, Reply};

type Running = Pin<Box<dyn Future<Output = (CallId, Answered)> + Send>>;

/// The backend and what it was asked.
pub(super) struct Calls {
    backend: Arc<dyn Backend>,
    running: FuturesUnordered<Running>,
    /// Waits for room; bounded by the engine's own caps.
    waiting: VecDeque<(CallId, Call)>,
    cap: usize,
}

impl Calls {
    pub(super) fn new(backend: Arc<dyn Backend>, cap: usize) -> Self {
        Self { backend, running: FuturesUnordered::new(), waiting: VecDeque::new(), cap }
    }

    /// Starts an operation, or queues it when enough are under way.
    pub(super) fn start(&mut self, id: CallId, call: Call) {
        if self.running.len() >= self.cap {
            self.waiting.push_back((id, call));
        } else {
            self.running.push(perform(self.backend.clone(), id, call));
        }
    }

    /// The next answer; pending for ever while nothing is under way.
    pub(super) async fn next(&mut self) -> (CallId, Answered) {
        match self.running.next().await {
            Some(answer) => {
                if let Some((id, call)) = self.waiting.pop_front() {
                    self.running.push(perform(self.backend.clone(), id, call));
                }
                answer
            }
            None => std::future::pending().await,
        }
    }
}

fn perform(backend: Arc<dyn Backend>, id: CallId, call: Call) -> Running {
    Box::pin(async move {
        let answer = match call {
            Call::FrontendRegister(registration) => {
                backend.frontend_register(registration).await.map(|()| Reply::Done)
            }
            Call::InsertLocation(location) => backend.insert_location(location).await.map(|()| Reply::Done),
            Call::DeleteLocation(removal) => backend.delete_location(removal).await.map(|()| Reply::Done),
            Call::InsertMessage(message) => backend.insert_message(message).await.map(Reply::Accepted),
            Call::GetQueue { location, limit } => backend.get_queue(location, limit).await.map(Reply::Rows),
            Call::ProcessMessage { id, report } => {
                backend.process_message(id, *report).await.map(Reply::Processed)
            }
        };
        (id, answer)
    })
}
