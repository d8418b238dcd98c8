# make setup      .venv with everything that the demo and the tests need
# make demo       from generated phantoms to a report in the browser; CT=/path/to/ct.nii.gz adds your own
#                 TASK=Task07_Pancreas shows a task of the Decathlon instead
# make test       the fast tests; make test-slow the others
# make test-label   a MONAI Label server with both segmentation bundles, in an environment of its own
# make test-deploy   the application on MONAI Deploy, in an environment of its own
# make gpu        checks your GPU in ten minutes; gpu.json has the results
# make test-release  a release, downloaded and run in an environment with what its metadata requires
# make release-check  builds a release into build/release and verifies every zip
# make copies     writes what is generated from common/ into the bundles
# make check      style, and that nothing generated was edited

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# What runs leave in a bundle; scripts/common/evaluation is none of it.
OUTPUTS = $(foreach kind,models runs pretrained predictions evaluation cache,$(wildcard bundles/*/$(kind)))
LARGE_ORGANS = spleen,right kidney,left kidney,liver,stomach,aorta
# The functions of make split names at spaces, so the shell takes the path of CT apart.
CT ?=
quoted = '$(subst ','\'',$(1))'
ifneq ($(CT),)
ifneq ($(shell test -f $(call quoted,$(CT)) && echo yes),yes)
$(error $(CT) is no file; give CT the path of a NIfTI file)
endif
CT_NAME := $(shell basename $(call quoted,$(CT)))
CT_PATH := $(shell cd "$$(dirname $(call quoted,$(CT)))" && pwd)/$(CT_NAME)
CT_STEM := $(shell echo $(call quoted,$(CT_NAME)) | sed -E 's/\.[^.]*$$//; s/\.nii$$//')
endif

# A task's demo is that of the bundle that is released for it; 04 and 05 keep their fine voxels.
TASK ?=
TASKS = $(sort $(basename $(notdir $(wildcard bundles/msd_tasks/configs/tasks/*.json))))
ifneq ($(filter $(TASKS),$(TASK)),$(TASK))
$(error $(TASK) is no task; the tasks are $(TASKS))
endif
ifneq ($(and $(TASK),$(CT)),)
$(error CT is segmented by the demo without TASK; give one of the two)
endif
TASK_BUNDLE = demo/bundles/msd_$(shell echo $(TASK) | tr A-Z a-z)_segmentation
FLAGS_Task04_Hippocampus = --spacing_mm "[1.0,1.0,1.0]"
FLAGS_Task05_Prostate = --spacing_mm "[1.24,1.24,3.6]"
TASK_FLAGS = $(FLAGS_$(TASK))

.PHONY: setup demo demo-btcv demo-task test test-slow test-label test-deploy test-release \
  release-check gpu check copies format clean

setup: .venv/ready

.venv/ready: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	pip install --quiet --constraint constraints.txt --editable ".[demo,test]"
	touch .venv/ready

# Everything happens in demo/, on a copy of the bundles: your own models and runs stay untouched.
demo: $(if $(TASK),demo-task,demo-btcv)

demo-task: setup
	rm -rf demo && mkdir demo
	python tools/repo task_bundle $(TASK) demo/bundles
	python tools/phantom msd demo --task $(TASK) --count 10 --test_count 2
	cd $(TASK_BUNDLE) && python -m scripts datalist msd ../../$(TASK)
	cd $(TASK_BUNDLE) && python -m monai.bundle run --config_file "['configs/train.json','configs/demo.json']" --dataset_dir ../../$(TASK) --datalist datalist.json $(TASK_FLAGS)
	cd $(TASK_BUNDLE) && python -m monai.bundle run --config_file "['configs/train.json','configs/demo.json','configs/evaluate.json']" --dataset_dir ../../$(TASK) --datalist datalist.json $(TASK_FLAGS)
	cd $(TASK_BUNDLE) && python -m monai.bundle run --config_file "['configs/inference.json','configs/demo.json']" --dataset_dir ../../$(TASK)/imagesTr $(TASK_FLAGS)
	python tools/report page demo/report.html --title "$(TASK) on phantoms" \
	  --runs $(TASK_BUNDLE)/runs/demo \
	  --segmented demo/$(TASK)/imagesTr --predictions $(TASK_BUNDLE)/predictions --references demo/$(TASK)/labelsTr \
	  --evaluation $(TASK_BUNDLE)/evaluation/metrics.csv --labels_from $(TASK_BUNDLE)/configs/metadata.json \
	  --open_browser

demo-btcv: setup
	rm -rf demo && mkdir demo
	tar -c $(OUTPUTS:%=--exclude %) bundles | tar -x -C demo
	python tools/phantom corpus demo/corpus --count 24
	python tools/phantom btcv demo/btcv --count 24
	python tools/phantom btcv demo/unseen --count 4 --first 101
	cd demo/bundles/pretrain_ssl && python -m monai.bundle run --config_file "['configs/train.json','configs/demo.json']" --dataset_dir ../../corpus
	cd demo/bundles/pretrain_ssl && python -m monai.bundle run --config_file "['configs/inference.json','configs/demo.json']" --dataset_dir ../../unseen/RawData/Training/img
	cd demo/bundles/pretrain_ssl && python -m monai.bundle run --config_file configs/export_encoder.json
	cd demo/bundles/btcv_segmentation && python -m monai.bundle run --config_file "['configs/train.json','configs/demo.json']" --dataset_dir ../../btcv --pretrained ../pretrain_ssl/models/encoder.pt
	cd demo/bundles/btcv_segmentation && python -m monai.bundle run --config_file "['configs/train.json','configs/demo.json','configs/evaluate.json']" --dataset_dir ../../unseen --evaluate_on all
	cd demo/bundles/btcv_segmentation && python -m monai.bundle run --config_file "['configs/inference.json','configs/demo.json']" --dataset_dir ../../unseen/RawData/Training/img
ifneq ($(CT),)
	cd demo/bundles/btcv_segmentation && python -m monai.bundle run --config_file "['configs/inference.json','configs/demo.json']" --dataset_dir $(call quoted,$(CT_PATH)) --output_dir ../../own_ct
endif
	python tools/report page demo/report.html --title "Swin UNETR on phantoms" \
	  --runs demo/bundles/pretrain_ssl/runs/demo,demo/bundles/btcv_segmentation/runs/demo \
	  --images demo/unseen/RawData/Training/img --reconstructions demo/bundles/pretrain_ssl/predictions \
	  --segmented demo/unseen/RawData/Training/img --predictions demo/bundles/btcv_segmentation/predictions --references demo/unseen/RawData/Training/label \
	  --evaluation demo/bundles/btcv_segmentation/evaluation/metrics.csv --highlight "$(LARGE_ORGANS)" \
	  --labels_from bundles/btcv_segmentation/configs/metadata.json \
	  $(if $(CT),--ct $(call quoted,$(CT_PATH)) --ct_prediction $(call quoted,demo/own_ct/$(CT_STEM)_seg.nii.gz)) \
	  --open_browser

test: setup
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: setup
	python -m pytest -m slow

# MONAI Label and MONAI Deploy want other packages than constraints.txt has, and each other's not
# either, so each has an environment of its own beside .venv. Their requirements are complete lists:
# pip has nothing to choose, and takes what their files say.
LABEL = $(CURDIR)/.venv-label
LABEL_NEEDS = tests/label/requirements.txt
test-label: setup $(LABEL)/ready
	LABEL_PYTHON=$(LABEL)/bin/python python -m pytest -m label tests/label

# The index's torchvision is built for CUDA: beside a CPU's PyTorch two of its operators are missing,
# and their registrations are taken out.
$(LABEL)/ready: constraints.txt $(LABEL_NEEDS)
	rm -rf $(LABEL) && $(PYTHON) -m venv $(LABEL)
	$(LABEL)/bin/pip install --quiet --constraint constraints.txt torch
	$(LABEL)/bin/pip install --quiet --no-deps --requirement $(LABEL_NEEDS)
	sed -i -E 's/^@torch\.library\.register_fake\("torchvision::q?nms"\)/# &/' \
	  $(LABEL)/lib/python3*/site-packages/torchvision/_meta_registrations.py
	touch $(LABEL)/ready

# The SDK asks for a larger stack than a shell gives.
DEPLOY = $(CURDIR)/.venv-deploy
DEPLOY_NEEDS = tools/deploy_app/requirements.txt
test-deploy: setup $(DEPLOY)/ready
	ulimit -s 32768; DEPLOY_PYTHON=$(DEPLOY)/bin/python python -m pytest -m deploy tests/deploy

$(DEPLOY)/ready: constraints.txt $(DEPLOY_NEEDS)
	rm -rf $(DEPLOY) && $(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/pip install --quiet --constraint constraints.txt torch
	$(DEPLOY)/bin/pip install --quiet --no-deps --constraint constraints.txt --requirement $(DEPLOY_NEEDS)
	touch $(DEPLOY)/ready

gpu: setup
	python tools/benchmark gpu --output gpu.json

check: setup
	ruff check common bundles tools tests
	ruff format --check common bundles tools tests
	python tools/repo check_json common
	python tools/repo check_json bundles
	python tools/repo check_json tools
	python tools/repo check_copies

# The environment begins empty; the tests install what the metadata requires, as a user does.
RELEASE = $(CURDIR)/.venv-release
test-release: setup
	rm -rf $(RELEASE) && $(PYTHON) -m venv $(RELEASE)
	RELEASE_PYTHON=$(RELEASE)/bin/python python -m pytest -m slow tests/tools/release/test_download.py

# Packs the files as they are on disk; with the demo's bundle where `make demo` has been.
DEMO_WEIGHTS = $(wildcard demo/bundles/btcv_segmentation/models/model.pt)
release-check: setup
	python tools/release build build/release --dirty $(if $(DEMO_WEIGHTS),--with_demo_weights)
	python tools/release verify build/release/*.zip $(if $(SCHEMA),--schema $(SCHEMA))

format: setup
	ruff check --fix common bundles tools tests
	ruff format common bundles tools tests
	python tools/repo format_json common
	python tools/repo format_json bundles
	python tools/repo format_json tools
	python tools/repo write_copies

copies: setup
	python tools/repo write_copies

clean:
	rm -rf demo build *.egg-info .venv-label .venv-deploy .venv-release
