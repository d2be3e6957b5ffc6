/* Runs the unit tests of the floors without Python: all, one by name, or --list. */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const unit_group_t *const GROUPS[] = {
    &address_group, &answer_group, &buffer_group, &cursor_group, &deadline_group, &descriptor_group, &forwarded_group,
    &frame_group, &head_group, &hop_group, &json_group, &key_group, &log_group, &measure_group,
    &message_group, &output_group, &replace_group, &reply_group, &slot_group, &spec_group, &state_group,
    &status_group, &step_group, &supervisor_group,
};

enum { GROUP_COUNT = sizeof GROUPS / sizeof *GROUPS };

char *unit_copy(const void *data, size_t len)
{
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

static int run(const struct CMUnitTest *test)
{
    return _cmocka_run_group_tests(test->name, test, 1, NULL, NULL);
}

/* Call `visit` for each test with this name (NULL: every test). Returns: how many there are. */
static int each(const char *name, int (*visit)(const struct CMUnitTest *), int *failed_out)
{
    int found = 0;

    for (int g = 0; g < GROUP_COUNT; g++)
        for (size_t i = 0; i < GROUPS[g]->count; i++) {
            const struct CMUnitTest *test = &GROUPS[g]->tests[i];
            if (name && strcmp(name, test->name) != 0)
                continue;
            found++;
            *failed_out += visit(test) != 0;
        }
    return found;
}

static int print(const struct CMUnitTest *test)
{
    return puts(test->name) < 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return each(NULL, print, &failed) == 0;
    if (each(argc > 1 ? argv[1] : NULL, run, &failed) == 0) {
        fprintf(stderr, "no unit test is called %s\n", argv[1]);
        return 2;
    }
    return failed != 0;
}
