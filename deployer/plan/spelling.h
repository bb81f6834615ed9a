/*
 * spelling.h - values that are written in more than one way: quantities, durations, instants,
 * networks, URLs, versions, texts that hold JSON or XML. Pure; knows texts, no properties.
 */
#ifndef PLAN_SPELLING_H
#define PLAN_SPELLING_H

#include <stdbool.h>

/* Whether both are one value in that format (docs/catalog.md, "format"); false for others. */
bool spelling_same_as(const char *format, const char *desired, const char *actual);
/* Likewise in a format that can be told from the values alone. */
bool spelling_same_by_look(const char *desired, const char *actual);
/* Without blanks and case: "East US" is eastus. False where one has more than words in it. */
bool spelling_same_location(const char *a, const char *b);
/* As sets of what stands between commas, without case. */
bool spelling_same_csv_set(const char *a, const char *b);
/* A version is answered with more digits than it was asked for: "4" as "4.0.14". */
bool spelling_is_version_of(const char *desired, const char *actual);
/* Whether all addresses of one network are in the other ("10.0.1.0/24" in "10.0.0.0/16"). */
bool spelling_is_within(const char *inner, const char *outer);
/* "www.contoso.com." is "www.contoso.com". */
bool spelling_same_host(const char *a, const char *b);
/* The name of a certificate's subject: "CN=x" is "x". */
bool spelling_same_subject(const char *a, const char *b);
/* Equal but for rounding. */
bool spelling_is_near(double a, double b);

#endif
