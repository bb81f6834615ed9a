/*
 * pattern.h - matches short texts against the patterns of kinds and inputs. Patterns are POSIX
 * extended regular expressions; regcomp(3) takes milliseconds for a bounded repetition such as
 * [a-z]{0,62}, so the usual ones are matched here without compiling them. Pure.
 */
#ifndef CATALOG_PATTERN_H
#define CATALOG_PATTERN_H

#include <stdbool.h>

enum pattern_answer {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_UNKNOWN, /* a construct or an amount of work that is left to regexec(3) */
};

/*
 * Knows ^ and $ at the ends, characters, ., \-escaped characters, [classes] with ranges, (groups)
 * with |, and * + ? {m} {m,} {m,n} behind each of them.
 */
enum pattern_answer pattern_match(const char *pattern, const char *text);
/* The same with regexec(3) for the rest. What is no pattern is found nowhere. */
bool pattern_found(const char *pattern, const char *text);

#endif
