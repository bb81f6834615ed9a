/*
 * path.h - the way of a check's connection through the network's rules: from the subnet that its
 * callers are in to its address and port, by the documents of networks and rules that it is about.
 */
#ifndef VERIFY_PATH_H
#define VERIFY_PATH_H

#include "verify/control.h"

/*
 * Adds net.allowed, net.denied_by, net.rules, net.from and net.to to the job's evidence; nothing
 * where the way is not known.
 */
void verify_path(struct verify_job *job, const struct control_source *source);

#endif
