#!/usr/bin/env python3
"""Writes a C file that holds the given files: embed.py OUT FILE..."""
import sys

out, files = sys.argv[1], sys.argv[2:]
with open(out, "w") as o:
    o.write('#include "catalog/embedded.h"\n\n')
    for i, path in enumerate(files):
        data = open(path, "rb").read()
        o.write("static const unsigned char f%d[] = {" % i)
        o.write(",".join(str(b) for b in data + b"\0"))
        o.write("};\n")
    o.write("const struct embedded_file embedded_files[] = {\n")
    for i, path in enumerate(files):
        o.write('    { "%s", (const char *)f%d, sizeof(f%d) - 1 },\n' % (path, i, i))
    o.write("    { 0, 0, 0 },\n};\n")
