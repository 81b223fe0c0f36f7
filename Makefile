# On a fresh machine with Python 3.11+ each target does its own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO_OUT ?= demo-output

.PHONY: demo test test-slow test-oscal test-openvino fuzz lint bench serve figures train-core train-prompts clean

demo: .venv/.runtime
	$(BIN)/python -m guard.demo --out $(DEMO_OUT)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not apart"

# What takes minutes: processes killed two hundred times, and the like.
test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow -s

# ONNX Runtime's build for OpenVINO takes the place of the plain one, so it has a folder of its own,
# that is looked into first.
test-openvino: .venv/.dev
	test -d .venv-openvino/onnxruntime || $(BIN)/pip install --quiet --disable-pip-version-check \
	  --no-deps --target .venv-openvino onnxruntime-openvino==1.24.1
	PYTHONPATH=.venv-openvino $(BIN)/python -m pytest tests/images/test_openvino.py -s

# Damaged credentials until the time is up; guided by branches where atheris is installed.
SECONDS ?= 60
fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzzing --seconds $(SECONDS)

# compliance-trestle reads what an audit writes; it wants other versions of our packages, so it has
# an environment of its own.
test-oscal: .venv/.dev
	test -x .venv-oscal/bin/python || $(PYTHON) -m venv .venv-oscal
	.venv-oscal/bin/pip install --quiet --disable-pip-version-check compliance-trestle==5.2.0
	$(BIN)/python -m pytest tests/audit/test_audit_oscal.py -k trestle

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check
	$(BIN)/python -c "import torch, cv2, numpy; print('torch', torch.__version__, 'cv2', cv2.__version__, 'numpy', numpy.__version__)"

bench: .venv/.dev
	$(BIN)/python -m benchmarks

serve: .venv/.runtime
	$(BIN)/wardmark init
	$(BIN)/wardmark serve

# The pictures of the README, of docs/verify-page.md and of docs/console.md.
figures: .venv/.dev
	$(BIN)/python docs/figures.py
	$(BIN)/python docs/console_figures.py

# Retrains the embedded core; resumable: run it again to go on. BUDGET is wall-clock time; FROM=DIR
# goes on from a checkpoint.
BUDGET ?= 90m
train-core: .venv/.runtime
	$(BIN)/python -m guard.generation.training --budget $(BUDGET) --out training-output/core \
	  $(if $(FROM),--from $(FROM))

# Retrains the prompt assessor; resumable. DATA is a folder of labelled prompts, ENCODER the encoder to
# start from (docs/model-cards/prompt-fusion.md says which).
train-prompts: .venv/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	$(BIN)/python -m guard.prompts.training --data $(DATA) --encoder $(ENCODER) \
	  --work training-output/prompts/runs --out training-output/prompts --budget $(BUDGET)

# torch first and alone: a bare requirement of another package would fetch a build with CUDA.
.venv/.torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	touch $@

.venv/.runtime: .venv/.torch pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.dev: .venv/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,postgres]'
	touch $@

clean:
	rm -rf .venv .venv-oscal .venv-openvino $(DEMO_OUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis
