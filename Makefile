# make demo   plays a person's day with real processes      make check   runs every test
# CONTRIBUTING.md lists the other targets. Nothing here reaches the network except `make deps`.

CC      ?= gcc
BUILD   ?= build
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
VECTORS ?= ../shared/vectors
TIME    ?= 60

WARN    := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Werror
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fno-strict-aliasing -fno-common
ifneq (,$(findstring sanitize,$(CFLAGS)))
HARDEN  := -fPIE -fno-strict-aliasing
endif
FLAGS    = $(WARN) $(HARDEN) $(CFLAGS) $(FAST) -I. -MMD -MP -pthread
LDFLAGS += -pie -Wl,-z,relro,-z,now -pthread
LIBS    := -lnng -lsqlite3 -lsodium -lcrypto -lqrencode -lgmp -lseccomp -lsecp256k1
TESTLIBS := -lcmocka -ljansson -lz

lib_c      := $(wildcard crypto/*.c protocol/*.c)
service_c  := $(filter-out keyservice/main.c,$(wildcard keyservice/*.c))
device_c   := $(filter-out device/main.c,$(wildcard device/*.c))
bench_c    := $(wildcard bench/*.c)
vectors_c  := $(wildcard tests/vectors/*.c)
# What tests share: a toy group, fixtures that start the real programs, an attacker's client.
support_c  := $(wildcard tests/support/*.c)
unit_c     := $(wildcard tests/crypto/test_*.c tests/protocol/test_*.c tests/keyservice/test_*.c tests/device/test_*.c)
attack_c   := $(wildcard tests/attack/test_*.c)
ctcheck_c  := $(wildcard tests/ctcheck/*.c)
fuzz_c     := $(wildcard tests/fuzz/fuzz_*.c)

programs := $(BUILD)/halfkeyd $(BUILD)/halfkey $(BUILD)/age-plugin-halfkey $(BUILD)/halfkey-scd $(BUILD)/halfkey-bench $(BUILD)/halfkey-vectors
ifeq (,$(wildcard keyservice/main.c))
programs := $(filter-out $(BUILD)/halfkeyd,$(programs))
endif
ifeq (,$(wildcard device/main.c))
programs := $(filter-out $(BUILD)/halfkey $(BUILD)/age-plugin-halfkey $(BUILD)/halfkey-scd,$(programs))
endif
ifeq (,$(bench_c))
programs := $(filter-out $(BUILD)/halfkey-bench,$(programs))
endif
ifeq (,$(vectors_c))
programs := $(filter-out $(BUILD)/halfkey-vectors,$(programs))
endif
unit_tests   := $(patsubst tests/%.c,$(BUILD)/test/%,$(unit_c))
attack_tests := $(patsubst tests/%.c,$(BUILD)/test/%,$(attack_c))
replays      := $(patsubst tests/fuzz/%.c,$(BUILD)/test/replay/%,$(fuzz_c))
seam_programs := $(patsubst $(BUILD)/%,$(BUILD)/test/%,$(filter %/halfkeyd %/halfkey,$(programs)))

.PHONY: all tests deps demo demo-account check unit vectors attack e2e layering lint format asan tsan valgrind ctcheck fuzz fuzzers \
        soak mutants bench bench-growth cover install deb clean
all: $(programs)
tests: all $(BUILD)/test/clock.so $(unit_tests) $(attack_tests) $(seam_programs) $(BUILD)/test/ctcheck $(replays)

# --- objects: build/obj is what ships, build/test/obj the same sources with the tests' seams on ---
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -c -o $@ $<
$(BUILD)/test/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -DHK_TEST_SEAMS -c -o $@ $<

# The field of our own: unrolled it is a sixth faster, and constant time is checked at -O3 too.
$(foreach b,obj test/obj,$(foreach f,field25519 edwards_sum x25519,$(BUILD)/$b/crypto/$f.o)): FAST := -O3

objs = $(patsubst %.c,$(1)/%.o,$(2))
$(BUILD)/libhalfkey.a: $(call objs,$(BUILD)/obj,$(lib_c))
$(BUILD)/libkeyservice.a: $(call objs,$(BUILD)/obj,$(service_c))
$(BUILD)/libdevice.a: $(call objs,$(BUILD)/obj,$(device_c))
$(BUILD)/test/libhalfkey.a: $(call objs,$(BUILD)/test/obj,$(lib_c))
$(BUILD)/test/libkeyservice.a: $(call objs,$(BUILD)/test/obj,$(service_c))
$(BUILD)/test/libdevice.a: $(call objs,$(BUILD)/test/obj,$(device_c))
$(BUILD)/test/libsupport.a: $(call objs,$(BUILD)/test/obj,$(support_c))
%.a:
	@rm -f $@
	$(AR) rcs $@ $^

# Loaded into programs whose clock a test makes jump.
$(BUILD)/test/clock.so: tests/preload/clock.c
	@mkdir -p $(@D)
	$(CC) $(WARN) -O2 -fPIC -shared -o $@ $<

# Another card than halfkey's, for a virtual reader.
$(BUILD)/test/card: tests/card/card.c
	@mkdir -p $(@D)
	$(CC) $(WARN) -O2 -o $@ $< -lsodium

link = $(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/halfkeyd: $(BUILD)/obj/keyservice/main.o $(BUILD)/libkeyservice.a $(BUILD)/libhalfkey.a ; $(link)
$(BUILD)/halfkey: $(BUILD)/obj/device/main.o $(BUILD)/libdevice.a $(BUILD)/libhalfkey.a ; $(link)
$(BUILD)/age-plugin-halfkey $(BUILD)/halfkey-scd: $(BUILD)/halfkey ; ln -sf halfkey $@
$(BUILD)/halfkey-vectors: $(call objs,$(BUILD)/obj,$(vectors_c)) $(BUILD)/libdevice.a $(BUILD)/libhalfkey.a ; $(link) $(TESTLIBS)
$(BUILD)/halfkey-bench: $(call objs,$(BUILD)/obj,$(bench_c)) $(BUILD)/libdevice.a $(BUILD)/libkeyservice.a $(BUILD)/libhalfkey.a ; $(link) -lm
$(BUILD)/test/halfkeyd: $(BUILD)/test/obj/keyservice/main.o $(BUILD)/test/libkeyservice.a $(BUILD)/test/libhalfkey.a ; $(link)
$(BUILD)/test/halfkey: $(BUILD)/test/obj/device/main.o $(BUILD)/test/libdevice.a $(BUILD)/test/libhalfkey.a ; $(link)
$(unit_tests) $(attack_tests): $(BUILD)/test/%: $(BUILD)/test/obj/tests/%.o $(BUILD)/test/libsupport.a \
        $(BUILD)/test/libdevice.a $(BUILD)/test/libkeyservice.a $(BUILD)/test/libhalfkey.a
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(TESTLIBS)

$(BUILD)/test/ctcheck: $(call objs,$(BUILD)/test/obj,$(ctcheck_c)) $(BUILD)/test/libdevice.a $(BUILD)/test/libkeyservice.a \
        $(BUILD)/test/libhalfkey.a ; $(link)

# Each fuzz target with a main that reads files, so that any compiler builds it.
$(replays): $(BUILD)/test/replay/%: $(BUILD)/test/obj/tests/fuzz/%.o $(BUILD)/test/obj/tests/fuzz/replay.o \
        $(BUILD)/test/obj/tests/fuzz/common.o $(BUILD)/test/libdevice.a $(BUILD)/test/libkeyservice.a $(BUILD)/test/libhalfkey.a
	@mkdir -p $(@D)
	$(link)
$(BUILD)/test/seeds: $(BUILD)/test/obj/tests/fuzz/seeds.o $(BUILD)/test/obj/tests/fuzz/common.o $(BUILD)/test/libdevice.a \
        $(BUILD)/test/libkeyservice.a $(BUILD)/test/libhalfkey.a ; $(link)

# --- what a user runs ---
deps:
	@packaging/deps
demo: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/demo
demo-account: deps
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/demo-account
check: deps
	@$(MAKE) --no-print-directory -s -j2 tests
	@BUILD=$(BUILD) VECTORS=$(VECTORS) tests/check
unit: tests
	@BUILD=$(BUILD) tests/check unit
vectors: all
	@BUILD=$(BUILD) VECTORS=$(VECTORS) tests/check vectors
attack: tests
	@BUILD=$(BUILD) tests/check attack
# Where a test names a count, the others run a tenth of it or less; this runs it all. Hours, maybe.
soak: tests
	@BUILD=$(BUILD) HK_SCALE=100 LIMIT=36000 tests/check unit attack
	@BUILD=$(BUILD) HK_EVERY=1 tests/e2e/kills.sh
	@BUILD=$(BUILD) HK_SCALE=100 tests/e2e/cuts.sh
	@BUILD=$(BUILD) HK_SCALE=100 tests/e2e/faults.sh
# With programs too heavy for `make check`: packaging/apt-packages-e2e.txt, tests/e2e/heavy/.
e2e: tests $(BUILD)/test/card
	@packaging/deps packaging/apt-packages-e2e.txt
	@BUILD=$(BUILD) tests/check e2e heavy
layering: tests
	@BUILD=$(BUILD) tests/tools/layering
# make bench QUICK=1 takes half a minute; HTML=FILE writes the page, ARGS=... is passed on.
bench: all
	@$(BUILD)/halfkey-bench $(if $(QUICK),--quick) $(if $(HTML),--html $(HTML)) $(ARGS)
# Stores of up to a million accounts: minutes and gigabytes.
bench-growth: all
	@$(BUILD)/halfkey-bench --growth $(if $(QUICK),--quick) $(if $(HTML),--html $(HTML)) $(ARGS)

# --- the same tests under other eyes ---
asan:
	$(MAKE) BUILD=build-asan CC=clang CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" tests
	BUILD=build-asan tests/check unit vectors attack
tsan:
	$(MAKE) BUILD=build-tsan CC=clang CFLAGS="-O1 -g -fsanitize=thread" tests
	BUILD=build-tsan LIMIT=1500 tests/check unit attack
valgrind: tests
	BUILD=$(BUILD) LIMIT=1500 WRAP="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite" tests/check unit
# Does anything branch on a secret? Both compilers, -O2 and -O3; tests/ctcheck/ctcheck.h says how.
CTCHECK := $(foreach c,gcc clang,$(foreach o,O2 O3,build-ct/$c-$o))
ctcheck:
	@for b in $(CTCHECK); do n=$${b#build-ct/}; $(MAKE) --no-print-directory -s -j2 BUILD=$$b CC="$(CTCHECK_CACHE) $${n%-*}" \
	    CFLAGS="-$${n#*-} -gdwarf-4" $$b/test/ctcheck || exit 1; done
	@tests/ctcheck/run $(CTCHECK)
CTCHECK_CACHE := $(filter ccache,$(CC))
# Breaks one security check at a time and wants a test to fail: make mutants, or make mutants ONLY='part of a name'.
mutants: tests
	@BUILD=$(BUILD) VECTORS=$(VECTORS) tests/mutants/run $(if $(ONLY),'$(ONLY)')
# Each target of tests/fuzz for TIME seconds, from its corpus: make fuzz TIME=600
fuzz:
	@$(MAKE) -s -j2 BUILD=build-fuzz CC=clang \
	    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" fuzzers
	@for f in $(basename $(notdir $(fuzz_c))); do mkdir -p build-fuzz/corpus/$$f; echo "$$f: $(TIME) s"; \
	    build-fuzz/fuzz/$$f -max_total_time=$(TIME) -max_len=70000 \
	    -artifact_prefix=build-fuzz/ build-fuzz/corpus/$$f $$(ls -d tests/fuzz/corpus/$$f) \
	    >build-fuzz/$$f.log 2>&1 || { tail -n 40 build-fuzz/$$f.log; exit 1; }; done
fuzzers: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(fuzz_c))
$(BUILD)/fuzz/%: $(BUILD)/test/obj/tests/fuzz/%.o $(BUILD)/test/obj/tests/fuzz/common.o $(BUILD)/test/libdevice.a $(BUILD)/test/libkeyservice.a $(BUILD)/test/libhalfkey.a
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)
lint:
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
# One process a file: the analyser's checks of va_list misfire on a second file. Tests see the seams, what ships does not.
	git ls-files '*.c' | grep -v ^tests/ | xargs -P2 -I{} clang-tidy --quiet {} -- $(WARN) -I.
	git ls-files '*.c' | grep ^tests/ | xargs -P2 -I{} clang-tidy --quiet {} -- $(WARN) -DHK_TEST_SEAMS -I.
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
cover:
	$(MAKE) BUILD=build-cover CC=gcc CFLAGS="-O0 -g --coverage" tests
	BUILD=build-cover tests/check unit vectors attack e2e
	gcov -n $$(find build-cover -name '*.gcda') 2>/dev/null | grep -A1 "^File '\(crypto\|protocol\|keyservice\|device\)" || true

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BUILD)/halfkey $(BUILD)/halfkeyd $(BUILD)/halfkey-bench $(DESTDIR)$(PREFIX)/bin
	ln -sf halfkey $(DESTDIR)$(PREFIX)/bin/age-plugin-halfkey
	ln -sf halfkey $(DESTDIR)$(PREFIX)/bin/halfkey-scd
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(BUILD)/halfkey help --bash-completion >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/halfkey
deb: all
	@BUILD=$(BUILD) packaging/deb
clean:
	rm -rf build build-asan build-tsan build-cover build-ct build-fuzz build-mutants

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
