/*
 * json_memory.h - where jansson's values live. A model is tens of thousands of small values, and
 * making and freeing them by malloc(3) was a quarter of what `validate` took; here they come from
 * lists of free parts of equal size.
 */
#ifndef BASE_JSON_MEMORY_H
#define BASE_JSON_MEMORY_H

/*
 * Lets jansson take its memory from the lists. Once, before its first value and the first thread:
 * each thread has lists of its own, and a value may be freed by another one. Nothing is
 * done where a sanitizer watches.
 */
void json_memory_setup(void);

#endif
