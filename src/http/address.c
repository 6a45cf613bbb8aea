#include "http/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

/** An address of either kind as 16 bytes; IPv4 as ::ffff:a.b.c.d, so that one comparison does. */
struct address {
    struct in6_addr bytes;
};

enum { ADDRESS_BITS = 128, IPV4_OFFSET_BITS = 96 };

static bool parse_address(const char *text, struct address *ret_address, bool *ret_ipv4)
{
    struct in_addr ipv4;
    *ret_ipv4 = inet_pton(AF_INET, text, &ipv4) == 1;
    if (!*ret_ipv4)
        return inet_pton(AF_INET6, text, &ret_address->bytes) == 1;
    memset(&ret_address->bytes, 0, sizeof ret_address->bytes);
    memset(&ret_address->bytes.s6_addr[10], 0xFF, 2);
    memcpy(&ret_address->bytes.s6_addr[12], &ipv4, sizeof ipv4);
    return true;
}

static const char *format_address(struct arena *arena, const struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    if (IN6_IS_ADDR_V4MAPPED(&address->bytes))
        inet_ntop(AF_INET, &address->bytes.s6_addr[12], text, sizeof text);
    else
        inet_ntop(AF_INET6, &address->bytes, text, sizeof text);
    return arena_strdup(arena, text);
}

/** "10.0.0.0/8", or an address, which is a network of one. */
static bool parse_network(struct arena *arena, const char *text, struct address *ret_address,
                          int64_t *ret_bits)
{
    char *address = arena_strdup(arena, text), *slash = strchr(address, '/');
    if (slash)
        *slash = '\0';
    bool ipv4;
    if (!parse_address(address, ret_address, &ipv4))
        return false;
    int64_t offset = ipv4 ? IPV4_OFFSET_BITS : 0;
    *ret_bits = ADDRESS_BITS - offset;
    if (slash &&
        (!text_to_int(slash + 1, ret_bits) || *ret_bits < 0 || *ret_bits > ADDRESS_BITS - offset))
        return false;
    *ret_bits += offset;
    return true;
}

static bool is_within(const struct address *address, const struct address *network, int64_t bits)
{
    size_t whole = (size_t)bits / 8;
    unsigned mask = 0xFFU << (8 - bits % 8) & 0xFFU;
    return memcmp(&address->bytes, &network->bytes, whole) == 0 &&
           (mask == 0 ||
            ((address->bytes.s6_addr[whole] ^ network->bytes.s6_addr[whole]) & mask) == 0);
}

static bool is_trusted(struct arena *arena, const struct address *address, struct texts trusted)
{
    for (size_t i = 0; i < trusted.count; i++) {
        struct address network;
        int64_t bits;
        if (parse_network(arena, text_trim(arena, trusted.items[i]), &network, &bits) &&
            is_within(address, &network, bits))
            return true;
    }
    return false;
}

/** All X-Forwarded-For headers as one list, the client first, our neighbour last. */
static struct texts forwarded_hops(struct arena *arena, struct http_params headers)
{
    const char *all = "";
    for (size_t i = 0; i < headers.count; i++)
        if (text_equal_nocase(headers.items[i].name, "X-Forwarded-For"))
            all = arena_format(arena, "%s,%s", all, headers.items[i].value);
    return text_split(arena, all, ',');
}

/** A hop as some proxies write it: "192.0.2.1:4711", "[2001:db8::1]", "[2001:db8::1]:4711". */
static bool parse_hop(struct arena *arena, const char *text, struct address *ret_address)
{
    char *hop = text_trim(arena, text), *colon = strchr(hop, ':');
    bool ipv4;
    if (*hop == '[') {
        hop[strcspn(hop, "]")] = '\0';
        hop++;
    } else if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
    }
    return parse_address(hop, ret_address, &ipv4);
}

const char *address_of_client(struct arena *arena, const char *peer, struct http_params headers,
                              const char *trusted)
{
    struct address client, hop;
    bool ipv4;
    if (!trusted || !*trusted || !parse_address(peer, &client, &ipv4))
        return peer;
    struct texts networks = text_split(arena, trusted, ',');
    struct texts hops = forwarded_hops(arena, headers);
    for (size_t i = hops.count; i > 0 && is_trusted(arena, &client, networks); i--) {
        /* What a trusted proxy could not write is where trust ends. */
        if (!parse_hop(arena, hops.items[i - 1], &hop))
            break;
        client = hop;
    }
    return format_address(arena, &client);
}

enum status http_check_trusted(const char *trusted, struct err *err)
{
    AUTO_ARENA struct arena arena;
    arena_init(&arena);
    struct texts entries = text_split(&arena, trusted ? trusted : "", ',');
    for (size_t i = 0; i < entries.count; i++) {
        const char *entry = text_trim(&arena, entries.items[i]);
        struct address network;
        int64_t bits;
        if (!parse_network(&arena, entry, &network, &bits))
            return err_set(err, INVALID, NULL,
                           "'%s' is neither an address nor a network such as 10.0.0.0/8", entry);
    }
    return OK;
}
