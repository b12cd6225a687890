/* enrolment_keys.h - an open enrolment in the words of crypto/enrolment.h: its transcript and its last check.
 */
#ifndef HALFKEY_KEYSERVICE_ENROLMENT_KEYS_H
#define HALFKEY_KEYSERVICE_ENROLMENT_KEYS_H

#include "keyservice/job.h"
#include "keyservice/server.h"

/* One key of a request that deals (`enrol`, `hand-offer`), at `place` of its lists: checks the
 * administrator's dealing and makes the service's. HK_BAD_POINT, HK_BAD_PROOF, HK_BAD_SCALAR. */
HK_CHECK enum hk_error hk_enrolment_deal(struct hk_job *job, struct hk_txn *txn, const struct hk_key *key,
                                         size_t place, struct hk_enrolment_key *out);

/* Computes enrolment->transcript. The record enters by enrolment->record_name. */
HK_CHECK enum hk_error hk_enrolment_transcript(struct hk_server *server, struct hk_open_enrolment *enrolment);

/* Puts the service's commitments into an answer, copied: KEPT and PASSED, an element for each key. */
HK_CHECK enum hk_error hk_enrolment_put_commitments(struct hk_job *job,
                                                    const struct hk_open_enrolment *enrolment);

/* Holds the new device's proof of one key (of its suite's length) against both dealings. */
HK_CHECK enum hk_error hk_enrolment_check(const struct hk_open_enrolment *enrolment, size_t place,
                                          const uint8_t *proof);

#endif
