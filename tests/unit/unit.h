/* What each file of unit tests offers to unit.c. */
#ifndef WGW_TESTS_UNIT_H
#define WGW_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const struct CMUnitTest *tests;
    size_t count;
} unit_group_t;

#define UNIT_GROUP(name, tests) const unit_group_t name = { tests, sizeof tests / sizeof *tests }

extern const unit_group_t address_group, answer_group, buffer_group, cursor_group, deadline_group, descriptor_group,
    forwarded_group, frame_group, head_group, hop_group, json_group, key_group, log_group, measure_group,
    message_group, output_group, replace_group, reply_group, slot_group, spec_group, state_group,
    status_group, step_group, supervisor_group;

/* Copy bytes into memory that ends where they end, so that a sanitizer sees what reads on.
 * Owns: the copy, to be freed by the caller. */
char *unit_copy(const void *data, size_t len);

#endif
