#include "tests/support/disk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/random.h"
#include "tests/support/store_view.h"

void hk_disk_begin(struct hk_disk *disk)
{
    memset(disk, 0, sizeof(*disk));
    (void)snprintf(disk->fault, sizeof(disk->fault), "/tmp/halfkey-fault-%d", (int)getpid());
    hk_disk_repair(disk);
    disk->attack.service.fault = disk->fault;
    hk_attack_begin(&disk->attack, false);
}

void hk_disk_end(struct hk_disk *disk)
{
    hk_disk_repair(disk);
    hk_attack_end(&disk->attack);
    (void)unlink(disk->fault);
}

static void write_line(const struct hk_disk *disk, const char *line)
{
    FILE *file = fopen(disk->fault, "we");
    assert_non_null(file);
    assert_true(fputs(line, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void hit_path(const struct hk_disk *disk, char path[176])
{
    (void)snprintf(path, 176, "%s.hit", disk->fault);
}

void hk_disk_fault(struct hk_disk *disk, const char *kind, unsigned first, unsigned count)
{
    char line[64];
    hk_disk_repair(disk);
    (void)snprintf(line, sizeof(line), "%s %u %u %u\n", kind, first, count, disk->round);
    write_line(disk, line);
}

void hk_disk_repair(struct hk_disk *disk)
{
    char path[176];
    hit_path(disk, path);
    write_line(disk, "");
    (void)unlink(path);
}

bool hk_disk_was_hit(const struct hk_disk *disk)
{
    char path[176];
    hit_path(disk, path);
    return access(path, F_OK) == 0;
}

/* ---- the script ---- */

static enum hk_error sign(struct hk_test_device *device)
{
    uint8_t signature[64];
    struct hk_test_key *key = hk_test_key_of(device, HK_SUITE_ED25519);
    enum hk_error error = hk_test_sign(device, key, HK_SIGN_RAW, "disk", 4, signature);
    if (error == HK_OK) {
        assert_int_equal(crypto_sign_verify_detached(signature, (const uint8_t *)"disk", 4, key->public_key),
                         0);
    }
    return error;
}

static enum hk_error end_guest(struct hk_disk *disk)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE, &disk->attack.laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, disk->enrolment.certificate,
                         disk->enrolment.certificate_size);
    return hk_test_call(&disk->attack.laptop, &request, &answer);
}

static enum hk_error play_uses(struct hk_disk *disk)
{
    enum hk_error error = HK_OK;
    for (int i = 0; i < 2 && error == HK_OK; i++) {
        error = sign(&disk->attack.laptop);
        disk->signed_count += error == HK_OK;
    }
    return error;
}

static enum hk_error play_refresh(struct hk_disk *disk)
{
    hk_random(disk->next.seed, 32);
    enum hk_error error = hk_test_refresh(&disk->attack.phone, &disk->next);
    disk->asked = error == HK_OK;
    hk_test_hang_up(&disk->attack.phone);
    if (error == HK_OK) {
        error = hk_test_confirm(&disk->attack.phone, &disk->next);
        disk->confirmed = error == HK_OK;
    }
    return error;
}

static enum hk_error play_devices(struct hk_disk *disk)
{
    enum hk_error error = hk_test_enrol(&disk->attack.laptop, &disk->guest, &disk->enrolment, 0);
    disk->enrolled = error == HK_OK;
    if (error == HK_OK) {
        error = sign(&disk->guest);
        disk->signed_count += error == HK_OK;
    }
    if (error == HK_OK) {
        error = end_guest(disk);
        disk->revoked = error == HK_OK;
    }
    return error;
}

enum hk_error hk_disk_play(struct hk_disk *disk)
{
    disk->round++;
    disk->signed_count = 0;
    disk->asked = disk->confirmed = disk->enrolled = disk->revoked = false;
    disk->leaves = hk_view_leaves(&disk->attack.service, disk->attack.laptop.account);
    memset(&disk->enrolment, 0, sizeof(disk->enrolment));
    hk_test_device_init(&disk->guest, &disk->attack.service);
    enum hk_error error = play_uses(disk);
    if (error == HK_OK) {
        error = play_refresh(disk);
    }
    return error == HK_OK ? play_devices(disk) : error;
}

/* ---- what must be so ---- */

static void check_offline(struct hk_disk *disk)
{
    char program[4096], command[4600];
    hk_test_service_program(program, sizeof(program));
    (void)snprintf(command, sizeof(command), "%s check --data %s/data >%s/check 2>&1", program,
                   disk->attack.service.directory, disk->attack.service.directory);
    if (system(command) != 0) {
        (void)snprintf(command, sizeof(command), "cat %s/check", disk->attack.service.directory);
        (void)!system(command);
        fail_msg("halfkeyd check finds something wrong");
    }
}

static void check_refresh(struct hk_disk *disk)
{
    struct hk_test_device *phone = &disk->attack.phone;
    if (disk->asked) { /* confirmed: it is done already */
        enum hk_error error = hk_test_confirm(phone, &disk->next);
        assert_true(error == HK_OK || (!disk->confirmed && error == HK_UNKNOWN_TAG));
        if (error == HK_OK) {
            hk_test_adopt(phone, &disk->next);
        }
        hk_test_hang_up(phone);
    }
    assert_int_equal(sign(phone), HK_OK);
}

static void check_devices(struct hk_disk *disk)
{
    if (!disk->enrolled && disk->enrolment.certificate_size == 0) {
        return; /* the script did not come so far */
    }
    bool has_halves = disk->guest.key_count != 0;
    enum hk_error error = has_halves ? sign(&disk->guest) : HK_UNKNOWN_DEVICE;
    if (disk->revoked) {
        assert_int_equal(error, HK_REVOKED);
    } else if (disk->enrolled) {
        assert_true(error == HK_OK || error == HK_REVOKED);
    }
    /* Whatever there is of it, nothing is left for the next round. */
    assert_int_equal(end_guest(disk), HK_OK);
    assert_true(!has_halves || sign(&disk->guest) != HK_OK);
}

void hk_disk_check(struct hk_disk *disk)
{
    struct hk_attack *attack = &disk->attack;
    if (attack->service.pid ==
        0) { /* what a crash leaves in one copy of the slots is repaired by the next start */
        hk_test_service_restart(&attack->service);
        assert_int_equal(hk_test_service_stop(&attack->service), 0);
        check_offline(disk);
        hk_test_service_restart(&attack->service);
    }
    hk_test_hang_up(&attack->laptop);
    hk_test_hang_up(&attack->phone);
    hk_test_hang_up(&attack->bystander);
    hk_test_hang_up(&disk->guest);
    uint64_t promised = disk->signed_count + disk->confirmed + disk->enrolled + disk->revoked;
    assert_true(hk_view_leaves(&attack->service, attack->laptop.account) >= disk->leaves + promised);
    assert_int_equal(sign(&attack->laptop), HK_OK);
    check_refresh(disk);
    check_devices(disk);
    hk_serves_others(attack);
    disk->asked = disk->confirmed = disk->enrolled = disk->revoked = false;
    disk->signed_count = 0;
    hk_test_device_end(&disk->guest);
}
