//! Any interleaving: loss, duplication, reordering, pods that drain, crash and start again, and faults of the backend.
//!
//! Whatever happens in the first minute, afterwards all is well long enough for everything to come to its end. Then:
//! no accepted message is lost, none is called delivered that was not, no second copy was on the air while an earlier
//! attempt might still have been reported, and every submission answered RP-ACK is at the backend exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use smsc_backend::Status;
use smsc_proto::sms::{Direction, Rpdu};

use crate::world::*;

/// The time in which things go wrong.
const STORM: Duration = secs(60);
/// The time everything then has: RP-MR at its cap, held rows, back-off and all.
const CALM: Duration = secs(600);

#[derive(Debug, Clone)]
struct Plan {
    seed: u64,
    profile: Profile,
    pods: usize,
    leases: bool,
    loss: u32,
    doubled: u32,
    jitter: u64,
    mt: Vec<(u64, usize, usize, bool)>,
    mo: Vec<(u64, usize, usize)>,
    reactions: Vec<(usize, Reaction)>,
    /// When, which pod, for how long it is away, and whether it was told before.
    restarts: Vec<(u64, usize, u64, bool)>,
    faults: Vec<(u64, u64, Fault)>,
    relay_lost: bool,
}

fn reaction(tokens: bool) -> impl Strategy<Value = Reaction> {
    let late = 0..100_000u64;
    let kind = prop_oneof![
        4 => Just(Reaction::delivered()),
        2 => late.clone().prop_map(|after| Reaction::delivered().after(ms(after))),
        1 => late.prop_map(|after| Reaction::delivered().after(ms(after)).answering(Answer::Silence)),
        1 => Just(Reaction::delivered().answering(Answer::Status(503))),
        1 => Just(Reaction { answer_after: secs(3), ..Reaction::delivered() }),
        1 => Just(Reaction::only(200)),
        1 => Just(Reaction::only(504)),
        1 => Just(Reaction::silent()),
        1 => Just(Reaction::error(41, None)),
        1 => Just(Reaction::error(22, Some(0xD3))),
        1 => Just(Reaction::only(480)),
        1 => Just(Reaction::only(404)),
    ];
    // Without a token a report is matched by RP-MR, which a restarted pod cannot know to be in use.
    let in_reply_to = match tokens {
        true => Just(InReplyTo::Token).boxed(),
        false => {
            prop_oneof![Just(InReplyTo::Token), Just(InReplyTo::Absent), Just(InReplyTo::Rewritten)].boxed()
        }
    };
    (kind, 1..4u32, 0..3u32, 0..3usize, in_reply_to).prop_map(
        |(kind, reports, retries, to_pod, in_reply_to)| Reaction {
            reports,
            retries,
            to_pod: Some(to_pod),
            in_reply_to,
            ..kind
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Down),
        (100..8000u64).prop_map(|after| Fault::Slow(ms(after))),
        Just(Fault::Status(500, None)),
        Just(Fault::Status(429, None)),
        Just(Fault::LostAnswer),
        Just(Fault::Nonsense),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let at = || 0..STORM.as_millis() as u64;
    let restarts = prop_oneof![Just(Vec::new()), vec((at(), 0..3usize, 0..15_000u64, any::<bool>()), 1..4)];
    (1..4usize, any::<bool>(), restarts).prop_flat_map(move |(pods, leases, restarts)| {
        let tokens = !restarts.is_empty();
        let link = (any::<u64>(), 0..250u32, 0..150u32, 0..400u64, any::<bool>());
        let traffic = (
            vec((at(), 0..pods, 0..2usize, prop::bool::weighted(0.3)), 1..12),
            vec((at(), 0..2usize, 0..pods), 0..8),
            vec((0..2usize, reaction(tokens)), 0..12),
            vec((at(), 0..40_000u64, fault()), 0..4),
        );
        // Where no report brings a token, the same holds for the whole world.
        let profiles: &[Profile] = if tokens { &Profile::WITH_TOKENS } else { &Profile::ALL };
        let profile = prop::sample::select(profiles);
        let restarts = restarts.clone();
        (link, profile, traffic).prop_map(move |(link, profile, (mt, mo, reactions, faults))| {
            let (seed, loss, doubled, jitter, relay_lost) = link;
            let mut plan = Plan {
                seed,
                profile,
                pods,
                leases,
                loss,
                doubled,
                jitter,
                mt,
                mo,
                reactions,
                restarts: restarts.clone(),
                faults,
                relay_lost,
            };
            for (_, pod, ..) in &mut plan.restarts {
                *pod %= pods;
            }
            for (_, reaction) in &mut plan.reactions {
                reaction.to_pod = reaction.to_pod.map(|pod| pod % pods);
            }
            plan
        })
    })
}

/// Something to do at a time.
#[derive(Debug, Clone)]
enum Deed {
    Mt { id: usize, pod: usize, handset: usize, long: bool },
    Mo { n: usize, handset: usize, pod: usize },
    Drain(usize),
    Kill(usize),
    Start(usize),
    Calm,
    Settle,
}

/// A handset's own memory of a submission: it repeats it, with TP-RD, until it has its RP-ACK (TS 24.011 §10, TR1M).
struct Submission {
    handset: usize,
    mo: Mo,
    call_ids: Vec<String>,
    /// When the newest copy's SIP transaction was over.
    over: Option<Duration>,
    rp_acked: bool,
}

fn world(plan: &Plan) -> World {
    let leases = plan.leases;
    let mut world = World::with(plan.pods, |settings| settings.backend_leases = leases).under(plan.profile);
    world.backend.lease = leases.then_some(secs(150));
    world.backend.attempts = if leases { Attempts::Recorded } else { Attempts::Unknown };
    world.backend.retry_after = secs(5);
    world.link.seed(plan.seed);
    (world.link.loss, world.link.doubled, world.link.jitter) = (plan.loss, plan.doubled, ms(plan.jitter));
    if plan.relay_lost {
        world.relay_latency = None;
    }
    for (handset, reaction) in &plan.reactions {
        world.handset_mut(*handset).script.push_back(reaction.clone());
    }
    for (from, length, fault) in &plan.faults {
        world.backend.outage(ms(*from), ms(from + length), *fault);
    }
    world
}

fn deeds(plan: &Plan) -> Vec<(Duration, Deed)> {
    let mut deeds: Vec<(Duration, Deed)> = Vec::new();
    for (id, (at, pod, handset, long)) in plan.mt.iter().enumerate() {
        deeds.push((ms(*at), Deed::Mt { id, pod: *pod, handset: *handset, long: *long }));
    }
    for (n, (at, handset, pod)) in plan.mo.iter().enumerate() {
        deeds.push((ms(*at), Deed::Mo { n, handset: *handset, pod: *pod }));
    }
    for (at, pod, down, told) in &plan.restarts {
        let mut at = ms(*at);
        if *told {
            deeds.push((at, Deed::Drain(*pod)));
            at += secs(46);
        }
        deeds.push((at, Deed::Kill(*pod)));
        deeds.push((at + ms(*down), Deed::Start(*pod)));
    }
    deeds.push((STORM + secs(61), Deed::Calm));
    // Whoever said it was full or absent in the storm says now, and once more, that it is there.
    deeds.push((STORM + secs(120), Deed::Settle));
    deeds.push((STORM + secs(300), Deed::Settle));
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

fn act(world: &mut World, submissions: &mut Vec<Submission>, deed: Deed) {
    match deed {
        Deed::Mt { id, pod, handset, long } => {
            let text = if long { format!("{id:03}").repeat(100) } else { format!("text {id}") };
            world.queue(pod, &format!("{}", 100 + id), handset, &text);
        }
        Deed::Mo { n, handset, pod } => {
            let mo =
                Mo { tp_mr: n as u8, rp_mr: n as u8, pod, ..Mo::new("+447700900099", &format!("mo {n}")) };
            let call_ids = vec![world.submit(handset, &mo)];
            submissions.push(Submission { handset, mo, call_ids, over: None, rp_acked: false });
        }
        Deed::Drain(pod) if world.pods[pod].engine.is_some() => {
            world.engine(pod, |engine, now| engine.begin_drain(now));
        }
        Deed::Drain(_) => {}
        Deed::Kill(pod) => world.kill(pod),
        Deed::Start(pod) => world.restart(pod),
        Deed::Calm => {
            (world.link.loss, world.link.doubled, world.link.jitter) = (0, 0, ms(0));
            world.relay_latency = Some(ms(2));
            for handset in &mut world.core.handsets {
                handset.script.clear();
            }
        }
        Deed::Settle => {
            for handset in 0..2 {
                let mut smma = Vec::new();
                Rpdu::Smma { mr: 200 }.encode(Direction::MsToNetwork, &mut smma);
                world.register(handset, 3600, None);
                world.send_rpdu(handset, 0, &smma);
            }
        }
    }
}

/// What handsets do about submissions that were not answered, or answered RP-ERROR 41.
///
/// TR1M runs from the end of the SIP transaction here. A handset that starts it with the first transmission may send
/// again, through another pod, while the pod that took the first copy half a minute later still tries to store it.
fn repeat(world: &mut World, submissions: &mut [Submission]) {
    let refuses = world.core.profile.refuses_rp_ack();
    for submission in submissions.iter_mut().filter(|submission| !submission.rp_acked) {
        let verdicts = &world.handset(submission.handset).verdicts;
        let newest = submission.call_ids.last().unwrap();
        let ours = |verdict: &&SubmitVerdict| submission.call_ids.contains(&verdict.in_reply_to);
        let acked = verdicts.iter().filter(ours).any(|verdict| verdict.error.is_none());
        // Who does not take our RP-ACK sends it twice more, and then says that it failed.
        submission.rp_acked = acked && (!refuses || submission.call_ids.len() > 2);
        let temporary = verdicts.iter().any(|v| v.in_reply_to == *newest && v.error.is_some());
        let ended = !world.statuses(newest).is_empty() || world.core.unanswered.contains(newest);
        if ended {
            submission.over.get_or_insert(world.elapsed);
        }
        let patience = if temporary { secs(5) } else { secs(45) };
        if !submission.rp_acked && submission.over.is_some_and(|over| world.elapsed >= over + patience) {
            submission.mo.reject_duplicates = true;
            submission.mo.rp_mr = submission.mo.rp_mr.wrapping_add(16);
            submission.mo.pod = (submission.mo.pod + 1) % world.pods.len();
            let call_id = world.submit(submission.handset, &submission.mo);
            submission.call_ids.push(call_id);
            submission.over = None;
        }
    }
}

fn run(plan: &Plan) -> (World, Vec<Submission>) {
    let mut world = world(plan);
    let mut submissions = Vec::new();
    let mut deeds = deeds(plan).into_iter().peekable();
    while world.elapsed < STORM + CALM {
        while let Some((_, deed)) = deeds.next_if(|(at, _)| *at <= world.elapsed) {
            act(&mut world, &mut submissions, deed);
        }
        repeat(&mut world, &mut submissions);
        let next = deeds.peek().map_or(STORM + CALM, |(at, _)| *at);
        let step = next.saturating_sub(world.elapsed).clamp(ms(1), secs(1));
        world.run(step);
    }
    (world, submissions)
}

/// Parts of every message a handset has acknowledged, by message.
fn acknowledged(world: &World) -> BTreeMap<String, Vec<u8>> {
    let of: BTreeMap<String, (String, u8)> =
        world.copies().into_iter().map(|copy| (copy.call_id, (copy.id, copy.part))).collect();
    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for incoming in world.core.handsets.iter().flat_map(|handset| &handset.inbox) {
        if let Some((id, part)) = of.get(incoming.message.call_id().unwrap())
            && incoming.acknowledged
        {
            parts.entry(id.clone()).or_default().push(*part);
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_doubled_unawares(plan in plan()) {
        let (mut world, submissions) = run(&plan);
        prop_assert_eq!(world.broken_promises(), vec![]);
        let acknowledged = acknowledged(&world);
        for (id, (.., long)) in plan.mt.iter().enumerate() {
            let id = format!("{}", 100 + id);
            prop_assert_eq!(world.backend.ended(&id), Some(Status::Delivered), "{}", id);
            let mut parts = acknowledged.get(&id).cloned().unwrap_or_default();
            parts.sort_unstable();
            parts.dedup();
            let expected: Vec<u8> = if *long { vec![1, 2] } else { vec![1] };
            prop_assert_eq!(parts, expected, "{} is said to be delivered", id);
        }
        for submission in &submissions {
            let body = &submission.mo.text;
            let taken = world.backend.accepted.iter().filter(|(_, message)| message.message_body == *body);
            prop_assert_eq!(taken.count(), 1, "{}", body);
            prop_assert!(submission.rp_acked, "{} was never answered RP-ACK", body);
        }
        // The outcome was not known, so every RP-ERROR was 41: nobody has sent a second copy past us.
        for handset in &world.core.handsets {
            prop_assert_eq!(&handset.fell_back, &[""; 0]);
        }
        for pod in 0..plan.pods {
            prop_assert!(world.engine(pod, |engine, _| engine.is_idle()), "pod {}", pod);
        }
    }
}
