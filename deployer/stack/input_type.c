#include "stack/input_type.h"

#include "base/compiler.h"

const char *const input_type_names[] = { "string", "integer", "number", "boolean", "list", "map",
    "any" };
_Static_assert(ARRAY_LEN(input_type_names) == INPUT_TYPES, "one name a type");

bool input_type_fits(enum input_type type, const json_t *value)
{
    switch (type) {
    case INPUT_STRING:
        return json_is_string(value);
    case INPUT_INTEGER:
        return json_is_integer(value);
    case INPUT_NUMBER:
        return json_is_number(value);
    case INPUT_BOOLEAN:
        return json_is_boolean(value);
    case INPUT_LIST:
        return json_is_array(value);
    case INPUT_MAP:
        return json_is_object(value);
    case INPUT_ANY:
        break;
    }
    return true;
}
