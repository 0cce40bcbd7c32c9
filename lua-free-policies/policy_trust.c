
/* The "trust" lines of a policy: which addresses may raise themselves. */

#include <arpa/inet.h>
#include <string.h>

#include "policy_verbs.h"
#include "words.h"


#define RCV_IPV4_BITS        32u
#define RCV_IPV6_BITS        128u


/* An IPv4 address inside IPv6, "::ffff:10.0.0.1": the first 12 bytes. */

#define RCV_MAPPED_LEN       12u

static const uint8_t  rcv_mapped[RCV_MAPPED_LEN] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


/* Clears the bits of the host; returns 1 if one was set. */

static int
rcv_cidr_mask(rcv_cidr_t *cidr)
{
    int       set;
    uint8_t   host;
    unsigned  i, bits;

    set = 0;

    for (i = 0; i < sizeof(cidr->addr); i++) {
        bits = (cidr->prefix > i * 8) ? cidr->prefix - i * 8 : 0;
        host = (bits >= 8) ? 0 : (uint8_t) (0xff >> bits);

        set |= (cidr->addr[i] & host) != 0;
        cidr->addr[i] = (uint8_t) (cidr->addr[i] & ~host);
    }

    return set;
}


static int
rcv_parse_cidr(rcv_str_t word, rcv_cidr_t *cidr)
{
    int        has_prefix;
    char       text[INET6_ADDRSTRLEN];
    uint64_t   bits, prefix;
    rcv_str_t  addr, rest;

    memset(cidr, 0, sizeof(rcv_cidr_t));

    has_prefix = rcv_split(word, "/", &addr, &rest);

    if (addr.len == 0 || addr.len >= sizeof(text)
        || memchr(addr.data, '\0', addr.len) != NULL)
    {
        return -1;
    }

    memcpy(text, addr.data, addr.len);
    text[addr.len] = '\0';

    if (inet_pton(AF_INET, text, cidr->addr) == 1) {
        cidr->family = 4;
        bits = RCV_IPV4_BITS;

    } else if (inet_pton(AF_INET6, text, cidr->addr) == 1) {
        cidr->family = 6;
        bits = RCV_IPV6_BITS;

    } else {
        return -1;
    }

    prefix = bits;

    if (has_prefix
        && (rcv_parse_integer(rest, &prefix) != 0 || prefix > bits))
    {
        return -1;
    }

    cidr->prefix = (uint8_t) prefix;

    return 0;
}


static int
rcv_trust_word(rcv_line_t *line, rcv_str_t word)
{
    char           network[INET6_ADDRSTRLEN];
    rcv_cidr_t    *cidr;
    rcv_policy_t  *policy;

    policy = line->policy;

    if (policy->ntrust == RCV_TRUST_MAX) {
        return rcv_line_error(line, "too many networks at \"%s\" in "
                              "\"trust\", a policy has at most %d",
                              rcv_line_show(line, word), RCV_TRUST_MAX);
    }

    cidr = &policy->trust[policy->ntrust];

    if (rcv_parse_cidr(word, cidr) != 0) {
        return rcv_line_error(line, "invalid network \"%s\" in \"trust\", it "
                              "must be an IPv4 or IPv6 address or network, "
                              "such as \"192.0.2.1\" or \"10.0.0.0/8\"",
                              rcv_line_show(line, word));
    }

    if (rcv_cidr_mask(cidr)) {
        (void) inet_ntop(cidr->family == 4 ? AF_INET : AF_INET6, cidr->addr,
                         network, sizeof(network));

        return rcv_line_error(line, "\"%s\" in \"trust\" has bits set below "
                              "its prefix, the network would be \"%s/%u\"",
                              rcv_line_show(line, word), network,
                              (unsigned) cidr->prefix);
    }

    /* an IPv4 network written as IPv6 is compared as what it is */

    if (cidr->family == 6 && cidr->prefix >= RCV_MAPPED_LEN * 8
        && memcmp(cidr->addr, rcv_mapped, RCV_MAPPED_LEN) == 0)
    {
        cidr->family = 4;
        cidr->prefix = (uint8_t) (cidr->prefix - RCV_MAPPED_LEN * 8);
        memmove(cidr->addr, cidr->addr + RCV_MAPPED_LEN, 4);
        memset(cidr->addr + 4, 0, sizeof(cidr->addr) - 4);
    }

    policy->ntrust++;

    return 0;
}


int
rcv_line_trust(rcv_line_t *line)
{
    unsigned  i;

    for (i = 1; i < line->nwords; i++) {
        if (rcv_trust_word(line, line->words[i]) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
rcv_cidr_has(const rcv_cidr_t *cidr, const uint8_t *addr)
{
    uint8_t   mask;
    unsigned  whole;

    whole = cidr->prefix / 8;
    mask = (uint8_t) ~(0xff >> cidr->prefix % 8);

    return memcmp(cidr->addr, addr, whole) == 0
           && (mask == 0 || ((cidr->addr[whole] ^ addr[whole]) & mask) == 0);
}


int
rcv_policy_trusts(const rcv_policy_t *policy, const uint8_t *addr, size_t len)
{
    unsigned  i, family;

    /* a client of a socket that listens on IPv6 for both */

    if (len == 16 && memcmp(addr, rcv_mapped, RCV_MAPPED_LEN) == 0) {
        addr += RCV_MAPPED_LEN;
        len = 4;
    }

    if (len != 4 && len != 16) {
        return 0;
    }

    family = (len == 4) ? 4 : 6;

    for (i = 0; i < policy->ntrust; i++) {
        if (policy->trust[i].family == family
            && rcv_cidr_has(&policy->trust[i], addr))
        {
            return 1;
        }
    }

    return 0;
}
