/* Resolving names and address texts. */
#include "check.h"

#include <arpa/inet.h>
#include <netdb.h>

/* What Redis does: the resolver's first address, through inet_ntop. */
static void first_address(const char *host, int family, char *to) {
    struct addrinfo hints, *found;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    CHECK_INT(getaddrinfo(host, NULL, &hints, &found), 0);
    if (found->ai_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, to, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)found->ai_addr)->sin6_addr, to, INET6_ADDRSTRLEN);
    freeaddrinfo(found);
}

static void check_resolved(int code, const char *err, const char *buf, const char *expected) {
    CHECK_INT(code, ANET_OK);
    CHECK_TEXT(buf, expected);
    CHECK(untouched(err, 0, ANET_ERR_LEN));
}

/* With every way to ask for any family. */
static void check_as_redis(const char *host, int is_numeric) {
    char expected[INET6_ADDRSTRLEN], buf[46], err[ANET_ERR_LEN];
    first_address(host, AF_UNSPEC, expected);
    memset(err, CANARY, sizeof err);
    check_resolved(RESOLVE(err, text(host), buf, sizeof buf), err, buf, expected);
    if (is_numeric) check_resolved(RESOLVE_IP(err, text(host), buf, sizeof buf), err, buf, expected);
    CHECK_INT(RESOLVE(NULL, text(host), NULL, 0), ANET_OK);
}

static void addresses_and_names(void) {
    const char *const addresses[] = {
        "127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8:0:0:0:0:0:1", "2001:DB8::A:0:0:1",
        "::ffff:1.2.3.4", "::1.2.3.4", "fe80::1%lo", "127.1", "0x7f.1", "017700000001", "2130706433",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) check_as_redis(addresses[i], 1);
    check_as_redis("localhost", 0);
}

#if ANET_API >= 74
static void the_other_family_is_second_choice(void) {
    const int preferences[] = {
        ANET_PREFER_IPV4, ANET_PREFER_IPV4 | ANET_IP_ONLY, ANET_PREFER_IPV6, ANET_PREFER_IPV6 | ANET_IP_ONLY,
    };
    const char *const addresses[] = {"127.0.0.1", "::1"};
    char buf[46], expected[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 2; j++) {
            CHECK_INT(anetResolve(NULL, text(addresses[j]), buf, sizeof buf, preferences[i]), ANET_OK);
            CHECK_TEXT(buf, addresses[j]);
        }
    }
    CHECK_INT(anetResolve(NULL, text("localhost"), buf, sizeof buf, ANET_PREFER_IPV4), ANET_OK);
    CHECK_TEXT(buf, "127.0.0.1");
    first_address("localhost", AF_UNSPEC, expected);
    CHECK_INT(anetResolve(NULL, text("localhost"), buf, sizeof buf, ANET_PREFER_IPV4 | ANET_PREFER_IPV6), ANET_OK);
    CHECK_TEXT(buf, expected);
    const char *unknown = resolver_text("no such host", AF_UNSPEC, 0);
    CHECK_FAILS(anetResolve(err, text("no such host"), buf, sizeof buf, ANET_PREFER_IPV6), unknown,
                resolver_errno("no such host", AF_UNSPEC, 0));
}
#endif

/* A part of an address would be another address. */
static void a_buffer_gets_the_whole_address_or_nothing(void) {
    const char *const addresses[] = {"1.2.3.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    for (size_t i = 0; i < 2; i++) {
        char *host = text(addresses[i]);
        size_t len, needed = strlen(host) + 1;
        for (len = 0; len < needed; len++) {
            char *buf = canaries(len + CANARIES), expected[ANET_ERR_LEN];
            snprintf(expected, sizeof expected, "address buffer too short (%zu), must be at least %zu", len, needed);
            CHECK_FAILS(RESOLVE(err, host, buf, len), expected, ENOSPC);
            check_cut(buf, len, "", __FILE__, __LINE__, "anetResolve");
            free(buf);
        }
        for (; len < needed + 3; len++) {
            char *buf = canaries(len + CANARIES);
            CHECK_INT(RESOLVE(NULL, host, buf, len), ANET_OK);
            check_cut(buf, len, host, __FILE__, __LINE__, "anetResolve");
            free(buf);
        }
        char buf[46];
        CHECK_INT(RESOLVE(NULL, host, buf, SIZE_MAX), ANET_OK);
        CHECK_TEXT(buf, host);
    }
}

static void names_that_do_not_resolve(void) {
    char long_name[1001], buf[46];
    memset(long_name, 'x', 1000);
    long_name[1000] = '\0';
    const char *const names[] = {"", "no such host", "name.invalid", "a..b", "[::1]", "\xff", long_name};
    memset(buf, CANARY, sizeof buf);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *name = text(names[i]);
        const char *expected = resolver_text(name, AF_UNSPEC, 0);
        CHECK_FAILS(RESOLVE(err, name, buf, sizeof buf), expected, resolver_errno(name, AF_UNSPEC, 0));
    }
    const char *unknown = "Name or service not known";
    CHECK_FAILS(RESOLVE(err, NULL, buf, sizeof buf), unknown, resolver_errno("", AF_UNSPEC, 0));
    int number = resolver_errno("localhost", AF_UNSPEC, AI_NUMERICHOST);
    CHECK_FAILS(RESOLVE_IP(err, text("localhost"), buf, sizeof buf), unknown, number);
    CHECK(untouched(buf, 0, sizeof buf));
}

void test_resolve(void) {
    addresses_and_names();
#if ANET_API >= 74
    the_other_family_is_second_choice();
#endif
    a_buffer_gets_the_whole_address_or_nothing();
    names_that_do_not_resolve();
}
