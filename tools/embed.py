#!/usr/bin/env python3
"""Writes a C file that holds the given files: embed.py OUT FILE... ; an OUT whose name begins with
`sandbox` is the sandbox's own table, any other the catalog's. The catalog's come packed as well, as
lines "FILE HEX" on standard input (tools/pack.c)."""
import os
import sys

out, files = sys.argv[1], sys.argv[2:]
is_sandbox = os.path.basename(out).startswith("sandbox")
packed = {} if is_sandbox else dict(line.split() for line in sys.stdin)


def array(o, name, data):
    o.write("static const unsigned char %s[] = {%s};\n" % (name, ",".join(map(str, data))))


with open(out, "w") as o:
    o.write('#include "%s"\n\n' % ("sandbox/embedded.h" if is_sandbox else "catalog/embedded.h"))
    rows = []
    for i, path in enumerate(files):
        array(o, "f%d" % i, open(path, "rb").read() + b"\0")
        row = '"%s", (const char *)f%d, sizeof(f%d) - 1' % (path, i, i)
        if path in packed:
            array(o, "p%d" % i, bytes.fromhex(packed[path]))
            row += ", (const char *)p%d, sizeof(p%d)" % (i, i)
        elif not is_sandbox:
            row += ", 0, 0"
        rows.append(row)
    o.write("const struct %s = {\n" % ("sandbox_file sandbox_files[]" if is_sandbox else "embedded_file embedded_files[]"))
    o.writelines("    { %s },\n" % row for row in rows)
    o.write("    { 0, 0, 0%s },\n};\n" % ("" if is_sandbox else ", 0, 0"))
