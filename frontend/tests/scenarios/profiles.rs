//! Every promise of design §4 under every quirk of handsets and cores (see [`Profile`]).

use crate::world::*;
use crate::{delivery, handset_queue, owners, repeats, submission};

/// Runs each scenario under every profile.
macro_rules! under_every_profile {
    ($($module:ident: $($scenario:ident),+;)+) => {$($(
        #[test]
        fn $scenario() {
            for profile in Profile::ALL {
                eprintln!("under {profile:?}");
                $module::$scenario(profile);
            }
        }
    )+)+};
}

under_every_profile! {
    delivery:
        a_2xx_is_not_a_delivery,
        an_undecided_answer_does_not_end_an_attempt,
        timer_f_does_not_end_an_attempt,
        a_definite_refusal_ends_the_attempt_at_once,
        an_rp_error_ends_the_attempt_and_says_its_cause,
        the_report_may_come_before_the_2xx,
        a_lost_report_is_unknown_after_tr1n_and_only_then_a_second_copy_is_sent,
        a_late_report_replaces_unknown_and_cancels_the_retry,
        a_late_report_takes_the_retry_out_of_the_queue_before_the_backend_knows,
        a_doubled_report_changes_nothing,
        a_report_is_answered_500_if_the_backend_does_not_confirm_in_5_s;
    handset_queue:
        a_handset_has_one_message_outstanding_and_the_others_wait_in_order,
        a_long_text_is_delivered_when_its_last_part_is_acknowledged,
        a_second_attempt_goes_on_with_the_part_that_was_not_acknowledged,
        a_doubled_rp_ack_of_one_part_ends_nothing,
        a_late_rp_ack_of_the_first_part_is_not_a_delivery,
        a_full_memory_releases_the_other_messages_for_that_handset,
        rp_smma_is_told_to_the_backend_and_answered_and_brings_the_messages,
        an_rp_error_sent_again_does_not_hold_back_the_next_attempt,
        rp_smma_is_answered_rp_error_41_while_the_backend_is_down,
        at_the_cap_of_rp_mr_the_next_message_waits;
    owners:
        a_report_at_the_wrong_pod_is_relayed_to_its_owner,
        a_report_whose_owner_is_dead_is_completed_where_it_came_in,
        a_report_whose_owner_cannot_be_reached_is_completed_where_it_came_in,
        a_report_whose_owner_is_slow_is_completed_by_both_and_delivered_once,
        a_report_after_a_restart_is_completed_by_its_token,
        two_pods_never_use_the_same_rp_mr_towards_a_handset,
        our_own_message_come_back_is_answered_482,
        our_own_submit_report_come_back_is_not_answered_with_another;
    repeats:
        two_identical_texts_are_two_messages,
        a_repeat_with_tp_rd_is_the_same_message,
        a_repeat_with_tp_rd_at_another_pod_is_the_same_message,
        a_repeat_after_an_rp_ack_that_was_not_confirmed_is_the_same_message,
        the_same_request_through_two_pods_is_one_message,
        a_message_sent_again_after_rp_error_41_is_one_message;
    submission:
        rp_ack_comes_only_after_durable_storage,
        a_backend_down_for_10_s_costs_nothing_but_time,
        a_lost_answer_of_the_backend_does_not_double_a_message,
        a_backend_down_for_longer_than_25_s_is_rp_error_41_and_no_other,
        a_definite_refusal_of_the_backend_names_the_cause,
        a_verdict_bears_the_rp_mr_of_its_own_submission;
}
