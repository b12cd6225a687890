/* Rows with the real programs: an agreement through a warm agent, and a large file beside stock age. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare.h"
#include "bench/row.h"
#include "bench/world.h"
#include "crypto/random.h"
#include "device/agent_client.h"

/* --- an agreement through a warm agent --- */

struct agree {
    struct bench_world world;
    struct bench_bare bare;
    struct hk_agent_client *client;
    uint8_t ephemeral[32];
};

static bool run_bare(void *context, size_t times)
{
    struct bench_bare *bare = &((struct agree *)context)->bare;
    while (times-- > 0) {
        if (!bench_bare_local(bare) || !bench_bare_network(bare) || !bench_bare_share(bare) ||
            !bench_bare_commit(bare)) {
            return false;
        }
    }
    return true;
}

static bool run_agree(void *context, size_t times)
{
    struct agree *agree = context;
    while (times-- > 0) {
        struct hk_agent_message *request = hk_agent_request(agree->client, HK_AGENT_AGREE);
        hk_agent_set_text(request, HK_A_KEY, "files");
        if (!hk_agent_add(request, HK_A_POINTS, agree->ephemeral, sizeof(agree->ephemeral)) ||
            hk_agent_call(agree->client, 0) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool agree_start(struct agree *agree, const struct bench_settings *settings)
{
    char reason[256];
    uint8_t secret[32];
    memset(agree, 0, sizeof(*agree));
    if (!bench_world_start(&agree->world, settings) ||
        !bench_bare_start(&agree->bare, agree->world.directory)) {
        return false;
    }
    hk_random(secret, sizeof(secret));
    crypto_scalarmult_base(agree->ephemeral, secret);
    return hk_agent_connect(&agree->client, true, reason) == HK_OK;
}

static void agree_stop(struct agree *agree)
{
    hk_agent_client_free(agree->client);
    bench_bare_stop(&agree->bare);
    bench_world_stop(&agree->world);
}

bool bench_agree_agent(struct bench_result *result, const struct bench_settings *settings)
{
    static struct agree agree;
    bool fine = agree_start(&agree, settings) &&
                bench_measure(result, &(struct bench_plan){.clock = BENCH_WALL,
                                                           .thing = run_agree,
                                                           .baseline = run_bare,
                                                           .context = &agree,
                                                           .seconds = settings->seconds});
    agree_stop(&agree);
    return fine;
}

/* --- a large file, beside stock age with a plain key --- */

#define FILE_MIB 256
#define FILE_MIB_QUICK 16

struct file {
    struct bench_world world;
    char encrypted[2][BENCH_PATH_MAX + 16]; /* for halfkey's key, for a plain one */
    char identity[BENCH_PATH_MAX + 16], out[BENCH_PATH_MAX + 16];
};

static bool run_halfkey_decrypt(void *context, size_t times)
{
    struct file *file = context;
    while (times-- > 0) {
        if (!bench_run(
                &file->world, NULL,
                (const char *const[]){"halfkey", "decrypt", file->encrypted[0], "-o", file->out, NULL})) {
            return false;
        }
    }
    return true;
}

static bool run_age_decrypt(void *context, size_t times)
{
    struct file *file = context;
    while (times-- > 0) {
        if (!bench_run(&file->world, NULL,
                       (const char *const[]){"age", "-d", "-i", file->identity, "-o", file->out,
                                             file->encrypted[1], NULL})) {
            return false;
        }
    }
    return true;
}

/* The first line of a file. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *stream = fopen(path, "r");
    bool fine = stream != NULL && fgets(line, (int)size, stream) != NULL;
    if (stream != NULL) {
        fclose(stream);
    }
    if (fine) {
        line[strcspn(line, "\n")] = '\0';
    }
    return fine;
}

static bool make_plain_file(const char *path, int mib)
{
    static uint8_t block[1 << 20];
    FILE *stream = fopen(path, "w");
    bool fine = stream != NULL;
    hk_random(block, sizeof(block));
    for (int i = 0; fine && i < mib; i++) {
        fine = fwrite(block, sizeof(block), 1, stream) == 1;
    }
    return stream != NULL && fclose(stream) == 0 && fine;
}

static bool file_start(struct file *file, const struct bench_settings *settings)
{
    char plain[BENCH_PATH_MAX + 16], text[BENCH_PATH_MAX + 16], recipient[2][256];
    memset(file, 0, sizeof(*file));
    if (!bench_world_start(&file->world, settings)) {
        return false;
    }
    const char *directory = file->world.directory;
    snprintf(plain, sizeof(plain), "%s/plain", directory);
    snprintf(text, sizeof(text), "%s/text", directory);
    snprintf(file->out, sizeof(file->out), "%s/out", directory);
    snprintf(file->identity, sizeof(file->identity), "%s/identity", directory);
    for (int i = 0; i < 2; i++) {
        snprintf(file->encrypted[i], sizeof(file->encrypted[i]), "%s/%d.age", directory, i);
    }
    if (!make_plain_file(plain, settings->quick ? FILE_MIB_QUICK : FILE_MIB) ||
        !bench_run(&file->world, text,
                   (const char *const[]){"halfkey", "key", "export", "files", "--format", "age", NULL}) ||
        !read_line(text, recipient[0], sizeof(recipient[0])) ||
        !bench_run(&file->world, NULL, (const char *const[]){"age-keygen", "-o", file->identity, NULL}) ||
        !bench_run(&file->world, text, (const char *const[]){"age-keygen", "-y", file->identity, NULL}) ||
        !read_line(text, recipient[1], sizeof(recipient[1]))) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!bench_run(
                &file->world, NULL,
                (const char *const[]){"age", "-r", recipient[i], "-o", file->encrypted[i], plain, NULL})) {
            return false;
        }
    }
    return true;
}

bool bench_decrypt_file(struct bench_result *result, const struct bench_settings *settings)
{
    static struct file file;
    bool fine = file_start(&file, settings) &&
                bench_measure(result, &(struct bench_plan){.clock = BENCH_WALL,
                                                           .thing = run_halfkey_decrypt,
                                                           .baseline = run_age_decrypt,
                                                           .context = &file,
                                                           .seconds = settings->seconds});
    bench_world_stop(&file.world);
    return fine;
}
