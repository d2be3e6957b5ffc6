#include "unit.h"

#include "wire/frame.h"

/* Written from src/wire/PROTOCOL.md, not from the code: what each type may be, and when it may
 * come. Phases of the client's side are letters: - closed, i idle, h held, w wanted, c complete; of
 * the answer: q quiet, p pending, b blocks, e ended, a asked. A phase is two of them. */
static const struct {
    int number;
    size_t most;
    unsigned flags;
    bool is_from_daemon;
    const char *allowed; /* phases it may come in, each with what it becomes */
} TYPES[] = {
    { 1, 65, 0, false, "-q>iq" },
    { 2, 64u << 20, 2, false, "iq>hp" },
    { 3, 1u << 30, 0, false, "wp>wp wb>wb" },
    { 4, 0, 0, false, "wp>cp wb>cb" },
    { 5, 1, 0, false, "wp>cp wb>cb" },
    { 16, 1u << 20, 0, true, "hp>hb wp>wb cp>cb" },
    { 17, 1u << 30, 0, true, "hb>hb wb>wb cb>cb" },
    { 18, 16, 0, true, "hb>hb wb>wb cb>cb" },
    { 19, 0, 1 | 4, true, "hb>he wb>we cb>ce" },
    { 20, 0, 1 | 4, true, "hb>he wb>we cb>ce" },
    { 21, 2, 1, true, "hp>iq wp>iq cp>iq ha>iq wa>iq ca>iq" },
    { 22, (1u << 20) + 1, 0, true, "hp>hp hb>hb he>he wp>wp wb>wb we>we cp>cp cb>cb ce>ce ha>ha wa>wa ca>ca" },
    { 23, 0, 0, true, "hp>wp hb>wb" },
    { 24, 0, 1 | 8, true, "hp>iq wp>iq cp>iq ha>iq wa>iq ca>iq" },
    { 25, 0, 1, true, "he>iq we>iq ce>iq" },
    { 32, 64u << 20, 0, false, "iq>ca" },
    { 40, 1025, 1, true, "ha>iq wa>iq ca>iq" },
};
enum { KIND_COUNT = sizeof TYPES / sizeof *TYPES };

/* The same for END and CUT with LAST, the only flag that makes a difference. */
static const char ALLOWED_LAST[] = "hb>iq wb>iq cb>iq";

static const char IN_LETTERS[] = "-ihwc", ANSWER_LETTERS[] = "qpbea";

static int row_of(int number)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (TYPES[i].number == number)
            return i;
    return -1;
}

static void put_header(char header[8], uint32_t len, int type, int flags, int third, int fourth)
{
    for (int i = 0; i < 4; i++)
        header[i] = (char)(len >> 8 * i);
    header[4] = (char)type;
    header[5] = (char)flags;
    header[6] = (char)third;
    header[7] = (char)fourth;
}

static void every_type_is_decoded_within_its_limit(void **state)
{
    char header[8];
    wgw_frame_t frame;

    (void)state;
    for (int i = 0; i < KIND_COUNT; i++) {
        assert_int_equal(wgw_frame_most((wgw_frame_type_t)TYPES[i].number), TYPES[i].most);
        assert_int_equal(wgw_frame_is_from_daemon((wgw_frame_type_t)TYPES[i].number),
                         TYPES[i].is_from_daemon);
        put_header(header, (uint32_t)TYPES[i].most, TYPES[i].number, 0, 0, 0);
        assert_true(wgw_frame_decode(header, &frame));
        assert_int_equal(frame.type, TYPES[i].number);
        assert_int_equal(frame.len, TYPES[i].most);
        put_header(header, (uint32_t)TYPES[i].most + 1, TYPES[i].number, 0, 0, 0);
        assert_false(wgw_frame_decode(header, &frame));
        put_header(header, UINT32_MAX, TYPES[i].number, 0, 0, 0);
        assert_false(wgw_frame_decode(header, &frame));
    }
}

static void no_other_type_is_one(void **state)
{
    char header[8];
    wgw_frame_t frame;
    int found = 0;

    (void)state;
    for (int type = 0; type < 256; type++) {
        put_header(header, 0, type, 0, 0, 0);
        assert_int_equal(wgw_frame_decode(header, &frame), row_of(type) >= 0);
        found += row_of(type) >= 0;
        if (row_of(type) < 0)
            assert_int_equal(wgw_frame_most((wgw_frame_type_t)type), 0);
    }
    assert_int_equal(found, KIND_COUNT);
}

