/*
 * judge.h - from the evidence of a check to its status.
 */
#ifndef VERIFY_JUDGE_H
#define VERIFY_JUDGE_H

#include "verify/verify.h"

/*
 * pass: the probe went through and `expect` holds. skip: the check could not be made from here (a
 * private address that nothing here leads to), or had no target. fail: everything else.
 */
void verify_judge(struct verify_job *job, const struct verify_options *o);
/*
 * Once all have ended: where one private check was answered at its private address, this machine is
 * inside, and what "could not be made from here" failed.
 */
void verify_settle(struct verify_jobs *jobs, const struct verify_options *o);

#endif
