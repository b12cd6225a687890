/* The rows, in the order in which they are shown. A suite adds its own here. */
#include "bench/row.h"

const struct bench_row bench_rows[] = {
    {"agreement share, 25519", "libsodium's one multiplication with subgroup check", "us", 1e6, 1.05, 0,
     bench_agree_share},
    {"decrypt, blinded, both halves", "3 variable-base + 1 base multiplication + 2 additions", "us", 1e6, 1.2,
     0, bench_decrypt_blinded},
    {"decrypt, blinded, mask made ahead", "2 variable-base multiplications + 2 additions", "us", 1e6, 0, 0,
     bench_decrypt_prepared},
    {"decrypt, unblinded, both halves", "2 variable-base multiplications + 1 addition", "us", 1e6, 0, 0,
     bench_decrypt_unblinded},
    {"ed25519 signature, service", "commit + share straight on libsodium", "us", 1e6, 1.1, 0,
     bench_sign_service},
    {"ed25519 signature, both, verified", "the same floor for both + verification", "us", 1e6, 1.15, 0,
     bench_sign_both},
    {"agreement share, secp256k1", "libsecp256k1's parse + ecdh", "us", 1e6, 1.05, 0,
     bench_agree_share_secp256k1},
    {"bip340 signature, both, verified", "libsecp256k1's sign + verify with the whole key", "us", 1e6, 6, 0,
     bench_bip340_both},
    {"ecdsa signature, both, mask made ahead", "the bare GMP exponentiations of it", "ms", 1e3, 1.2, 0,
     bench_ecdsa_prepared},
    {"ecdsa signature, both, nothing prepared", "the bare GMP exponentiations of it", "ms", 1e3, 1.15, 0,
     bench_ecdsa_whole},
    {"ecdsa key set-up, both", "two primes of mpz_nextprime + bare exponentiations", "ms", 1e3, 1.2, 0,
     bench_ecdsa_setup},
    {"ecdsa shift refresh, both", "an ecdsa signature, mask made ahead", "ms", 1e3, 0.1, 0,
     bench_ecdsa_shift},
    {"ecdsa signature on the wire", "4 KiB", "KiB", 1.0 / 1024, 1, 0, bench_ecdsa_bytes},
    {"enrolment, 10 keys, all sides", "11 base + 1 variable-base multiplications a key", "ms", 1e3, 1.5, 0,
     bench_enrolment},
    {"bulk encryption, 64 MiB", "ChaCha20-Poly1305 alone, 1 MiB blocks", "ms", 1e3, 0.9, BENCH_FASTER,
     bench_bulk},
    {"agree through a warm agent", "nng round trip + share + durable commit + local socket round trip", "us",
     1e6, 1.5, BENCH_SERVICE, bench_agree_agent},
    {"latency p50, one client", "nng round trip + share + durable commit", "us", 1e6, 1.3, BENCH_SERVICE,
     bench_latency_p50},
    {"latency p99, one client", "nng round trip + share + durable commit", "us", 1e6, 3, BENCH_SERVICE,
     bench_latency_p99},
    {"latency p99, 64 clients, half load", "the same at full load, closed loop", "us", 1e6, 0, BENCH_SERVICE,
     bench_latency_open},
    {"throughput, decrypt, 64 clients", "a share in process, processor time of each", "us", 1e6, 0.7,
     BENCH_FASTER | BENCH_SERVICE, bench_throughput_decrypt},
    {"throughput, sign, 64 clients", "a share in process, processor time of each", "us", 1e6, 0.7,
     BENCH_FASTER | BENCH_SERVICE, bench_throughput_sign},
    {"throughput, 256 points a request", "a share in process, processor time of each", "us", 1e6, 0.7,
     BENCH_FASTER | BENCH_SERVICE, bench_throughput_batch},
    {"throughput over connections", "one connection", "us", 1e6, 0, BENCH_FASTER | BENCH_SERVICE,
     bench_connections},
    {"10,000 connected devices", "one device, 64 requests under way in both", "us", 1e6, 0.9, BENCH_FASTER,
     bench_connected},
    {"memory of a connected device", "8 KiB", "KiB", 1.0 / 1024, 1, 0, bench_connected_memory},
    {"revocation under load", "one durable commit", "us", 1e6, 2, 0, bench_revocation},
    {"halfkey decrypt, 256 MiB", "stock age -d with a plain key", "ms", 1e3, 2.0, 0, bench_decrypt_file},
    {"cost in the largest store", "the same at 10^3, processor time of the service", "us", 1e6, 1.15,
     BENCH_GROWTH, bench_growth_cost},
    {"start-up of the largest store", "one second", "ms", 1e3, 1, BENCH_GROWTH, bench_growth_start},
};

const size_t bench_row_count = sizeof(bench_rows) / sizeof(*bench_rows);

bool bench_row_met(const struct bench_row *row, const struct bench_result *result)
{
    return (row->flags & BENCH_FASTER) != 0 ? result->ratio.median >= row->goal
                                            : result->ratio.median <= row->goal;
}
