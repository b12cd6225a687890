#include "tests/support/ecdsa_world.h"

#include <assert.h>
#include <string.h>

#include "crypto/random.h"

void ecdsa_world_name(struct ecdsa_world *world)
{
    const struct hk_ecdsa_place place = {HK_BYTES(world->account, sizeof(world->account)), world->serial,
                                         world->key_id, world->epoch};
    hk_ecdsa_pair_name(&world->pair, &place);
}

static void set_up(struct ecdsa_world *world)
{
    uint8_t proof[HK_ECDSA_SETUP_BYTES_MAX];
    world->pair.paillier = world->paillier.key;
    world->service.wraps = 0;
    hk_ecdsa_setup_prove(world->pair.cipher, proof, &world->paillier, &world->service.half,
                         world->transcript);
    hk_secp256k1.base_mul(&world->pair.service_point, &world->service.half);
    enum hk_error error = hk_ecdsa_setup_verify(&world->pair.paillier, world->pair.cipher,
                                                &world->pair.service_point, world->transcript, proof);
    assert(error == HK_OK);
    (void)error;
    ecdsa_world_name(world);
}

void ecdsa_world_new_halves(struct ecdsa_world *world)
{
    struct hk_point device_point;
    hk_scalar_random(&hk_secp256k1, &world->device_half);
    hk_scalar_random(&hk_secp256k1, &world->service.half);
    hk_secp256k1.base_mul(&device_point, &world->device_half);
    hk_secp256k1.base_mul(&world->pair.service_point, &world->service.half);
    hk_secp256k1.point_add(&world->pair.public_key, &device_point, &world->pair.service_point);
    set_up(world);
}

void ecdsa_world_full_refresh(struct ecdsa_world *world)
{
    hk_paillier_generate(&world->paillier, (unsigned)(64 * world->paillier.key.n_limbs));
    set_up(world);
}

void ecdsa_world_make(struct ecdsa_world *world, unsigned bits)
{
    memset(world, 0, sizeof(*world));
    hk_random(world->account, sizeof(world->account));
    hk_random(world->serial, sizeof(world->serial));
    hk_random(world->key_id, sizeof(world->key_id));
    hk_random(world->process_key.bytes, sizeof(world->process_key.bytes));
    hk_ring_generate(&world->ring);
    world->pair.ring = world->ring.ring;
    hk_paillier_generate(&world->paillier, bits);
    world->service.pair = &world->pair;
    world->service.paillier = &world->paillier;
    world->service.ring = &world->ring;
    ecdsa_world_new_halves(world);
}

void ecdsa_world_shift(struct ecdsa_world *world, const struct hk_scalar *delta)
{
    enum hk_error error = hk_ecdsa_shift_wraps(&world->service.wraps, &world->service.half, delta);
    assert(error == HK_OK);
    (void)error;
    hk_secp256k1.scalar_sub(&world->service.half, &world->service.half, delta);
    hk_secp256k1.scalar_add(&world->device_half, &world->device_half, delta);
    hk_ecdsa_shift_cipher(world->pair.cipher, &world->pair.paillier, delta);
    hk_secp256k1.base_mul(&world->pair.service_point, &world->service.half);
    world->epoch++;
    ecdsa_world_name(world);
}

void ecdsa_run_begin(struct ecdsa_run *run, struct ecdsa_world *world, bool prepared)
{
    hk_random(run->message, sizeof(run->message));
    hk_ecdsa_commit(&run->nonce, &world->pair, &world->device_half, prepared ? NULL : run->message);
    hk_ecdsa_make_offer(&run->slot, &run->offer, &world->pair, &world->process_key, world->next_slot++,
                        run->nonce.commitment, prepared);
    hk_ecdsa_mask_prepare(&run->mask, &world->pair, &world->device_half,
                          HK_BYTES(run->message, sizeof(run->message)));
}

enum hk_error ecdsa_run_request(struct ecdsa_run *run, struct ecdsa_world *world)
{
    return hk_ecdsa_make_request(&run->request, &run->pending, &run->nonce, &run->mask, &world->pair,
                                 &world->device_half, &run->offer, run->message);
}

enum hk_error ecdsa_run_answer(struct ecdsa_run *run, struct ecdsa_world *world)
{
    return hk_ecdsa_answer(&run->answer, &run->slot, &world->service, &run->request, run->message);
}

enum hk_error ecdsa_run_accept(struct ecdsa_run *run, struct ecdsa_world *world)
{
    return hk_ecdsa_accept(&run->result, &run->pending, &world->pair, &run->answer);
}

enum hk_error ecdsa_run_all(struct ecdsa_run *run, struct ecdsa_world *world, bool prepared)
{
    ecdsa_run_begin(run, world, prepared);
    enum hk_error error = ecdsa_run_request(run, world);
    if (error == HK_OK) {
        error = ecdsa_run_answer(run, world);
    }
    return error == HK_OK ? ecdsa_run_accept(run, world) : error;
}
