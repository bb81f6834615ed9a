#!/usr/bin/env python3
"""Writes a C file that holds the given files: embed.py OUT FILE... ; an OUT whose name begins with
`sandbox` is the sandbox's own table, any other the catalog's."""
import os
import sys

out, files = sys.argv[1], sys.argv[2:]
if os.path.basename(out).startswith("sandbox"):
    header, struct, table = "sandbox/embedded.h", "sandbox_file", "sandbox_files"
else:
    header, struct, table = "catalog/embedded.h", "embedded_file", "embedded_files"
with open(out, "w") as o:
    o.write('#include "%s"\n\n' % header)
    for i, path in enumerate(files):
        data = open(path, "rb").read()
        o.write("static const unsigned char f%d[] = {" % i)
        o.write(",".join(str(b) for b in data + b"\0"))
        o.write("};\n")
    o.write("const struct %s %s[] = {\n" % (struct, table))
    for i, path in enumerate(files):
        o.write('    { "%s", (const char *)f%d, sizeof(f%d) - 1 },\n' % (path, i, i))
    o.write("    { 0, 0, 0 },\n};\n")
