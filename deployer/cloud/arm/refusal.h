/*
 * refusal.h - why Azure forbids what the login may do: the policies that an error names in its
 * additionalInfo, the locks that it names in its message. Pure.
 * https://learn.microsoft.com/azure/governance/policy/troubleshoot/general
 */
#ifndef ARM_REFUSAL_H
#define ARM_REFUSAL_H

#include <jansson.h>

/*
 * One text a policy: its name, the ids of assignment and definition, and which value of ours it
 * does not let pass. Owned; NULL where additionalInfo tells of none.
 */
json_t *arm_refusal_policies(const json_t *additional_info);
/* The next step for a refusal by policy or lock, with what is known of it. Owned; NULL: another. */
char *arm_refusal_hint(const json_t *fault);

#endif
