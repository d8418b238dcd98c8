"""Writes what stands beside the zips of a release: checksums, notes, MONAI's index, model cards."""

import json
from pathlib import Path
from typing import Any

from common.errors import InputError

from .archive import checksum

CARD = """---
license: apache-2.0
library_name: monai
pipeline_tag: image-segmentation
tags:
- monai
- medical
- 3d
- {modality}
---
# {name}

{description}. Version {version}, for {task}.

| | |
|---|---|
| Input | {image_classes}; crops of {shape} voxels, {inputs} channel(s) |
| Output | {pred_classes} |
| Weights | {weights} |
| Data | {data_source} |
| Tested with | {packages} |

Intended use: {intended_use}.

## Use it
Python 3.11 or newer; these are the versions that were tested.

```bash
pip install {install} huggingface_hub
python -m monai.bundle download --name {bundle} --source huggingface_hub \
--repo OWNER/{bundle} --bundle_dir .
cd {bundle}
```

`docs/README.md` in that folder has every command.

## References
{references}
"""
NOTES = """# Release notes

Python 3.11 or newer; here for the bundle {bundle}, and likewise for the others:

```bash
pip install -r {address}/requirements.txt
python -m monai.bundle download --name {bundle} --url {address}/{zip}.zip --bundle_dir .
```

`docs/README.md` in the bundle's folder has every command, `SHA256SUMS` the checksums.
"""
NO_WEIGHTS = "none; train them, or take public ones"


def read_metadata(bundle: Path) -> dict[str, Any]:
    """Reads `configs/metadata.json` of a bundle."""
    return json.loads((bundle / "configs/metadata.json").read_text())


def zip_name(bundle: Path) -> str:
    """Returns the name of a bundle's zip without its ending, as MONAI's download expects it."""
    return f"{bundle.name}_v{read_metadata(bundle)['version']}"


def model_info(zips: list[Path], address: str) -> str:
    """Lists the zips in the form of the model zoo's `model_info.json`: SHA-1 and URL of each."""
    entries = {
        path.stem: {"checksum": checksum(path, "sha1"), "source": f"{address}/{path.name}"}
        for path in zips
    }
    return json.dumps(entries, indent=4) + "\n"


def checksums(paths: list[Path], folder: Path) -> str:
    """Lists SHA-256 and name of files, as `sha256sum --check` reads them."""
    lines = [f"{checksum(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    return "".join(lines)


def read_checksums(path: Path) -> dict[str, str]:
    """Reads what `checksums` has written: SHA-256 by name."""
    return {line[66:]: line[:64] for line in path.read_text().splitlines()}


def requirements(bundles: list[Path]) -> str:
    """Lists for pip the packages that the bundles need, in the versions that were tested.

    Raises:
        InputError: two bundles name different versions of a package.
    """
    versions: dict[str, str] = {}
    for bundle in bundles:
        metadata = read_metadata(bundle)
        for name, version in required_versions(metadata).items():
            if versions.setdefault(name, version) != version:
                raise InputError(
                    f"{bundle.name} requires {name} {version}, another bundle {versions[name]}; "
                    "give both the same in configs/metadata.json."
                )
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def required_versions(metadata: dict[str, Any]) -> dict[str, str]:
    """Returns the version of each package that a bundle needs, by its name on the index."""
    return {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    } | metadata["required_packages_version"]


def release_notes(bundles: list[Path], address: str | None) -> str:
    """Writes how to get a bundle, and a section for each: its weights and its changelog."""
    text, last = "# Release notes\n", bundles[-1]
    if address:
        text = NOTES.format(bundle=last.name, zip=zip_name(last), address=address)
    for bundle in bundles:
        metadata = read_metadata(bundle)
        text += f"\n## {bundle.name} {metadata['version']}\n{metadata['description']}. "
        text += f"Weights: {weights_in(bundle)}.\n\n"
        changes = sorted(metadata["changelog"].items(), key=lambda item: _numbers(item[0]))
        text += "".join(f"- {version}: {words}\n" for version, words in reversed(changes))
    return text


def _numbers(version: str) -> list[int]:
    """Splits 0.10.0 into numbers, since it follows 0.2.0."""
    return [int(part) for part in version.split(".") if part.isdigit()]


def weights_in(bundle: Path) -> str:
    """Lists the files of weights in a bundle, or says how to get some."""
    return ", ".join(sorted(path.name for path in bundle.glob("models/*"))) or NO_WEIGHTS


def model_card(bundle: Path) -> str:
    """Writes a Hugging Face model card from a bundle's metadata, front matter first."""
    metadata = read_metadata(bundle)
    image = metadata["network_data_format"]["inputs"]["image"]
    versions = required_versions(metadata)
    card = CARD
    if "label_classes" in metadata and metadata["label_classes"] == "none":
        card = card.replace("pipeline_tag: image-segmentation\n", "")  # a pre-training
    return card.format_map(
        metadata
        | {
            "bundle": bundle.name,
            "modality": image["modality"].lower(),
            "shape": " x ".join(map(str, image["spatial_shape"])),
            "inputs": image["num_channels"],
            "weights": weights_in(bundle),
            "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "install": " ".join(f"{name}=={version}" for name, version in versions.items()),
            "references": "\n".join(f"- {reference}" for reference in metadata["references"]),
        }
    )
