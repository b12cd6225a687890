/* bare_nng.h - one round trip over nng: a REQ context here, a process there whose REP contexts send back what
 * they get. Nothing of ours is between. */
#ifndef HALFKEY_BENCH_BARE_NNG_H
#define HALFKEY_BENCH_BARE_NNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_nng;

/* Starts the other process; NULL on failure. */
struct bench_nng *bench_nng_start(void);
void bench_nng_stop(struct bench_nng *nng);
/* Sends so many bytes and waits until they are back. */
bool bench_nng_round_trip(struct bench_nng *nng, const uint8_t *frame, size_t size);

/* The other process: this program started again as `halfkey-bench --serve-echo` (nng does not survive a
 * fork). Prints its url and answers until the process that started it ends. */
int bench_serve_echo(void);

#endif
