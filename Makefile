# deployer: one Makefile, no recursion. `make help` lists the targets.

CC ?= gcc
VARIANT ?= release
B := build/$(VARIANT)
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION 2>/dev/null || echo 0.1.0)

PKGS := libcurl jansson yaml-0.1 openssl libpq libcares
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) hiredis libmicrohttpd 2>/dev/null)
LINKED = $(PKGS)
PKG_LIBS = $(shell pkg-config --libs $(LINKED) hiredis)
SANDBOX_LIBS = $(shell pkg-config --libs $(LINKED) libmicrohttpd)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wcast-qual -Wundef -Wswitch-enum -Werror
ifneq (,$(findstring clang,$(CC)))
WARN += -Wno-gnu-statement-expression
else
WARN += -Wjump-misses-init -Wlogical-op -Wduplicated-branches
endif

ifeq ($(VARIANT),release)
OPT := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE
ifeq (,$(findstring clang,$(CC)))
OPT += -fstack-clash-protection
endif
LINK := -pie -Wl,-z,relro,-z,now
# libcurl and libpq are loaded by their first call (base/late.c).
OPT += -DLATE
LINKED = $(filter-out libcurl libpq,$(PKGS))
else ifeq ($(VARIANT),asan)
OPT := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK := -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
OPT := -O1 -g -fsanitize=thread
LINK := -fsanitize=thread
else ifeq ($(VARIANT),fuzz)
OPT := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
LINK := -fsanitize=fuzzer,address,undefined
else
OPT := -O0 -g
endif

CPPFLAGS_ALL := -Ideployer -I$(B)/gen -D_GNU_SOURCE -DDEPLOYER_VERSION='"$(VERSION)"' \
	-isystem /usr/include/postgresql -include deployer/base/banned.h $(patsubst -I%,-isystem %,$(PKG_CFLAGS))
CFLAGS_ALL := -std=c17 $(WARN) $(OPT) -pthread $(CFLAGS)

ALL_SRC := $(sort $(wildcard deployer/*.c deployer/*/*.c deployer/*/*/*.c))
SANDBOX_SRC := $(filter deployer/sandbox/%,$(ALL_SRC))
CLI_SRC := $(filter-out $(SANDBOX_SRC) deployer/main.c,$(ALL_SRC))
BASE_SRC := $(filter deployer/base/%,$(CLI_SRC))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
GEN_OBJ := $(B)/gen/embedded.o

LIB := $(B)/libdeployer.a
SBLIB := $(B)/libsandbox.a
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
SANDBOX_UNIT_BIN := $(filter $(B)/tests/unit/test_sandbox_%,$(UNIT_BIN))
CLI_UNIT_BIN := $(filter-out $(SANDBOX_UNIT_BIN),$(UNIT_BIN))

Q := $(if $(V),,@)

.PHONY: all
all: $(B)/deployer $(B)/deployer-sandbox

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# templates/, services/ and runbooks/ go into the binary, as they are and packed by a program that
# runs here: where the variant has sanitizers it is built without them.
ifneq (,$(filter asan tsan fuzz,$(VARIANT)))
PACK := build/host/pack
PACK_OBJ := $(patsubst %.c,build/host/%.o,tools/pack.c $(BASE_SRC))
-include $(shell find build/host -name '*.d' 2>/dev/null)
build/host/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=c17 -O1 -MMD -MP -c $< -o $@
else
PACK := $(B)/pack
PACK_OBJ := $(call obj,tools/pack.c $(BASE_SRC))
endif
$(PACK): $(PACK_OBJ)
	$(Q)$(CC) -pthread $^ -o $@ $(PKG_LIBS)
EMBED_FILES := $(sort $(shell find templates services runbooks -type f 2>/dev/null))
$(B)/gen/embedded.c: tools/embed.py $(PACK) $(EMBED_FILES)
	@mkdir -p $(@D)
	$(Q)$(PACK) $(EMBED_FILES) >$(@D)/packed
	$(Q)python3 tools/embed.py $@ $(EMBED_FILES) <$(@D)/packed
