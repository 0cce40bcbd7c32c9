# `make help` lists the verbs.  Long recipes live in util/.
#
# Variables: CC, CFLAGS, NGINX (the binary to build for and to test with),
# NGINX_SRC (a source tree to build against), and for the tests TESTS="t/x.t",
# V=1 (all lines), JOBS=N (files at a time).

CFLAGS ?= -O2 -g
NGINX ?= $(or $(shell PATH="$$PATH:/usr/sbin:/usr/local/sbin"; \
                      command -v nginx),/usr/sbin/nginx)
NGINX_SRC ?=

# Not NGINX itself: nginx takes a variable of that name for a list of sockets.

unexport NGINX
export CC
export RCV_NGINX = $(NGINX)
ifneq ($(NGINX_SRC),)
export NGINX_SRC
endif

MAKEFLAGS += --no-print-directory --no-builtin-rules

# What there is.

CORE_C   := $(sort $(wildcard lua-free-policies/*.c))
CORE_H   := $(sort $(wildcard lua-free-policies/*.h))
MODULE_C := $(sort $(wildcard ngx_recovery_module/*.c))
MODULE_H := $(sort $(wildcard ngx_recovery_module/*.h))
PAGE     := $(wildcard dashboard/page/*.* dashboard/page/vendor/uplot/*)
UNIT_C   := $(sort $(wildcard tests/test_*.c))
HELPER_C := $(filter-out $(UNIT_C) tests/stress_%.c, \
                          $(sort $(wildcard tests/*.c)))
DEMO_C   := $(sort $(wildcard demo/*.c))
CTL_C    := $(sort $(wildcard tools/recoveryctl/*.c))
SIM_C    := $(sort $(wildcard tools/recovery-sim/*.c))
CONF_C   := $(sort $(wildcard tools/conf/*.c))
CONF_H   := $(sort $(wildcard tools/conf/*.h))

# What is made of it.

MODULE := build/ngx_http_recovery_module.so
DEMO   := $(DEMO_C:demo/%.c=build/demo-%)
TOOLS  := $(if $(CTL_C),build/recoveryctl) $(if $(SIM_C),build/recovery-sim)
BENCH  := $(addprefix build/bench/,load decision limit_req stretch.so)
UNITS  := $(UNIT_C:tests/%.c=build/unit/%)
UNITS_ASAN := $(UNIT_C:tests/%.c=build/unit-asan/%)

WARN      := -Wall -Wextra -Wshadow -Werror
CORE_WARN := $(WARN) -Wconversion -Wstrict-prototypes -Wmissing-prototypes
# No -Werror here: under UBSan gcc 12 warns of conversions that are cast.
SANITIZE  := -w -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
             -fno-omit-frame-pointer

# The files of t/ wait more than they work: three at a time on two cores take
# 9 minutes, one at a time 22, and no more of them fail.

TEST_JOBS := $(or $(JOBS),3)

TESTS ?= $(sort $(wildcard t/*.t))
PROVE  = util/run-t.sh -I t/lib $(if $(V),-v) $(if $(JOBS),-j$(JOBS)) $(TESTS)


# What make test also plays against a static build under ASan and UBSan.
SMOKE := $(addprefix t/,accounting.t accounting_shed.t observe.t shed.t \
                        slow_clients.t upstream_gate.t soak.t redis_tls.t \
                        redis_sentinel.t redis_cluster.t redis_dns.t \
                        redis_tls_named.t kill_switch.t control.t \
                        control_safety.t audit.t)

.PHONY: all run demo bench-recovery deps unit unit-asan stress fuzz t test \
        test-full static asan asan-test lint lint-selftest check-exports sim \
        bench bench-check bench-report docs-tables install clean distclean \
        help FORCE

all: $(MODULE) $(DEMO) $(TOOLS) ## Build everything into build/ (the default)

run: ## Install what is missing, build, start a gate to play with
	@util/install-deps.sh build run
	@$(MAKE) all
	@demo/run.sh

demo: ## Play an outage and a recovery, without the module and with it
	@util/install-deps.sh build run
	@$(MAKE) all
	@demo/demo.sh

bench-recovery: ## The demo's outage through four gates, as a table (9 min)
	@util/install-deps.sh build run
	@$(MAKE) all
	@bench/recovery/run.sh

bench: ## What it costs, beside limit_req, limit_conn and Lua (8 min)
	@util/install-deps.sh build run bench
	@$(MAKE) $(MODULE) $(BENCH)
	@bench/run.pl
	@bench/report.pl

bench-report: bench ## The same, written to bench/RESULTS.md
	@bench/report.pl > bench/RESULTS.md

bench-check: $(MODULE) ## Instructions of a request against bench/budgets.txt
	@bench/check.pl

deps: ## Install the Debian packages that are missing, also for the tests
	@util/install-deps.sh

unit: $(UNITS) ## Unit tests of the core
	@util/run-units.sh "unit tests" $^

unit-asan: $(UNITS_ASAN) ## Unit tests of the core under ASan and UBSan
	@util/run-units.sh "unit tests under ASan and UBSan" $^

stress: build/core.a ## Shared memory under kill -9 and TSan (TIME=seconds)
	@util/stress.sh $(or $(TIME),3)

fuzz: ## libFuzzer on what reads foreign bytes (TIME=seconds, each)
	@util/fuzz.sh $(or $(TIME),60)

t: all ## Tests on real nginx and Redis (TESTS="t/x.t", V=1, JOBS=N)
	TEST_NGINX_BINARY='$(NGINX)' $(PROVE)

test: deps ## Everything: units, lint, exports, then real nginx and Redis
	@$(MAKE) all
	@$(MAKE) unit
	@$(MAKE) unit-asan
	@$(MAKE) stress TIME=3
	@$(MAKE) fuzz TIME=5
	@$(MAKE) lint
	@$(MAKE) lint-selftest
	@$(MAKE) check-exports
	@$(MAKE) sim
	@$(MAKE) bench-check
	@$(MAKE) t JOBS=$(TEST_JOBS)
	@$(MAKE) asan-test TESTS="$(SMOKE)" JOBS=$(TEST_JOBS)
	@echo "make test: units, stress, fuzz, lint, exports, simulator," \
	      "budgets, nginx tests, and some of them static under ASan passed"

test-full: ## The same, with Chromium installed and no test of the page skipped
	@util/install-deps.sh build run test bench page
	@RCV_PAGE_REQUIRED=1 $(MAKE) test

static: build/static/nginx ## nginx with the module inside, from its source

asan: build/asan/nginx ## The same under ASan and UBSan

asan-test: asan all ## The tests on real nginx, against build/asan/nginx
	TEST_NGINX_BINARY="$$PWD/build/asan/nginx" TEST_NGINX_STATIC=1 \
	    ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1 \
	    UBSAN_OPTIONS=print_stacktrace=1 $(PROVE)

lint: ## Arrows, style, warnings of two compilers
	@util/lint.sh

lint-selftest: ## Does lint find what we plant?
	@util/lint-selftest.sh

sim: build/recovery-sim ## Every scenario in virtual time, against its floors
	@rc=0; build/recovery-sim default --scenario all --seeds 5 \
	    --svg build/sim.svg --floors tools/recovery-sim/floors.txt \
	    > build/sim.txt || rc=$$?; cat build/sim.txt; exit $$rc
	@util/docs-tables.sh check build/sim.txt

docs-tables: build/recovery-sim ## Write the simulator's figures (PARTS="sim")
	@util/docs-tables.sh $(PARTS)

install: all ## Module, presets and tools (DESTDIR=, see util/install.sh)
	@util/install.sh '$(NGINX)' '$(DESTDIR)'

check-exports: $(MODULE) ## The module shows three names and no more
	@util/check-exports.sh $(MODULE)

clean: ## Remove what was built; a fetched nginx source stays
	@if [ -d build ]; then \
	    find build -mindepth 1 -maxdepth 1 ! -name source \
	         -exec rm -rf {} +; \
	fi

distclean: clean ## Remove everything that is not in the repository
	rm -rf build run

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' \
	    $(firstword $(MAKEFILE_LIST))


# Changes only when one of these does; everything compiled depends on it.

build/flags: FORCE
	@mkdir -p build
	@{ printf '%s\n' '$(CC)' '$(CFLAGS)' '$(NGINX)' '$(NGINX_SRC)'; \
	   $(CC) --version; '$(NGINX)' -v; \
	   dpkg-query -W nginx-dev libhiredis-dev libpcre2-dev \
	               libcurl4-openssl-dev libjansson-dev libssl-dev; \
	 } > build/flags.$$$$ 2>&1 || true; \
	if cmp -s build/flags.$$$$ $@; then rm build/flags.$$$$; \
	else mv build/flags.$$$$ $@; fi


# The module, and nginx with the module inside.  nginx's own Makefile knows
# which objects are stale; here is only what makes it worth asking.

MODULE_DEPS := $(CORE_C) $(CORE_H) $(MODULE_C) $(MODULE_H) $(PAGE) config \
               config.make util/page.sh util/exports.map util/build-nginx.sh \
               build/flags

$(MODULE): $(MODULE_DEPS)
	@util/build-nginx.sh module

build/static/nginx: $(MODULE_DEPS) util/nginx-source.sh
	@util/build-nginx.sh static

build/asan/nginx: $(MODULE_DEPS) util/nginx-source.sh
	@util/build-nginx.sh asan


# The core as a library, plain and under sanitizers, and its unit tests.

build/core/%.o: lua-free-policies/%.c build/flags
	@mkdir -p $(@D)
	$(CC) -std=c11 $(CFLAGS) $(CORE_WARN) -MMD -MP -c -o $@ $<

build/core-asan/%.o: lua-free-policies/%.c build/flags
	@mkdir -p $(@D)
	$(CC) -std=c11 $(SANITIZE) -MMD -MP -c -o $@ $<

build/core.a: $(CORE_C:lua-free-policies/%.c=build/core/%.o)
build/core-asan.a: $(CORE_C:lua-free-policies/%.c=build/core-asan/%.o)

build/core.a build/core-asan.a:
	@rm -f $@
	@ar rcs $@ $^

# In the tables of the tests what is left out is zero.
LINK_UNIT = -std=gnu11 $(WARN) -Wno-missing-field-initializers \
            -I lua-free-policies -I tests -MMD -MP \
            -MF $@.d -MT $@ -o $@ $< $(HELPER_C)
UNIT_LIBS = -lcmocka -lhiredis -lpcre2-8 -lpthread -lm

# What recoveryctl makes of reports: no Redis, no terminal.
CTL_VIEW := $(addprefix tools/recoveryctl/,report.c fleet.c screen.c table.c \
                        phrases.c overview.c detail.c logline.c \
                        status_json.c out.c)

build/unit/test_ctl_view build/unit-asan/test_ctl_view: $(CTL_VIEW) \
    $(wildcard tools/recoveryctl/*.h)
build/unit/test_ctl_view build/unit-asan/test_ctl_view: \
    HELPER_C += $(CTL_VIEW) -I tools/recoveryctl -ljansson

build/unit/%: tests/%.c $(HELPER_C) build/core.a build/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK_UNIT) build/core.a $(UNIT_LIBS)

build/unit-asan/%: tests/%.c $(HELPER_C) build/core-asan.a build/flags
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(LINK_UNIT) build/core-asan.a $(UNIT_LIBS)


# Programs: of the demo one source each; of the tools one directory each.

PROGRAM = $(CC) -std=gnu11 $(CFLAGS) $(WARN) -I lua-free-policies \
          -I tools/conf -o $@ $(filter %.c %.a,$^)

build/demo-%: demo/%.c $(wildcard demo/*.h) build/flags
	$(PROGRAM) -lpthread -lm

CTL_LIBS = hiredis openssl libcurl jansson libpcre2-8

build/recoveryctl: $(CTL_C) $(wildcard tools/recoveryctl/*.h) $(CONF_C) \
                   $(CONF_H) build/core.a build/flags
	$(PROGRAM) $$(pkg-config --cflags --libs $(CTL_LIBS)) -lm

# What tools/recovery-sim/ablation.c stands in for.
WRAPPED := brake control_start control_tick phase_next round_add trip vegas \
           wave_limit_milli wave_note

build/recovery-sim: $(SIM_C) $(wildcard tools/recovery-sim/*.h) $(CONF_C) \
                    $(CONF_H) build/core.a build/flags
	$(PROGRAM) $(WRAPPED:%=-Wl,--wrap=rcv_%) -ffp-contract=off -lpcre2-8 -lm

# What is timed; limit_req is nginx's own, out of the objects of a built nginx.

RACE := bench/decision/race.c bench/decision/race.h

build/bench/load: bench/load/load.c bench/load/histogram.h build/flags
	@mkdir -p $(@D)
	$(PROGRAM) -lm

build/bench/decision: bench/decision/decision.c $(RACE) build/core.a build/flags
	@mkdir -p $(@D)
	$(PROGRAM) -lpcre2-8 -lm

build/bench/stretch.so: bench/stretch/stretch.c build/flags
	@mkdir -p $(@D)
	$(PROGRAM) -shared -fPIC -ldl

build/bench/limit_req: bench/decision/limit_req.c $(RACE) build/static/nginx \
                       bench/decision/link.sh
	@mkdir -p $(@D)
	@bench/decision/link.sh $@

-include $(wildcard build/*/*.d)
