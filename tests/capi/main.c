/* Runs every test and checks that it left no descriptor open. */
#include "check.h"

#include <signal.h>

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"accept", test_accept},         {"connect", test_connect}, {"faults", test_faults},
    {"generation", test_generation}, {"option", test_option},   {"pipe", test_pipe},
    {"resolve", test_resolve},       {"text", test_text},       {"tcp_server", test_tcp_server},
    {"unix_server", test_unix_server},
};

int main(void) {
    size_t i;
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        int before = open_fds();
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].run();
        CHECK_INT(open_fds(), before);
    }
    printf("all passed\n");
    return 0;
}
