/* Messages: the tables, the encoding, and protocol/halfkey.cddl say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/cbor.h"
#include "protocol/message.h"
#include "tests/support/cddl.h"

struct field {
    const char *name;
    enum hk_field_type type;
    size_t min, max;
};
static const struct field fields[] = {
#define ROW(id, number, name, type, min, max) [number] = {name, type, min, max},
    HK_FIELDS(ROW)
#undef ROW
};

static const struct hk_op_row *rows[64];
static size_t row_count;
static struct cddl *cddl;
static uint8_t bytes[HK_PLAINTEXT_MAX]; /* values are taken from here */
static char text[512];
static uint8_t encoded[HK_PLAINTEXT_MAX];
static struct hk_message message, decoded;

static int set_up(void **state)
{
    (void)state;
#define ROW(id, number, name, callers, request, optional, answer, answer_optional)                           \
    rows[row_count++] = hk_op_row(number);
    HK_OPS(ROW)
#undef ROW
    hk_random(bytes, sizeof(bytes));
    memset(text, 'n', sizeof(text) - 1);
    cddl = cddl_load("protocol/halfkey.cddl");
    return cddl == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    cddl_free(cddl);
    return 0;
}

/* A field's value of the smallest or the largest length. */
static void put(struct hk_message *out, unsigned field, bool largest)
{
    const struct field *row = &fields[field];
    size_t size = largest ? row->max : row->min, count = largest ? 3 : 0;
    switch (row->type) {
    case HK_U64:
        hk_message_set_u64(out, (enum hk_field)field, largest ? UINT64_MAX : 0);
        break;
    case HK_BSTR:
        hk_message_set_bytes(out, (enum hk_field)field, bytes, size);
        break;
    case HK_TSTR:
        hk_message_set_text(out, (enum hk_field)field, text + sizeof(text) - 1 - size);
        break;
    case HK_LIST:
        hk_message_set_array(out, (enum hk_field)field, bytes, size, count);
        break;
    }
}

static void make(struct hk_message *out, hk_field_set set, const struct hk_op_row *request_of, bool largest)
{
    hk_message_init(out);
    for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
        if ((set & HK_BIT(field)) != 0) {
            put(out, field, largest);
        }
    }
    if (request_of != NULL) {
        hk_message_set_u64(out, HK_F_OP, request_of->op);
    } else {
        hk_message_set_u64(out, HK_F_ERROR, 0);
    }
}

static size_t encode(const struct hk_message *in)
{
    size_t size = 0;
    assert_int_equal(hk_message_encode(in, encoded, sizeof(encoded), &size), HK_OK);
    return size;
}

static enum hk_caller one_caller(const struct hk_op_row *row)
{
    return (enum hk_caller)(row->callers & ~(row->callers - 1));
}

/* ---- CDDL ---- */

static void cddl_describes_every_field_with_its_type_and_bounds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HK_FIELD_COUNT; i++) {
        const struct field *row = &fields[i];
        char size[64], expected[128];
        if (row->min == row->max) {
            snprintf(size, sizeof(size), ".size %zu", row->min);
        } else {
            snprintf(size, sizeof(size), ".size (%zu..%zu)", row->min, row->max);
        }
        switch (row->type) {
        case HK_U64:
            snprintf(expected, sizeof(expected), "uint ");
            break;
        case HK_LIST:
            snprintf(expected, sizeof(expected), "[* bstr %s] ", size);
            break;
        default:
            snprintf(expected, sizeof(expected), "%s %s ", row->type == HK_TSTR ? "tstr" : "bstr", size);
        }
        const char *body = cddl_body(cddl, row->name);
        assert_non_null(body);
        assert_string_equal(body, expected);
    }
}

static void compare_members(const char *operation, const char *kind, hk_field_set required,
                            hk_field_set optional, uint64_t op)
{
    char name[64];
    struct cddl_member members[64];
    hk_field_set seen_required = 0, seen_optional = 0;
    snprintf(name, sizeof(name), "%s-%s", operation, kind);
    size_t count = cddl_members(cddl, name, members, 64);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(members[i].key < HK_FIELD_COUNT);
        *(members[i].optional ? &seen_optional : &seen_required) |= HK_BIT(members[i].key);
        if (members[i].key == HK_F_OP) {
            assert_int_equal(strtoull(members[i].type, NULL, 10), op);
        } else if (members[i].key == HK_F_ERROR) {
            assert_string_equal(members[i].type, "0");
        } else {
            assert_string_equal(members[i].type, fields[members[i].key].name);
        }
    }
    assert_true(seen_required == required);
    assert_true(seen_optional == optional);
}

static void cddl_describes_every_request_and_answer_field_by_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        compare_members(rows[i]->name, "request", rows[i]->request, rows[i]->request_optional, rows[i]->op);
        compare_members(rows[i]->name, "answer", rows[i]->answer, rows[i]->answer_optional, rows[i]->op);
    }
}

static void cddl_describes_no_operation_that_is_not_in_the_table(void **state)
{
    (void)state;
    size_t described = 0;
    for (size_t i = 0; i < cddl_rules(cddl); i++) {
        const char *name = cddl_rule(cddl, i), *suffix = strstr(name, "-request");
        described += suffix != NULL && suffix[8] == '\0' && strcmp(name, "any-request") != 0;
    }
    assert_int_equal(described, row_count);
}

static void encoded_messages_match_the_cddl(void **state)
{
    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s-request", rows[i]->name);
        make(&message, rows[i]->request, rows[i], true);
        assert_true(cddl_matches(cddl, name, encoded, encode(&message)));
        message.present &= ~HK_BIT(HK_F_REQUEST);
        assert_false(cddl_matches(cddl, name, encoded, encode(&message)));
        snprintf(name, sizeof(name), "%s-answer", rows[i]->name);
        make(&message, rows[i]->answer, NULL, true);
        assert_true(cddl_matches(cddl, name, encoded, encode(&message)));
        put(&message, HK_F_GATE_HASH, true);
        assert_false(cddl_matches(cddl, name, encoded, encode(&message)));
    }
}

/* ---- encoding ---- */

static void assert_same(const struct hk_message *a, const struct hk_message *b)
{
    assert_true(a->present == b->present);
    for (unsigned i = 0; i < HK_FIELD_COUNT; i++) {
        assert_true(a->value[i].number == b->value[i].number);
        assert_int_equal(a->value[i].size, b->value[i].size);
        assert_int_equal(a->value[i].count, b->value[i].count);
        if (a->value[i].size != 0) {
            assert_memory_equal(a->value[i].data, b->value[i].data, a->value[i].size);
        }
        for (size_t n = 0; n < a->value[i].count; n++) {
            assert_int_equal(a->value[i].items[n].size, b->value[i].items[n].size);
            assert_memory_equal(a->value[i].items[n].data, b->value[i].items[n].data,
                                a->value[i].items[n].size);
        }
    }
}

static void every_field_is_read_back_at_both_ends_of_its_bounds(void **state)
{
    (void)state;
    for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
        for (int largest = 0; largest < 2; largest++) {
            hk_message_init(&message);
            put(&message, field, largest == 1 && fields[field].max < 10000);
            size_t size = encode(&message);
            assert_int_equal(hk_cbor_check(encoded, size), HK_OK);
            assert_int_equal(hk_message_decode(&decoded, encoded, size), HK_OK);
            assert_same(&message, &decoded);
        }
    }
}

static void a_length_outside_of_its_bounds_is_neither_written_nor_read(void **state)
{
    (void)state;
    for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
        const struct field *row = &fields[field];
        size_t wrong[2] = {row->max + 1, row->min == 0 ? row->max + 1 : row->min - 1};
        for (int i = 0; row->type != HK_U64 && i < 2; i++) {
            size_t size = 9;
            struct hk_cbor_writer writer;
            hk_message_init(&message);
            put(&message, field, false);
            message.value[field].size = wrong[i];
            message.value[field].data = bytes;
            message.value[field].items = &HK_BYTES(bytes, wrong[i]);
            message.value[field].count = row->type == HK_LIST;
            assert_int_equal(hk_message_encode(&message, encoded, sizeof(encoded), &size), HK_BAD_ENCODING);
            assert_int_equal(size, 9);
            hk_cbor_writer_init(&writer, encoded, sizeof(encoded));
            hk_cbor_put_map(&writer, 1);
            hk_cbor_put_uint(&writer, field);
            if (row->type == HK_LIST) {
                hk_cbor_put_array(&writer, 1);
            }
            if (row->type == HK_TSTR) {
                hk_cbor_put_text(&writer, memset(bytes, 'x', wrong[i]), wrong[i]);
            } else {
                hk_cbor_put_bytes(&writer, bytes, wrong[i]);
            }
            assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
            assert_int_equal(hk_message_decode(&decoded, encoded, size), HK_BAD_ENCODING);
            assert_true(decoded.present == 0);
        }
    }
}

static void names_that_cannot_be_printed_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"a\nb", "\x1b[31m", "\xff", "a\x7f"};
    for (size_t i = 0; i < 4; i++) {
        size_t size = 0;
        hk_message_init(&message);
        hk_message_set_text(&message, HK_F_NAME, names[i]);
        assert_int_equal(hk_message_encode(&message, encoded, sizeof(encoded), &size), HK_BAD_ENCODING);
        uint8_t raw[16] = {0xa1, HK_F_NAME, (uint8_t)(0x60 | strlen(names[i]))};
        memcpy(raw + 3, names[i], strlen(names[i]));
        assert_int_equal(hk_message_decode(&decoded, raw, 3 + strlen(names[i])), HK_BAD_ENCODING);
    }
}

static void too_many_list_elements_are_refused(void **state)
{
    (void)state;
    size_t size = 0;
    hk_message_init(&message);
    hk_message_set_array(&message, HK_F_KEYS, bytes, 16, 1000);
    hk_message_set_array(&message, HK_F_HASHES, bytes, 32, 24);
    assert_int_equal(hk_message_decode(&decoded, encoded, encode(&message)), HK_OK);
    assert_int_equal(decoded.value[HK_F_KEYS].count + decoded.value[HK_F_HASHES].count, HK_ITEMS_MAX);
    hk_message_set_array(&message, HK_F_LEAVES, bytes, 32, 1);
    assert_int_equal(hk_message_encode(&message, encoded, sizeof(encoded), &size), HK_TOO_LARGE);
    struct hk_cbor_writer writer;
    hk_cbor_writer_init(&writer, encoded, sizeof(encoded));
    hk_cbor_put_map(&writer, 1);
    hk_cbor_put_uint(&writer, HK_F_KEYS);
    hk_cbor_put_array(&writer, HK_ITEMS_MAX + 1);
    for (size_t i = 0; i <= HK_ITEMS_MAX; i++) {
        hk_cbor_put_bytes(&writer, bytes, 16);
    }
    assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
    assert_int_equal(hk_message_decode(&decoded, encoded, size), HK_BAD_ENCODING);
}

static void a_message_that_does_not_fit_is_too_large(void **state)
{
    (void)state;
    make(&message, rows[0]->request, rows[0], true);
    size_t size = encode(&message), unused = 5;
    for (size_t max = 0; max < size; max++) {
        uint8_t *exact = malloc(max == 0 ? 1 : max);
        assert_int_equal(hk_message_encode(&message, exact, max, &unused), HK_TOO_LARGE);
        free(exact);
    }
    assert_int_equal(unused, 5);
}

static void every_truncation_is_refused_and_every_mutation_is_refused_or_another_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        make(&message, rows[i]->request & ~(HK_BIT(HK_F_PROFILE) | HK_BIT(HK_F_MESSAGE)), rows[i], true);
        hk_message_set_bytes(&message, HK_F_MESSAGE, bytes, 40);
        for (unsigned f = 36; f < 39; f++) {
            if ((message.present & HK_BIT(f)) != 0) {
                hk_message_set_bytes(&message, (enum hk_field)f, bytes, 40);
            }
        }
        size_t size = encode(&message);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *exact = malloc(cut == 0 ? 1 : cut);
            memcpy(exact, encoded, cut);
            assert_int_equal(hk_message_decode(&decoded, exact, cut), HK_BAD_ENCODING);
            free(exact);
        }
        for (size_t at = 0; at < size; at++) {
            static uint8_t mutated[HK_PLAINTEXT_MAX], again[HK_PLAINTEXT_MAX];
            size_t written;
            for (unsigned bit = 0; bit < 8; bit++) {
                memcpy(mutated, encoded, size);
                mutated[at] ^= (uint8_t)(1u << bit);
                if (hk_message_decode(&decoded, mutated, size) == HK_OK) {
                    assert_int_equal(hk_message_encode(&decoded, again, sizeof(again), &written), HK_OK);
                    assert_int_equal(written, size);
                    assert_memory_equal(again, mutated, size);
                }
            }
        }
    }
}

static void unknown_fields_repeated_fields_and_other_types_are_refused(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {0xa1, 0x18, HK_FIELD_COUNT, 0x00}, nint[] = {0xa1, 0x20, 0x00};
    static const uint8_t twice[] = {0xa2, 0x05, 0x01, 0x05, 0x01},
                         unsorted[] = {0xa2, 0x07, 0x01, 0x05, 0x01};
    static const uint8_t nested[] = {0xa1, 0x05, 0x81, 0x01}, array[] = {0x80}, tagged[] = {0xc1, 0xa0};
    static const uint8_t trailing[] = {0xa0, 0x00};
    assert_int_equal(hk_message_decode(&decoded, unknown, sizeof(unknown)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, nint, sizeof(nint)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, twice, sizeof(twice)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, unsorted, sizeof(unsorted)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, nested, sizeof(nested)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, array, sizeof(array)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, tagged, sizeof(tagged)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, trailing, sizeof(trailing)), HK_BAD_ENCODING);
    assert_int_equal(hk_message_decode(&decoded, NULL, 0), HK_BAD_ENCODING);
}

/* ---- requests and answers ---- */

static void a_request_needs_exactly_the_fields_of_its_row(void **state)
{
    (void)state;
    const hk_field_set of_devices = HK_BIT(HK_F_ACCOUNT) | HK_BIT(HK_F_EPOCH) | HK_BIT(HK_F_TAG);
    for (size_t i = 0; i < row_count; i++) {
        const struct hk_op_row *row = rows[i], *found = NULL;
        for (unsigned caller = 1; caller <= HK_ADMIN; caller *= 2) {
            bool is_device = (caller & HK_ANY_DEVICE) != 0;
            hk_field_set required = row->request | (is_device ? of_devices : 0);
            make(&message, required, row, false);
            if ((row->callers & caller) == 0) {
                assert_int_equal(hk_message_check_request(&message, (enum hk_caller)caller, &found),
                                 HK_NOT_ALLOWED);
                continue;
            }
            assert_int_equal(hk_message_check_request(&message, (enum hk_caller)caller, &found), HK_OK);
            assert_ptr_equal(found, row);
            for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
                bool is_optional = (row->request_optional & HK_BIT(field)) != 0 &&
                                   (is_device || (field != HK_F_EPOCH && field != HK_F_TAG &&
                                                  field != HK_F_REPORT && field != HK_F_REVOCATIONS));
                if (field == HK_F_OP) {
                    continue;
                }
                make(&message, required ^ HK_BIT(field), row, false);
                assert_int_equal(hk_message_check_request(&message, (enum hk_caller)caller, &found),
                                 is_optional && (required & HK_BIT(field)) == 0 ? HK_OK : HK_BAD_ENCODING);
            }
        }
    }
}

static void an_unknown_operation_is_told_from_a_missing_one(void **state)
{
    (void)state;
    const struct hk_op_row *found = NULL;
    hk_message_init(&message);
    assert_int_equal(hk_message_check_request(&message, HK_ADMIN, &found), HK_BAD_ENCODING);
    hk_message_set_u64(&message, HK_F_OP, 9999);
    assert_int_equal(hk_message_check_request(&message, HK_ADMIN, &found), HK_UNKNOWN_OP);
    hk_message_set_u64(&message, HK_F_OP, 0);
    assert_int_equal(hk_message_check_request(&message, HK_ADMIN, &found), HK_UNKNOWN_OP);
    assert_null(found);
}

static void an_answer_must_be_to_this_request_and_of_its_shape(void **state)
{
    (void)state;
    uint8_t other[HK_ID_BYTES] = {0};
    for (size_t i = 0; i < row_count; i++) {
        const struct hk_op_row *row = rows[i];
        make(&message, row->answer, NULL, false);
        assert_int_equal(hk_message_check_answer(&message, row, bytes), HK_OK);
        assert_int_equal(hk_message_check_answer(&message, row, other), HK_BAD_PEER);
        for (unsigned field = 0; field < HK_FIELD_COUNT; field++) {
            bool is_optional = (row->answer_optional & HK_BIT(field)) != 0;
            if (field == HK_F_ERROR) {
                continue;
            }
            make(&message, row->answer ^ HK_BIT(field), NULL, false);
            assert_int_equal(hk_message_check_answer(&message, row, bytes),
                             is_optional ? HK_OK : HK_BAD_PEER);
        }
    }
}

static void a_refusal_carries_its_error_and_nothing_more(void **state)
{
    (void)state;
    const struct hk_op_row *row = hk_op_row(HK_OP_AGREE);
    for (uint64_t number = 1; number < 70; number++) {
        make(&message, HK_BIT(HK_F_REQUEST) | HK_BIT(HK_F_ERROR), NULL, false);
        hk_message_set_u64(&message, HK_F_ERROR, number);
        enum hk_error error = hk_message_check_answer(&message, row, bytes);
        assert_int_equal(error, number <= HK_PREPARED_OFF ? (enum hk_error)number : HK_BAD_PEER);
        put(&message, HK_F_POINTS, true);
        assert_int_equal(hk_message_check_answer(&message, row, bytes), HK_BAD_PEER);
    }
    make(&message, HK_BIT(HK_F_REQUEST) | HK_BIT(HK_F_ERROR) | HK_BIT(HK_F_WARNING), NULL, false);
    hk_message_set_u64(&message, HK_F_ERROR, HK_REVOKED);
    assert_int_equal(hk_message_check_answer(&message, row, bytes), HK_REVOKED);
    assert_int_equal(hk_message_check_answer(&message, hk_op_row(HK_OP_JOIN), bytes), HK_BAD_PEER);
}

static void every_operation_has_a_caller_and_its_own_number_and_name(void **state)
{
    (void)state;
    assert_null(hk_op_row(0));
    assert_null(hk_op_row(10000));
    for (size_t i = 0; i < row_count; i++) {
        assert_non_null(rows[i]);
        assert_true(one_caller(rows[i]) != 0);
        for (size_t other = 0; other < i; other++) {
            assert_true(rows[i]->op != rows[other]->op);
            assert_string_not_equal(rows[i]->name, rows[other]->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cddl_describes_every_field_with_its_type_and_bounds),
        cmocka_unit_test(cddl_describes_every_request_and_answer_field_by_field),
        cmocka_unit_test(cddl_describes_no_operation_that_is_not_in_the_table),
        cmocka_unit_test(encoded_messages_match_the_cddl),
        cmocka_unit_test(every_field_is_read_back_at_both_ends_of_its_bounds),
        cmocka_unit_test(a_length_outside_of_its_bounds_is_neither_written_nor_read),
        cmocka_unit_test(names_that_cannot_be_printed_are_refused),
        cmocka_unit_test(too_many_list_elements_are_refused),
        cmocka_unit_test(a_message_that_does_not_fit_is_too_large),
        cmocka_unit_test(every_truncation_is_refused_and_every_mutation_is_refused_or_another_message),
        cmocka_unit_test(unknown_fields_repeated_fields_and_other_types_are_refused),
        cmocka_unit_test(a_request_needs_exactly_the_fields_of_its_row),
        cmocka_unit_test(an_unknown_operation_is_told_from_a_missing_one),
        cmocka_unit_test(an_answer_must_be_to_this_request_and_of_its_shape),
        cmocka_unit_test(a_refusal_carries_its_error_and_nothing_more),
        cmocka_unit_test(every_operation_has_a_caller_and_its_own_number_and_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
