/* state_codec.h - parts of the state's CBOR form, for device/state_codec.c alone: what keys are handed over
 * with. */
#ifndef HALFKEY_DEVICE_STATE_CODEC_H
#define HALFKEY_DEVICE_STATE_CODEC_H

#include "device/state.h"
#include "protocol/cbor.h"

/* Strict; `out` is zeroed before. */
void hk_state_put_hand(struct hk_cbor_writer *writer, const struct hk_state_hand *hand);
void hk_state_get_hand(struct hk_cbor_reader *reader, struct hk_state_hand *out);
void hk_state_put_holders(struct hk_cbor_writer *writer, const struct hk_state *state);
void hk_state_get_holders(struct hk_cbor_reader *reader, struct hk_state *out);

#endif
