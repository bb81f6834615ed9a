/*
 * hello.h - who speaks on a port that says nothing by itself: the first message of each protocol
 * that is known here, all at once on connections of their own, so that silence costs one wait.
 */
#ifndef PROBE_HELLO_H
#define PROBE_HELLO_H

#include "probe/net.h"

/*
 * Records tcp.answers_to (the first protocol whose message got a byte) with tcp.first_bytes, or
 * tcp.silent after probe_failed. Neither where the peer hung up on one: it is alive, whatever it
 * is.
 */
void hello_try_all(
        const struct probe_job *job, json_t *evidence, const struct net_address *address);

#endif
