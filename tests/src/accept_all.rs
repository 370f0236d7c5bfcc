//! A backend that accepts everything: what is tested or measured in front of it is the frontend alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smsc_backend::{
    Accepted, Answer, AttemptReport, Backend, FrontendRegistration, HistoryQuery, Location, LocationRemoval,
    MessageHistory, MessageId, NewMessage, Processed, QueuedMessage,
};

/// Takes every message at once and has none to deliver.
#[derive(Default)]
pub struct AcceptAll {
    accepted: AtomicU64,
}

impl Backend for AcceptAll {
    fn frontend_register(&self, _: FrontendRegistration) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn frontend_deregister(&self, _: String) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn insert_location(&self, _: Location) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn delete_location(&self, _: LocationRemoval) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn insert_message(&self, _: Arc<NewMessage>) -> Answer<'_, Accepted> {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        Box::pin(
            async move { Ok(Accepted { id: MessageId(number.to_string()), scts: None, duplicate: false }) },
        )
    }

    fn get_queue(&self, _: String, _: u32) -> Answer<'_, Vec<QueuedMessage>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn process_message(&self, _: MessageId, _: AttemptReport) -> Answer<'_, Processed> {
        Box::pin(async { Ok(Processed::Recorded) })
    }

    fn history(&self, _: HistoryQuery) -> Answer<'_, Vec<MessageHistory>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
