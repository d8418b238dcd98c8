# generated from common/data/walk.py, do not edit: `make copies`
"""Lists the folders and files below a folder: the one way in which data are searched."""

import heapq
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from .formats import ending_of, is_hidden

UNREADABLE = "folder that cannot be opened"
LOST = "link that leads nowhere"
AROUND = "link to a folder around it"
AGAIN = "link to a file listed by another name"
SPECIAL = "no regular file"
KINDS = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}  # anything else is a device


@dataclass
class Folder:
    """Holds the files of one folder, without its sub-folders.

    Args:
        path: relative to the root; "" is the root.
        files: names of regular files, sorted.
        left_out: name, kind and detail of entries not listed; the name "" is the folder.
    """

    path: str
    files: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)


def list_folders(root: str | Path) -> list[Folder]:
    """Lists every folder from `root` down, sorted by path; opens no file.

    Links are followed. Each real folder and each real file is listed once: by its own name where
    it lies below `root`, else by the way with the fewest links, then folders. A link to a folder
    around `root` is not followed. A link in place of a hidden file, or of one with another ending,
    is listed: in data sets of git-annex the links alone have the images' names.
    """
    folders: dict[str, Folder] = {}
    entered: dict[str, str] = {}  # path by real path
    around = {str(path) for path in Path(os.path.realpath(root)).parents}
    file_links: list[tuple[int, int, str]] = []
    queue = [(0, 0, "")]  # links and folders on the way, path
    while queue:
        links, depth, path = heapq.heappop(queue)
        real_path = os.path.realpath(os.path.join(root, path))
        if real_path in around:
            parent, name = os.path.split(path)
            folders[parent].left_out.append((name, AROUND, ""))
        if real_path in around or real_path in entered:
            continue
        entered[real_path] = path
        folders[path] = folder = Folder(path)
        for name, is_link in _sub_folders(root, folder, file_links, links, depth):
            heapq.heappush(queue, (links + is_link, depth + 1, os.path.join(path, name)))
    _add_links(root, folders, entered, sorted(file_links))
    return [folders[path] for path in sorted(folders)]


def list_files(folder: str | Path) -> list[str]:
    """Lists the names of the regular files of one folder, sorted; links to files count.

    Raises:
        OSError: the folder cannot be opened.
    """
    return sorted(n for n in os.listdir(folder) if os.path.isfile(os.path.join(folder, n)))


def _sub_folders(
    root: str | Path, folder: Folder, file_links: list, links: int, depth: int
) -> list[tuple[str, bool]]:
    """Adds a folder's files to it, and links to files to `file_links`.

    Returns:
        Of each sub-folder its name, and whether it is a link.
    """
    sub_folders = []
    try:
        with os.scandir(os.path.join(root, folder.path)) as entries:
            entries = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        folder.left_out.append(("", UNREADABLE, error.strerror or ""))
        return []
    for entry in entries:
        try:
            mode = entry.stat().st_mode
        except OSError:
            folder.left_out.append((entry.name, LOST, ""))
            continue
        if stat.S_ISDIR(mode):
            sub_folders.append((entry.name, entry.is_symlink()))
        elif not stat.S_ISREG(mode):
            kind = KINDS.get(stat.S_IFMT(mode), "device")
            folder.left_out.append((entry.name, SPECIAL, kind))
        elif entry.is_symlink():
            file_links.append((links + 1, depth, os.path.join(folder.path, entry.name)))
        else:
            folder.files.append(entry.name)
    return sub_folders


def _add_links(
    root: str | Path, folders: dict[str, Folder], entered: dict[str, str], file_links: list
) -> None:
    """Adds links to files that have no other name below the root."""
    names: dict[tuple[str, str], str] = {}  # the listed link by its target
    for *_, path in file_links:
        parent, name = os.path.split(path)
        target = os.path.realpath(os.path.join(root, path))
        target_folder, target_name = os.path.split(target)
        listed = names.get((target, ending_of(name)))
        if target_folder in entered and ending_of(target_name) == ending_of(name):
            own_path = os.path.join(entered[target_folder], target_name)
            listed = listed if is_hidden(own_path) else own_path
        if listed is None:
            names[target, ending_of(name)] = path
            folders[parent].files.append(name)
        else:
            folders[parent].left_out.append((name, AGAIN, listed))
    for folder in folders.values():
        folder.files.sort()