static void only_its_own_flags_are_taken(void **state)
{
    char header[8];
    wgw_frame_t frame;

    (void)state;
    for (int i = 0; i < KIND_COUNT; i++)
        for (unsigned flags = 0; flags < 256; flags++) {
            put_header(header, 0, TYPES[i].number, (int)flags, 0, 0);
            bool is_right = wgw_frame_decode(header, &frame);
            assert_int_equal(is_right, !(flags & ~TYPES[i].flags));
            if (is_right)
                assert_int_equal(frame.flags, flags);
        }
}

static void the_last_two_bytes_are_zero(void **state)
{
    char header[8];
    wgw_frame_t frame;

    (void)state;
    for (int bit = 0; bit < 8; bit++) {
        put_header(header, 0, WGW_FRAME_END, 0, 1 << bit, 0);
        assert_false(wgw_frame_decode(header, &frame));
        put_header(header, 0, WGW_FRAME_END, 0, 0, 1 << bit);
        assert_false(wgw_frame_decode(header, &frame));
    }
}

static void what_is_encoded_is_decoded(void **state)
{
    char header[8], wanted[8];
    wgw_frame_t frame;

    (void)state;
    for (int i = 0; i < KIND_COUNT; i++) {
        wgw_frame_encode(header, (wgw_frame_type_t)TYPES[i].number, TYPES[i].flags, TYPES[i].most);
        put_header(wanted, (uint32_t)TYPES[i].most, TYPES[i].number, (int)TYPES[i].flags, 0, 0);
        assert_memory_equal(header, wanted, 8);
        assert_true(wgw_frame_decode(header, &frame));
        assert_int_equal(frame.len, TYPES[i].most);
        assert_int_equal(frame.flags, TYPES[i].flags);
    }
}

/* Find "hp>wp" for 'h' and 'p'. Returns: NULL when it is not among them. */
static const char *transition_of(const char *allowed, char in, char answer)
{
    for (const char *at = allowed; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
        if (at[0] == in && at[1] == answer)
            return at + 3;
    return NULL;
}

static void check_phase(const char *allowed, int number, unsigned flags, int in, int answer)
{
    wgw_phase_t phase = { (wgw_phase_in_t)in, (wgw_phase_answer_t)answer };
    wgw_frame_t frame = { .type = (wgw_frame_type_t)number, .flags = flags };
    const char *next = transition_of(allowed, IN_LETTERS[in], ANSWER_LETTERS[answer]);

    assert_int_equal(wgw_phase_allows(&phase, &frame), next != NULL);
    assert_int_equal(phase.in, in);
    assert_int_equal(phase.answer, answer);
    assert_int_equal(wgw_phase_take(&phase, &frame), next != NULL);
    assert_int_equal(IN_LETTERS[phase.in], next ? next[0] : IN_LETTERS[in]);
    assert_int_equal(ANSWER_LETTERS[phase.answer], next ? next[1] : ANSWER_LETTERS[answer]);
}

/* With each set of its flags. */
static void every_type_in_every_phase(void **state)
{
    (void)state;
    for (int row = 0; row < KIND_COUNT; row++)
        for (unsigned flags = 0; flags < 8; flags++)
            for (int at = 0; at < 5 * 4; at++)
                if (!(flags & ~TYPES[row].flags))
                    check_phase(flags & 4 ? ALLOWED_LAST : TYPES[row].allowed, TYPES[row].number,
                                flags, at / 4, at % 4);
}

static void a_body_is_complete_only_where_it_was_held(void **state)
{
    (void)state;
    for (int in = 0; in < 5; in++) {
        wgw_phase_t phase = { (wgw_phase_in_t)in, WGW_ANSWER_PENDING };
        wgw_phase_body_is_complete(&phase);
        assert_int_equal(phase.in, in == WGW_IN_HELD ? WGW_IN_COMPLETE : in);
        assert_int_equal(phase.answer, WGW_ANSWER_PENDING);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_type_is_decoded_within_its_limit),
    cmocka_unit_test(no_other_type_is_one),
    cmocka_unit_test(only_its_own_flags_are_taken),
    cmocka_unit_test(the_last_two_bytes_are_zero),
    cmocka_unit_test(what_is_encoded_is_decoded),
    cmocka_unit_test(every_type_in_every_phase),
    cmocka_unit_test(a_body_is_complete_only_where_it_was_held),
};

UNIT_GROUP(frame_group, tests);
