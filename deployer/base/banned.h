/*
 * banned.h - poisons calls that are easy to misuse; forced into every file by the Makefile.
 * The system headers that declare them come first, so that only our own uses fail.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/ssl.h>

#include "base/late_curl.h"

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf
#pragma GCC poison strtok atoi atol atoll atof gets
#pragma GCC poison json_dumps json_dumpb
#pragma GCC poison localtime gmtime ctime asctime

#endif