SANDBOX_EMBED_FILES := $(sort $(wildcard deployer/sandbox/kinds/*.yaml deployer/sandbox/services/*.yaml))
$(B)/gen/sandbox_embedded.c: tools/embed.py $(SANDBOX_EMBED_FILES)
	@mkdir -p $(@D)
	$(Q)python3 tools/embed.py $@ $(SANDBOX_EMBED_FILES)
$(B)/gen/sandbox_embedded.o: $(B)/gen/sandbox_embedded.c
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=c17 -O0 -fPIE -c $< -o $@
$(GEN_OBJ): $(B)/gen/embedded.c
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=c17 -O0 -fPIE -c $< -o $@

$(LIB): $(call obj,$(CLI_SRC)) $(GEN_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
$(SBLIB): $(call obj,$(filter-out deployer/sandbox/main.c,$(SANDBOX_SRC)) $(BASE_SRC)) $(B)/gen/sandbox_embedded.o
	$(Q)rm -f $@ && ar rcs $@ $^

$(UNIT_BIN): | $(B)/tests/unit
$(B)/tests/unit:
	@mkdir -p $@

$(B)/deployer: $(call obj,deployer/main.c) $(LIB)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(PKG_LIBS) -lm $(LDFLAGS)
$(B)/deployer-sandbox: $(call obj,deployer/sandbox/main.c) $(SBLIB)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(SANDBOX_LIBS) -lm $(LDFLAGS)

$(CLI_UNIT_BIN): $(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(LIB)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(PKG_LIBS) -lcmocka -lm $(LDFLAGS)
$(SANDBOX_UNIT_BIN): $(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(SBLIB)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(SANDBOX_LIBS) -lcmocka -lm $(LDFLAGS)

.PHONY: units
units: $(UNIT_BIN)

.PHONY: unit
unit: packages-unit
	$(Q)$(MAKE) units
	$(Q)tests/unit/run.sh $(B) $(T)

# Programs that integration tests drive what no command reaches with.
TOOLS := $(B)/tests/arm_tool $(B)/tests/doc_tool $(B)/tests/probe_tool
$(TOOLS): $(B)/tests/%: $(B)/obj/tests/tools/%.o $(LIB) | $(B)/tests/unit
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(PKG_LIBS) -lm $(LDFLAGS)

# --- integration, checks ---------------------------------------------------------------------
.PHONY: integration
integration: all $(TOOLS)
	$(Q)DEPLOYER_BUILD=$(CURDIR)/$(B) python3 tests/integration/run.py $(T)

# A second make builds: what pkg-config says is known only once the packages are there.
.PHONY: test
test: packages-test
	$(Q)$(MAKE) all units
	$(Q)$(MAKE) unit DEPLOYER_NO_INSTALL=1
	$(Q)$(MAKE) integration

.PHONY: check
check: packages-dev
	$(Q)$(MAKE) test lint

.PHONY: asan
asan:
	$(Q)$(MAKE) VARIANT=asan unit integration

.PHONY: lint
lint: all
	$(Q)tests/lint.sh $(B)

# Minutes: clang-tidy (.clang-tidy has its checks and why some are off), then gcc -fanalyzer, each over all files. Of the
# analyzer's three are off: it takes an out parameter for unset where TRY saw that the call went well, and what libraries fill.
ANALYZE_OBJ = $(patsubst %.c,build/analyze/obj/%.o,$(ALL_SRC))
.PHONY: analyze
analyze: all
	$(Q)printf '%s\n' $(ALL_SRC) | xargs -P2 -n8 sh -c 'clang-tidy --quiet "$$@" -- $(CPPFLAGS_ANALYZE) -std=c17 -pthread' tidy
	$(Q)$(MAKE) -k -j2 CC=gcc VARIANT=analyze CFLAGS="-fanalyzer -Wno-analyzer-null-argument \
		-Wno-analyzer-null-dereference -Wno-analyzer-use-of-uninitialized-value" $(ANALYZE_OBJ)
# Some text for the version: quotes would not come through.
CPPFLAGS_ANALYZE = $(filter-out -DDEPLOYER_VERSION=%,$(CPPFLAGS_ALL)) -DDEPLOYER_VERSION=__FILE__

.PHONY: fmt
fmt:
	clang-format -i $(ALL_SRC) $(wildcard deployer/*/*.h deployer/*/*/*.h tests/unit/*.c tests/fuzz/*.c)

# --- fuzzing: clang; FUZZ_SECONDS a harness ---------------------------------------------------
FUZZ_SECONDS ?= 60
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/tests/fuzz/%,$(FUZZ_SRC))

.PHONY: fuzz
fuzz:
	$(Q)$(MAKE) CC=clang VARIANT=fuzz fuzzers
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh build/fuzz $(T)

.PHONY: fuzzers
fuzzers: $(FUZZ_BIN)
$(filter build/fuzz/tests/fuzz/fuzz_sandbox_%,$(FUZZ_BIN)): build/fuzz/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(SBLIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(SANDBOX_LIBS) -lm $(LDFLAGS)
$(filter-out build/fuzz/tests/fuzz/fuzz_sandbox_%,$(FUZZ_BIN)): build/fuzz/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(OPT) $(LINK) -pthread $^ -o $@ $(PKG_LIBS) -lm $(LDFLAGS)

# --- the demo: sandbox, apply, verify ---------------------------------------------------------
.PHONY: demo demo-stop
demo: packages-services
	$(Q)$(MAKE) all
	$(Q)tools/demo.sh $(B)
demo-stop:
	$(Q)tools/demo.sh $(B) stop

.PHONY: bench
bench: all
	$(Q)python3 tests/bench/run.py $(B)

.PHONY: torture
torture: all
	$(Q)DEPLOYER_BUILD=$(CURDIR)/$(B) python3 tests/torture/run.py $(T)
	$(Q)DEPLOYER_BUILD=$(CURDIR)/$(B) python3 tests/torture/run.py $(T) --state postgres --every 5

# --- packages, installation ---------------------------------------------------------------------
# Nothing is done where all is there; DEPLOYER_NO_INSTALL=1 leaves it out.
.PHONY: packages-unit packages-test packages-services packages-dev
packages-unit packages-test packages-services packages-dev: packages-%:
	$(Q)[ -n "$(DEPLOYER_NO_INSTALL)" ] || tools/packages.sh $*

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(B)/deployer $(B)/deployer-sandbox $(DESTDIR)$(PREFIX)/bin
	$(Q)for what in bash:bash-completion/completions/deployer zsh:zsh/site-functions/_deployer \
			fish:fish/vendor_completions.d/deployer.fish man:man/man1/deployer.1; do \
		file=$(DESTDIR)$(PREFIX)/share/$${what#*:}; \
		install -d "$$(dirname "$$file")" && $(B)/deployer completion "$${what%%:*}" >"$$file" || exit 1; \
	done

.PHONY: dist
dist:
	git archive --prefix=deployer-$(VERSION)/ -o build/deployer-$(VERSION).tar.gz HEAD

.PHONY: help
help:
	@echo "make demo        install what is missing, build, start the sandbox, apply examples/langfuse, verify it"
	@echo "make demo-stop   stop what make demo started"
	@echo "make test        unit and integration tests (make unit: the first alone; T=name: one of them)"
	@echo "make check       test and lint"
	@echo "make analyze     clang-tidy and gcc -fanalyzer over all files (minutes; not part of check)"
	@echo "make asan fuzz bench torture fmt lint install dist clean"

.PHONY: clean
clean:
	rm -rf build
